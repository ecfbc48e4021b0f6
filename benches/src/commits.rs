//! Group commit: rows that many callers make durable, one row a transaction, over the COMMITs that did it, each of which waits for
//! one `fsync`; beside it the rate over that of bare `fsync`s, and the same with a file that must take every line of the audit before.

use crate::{
    blocks::{median, stopwatch},
    books::{Books, Place, fsyncs_per_second},
};
use anyhow::{Context as _, Result};
use biometrics::TenantId;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use std::time::Duration;
use store::{AuditBody, Store};
use tokio::task::JoinSet;

/// Callers at once.
const FEW: usize = 128;
const MANY: usize = 512;
const BLOCKS: usize = 7;
const BLOCK: Duration = Duration::from_secs(1);

/// Prints one JSON object.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let commits = Commits::count()?;
    let books = Books::open(place).await?;
    let told = books.with_sink().await?;
    let (mut fsyncs, mut lone, mut beside) = (vec![], vec![], vec![]);
    let (mut few, mut many, mut few_each, mut many_each) = (vec![], vec![], vec![], vec![]);
    rows_per_second((&books.store, books.tenant), FEW).await?;
    for _ in 0..BLOCKS {
        let before = fsyncs_per_second(books.folder(), BLOCK / 2)?;
        for (callers, rates, each) in [(FEW, &mut few, &mut few_each), (MANY, &mut many, &mut many_each)] {
            let earlier = commits.so_far()?;
            rates.push(rows_per_second((&books.store, books.tenant), callers).await?);
            each.push(commits.so_far()?.units_each_since(earlier));
        }
        let after = fsyncs_per_second(books.folder(), BLOCK / 2)?;
        lone.push(rows_per_second((&books.store, books.tenant), 1).await?);
        beside.push(rows_per_second((&told, books.tenant), FEW).await?);
        fsyncs.push((before + after) / 2.0);
    }
    let (few, fsyncs) = (median(&mut few), median(&mut fsyncs));
    println!(
        "{}",
        json!({
            "bench": "commits", "callers": FEW, "rows_per_s": few, "rows_per_commit": median(&mut few_each),
            "more_callers": MANY, "more_callers_rows_per_s": median(&mut many),
            "more_callers_rows_per_commit": median(&mut many_each),
            "lone_caller_rows_per_s": median(&mut lone), "with_second_sink_rows_per_s": median(&mut beside),
            "bare_fsyncs_per_s": fsyncs, "rows_over_bare_fsyncs": few / fsyncs,
        })
    );
    Ok(())
}

/// The store's own count of COMMITs and of the transactions that shared them.
struct Commits(PrometheusHandle);

#[derive(Clone, Copy)]
struct SoFar {
    commits: f64,
    units: f64,
}

impl Commits {
    fn count() -> Result<Self> {
        Ok(Self(PrometheusBuilder::new().install_recorder().context("metrics cannot be counted")?))
    }

    fn so_far(&self) -> Result<SoFar> {
        let page = self.0.render();
        let value = |name: &str| -> Result<f64> {
            let mut values = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            Ok(values.next().with_context(|| format!("no {name}"))?.parse()?)
        };
        Ok(SoFar { commits: value(store::COMMITS)?, units: value(store::COMMITTED)? })
    }
}

impl SoFar {
    fn units_each_since(self, earlier: Self) -> f64 {
        (self.units - earlier.units) / (self.commits - earlier.commits).max(1.0)
    }
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
