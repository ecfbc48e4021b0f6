//! What a verification takes beside a million references over what it takes beside a thousand: its two transactions alone, and with all
//! five gates over a capture of 8 frames between them.
//!
//! One caller and one process: no network, no TLS, no sealing, none of which knows how many references there are.

use crate::{
    Common,
    blocks::{median, ms},
    books::{self, Books, Place},
    captures::{self, Filmed, OPTIONS},
};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::{iter, time::Duration};
use vision::{Engine, Pack, Runtime};

const FEW: usize = 1_000;
/// Verifications of one block.
const BLOCK: usize = 40;
/// Those of a block with the gates, which take most of it.
const WHOLE_BLOCK: usize = 6;
const BLOCKS: usize = 60;

/// How many are many.
#[derive(Debug, clap::Args)]
pub(crate) struct Many {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    common: Common,
    /// References of the larger store.
    #[arg(long, default_value_t = 1_000_000)]
    references: usize,
}

/// What both stores take in turn, in seconds, block by block.
#[derive(Default)]
struct Sides {
    few: Vec<f64>,
    many: Vec<f64>,
}

impl Sides {
    /// In turn, block by block; `between` gets the block's number.
    async fn of(
        [few, many]: &[(Books, usize); 2],
        verifications: usize,
        mut between: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let mut sides = Self::default();
        for block in 0..=BLOCKS {
            let a = p50(few, (block, verifications), || between(block)).await?;
            let b = p50(many, (block, verifications), || between(block)).await?;
            // The first warms both.
            if block > 0 {
                sides.few.push(a);
                sides.many.push(b);
            }
        }
        Ok(sides)
    }

    fn ratio(&self) -> f64 {
        median(&mut iter::zip(&self.many, &self.few).map(|(many, few)| many / few).collect::<Vec<_>>())
    }

    fn ms(&self) -> [f64; 2] {
        [&self.few, &self.many].map(|times| ms(Duration::from_secs_f64(median(&mut times.clone()))))
    }
}

/// Prints one JSON object.
pub(crate) async fn run(many: &Many) -> Result<()> {
    let (runtime, pack) = (Runtime::load(&many.common.onnxruntime)?, Pack::open(&many.common.pack)?);
    let mut engine = captures::engine(&runtime, &pack)?;
    let filmed = captures::film(&many.common, &mut engine, &pack)?;
    let stores = [(Books::open(&many.place).await?, FEW), (Books::open(&many.place).await?, many.references)];
    for (books, references) in &stores {
        books.enroll(0..*references, |_| Ok(vec![6; 61])).await?;
        books.store.checkpoint().await?;
    }
    eprintln!("all are enrolled; measuring");
    let stored = Sides::of(&stores, BLOCK, |_| Ok(())).await?;
    // After the others and not among them: whatever comes next after the gates finds the processor's caches full of models.
    let gates = |block: usize| examine(&mut engine, &filmed[block % filmed.len()]);
    let whole = Sides::of(&stores, WHOLE_BLOCK, gates).await?;
    let ([store_few, store_many], [whole_few, whole_many]) = (stored.ms(), whole.ms());
    println!(
        "{}",
        json!({
            "bench": "references", "pack": pack.name(), "few": FEW, "many": many.references,
            "transactions_few_p50_ms": store_few, "transactions_many_p50_ms": store_many,
            "transactions_many_over_few": stored.ratio(),
            "verification_few_p50_ms": whole_few, "verification_many_p50_ms": whole_many,
            "verification_many_over_few": whole.ratio(),
        })
    );
    Ok(())
}

/// All five gates, as a worker runs them.
fn examine(engine: &mut Engine, filmed: &Filmed) -> Result<()> {
    let evidence = engine.examine_response(&filmed.frames(), filmed.script(), OPTIONS)?;
    let probe = evidence.features.context("a capture that passed once does not pass again")?;
    std::hint::black_box(filmed.compare(&probe));
    Ok(())
}

/// The median of a block of verifications of users from anywhere, in seconds.
async fn p50(
    (books, references): &(Books, usize),
    (block, verifications): (usize, usize),
    mut between: impl FnMut() -> Result<()>,
) -> Result<f64> {
    let mut times = Vec::with_capacity(verifications);
    for number in 0..verifications {
        let user = books::user((block * BLOCK + number).wrapping_mul(104_729) % references)?;
        times.push(books::verify(&books.store, books.tenant, &user, &mut between).await?.as_secs_f64());
    }
    Ok(median(&mut times))
}
