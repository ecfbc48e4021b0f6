//! How an evaluation is told: tables for people, one JSON object for machines, a calibration table for a pack.

use anyhow::Result;
use biometrics::{
    calibration::OperatingPoint,
    error_rates::{EqualErrorRate, Interval, Rate, rule_of_three},
};
use comfy_table::{Table as Grid, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};
use vision::Pack;

/// One evaluated protocol.
pub(super) struct Table {
    /// What it is called in plots and tables.
    pub(super) title: String,
    /// Whether the quality gate left pictures out.
    pub(super) gates: bool,
    /// Pictures taken.
    pub(super) pictures: u64,
    /// People in them.
    pub(super) people: u32,
    /// Pictures without a usable face, or refused by the quality gate.
    pub(super) missed: u64,
    /// Where both error rates are equal.
    pub(super) eer: EqualErrorRate,
    /// One row per reported false match rate.
    pub(super) rows: Vec<Row>,
}

/// One false match rate with bounds that draw identities again.
pub(super) struct Row {
    /// Where the rate was measured: threshold, rates and counts.
    pub(super) point: OperatingPoint,
    /// 95 % bounds of the FNMR.
    pub(super) fnmr_bounds: Option<Interval>,
    /// 95 % bounds of the FMR.
    pub(super) fmr_bounds: Option<Interval>,
    /// Where the rate is kept; absent for a list of pairs.
    pub(super) calibrated: Option<Calibrated>,
}

/// The threshold at which the upper 95 % bound of the FMR meets a claim.
pub(super) struct Calibrated {
    /// Threshold, counts and bounds; `fmr` is the claim.
    pub(super) point: OperatingPoint,
    /// 95 % bounds of the FNMR.
    pub(super) fnmr_bounds: Option<Interval>,
    /// Matches among pairs that share no person.
    pub(super) disjoint: Rate,
}

/// Prints all tables, as text or as one JSON object.
pub(super) fn print(pack: &Pack, tables: &[Table], as_json: bool) -> Result<()> {
    if as_json {
        let first = tables.first().map(value).unwrap_or_default();
        let mut all = json!({ "pack": pack.name(), "feature_space": pack.feature_space(), "models": pack.digests() });
        merge(&mut all, first);
        if let Some(gated) = tables.get(1) {
            all["quality_gate"] = value(gated);
        }
        println!("{}", serde_json::to_string(&all)?);
        return Ok(());
    }
    for table in tables {
        println!(
            "{}: {} pictures of {} people, {} without a usable face",
            table.title, table.pictures, table.people, table.missed
        );
        let mut grid = Grid::new();
        grid.load_preset(UTF8_FULL_CONDENSED);
        grid.set_header(["FMR", "FMR 95 %", "threshold", "FNMR", "FNMR 95 %", "non-matches", "false matches"]);
        for Row { point, fnmr_bounds, fmr_bounds, .. } in &table.rows {
            grid.add_row([
                format!("{:.0e}", point.fmr),
                bounds(fmr_bounds, |v| format!("{v:.1e}")),
                format!("{:.4}", point.threshold),
                percent(point.fnmr),
                bounds(fnmr_bounds, percent),
                format!("{} of {}", point.false_non_matches, point.genuine_comparisons),
                format!("{} of {}", point.false_matches, point.impostor_comparisons),
            ]);
        }
        println!("{grid}\n{}\nEER {} at {:.4}", kept(&table.rows), percent(table.eer.rate), table.eer.threshold);
        let trials = table.rows.first().map_or(0, |row| row.point.impostor_comparisons);
        println!(
            "No error among {trials} impostor comparisons would show no less than {:.1e} (rule of three).\n",
            rule_of_three(trials)
        );
    }
    Ok(())
}

/// The thresholds that keep each rate, one line each.
fn kept(rows: &[Row]) -> Grid {
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED);
    grid.set_header(["FMR kept", "threshold", "FMR measured", "disjoint pairs that match", "FNMR", "FNMR 95 %"]);
    for Calibrated { point, fnmr_bounds, disjoint } in rows.iter().filter_map(|row| row.calibrated.as_ref()) {
        grid.add_row([
            format!("{:.0e}", point.fmr),
            format!("{:.4}", point.threshold),
            format!("{} of {}", point.false_matches, point.impostor_comparisons),
            format!("{} of {}, ≤ {:.1e}", disjoint.errors, disjoint.trials, disjoint.interval().upper),
            percent(point.fnmr),
            bounds(fnmr_bounds, percent),
        ]);
    }
    grid
}

fn bounds(interval: &Option<Interval>, digits: fn(f64) -> String) -> String {
    interval.map_or_else(|| "-".to_owned(), |b| format!("{} – {}", digits(b.lower), digits(b.upper)))
}

/// The calibration table of a pack, bound to the recogniser's digest; deploy/pack/README.md describes the file.
pub(super) fn calibration(pack: &Pack, table: &Table) -> String {
    let kept = table.rows.iter().filter_map(|row| row.calibrated.as_ref());
    let points: Vec<&OperatingPoint> = kept.map(|kept| &kept.point).collect();
    let text = json!({
        "schema": 1,
        "pack": pack.name(),
        "recogniser_sha256": pack.digests().get("recogniser"),
        "feature_space": pack.feature_space(),
        "source": "countersign evaluate verification, single pictures, no gates; thresholds where the upper 95 % bound of the FMR meets the rate",
        "people": table.people,
        "pictures": table.pictures,
        "operating_points": points,
    });
    format!("{text:#}\n")
}

fn value(table: &Table) -> Value {
    let pair = |b: &Option<Interval>| b.map(|b| json!([b.lower, b.upper]));
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|Row { point, fnmr_bounds, fmr_bounds, calibrated }| {
            let mut row = json!(point);
            row["fnmr_bounds_95"] = json!(pair(fnmr_bounds));
            row["fmr_bounds_95"] = json!(pair(fmr_bounds));
            row["kept"] = json!(calibrated.as_ref().map(|kept| {
                let mut point = json!(kept.point);
                point["fnmr_bounds_95"] = json!(pair(&kept.fnmr_bounds));
                point["disjoint"] = json!({
                    "matches": kept.disjoint.errors,
                    "pairs": kept.disjoint.trials,
                    "upper_95": kept.disjoint.interval().upper,
                });
                point
            }));
            row
        })
        .collect();
    json!({
        "gates": table.gates,
        "pictures": table.pictures,
        "people": table.people,
        "missed": table.missed,
        "equal_error_rate": { "rate": table.eer.rate, "threshold": table.eer.threshold },
        "operating_points": rows,
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
