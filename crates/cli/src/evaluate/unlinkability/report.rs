//! How unlinkability is told.
//!
//! Invariant: a figure stands beside its counts, its bounds and its null control, and each bar beside what was measured.

use super::{decisions::Decisions, linkage::Function, rows::Row};
use crate::evaluate::presentation::report;

/// TARGETS B6.
const LINKABILITY_BAR: f64 = 0.05;
/// TARGETS B6.
const CHANGE_BAR: f64 = 1e-5;

const READING: &str = "\
D_sys (Gomez-Barrero et al., IEEE TIFS 13(6), 2018; omega = 1): 0 tells nothing, 1 links without doubt. Histograms of equal bins from the lowest to the highest score, one for
each ten independent mated scores, 10 to 100. Finite counts give equal distributions a D_sys above 0: the null control shows how much, with non-mated pairs in place of mated ones.
Bounds draw people again, which adds to that bias: those of a small D_sys lie high.
Between: tenants (another key, tenant and reference), users (two references of one tenant), renewals (epochs 1 and 2 of one reference, renewed as the worker does it).
Pictures: the same one's features in both templates, or another one's. Linked by: the comparison score, or the digits in which both Euclidean lengths agree: an
orthonormal map under keys of its own hides all but the length, which is one for every template before it is rounded. Templates are taken as opened: sealing is not counted on.
Keys known, the positive control of comparison: an attacker who holds the transform keys undoes the transforms and has what templates without a transform would be.";

/// All of it.
pub(super) fn text(rows: &[Row], decisions: &Decisions) -> String {
    let worst = |function| format!("Worst D_sys by {}: {}", Function::name(function), worst(rows, function));
    let [comparison, length] = Function::ALL.map(worst);
    format!("{READING}\n\n{}\n{comparison}\n{length}\n\n{}", grid(rows), decided(decisions))
}

fn grid(rows: &[Row]) -> comfy_table::Table {
    let mut grid = report::grid([
        "between",
        "pictures",
        "linked by",
        "people",
        "mated / non-mated",
        "D_sys",
        "95 %",
        "null control",
    ]);
    for row in rows {
        grid.add_row([
            between(row).to_owned(),
            row.pictures.name().to_owned(),
            row.function.name().to_owned(),
            row.people.to_string(),
            format!("{} / {}", row.mated, row.non_mated),
            format!("{:.4}", row.system),
            row.bounds_95.map_or("absent".to_owned(), |[lower, upper]| format!("{lower:.4} – {upper:.4}")),
            format!("{:.4}", row.null),
        ]);
    }
    grid
}

fn between(row: &Row) -> &'static str {
    if row.keys_known { "keys known" } else { row.between.name() }
}

fn worst(rows: &[Row], function: Function) -> String {
    let measured = rows.iter().filter(|row| !row.keys_known && row.function == function);
    let Some(row) = measured.max_by(|a, b| a.system.total_cmp(&b.system)) else { return "absent".to_owned() };
    format!(
        "{:.4} (between {}, {} picture; null control {:.4}), bar {LINKABILITY_BAR}: {}",
        row.system,
        row.between.name(),
        row.pictures.name(),
        row.null,
        kept(row.system <= LINKABILITY_BAR)
    )
}

fn decided(d: &Decisions) -> String {
    format!(
        "Keyed transform on both sides, each reference under its own: {} of {} comparisons ({} mated, {} non-mated, {} matching) decided otherwise\n\
         at any of {} operating thresholds (≤ {:.1e}), bar 0: {}; largest change of a score {:.1e}, bar {CHANGE_BAR:.0e}: {}",
        d.flipped,
        d.mated + d.non_mated,
        d.mated,
        d.non_mated,
        d.matches,
        d.thresholds,
        d.flipped_upper,
        kept(d.flipped == 0),
        d.largest_change,
        kept(d.largest_change <= CHANGE_BAR)
    )
}

const fn kept(is_so: bool) -> &'static str {
    if is_so { "kept" } else { "NOT KEPT" }
}
