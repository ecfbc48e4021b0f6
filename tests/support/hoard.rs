//! References in numbers: sealed as a worker seals, stored through the store's own door, without a camera.
//!
//! Knows the key directory, as only a worker does. Invariant: what was put in is known to the byte, so that every reference
//! can be opened and compared again.

use crate::{
    caller::{self, Tenant},
    cluster::{Cluster, PUBLIC_URL},
};
use anyhow::{Context, Result, bail, ensure};
use biometrics::{
    ChallengeId, Features, Jti, Purpose, ReferenceId, TenantId, TransformKey, UserId, Verdict, strikes::Settlement,
    transform,
};
use custody::{CustodyError, KekRef, Kms, KmsConfig};
use ring::rand::{SecureRandom as _, SystemRandom};
use seal::{DataKey, DekPlace, ReferencePlace};
use service::Clock;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use store::{
    AuditBody, CreateResult, EraseResult, Job, LiveReceipt, NewChallenge, OpenAttempt, OpenResult, RecordOutcome,
    RecordResult, SealedRow, StatusSecret, Store,
};
use uuid::Uuid;

/// Components of the features that are sealed.
const COMPONENTS: usize = 128;

/// One tenant's references and the keys to them.
#[derive(Debug)]
pub struct Hoard {
    /// The database, beside whoever serves it.
    pub store: Store,
    /// Whose.
    pub tenant: TenantId,
    /// What the references are said to be comparable with; that of the cluster's pack unless changed.
    pub feature_space: String,
    keks: Kms,
    /// What lies in it: by user the reference and its content.
    kept: BTreeMap<UserId, (ReferenceId, Vec<u8>)>,
    made: usize,
}

/// What a look over all of them found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Opened and compared.
    pub opened: usize,
    /// Missing, another's, or not to be opened.
    pub lost: BTreeSet<String>,
    /// Rows that nobody put in, or that were erased.
    pub strange: BTreeSet<String>,
    /// KEK versions that wrap them.
    pub versions: BTreeSet<u32>,
}

impl Hoard {
    /// Opens the database and the key directory of a cluster.
    ///
    /// # Errors
    /// Where one of them does not open.
    pub async fn open(cluster: &Cluster, tenant: &Tenant) -> Result<Self> {
        let store = Store::open(cluster.database.config()).await?;
        let keks = Kms::open(&KmsConfig::File { directory: cluster.folder().join("keys/worker") }, Clock::system())?;
        Ok(Self::on(store, (tenant.id.parse()?, keks), &feature_space(&cluster.options.pack)?))
    }

    /// A tenant's references in any database.
    #[must_use]
    pub fn on(store: Store, (tenant, keks): (TenantId, Kms), feature_space: &str) -> Self {
        Self { store, tenant, feature_space: feature_space.to_owned(), keks, kept: BTreeMap::new(), made: 0 }
    }

