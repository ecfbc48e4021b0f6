//! Group commit: rows that many callers make durable in a second, one row a transaction, over the `fsync`s that the same file
//! system does in a second; and the same with a file that must take every line of the audit before.

use crate::{
    blocks::{median, stopwatch},
    books::{Books, CALLERS, Place, fsyncs_per_second},
};
use anyhow::{Context as _, Result};
use biometrics::TenantId;
use serde_json::json;
use std::time::Duration;
use store::{AuditBody, Store};
use tokio::task::JoinSet;

const BLOCKS: usize = 7;
const BLOCK: Duration = Duration::from_secs(1);

/// Prints one JSON object.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let books = Books::open(place).await?;
    let told = books.with_sink().await?;
    let (mut fsyncs, mut lone, mut grouped, mut ratios, mut beside) = (vec![], vec![], vec![], vec![], vec![]);
    rows_per_second((&books.store, books.tenant), CALLERS).await?;
    for _ in 0..BLOCKS {
        let before = fsyncs_per_second(books.folder(), BLOCK / 2)?;
        let rows = rows_per_second((&books.store, books.tenant), CALLERS).await?;
        let after = fsyncs_per_second(books.folder(), BLOCK / 2)?;
        lone.push(rows_per_second((&books.store, books.tenant), 1).await?);
        beside.push(rows_per_second((&told, books.tenant), CALLERS).await?);
        fsyncs.push((before + after) / 2.0);
        grouped.push(rows);
        ratios.push(rows / ((before + after) / 2.0));
    }
    println!(
        "{}",
        json!({
            "bench": "commits", "callers": CALLERS, "rows_per_s": median(&mut grouped), "fsyncs_per_s": median(&mut fsyncs),
            "rows_over_fsyncs": median(&mut ratios), "lone_caller_rows_per_s": median(&mut lone),
            "with_second_sink_rows_per_s": median(&mut beside),
        })
    );
    Ok(())
}

/// Audit entries, each in a transaction of its own.
async fn rows_per_second((store, tenant): (&Store, TenantId), callers: usize) -> Result<f64> {
    let (watch, mut going) = (stopwatch(), JoinSet::new());
    for _ in 0..callers {
        let (store, watch) = (store.clone(), watch.clone());
        going.spawn(async move {
            let mut rows = 0_u32;
            while watch() < BLOCK {
                store.audit(tenant, "bench.entry", AuditBody::default().with("row", rows)).await?;
                rows += 1;
            }
            Ok::<_, store::StoreError>(rows)
        });
    }
    let mut rows = 0;
    while let Some(ended) = going.join_next().await {
        rows += ended.context("a caller")??;
    }
    Ok(f64::from(rows) / watch().as_secs_f64())
}
