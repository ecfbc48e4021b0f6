//! What a verification's two transactions take beside a million references over what they take beside a thousand.

use crate::{
    blocks::{median, ms},
    books::{self, Books, Place},
};
use anyhow::Result;
use serde_json::json;
use std::time::Duration;

const FEW: usize = 1_000;
/// Verifications of one block.
const BLOCK: usize = 40;
const BLOCKS: usize = 60;

/// How many are many.
#[derive(Debug, clap::Args)]
pub(crate) struct Many {
    #[command(flatten)]
    place: Place,
    /// References of the larger store.
    #[arg(long, default_value_t = 1_000_000)]
    references: usize,
}

/// Prints one JSON object.
pub(crate) async fn run(many: &Many) -> Result<()> {
    let stores = [(Books::open(&many.place).await?, FEW), (Books::open(&many.place).await?, many.references)];
    for (books, references) in &stores {
        books.enroll(0..*references, |_| Ok(vec![6; 61])).await?;
        books.store.checkpoint().await?;
    }
    let (mut few, mut more, mut ratios) = (vec![], vec![], vec![]);
    for number in 0..=BLOCKS {
        let (a, b) = (p50(&stores[0], number).await?, p50(&stores[1], number).await?);
        // The first warms both.
        if number > 0 {
            few.push(a.as_secs_f64());
            more.push(b.as_secs_f64());
            ratios.push(b.as_secs_f64() / a.as_secs_f64());
        }
    }
    println!(
        "{}",
        json!({
            "bench": "references", "few": FEW, "many": many.references,
            "few_p50_ms": ms(Duration::from_secs_f64(median(&mut few))),
            "many_p50_ms": ms(Duration::from_secs_f64(median(&mut more))), "many_over_few": median(&mut ratios),
        })
    );
    Ok(())
}

/// The median of a block of verifications of users from anywhere.
async fn p50((books, references): &(Books, usize), block: usize) -> Result<Duration> {
    let mut times = Vec::with_capacity(BLOCK);
    for number in 0..BLOCK {
        let user = books::user((block * BLOCK + number).wrapping_mul(104_729) % references)?;
        times.push(books::verify(&books.store, books.tenant, &user).await?.as_secs_f64());
    }
    Ok(Duration::from_secs_f64(median(&mut times)))
}
