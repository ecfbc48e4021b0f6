//! The strongest mode under the production floor: light and motion answered, all five gates, and those who try without.
//!
//! Captures are simulated from the same portraits, and said to be; cluster, gates and receipts are those of production.

use crate::{
    checks::{Checks, same},
    offline,
    story::{USER, refused, refusing, refusing_at},
};
use anyhow::{Context, Result};
use simulator::Species;
use support::{
    answering::{asked, settle},
    caller::{self, Caller},
    cluster::Cluster,
    expect::Decision,
    performer::{Performer, indoors},
};
use tonic::Code;
use wire::v1::{self, Gate, Purpose};

/// Gates that see an attack before anybody is compared.
const BEFORE: &[Gate] = &[Gate::CaptureIntegrity, Gate::PresentationAttack, Gate::ChallengeResponse];

/// Captures that an attack sends at most.
const TRIES: u64 = 3;

/// Who plays.
struct Cast {
    owner: Performer,
    stranger: Performer,
    exchange: Caller,
}

/// Plays the chapter and checks every step; returns the frames that were sent.
pub(crate) async fn tell(cluster: &Cluster, checks: &mut Checks) -> Result<Vec<v1::Frame>> {
    let tenant = cluster.make_tenant("exchange", false)?;
    let exchange = Caller::connect(cluster, &tenant.api_key).await?;
    let [owner, stranger] = Performer::cast(&cluster.options.pack, ["obama.jpg", "biden.jpg"])?;
    let mut cast = Cast { owner, stranger, exchange };

    let below = cluster.gateway_command(&["tenant", "create", "--name", "below", "--policy", &below_floor(cluster)?]);
    checks.check("a production policy without gate 3 is refused", refused_by_command(below));
    let passive = cast.exchange.create_challenge(caller::challenge(USER, Purpose::Verify)).await;
    checks.check(
        "a production challenge that performs nothing: INVALID_ARGUMENT",
        refused(passive, Code::InvalidArgument, "INVALID_ARGUMENT"),
    );

    // Every performance has a seed of its own: the same one twice would be the same frames twice.
    let live = |script: &v1::CaptureScript| cast.owner.perform(script, &indoors(script.attempt.into()));
    let enrolled = settle(&mut cast.exchange, asked(USER, Purpose::Enroll), live).await?;
    checks.check("the owner enrolls with light and motion: ACCEPT, all five gates PASS", all(&enrolled.decision));
    let live = |script: &v1::CaptureScript| cast.owner.perform(script, &indoors(10 + u64::from(script.attempt)));
    let verified = settle(&mut cast.exchange, asked(USER, Purpose::Verify), live).await?;
    checks.check("the owner verifies with light and motion: ACCEPT, all five gates PASS", all(&verified.decision));
    checks.check("its receipt bounds a blind guess by 1e-4", bounded(&verified.answer.receipt));
    checks.check(
        "the CLI accepts it as production's, no gate left out, without a network",
        offline::production(cluster, &tenant.id, &verified.answer.receipt),
    );

    let opened = cast.exchange.create_challenge(asked(USER, Purpose::Verify)).await?;
    let again = cast.exchange.verify(&opened.challenge_id, verified.last.clone()).await?;
    checks.check(
        "the same frames sent again under the same nonce: signed REFUSE at gate 1 CAPTURE_REPLAYED",
        refusing(&again, Gate::CaptureIntegrity, "CAPTURE_REPLAYED"),
    );

    let mut frames = [enrolled.frames, verified.frames].concat();
    let tries = [
        ("a print", 51, Species::FlatPrint),
        ("a replay that fills the frame", 52, Species::ReplayFillingFrame),
        ("a recording of an older script", 53, Species::WrongNonce),
    ];
    for (name, seed, species) in tries {
        let (answer, sent) = cast.attack(species, seed).await?;
        checks.check(&format!("{name}: signed REFUSE before gate 5"), refusing_at(&answer, BEFORE));
        frames.extend(sent);
    }
    let (answer, sent) = cast.for_another_payee().await?;
    checks.check("a capture made for another payee: signed REFUSE before gate 5", refusing_at(&answer, BEFORE));
    frames.extend(sent);

    let live = |script: &v1::CaptureScript| cast.owner.perform(script, &indoors(20 + u64::from(script.attempt)));
    let again = settle(&mut cast.exchange, asked(USER, Purpose::Verify), live).await?;
    checks.check("meanwhile the owner is still served: ACCEPT, all five gates PASS", all(&again.decision));

    for (name, seed, species) in
        [("two captures spliced", 54, Species::Spliced), ("a still in place of the camera", 55, Species::InjectedStill)]
    {
        let (answer, sent) = cast.attack(species, seed).await?;
        checks.check(&format!("{name}: signed REFUSE before gate 5"), refusing_at(&answer, BEFORE));
        frames.extend(sent);
    }
    let other = |script: &v1::CaptureScript| cast.stranger.perform(script, &indoors(script.attempt.into()));
    let stranger = settle(&mut cast.exchange, asked(USER, Purpose::Verify), other).await?;
    checks.check(
        "another person who performs well: gates 1 to 4 PASS, gate 5 FAIL COMPARISON_NON_MATCH",
        same(
            "decision",
            stranger.decision,
            Decision::refuse(Gate::Comparison, v1::GateStatus::Fail, "COMPARISON_NON_MATCH"),
        ),
    );
    frames.extend(again.frames);
    frames.extend(stranger.frames);
    Ok(frames)
}