    /// How many lie in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }
    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
    /// Everybody, in order.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        self.kept.keys()
    }
    /// A user by number, from anywhere in the order.
    #[must_use]
    pub fn any(&self, number: usize) -> Option<UserId> {
        let at = number.wrapping_mul(7919).checked_rem(self.kept.len())?;
        self.kept.keys().nth(at).cloned()
    }

    /// Puts in one more, of a user of its own.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn add(&mut self) -> Result<UserId> {
        self.made += 1;
        let user: UserId = format!("hoard-{:06}", self.made.wrapping_mul(7919) % 1_000_000).parse()?;
        for _ in 0..10 {
            let (row, content) = self.seal(&user)?;
            let id = row.id;
            if self.enroll(&user, row).await? {
                self.kept.insert(user.clone(), (id, content));
                return Ok(user);
            }
        }
        bail!("the store takes no reference")
    }

    /// Erases one.
    ///
    /// # Errors
    /// Where the store does not.
    pub async fn erase(&mut self, user: &UserId) -> Result<()> {
        let erased = self.store.erase(self.tenant, user, "hoard").await?;
        ensure!(matches!(erased, EraseResult::Erased(_)), "{user}: {erased:?}");
        self.kept.remove(user);
        Ok(())
    }

    /// Looks at every row of the tenant but those of `others`, and opens each. `job` is any job of the tenant.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn look(&self, job: &Job, others: &[&str]) -> Result<Found> {
        let whole = Job { resume_after: String::new(), ..job.clone() };
        let rows = self.store.deks_below(&whole, u32::MAX, u32::MAX).await?;
        let mut found = Found::default();
        for row in &rows {
            let known = self.kept.get(&row.user).is_some_and(|(id, _)| *id == row.reference);
            if !known && !others.contains(&row.user.as_str()) {
                found.strange.insert(row.user.to_string());
            }
            found.versions.insert(row.kek_version);
        }
        for (user, (id, content)) in &self.kept {
            let row = self.store.reference(self.tenant, user).await?;
            match row.filter(|row| row.id == *id).map(|row| self.unseal(user, &row)) {
                Some(Ok(opened)) if opened == *content => found.opened += 1,
                _ => {
                    found.lost.insert(user.to_string());
                }
            }
        }
        Ok(found)
    }

    /// The newest KEK version and the older ones that could still be used.
    ///
    /// # Errors
    /// Where the key directory does not read.
    pub fn keks(&self) -> Result<(u32, Vec<u32>)> {
        let newest = self.keks.current_kek(&self.tenant.to_string())?;
        Ok((newest, self.alive(newest.saturating_sub(1))?))
    }

    /// The KEK versions up to this one that could still be used.
    ///
    /// # Errors
    /// Where the key directory does not read.
    pub fn alive(&self, up_to: u32) -> Result<Vec<u32>> {
        let (tenant, mut alive) = (self.tenant.to_string(), Vec::new());
        for version in 1..=up_to {
            match self.keks.wrap(KekRef { tenant: &tenant, version }, b"probe", b"") {
                Err(CustodyError::Destroyed) => {}
                Ok(_) => alive.push(version),
                Err(other) => return Err(other.into()),
            }
        }
        Ok(alive)
    }

    /// A reference of the user under the newest KEK version, and its content: features of nobody.
    ///
    /// # Errors
    /// Where a key is missing.
    pub fn seal(&self, user: &UserId) -> Result<(SealedRow, Vec<u8>)> {
        let random = SystemRandom::new();
        let content = features(&random)?;
        let (tenant, id) = (self.tenant.to_string(), ReferenceId::new(random_id()?));
        let reference = id.to_string();
        let key = DataKey::make(&random)?;
        let commitment = seal::commitment(&key);
        let place = self.place((&tenant, user, &reference), 1);
        let ciphertext = seal::seal_reference(&key, &place, &content, &random)?;
        let version = self.keks.current_kek(&tenant)?;
        let dek = DekPlace { tenant: &tenant, reference: &reference, epoch: 1, kek_version: version };
        let kek = KekRef { tenant: &tenant, version };
        let wrapped_dek = self.keks.wrap(kek, key.expose(), &seal::dek_wrap_aad(&dek, &commitment))?;
        let row = SealedRow {
            id,
            epoch: 1,
            feature_space: self.feature_space.clone(),
            transform_version: transform::VERSION,
            schema: 1,
            kek_version: version,
            wrapped_dek,
            ciphertext,
            commitment,
            transform_generation: 1,
            created_at_ms: 0,
        };
        Ok((row, content))
    }

    /// What was put in of a user: features in the space of the reference's first epoch.
    #[must_use]
    pub fn content(&self, user: &UserId) -> Option<&[u8]> {
        self.kept.get(user).map(|(_, content)| &content[..])
    }

    /// A key of the tenant's feature transform, opened as a worker does.
    ///
    /// # Errors
    /// Where it does not open.
    pub fn transform_key(&self, wrapped: &[u8], version: u32) -> Result<TransformKey> {
        let tenant = self.tenant.to_string();
        let parts: [&[u8]; 4] =
            [b"countersign/tenant-secret/v1", tenant.as_bytes(), &version.to_be_bytes(), b"transform"];
        let mut data = Vec::new();
        for part in parts {
            data.extend_from_slice(&u32::try_from(part.len())?.to_be_bytes());
            data.extend_from_slice(part);
        }
        let opened = self.keks.unwrap(KekRef { tenant: &tenant, version }, wrapped, &data)?;
        TransformKey::from_slice(&opened).context("no key of the transform")
    }

    /// What a row holds, opened under whatever KEK version wraps its key.
    ///
    /// # Errors
    /// Where it does not open for this user.
    pub fn unseal(&self, user: &UserId, row: &SealedRow) -> Result<Vec<u8>> {
        let (tenant, reference) = (self.tenant.to_string(), row.id.to_string());
        let version = row.kek_version;
        let dek = DekPlace { tenant: &tenant, reference: &reference, epoch: row.epoch, kek_version: version };
        let data = seal::dek_wrap_aad(&dek, &row.commitment);
        let key = self.keks.unwrap(KekRef { tenant: &tenant, version }, &row.wrapped_dek, &data)?;
        let key = DataKey::from_bytes(key)?;
        let place = self.place((&tenant, user, &reference), row.epoch);
        Ok(seal::open_reference(&key, &place, &row.commitment, &row.ciphertext)?.to_vec())
    }

    fn place<'a>(
        &'a self,
        (tenant, user, reference): (&'a str, &'a UserId, &'a str),
        epoch: u32,
    ) -> ReferencePlace<'a> {
        ReferencePlace {
            tenant,
            user: user.as_str(),
            reference,
            epoch,
            feature_space: &self.feature_space,
            transform_version: transform::VERSION,
            schema: 1,
        }
    }

    /// Through T1 and T2, as a gateway would. False: the row's KEK version was retired meanwhile.
    async fn enroll(&self, user: &UserId, row: SealedRow) -> Result<bool> {
        let challenge = NewChallenge {
            id: ChallengeId::new(random_id()?),
            tenant: self.tenant,
            user: user.clone(),
            purpose: Purpose::Enroll,
            replace: false,
            action_json: r#"{"type":"hoard"}"#.to_owned(),
            action_sha256: [3; 32],
            rp_nonce: caller::NONCE.to_vec(),
            mode: biometrics::CaptureMode::Passive,
            max_attempts: 1,
            ttl_s: 120,
            idempotency: None,
            display_sha256: [5; 32],
        };
        let CreateResult::Created(challenge) = self.store.create_challenge(challenge).await? else {
            bail!("no challenge")
        };
        let open = OpenAttempt {
            told: AuditBody::default(),
            tenant: self.tenant,
            challenge: challenge.id,
            attempt: 0,
            purpose: Purpose::Enroll,
            lease_ms: 60_000,
            jti: Jti::new(random_id()?),
            status: StatusSecret::new(&[6; 32]),
            feature_spaces: None,
            frames: Vec::new(),
        };
        let opened = match self.store.open_attempt(open).await? {
            OpenResult::Opened(opened) => opened,
            OpenResult::Refused(refused) => bail!("{refused:?}"),
        };
        let outcome = RecordOutcome {
            tenant: self.tenant,
            lease_id: opened.lease_id,
            verdict: Verdict::Accept,
            settlement: Settlement::Reset,
            audit: AuditBody::default(),
            reference: Some(row),
            succession: None,
            receipt: LiveReceipt {
                jti: opened.jti,
                pseudonym: "hoard".to_owned(),
                expires_at_ms: opened.lease_until_ms,
                iss: format!("{PUBLIC_URL}/test-receipts"),
                sha256: [8; 32],
            },
        };
        match self.store.record_outcome(outcome).await? {
            RecordResult::Recorded(_) => Ok(true),
            RecordResult::KekRetired => {
                self.store.release_attempt(self.tenant, opened.lease_id).await?;
                Ok(false)
            }
            other => bail!("{other:?}"),
        }
    }
}

/// What may be compared with what, by a pack's manifest.
fn feature_space(pack: &Path) -> Result<String> {
    let manifest = std::fs::read_to_string(pack.join("pack.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("feature_space = \""));
    Ok(line.and_then(|rest| rest.split('"').next()).context("the pack names no feature space")?.to_owned())
}

/// A direction at random, as bytes of features.
fn features(random: &SystemRandom) -> Result<Vec<u8>> {
    let mut bytes = [0; COMPONENTS];
    random.fill(&mut bytes).ok().context("no randomness")?;
    let raw: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) - 127.5).collect();
    Ok(Features::new(&raw)?.to_le_bytes().to_vec())
}

fn random_id() -> Result<Uuid> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok().context("no randomness")?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
