//! Rows taken apart and put together anew: what was sealed for one tenant, user, epoch, KEK version and model opens nowhere
//! else, whatever columns are exchanged (TARGETS R11).

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use std::collections::HashSet;
use store::Store;
use support::{
    caller::Tenant,
    captures,
    expect::refused,
    hoard::Hoard,
    inside::{self, ask},
    scene::Scene,
    skips, surgery,
    torture::{self, Report},
};
use tonic::{Code, transport::Channel};
use wire::v1::{self, inference_service_client::InferenceServiceClient};

/// Copies one column from a row into another.
type Column = (&'static str, fn(&mut v1::SealedReference, &v1::SealedReference));

const COLUMNS: [Column; 7] = [
    ("id", |into, from| into.reference_id.clone_from(&from.reference_id)),
    ("epoch", |into, from| into.epoch = from.epoch),
    ("feature_space", |into, from| into.feature_space.clone_from(&from.feature_space)),
    ("kek_version", |into, from| into.kek_version = from.kek_version),
    ("wrapped_dek", |into, from| into.wrapped_dek.clone_from(&from.wrapped_dek)),
    ("ciphertext", |into, from| into.ciphertext.clone_from(&from.ciphertext)),
    ("commitment", |into, from| into.commitment.clone_from(&from.commitment)),
];
/// What a worker says of a row that does not open.
const REFUSALS: [&str; 3] = ["DATA_LOSS", "FEATURE_SPACE", "INVALID_ARGUMENT"];

/// Whose rows they are.
struct Owner {
    tenant: String,
    user: &'static str,
    secrets: v1::WrappedTenantSecrets,
}

/// A row as it may lie in the database, and where it belongs.
struct Genuine {
    owner: usize,
    row: v1::SealedReference,
}

/// Every genuine row and the way to the worker.
struct Theatre {
    worker: InferenceServiceClient<Channel>,
    owners: Vec<Owner>,
    rows: Vec<Genuine>,
}

impl Theatre {
    /// Three owners over two tenants, one user name at both; of each a row as it was enrolled by a camera, one under the next KEK
    /// version, one of the next epoch, and one that another model made.
    async fn open(scene: &mut Scene) -> Result<Self> {
        let (neighbour, mut other) = scene.neighbour()?;
        for (user, face) in [("alice", "obama.jpg"), ("bob", "biden.jpg")] {
            scene.bank.enroll_user(user, captures::portraits(&[face])?).await?;
        }
        other.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
        let mut theatre = Self { worker: inside::connect(&scene.cluster).await?, owners: Vec::new(), rows: Vec::new() };
        let bank = scene.tenant.clone();
        for (tenant, users) in [(&bank, &["alice", "bob"][..]), (&neighbour, &["alice"])] {
            theatre.admit(scene, tenant, users).await?;
        }
        Ok(theatre)
    }

    async fn admit(&mut self, scene: &Scene, tenant: &Tenant, users: &[&'static str]) -> Result<()> {
        let store = Store::open(scene.database().config()).await?;
        let id = tenant.id.parse()?;
        let secrets = store.tenant(id).await?.context("no tenant")?.secrets;
        let secrets = v1::WrappedTenantSecrets {
            kek_version: secrets.kek_version,
            transform_key: secrets.transform_key,
            pseudonym_key: secrets.pseudonym_key,
        };
        let mut models = Hoard::open(&scene.cluster, tenant).await?;
        "another-model".clone_into(&mut models.feature_space);
        let made = v1::MakeKekRequest { tenant_id: tenant.id.clone(), newer_than: 1 };
        let next = self.worker.make_kek(ask(made)).await?.into_inner().kek_version;
        for user in users {
            let (owner, row) = (self.owners.len(), store.reference(id, &user.parse()?).await?.context("no row")?);
            let enrolled = inside::on_the_wire(&row);
            self.owners.push(Owner { tenant: tenant.id.clone(), user, secrets: secrets.clone() });
            let rewrap = v1::RewrapRequest {
                tenant_id: tenant.id.clone(),
                references: vec![enrolled.clone()],
                kek_version: next,
                secrets: None,
            };
            let mut rewrapped = self.worker.rewrap(ask(rewrap)).await?.into_inner().references;
            let rewrapped = rewrapped.pop().context("not rewrapped")?;
            let rewrapped = v1::SealedReference { ciphertext: enrolled.ciphertext.clone(), ..rewrapped };
            let renewed = self.renew(owner, &enrolled).await?.map_err(anyhow::Error::msg)?;
            let (modelled, _) = models.seal(&user.parse()?)?;
            let modelled = inside::on_the_wire(&modelled);
            self.rows.extend([enrolled, rewrapped, renewed, modelled].map(|row| Genuine { owner, row }));
        }
        store.close().await;
        Ok(())
    }

    /// Has the worker open a row as an owner's; what it refuses with otherwise.
    async fn renew(&mut self, owner: usize, row: &v1::SealedReference) -> Result<Result<v1::SealedReference, String>> {
        let owner = &self.owners[owner];
        self.renew_with(owner.secrets.clone(), (owner.tenant.clone(), owner.user), row).await
    }

    async fn renew_with(
        &self,
        secrets: v1::WrappedTenantSecrets,
        (tenant_id, user): (String, &str),
        row: &v1::SealedReference,
    ) -> Result<Result<v1::SealedReference, String>> {
        let request = v1::RenewRequest {
            tenant_id,
            user_id: user.to_owned(),
            reference: Some(row.clone()),
            secrets: Some(secrets),
            new_secrets: None,
        };
        match self.worker.clone().renew(ask(request)).await {
            Ok(answer) => Ok(Ok(answer.into_inner().reference.context("no reference")?)),
            Err(status) => {
                let reason = support::caller::reason(&status);
                ensure!(REFUSALS.contains(&reason.as_str()), "the worker says {status:?}");
                Ok(Err(reason))
            }
        }
    }

    /// Whether this very row belongs to the owner and is of the model that the worker runs.
    fn opens_by_right(&self, owner: usize, row: &v1::SealedReference) -> bool {
        let model = &self.rows[0].row.feature_space;
        self.rows.iter().any(|genuine| genuine.owner == owner && genuine.row == *row && row.feature_space == *model)
    }

    /// Every row with every subset of its columns taken from every other, at the place of its owner: each once.
    async fn operate(&mut self, report: &mut Report) -> Result<usize> {
        let (mut seen, mut by_right) = (HashSet::new(), 0);
        let all = self.rows.len() * (self.rows.len() - 1);
        for (number, (into, from)) in pairs(self.rows.len()).enumerate() {
            for subset in 1_u32..1 << COLUMNS.len() {
                let owner = self.rows[into].owner;
                let mut row = self.rows[into].row.clone();
                let taken = || COLUMNS.iter().enumerate().filter(|(at, _)| subset & (1 << at) != 0);
                taken().for_each(|(_, (_, copy))| copy(&mut row, &self.rows[from].row));
                if !seen.insert((owner, row.encode_to_vec())) {
                    continue;
                }
                let opened = self.renew(owner, &row).await?.is_ok();
                if self.opens_by_right(owner, &row) {
                    by_right += usize::from(opened);
                    ensure!(opened, "a genuine row does not open");
                    continue;
                }
                let names: Vec<_> = taken().map(|(_, (name, _))| *name).collect();
                let outcome =
                    if opened { Err(anyhow::anyhow!("row {into} opens with {names:?} of row {from}")) } else { Ok(()) };
                report.count(outcome);
            }
            if number % 20 == 19 {
                println!("torture: R11 {} of {all} pairs of rows", number + 1);
            }
        }
        Ok(by_right)
    }

    /// Secrets of the other tenant, and one secret in the other's place.
    async fn mix_secrets(&self, report: &mut Report) -> Result<()> {
        let [first, .., last] = &self.owners[..] else { anyhow::bail!("too few owners") };
        let turned = v1::WrappedTenantSecrets {
            transform_key: first.secrets.pseudonym_key.clone(),
            pseudonym_key: first.secrets.transform_key.clone(),
            ..first.secrets
        };
        for secrets in [last.secrets.clone(), turned] {
            let opened = self.renew_with(secrets, (first.tenant.clone(), first.user), &self.rows[0].row).await?.is_ok();
            report.count(if opened { Err(anyhow::anyhow!("foreign secrets open")) } else { Ok(()) });
        }
        Ok(())
    }
}

fn pairs(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |into| (0..rows).filter(move |from| *from != into).map(move |from| (into, from)))
}

/// Exchanges columns in the database itself and has both users verify; then exchanges them back.
async fn through_the_front(scene: &mut Scene, report: &mut Report) -> Result<()> {
    let (_, mut other) = scene.neighbour()?;
    other.enroll_user("carol", captures::portraits(&["biden.jpg"])?).await?;
    let faces = captures::portraits(&["obama2.jpg"])?;
    let sets: [&[&str]; 5] = [
        &["wrapped_dek"],
        &["ciphertext"],
        &["commitment"],
        &["wrapped_dek", "ciphertext"],
        &["wrapped_dek", "ciphertext", "commitment"],
    ];
    for (columns, with) in sets.iter().flat_map(|columns| ["bob", "carol"].map(|with| (*columns, with))) {
        surgery::exchange(scene.database(), columns, ("dave", with))?;
        let said = refused(scene.bank.verify_user("dave", faces.clone()).await);
        let lost = matches!(&said, Ok((Code::DataLoss, reason)) if reason == "DATA_LOSS");
        report.count(if lost { Ok(()) } else { Err(anyhow::anyhow!("{columns:?} of {with}: {said:?}")) });
        surgery::exchange(scene.database(), columns, ("dave", with))?;
    }
    let (_, answer) = scene.bank.verify_user("dave", faces).await?;
    ensure!(answer.verdict() == v1::Verdict::Accept, "what was put back does not verify");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r11_no_exchange_of_columns_between_rows_opens_a_reference() -> Result<()> {
    let test = "row_surgery";
    if skips::or_skip(test, surgery::possible()).is_none() {
        return Ok(());
    }
    let Some(mut scene) = Scene::on_files(test).await? else { return Ok(()) };
    let mut theatre = Theatre::open(&mut scene).await?;
    let mut report = Report::of("R11");
    // The control: the same way opens each genuine row at its place, so a row that opens wrongly would be seen.
    let mut untouched = 0;
    for genuine in 0..theatre.rows.len() {
        let (owner, row) = (theatre.rows[genuine].owner, theatre.rows[genuine].row.clone());
        let opened = theatre.renew(owner, &row).await?.is_ok();
        ensure!(opened == theatre.opens_by_right(owner, &row), "row {genuine} of another model is no row of this one");
        untouched += usize::from(opened);
    }
    let by_right = theatre.operate(&mut report).await?;
    theatre.mix_secrets(&mut report).await?;
    // Her row is under a name of its own at both tenants' database.
    scene.bank.enroll_user("dave", captures::portraits(&["obama.jpg"])?).await?;
    through_the_front(&mut scene, &mut report).await?;
    println!(
        "R11: {} rows put together anew, 0 open; {untouched} untouched rows and {by_right} exchanges that end in a genuine row do{}",
        report.trials,
        if torture::full() { "" } else { "; the matrix is the full one" }
    );
    report.control_triggered = untouched == 9 && by_right > 0;
    report.close()
}
