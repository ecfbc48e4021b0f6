//! A production tenant: all five gates, on every pack that is here. Captures are simulated, all else is real.

use anyhow::{Context, Result, bail};
use simulator::Species;
use support::{
    answering::{asked, settle},
    expect::Decision,
    performer::{Performer, indoors},
    scene::Scene,
    skips,
};
use wire::v1::{self, Gate, Purpose};

#[tokio::test(flavor = "multi_thread")]
async fn the_base_pack_keeps_the_production_floor() -> Result<()> {
    keeps_the_floor("production/base", "base").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_pack_keeps_the_production_floor() -> Result<()> {
    keeps_the_floor("production/standard", "standard").await
}

const USER: &str = "alice";

async fn keeps_the_floor(test: &str, pack: &str) -> Result<()> {
    let Some(options) = skips::options(test, pack) else { return Ok(()) };
    let [owner, stranger] = Performer::cast(&options.pack, ["obama.jpg", "biden.jpg"])?;
    let scene = Scene::with(options).await?;
    let tenant = scene.cluster.make_tenant("exchange", false)?;
    let mut bank = scene.bank.with(&tenant.api_key);
    assert!(tenant.api_key.starts_with("cs_live_"));
    // Seeds of their own: the same performance twice would be the same frames twice.
    for (seed, purpose) in [(0, Purpose::Enroll), (10, Purpose::Verify)] {
        let live = |script: &v1::CaptureScript| owner.perform(script, &indoors(seed + u64::from(script.attempt)));
        let settled = settle(&mut bank, asked(USER, purpose), live).await?;
        assert_eq!(settled.decision, Decision::AcceptAll, "{purpose:?}");
        let test = receipt::evidence(&settled.answer.receipt, &scene.receipt_keys()?);
        assert!(test.is_err(), "a production tenant's receipts come from another issuer and key");
    }

    let other = |script: &v1::CaptureScript| stranger.perform(script, &indoors(script.attempt.into()));
    let settled = settle(&mut bank, asked(USER, Purpose::Verify), other).await?;
    let Decision::Refuse(gate, ..) = settled.decision else { bail!("a stranger") };
    assert_eq!(gate, Gate::Comparison, "a stranger who performs well");
    for (seed, species) in [(8, Species::FlatPrint), (9, Species::PhoneReplay)] {
        let older = v1::CreateChallengeRequest { rp_nonce: vec![3; 16], ..asked(USER, Purpose::Verify) };
        let older = bank.create_challenge(older).await?.script.context("a script")?;
        let opened = bank.create_challenge(asked(USER, Purpose::Verify)).await?;
        let script = opened.script.context("a script")?;
        let frames = owner.attacked((species, &stranger), [&script, &older], &indoors(seed))?;
        let answer = bank.verify(&opened.challenge_id, frames).await?;
        let Decision::Refuse(gate, ..) = Decision::of_verify(&answer)? else { bail!("{species:?}") };
        assert!(gate < Gate::Comparison, "{species:?} {gate:?}");
    }
    Ok(())
}