impl Cast {
    /// Attacks the owner's account with what was recorded for the same action under another nonce.
    async fn attack(&mut self, species: Species, seed: u64) -> Result<(v1::VerifyResponse, Vec<v1::Frame>)> {
        let (mut answer, mut sent) = self.attack_once(species, seed).await?;
        // Every run has scripts of its own. A capture that gate 2 does not take tells nothing of the attack, which tries again.
        for again in 1..TRIES {
            if refusing_at(&answer, &[Gate::Quality]).is_err() {
                break;
            }
            let (next, frames) = self.attack_once(species, seed + 100 * again).await?;
            answer = next;
            sent.extend(frames);
        }
        Ok((answer, sent))
    }

    async fn attack_once(&mut self, species: Species, seed: u64) -> Result<(v1::VerifyResponse, Vec<v1::Frame>)> {
        let older = v1::CreateChallengeRequest { rp_nonce: vec![0x5a; 16], ..asked(USER, Purpose::Verify) };
        let older = script(&self.exchange.create_challenge(older).await?)?;
        let opened = self.exchange.create_challenge(asked(USER, Purpose::Verify)).await?;
        let attack = (species, &self.stranger);
        let frames = self.owner.attacked(attack, [&script(&opened)?, &older], &indoors(seed))?;
        Ok((self.exchange.verify(&opened.challenge_id, frames.clone()).await?, frames))
    }

    /// The owner performs for one payee, and the capture is sent for another.
    async fn for_another_payee(&mut self) -> Result<(v1::VerifyResponse, Vec<v1::Frame>)> {
        let shown = v1::Action { payee: "GB33BUKB20201555555555".into(), ..caller::action() };
        let shown = v1::CreateChallengeRequest { action: Some(shown), ..asked(USER, Purpose::Verify) };
        let frames = self.owner.perform(&script(&self.exchange.create_challenge(shown).await?)?, &indoors(9))?;
        let opened = self.exchange.create_challenge(asked(USER, Purpose::Verify)).await?;
        Ok((self.exchange.verify(&opened.challenge_id, frames.clone()).await?, frames))
    }
}

fn script(opened: &v1::CreateChallengeResponse) -> Result<v1::CaptureScript> {
    opened.script.clone().context("a challenge has a script")
}

fn all(decision: &Decision) -> Result<()> {
    same("decision", decision, &Decision::AcceptAll)
}

fn bounded(token: &str) -> Result<()> {
    let claims = receipt::inspect_unverified(token).context("the receipt does not read")?.claims;
    let mode = claims.get("mode").context("the receipt names no mode")?;
    same("mode", mode["name"].as_str(), Some("LIGHT_AND_MOTION"))?;
    let bound = mode["blind_guess"].as_f64().context("the receipt states no bound")?;
    same("bound within 1e-4", bound <= 1e-4, true).with_context(|| format!("{bound}"))
}

/// A policy file that lacks a gate.
fn below_floor(cluster: &Cluster) -> Result<String> {
    let mut policy = biometrics::Policy::production();
    policy.required_gates.retain(|gate| *gate != biometrics::Gate::PresentationAttack);
    let path = cluster.folder().join("below.json");
    std::fs::write(&path, serde_json::to_vec(&policy)?)?;
    Ok(path.to_string_lossy().into_owned())
}

fn refused_by_command(outcome: Result<String>) -> Result<()> {
    let said = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    same("names what is missing", said.contains("required_gates"), true).context(said)
}
