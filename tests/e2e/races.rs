//! One challenge redeemed by many at once through two gateways on one database: exactly one acceptance (TARGETS R2).

use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use support::{
    books::Books,
    caller::{self, Caller},
    load::{Answered, Faces, Seen},
    skips,
};
use tokio::task::JoinSet;
use wire::v1;

const CHALLENGES: usize = 20;
const RACERS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_redeemed_by_many_through_two_gateways_is_accepted_once() -> Result<()> {
    let Some(cluster) = skips::cluster("races", "base")? else { return Ok(()) };
    let other = cluster.further_gateway()?;
    let tenant = cluster.make_tenant("races", true)?;
    let mut first = Caller::connect(&cluster, &tenant.api_key).await?;
    let second = Caller::connect_to(&cluster, other.address, &tenant.api_key).await?;
    let faces = Faces::new(900, 90)?;
    let (mut seen, mut lost) = (Seen::default(), BTreeMap::<String, usize>::new());
    for number in 0..CHALLENGES {
        let user = format!("racer-{number}");
        first.enroll_user(&user, faces.enroll.clone()).await?;
        let opened = first.create_challenge(caller::challenge(&user, v1::Purpose::Verify)).await?;
        let mut race = JoinSet::new();
        for racer in 0..RACERS {
            let mut caller = if racer % 2 == 0 { first.clone() } else { second.clone() };
            let (challenge, frames) = (opened.challenge_id.clone(), faces.owner.clone());
            race.spawn(async move { caller.verify(&challenge, frames).await });
        }
        let mut accepted = 0;
        while let Some(ended) = race.join_next().await {
            match ended? {
                Ok(answer) => {
                    ensure!(answer.verdict() == v1::Verdict::Accept, "the owner was refused");
                    accepted += 1;
                    let challenge = opened.challenge_id.clone();
                    seen.answers.push(Answered { challenge, accepted: true, receipt: answer.receipt, stranger: false });
                }
                Err(status) => *lost.entry(caller::reason(&status)).or_default() += 1,
            }
        }
        assert_eq!(accepted, 1, "challenge {number}");
        seen.challenges.push(opened.challenge_id);
    }
    println!(
        "{CHALLENGES} challenges x {RACERS} racers, two gateways: {} accepted, the others {lost:?}",
        seen.answers.len()
    );
    let known = ["ATTEMPT_OPEN", "ALREADY_DECIDED"];
    ensure!(lost.keys().all(|why| known.contains(&why.as_str())), "a racer lost for another reason: {lost:?}");
    Books::open(&cluster, &tenant).await?.check(&seen).await
}
