//! `cargo xtask figures`: runs evaluation and benches and writes `docs/EVALUATION.md`, so that no figure in it was typed.

use crate::{bench, command, command::Tool, places, prepare, tally::Tally};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{fmt::Write, fs};

const HEAD: &str = "# Evaluation

Written by `cargo xtask figures`; do not edit. Engineering figures on research pictures, never certification figures.

Protocol (ISO/IEC 19795-1, technology evaluation): a development half of LFW (people whose sha256(name) mod 5 is 0 or 1), the first four pictures of a person in name order, all
pairs. LFW overlaps the recognisers' training sets: optimistic. Bounds are 95 %: identities are drawn again 1,000 times. Thresholds are those at which the measured FMR meets the rate; a
threshold whose *upper bound* meets the claim comes with the gates release.
";

/// Measures everything that can be measured here and writes the page.
pub(crate) fn run() -> Result<()> {
    let faces = places::root().join("../shared/faces/lfw-dev");
    ensure!(faces.is_dir(), "figures need ../shared/faces/lfw-dev beside this repository");
    let packs = prepare::packs(&mut Tally::default())?;
    prepare::programs()?;
    let mut page = HEAD.to_owned();
    let all = if packs.len() > 1 { vec!["base", "standard", "standard-fp32"] } else { packs };
    for pack in all {
        command::say(&format!("evaluating {pack}"));
        let folder = places::target().join("packs").join(pack);
        let said = Tool::new(places::target().join("debug/countersign"))
            .args(["evaluate", "verification", "--json", "--gates", "--images"])
            .arg(&faces)
            .arg("--pack")
            .arg(folder)
            .arg("--onnxruntime")
            .arg(bench::runtime()?)
            .output()?;
        let result: Value = serde_json::from_str(said.trim()).context("evaluate printed no JSON")?;
        table(&mut page, &format!("Comparison, pack `{pack}`"), &result)?;
        table(
            &mut page,
            &format!("Comparison, pack `{pack}`, pictures inside the quality envelope (30 px)"),
            &result["quality_gate"],
        )?;
    }
    page.push_str("\n## Speed\n\nRatios of one run in interleaved blocks; A/A is the noise of the machine. Times are medians of one frame.\n\n");
    page.push_str(
        "| bench | pack | A | B | A / B | A/A noise (5–95 %) | A ms | B ms |\n|---|---|---|---|---|---|---|---|\n",
    );
    let mut peers = String::new();
    for result in bench::results(&bench::Options::default())? {
        match result["bench"].as_str() {
            Some("peers") => writeln!(peers, "\n```json\n{result:#}\n```")?,
            _ => speed(&mut page, &result)?,
        }
    }
    if !peers.is_empty() {
        page.push_str("\nAgainst what a Python team would run, one thread, same images and models, in turn:\n");
        page.push_str(&peers);
    }
    let place = places::root().join("docs/EVALUATION.md");
    fs::write(&place, page)?;
    command::say("docs/EVALUATION.md written");
    Ok(())
}

fn table(page: &mut String, title: &str, result: &Value) -> Result<()> {
    writeln!(
        page,
        "\n## {title}\n\n{} pictures of {} people, {} left out; EER {}.\n\n| FMR | threshold | FNMR | FNMR 95 % | non-matches | false matches | FMR 95 % |\n|---|---|---|---|---|---|---|",
        result["pictures"],
        result["people"],
        result["missed"],
        percent(&result["equal_error_rate"]["rate"])
    )?;
    for point in result["operating_points"].as_array().context("no operating points")? {
        let (fnmr, fmr) = (&point["fnmr_bounds_95"], &point["fmr_bounds_95"]);
        writeln!(
            page,
            "| {:.0e} | {:.4} | {} | {} – {} | {} of {} | {} of {} | {:.1e} – {:.1e} |",
            number(&point["fmr"]),
            number(&point["threshold"]),
            percent(&point["fnmr"]),
            percent(&fnmr[0]),
            percent(&fnmr[1]),
            point["false_non_matches"],
            point["genuine_comparisons"],
            point["false_matches"],
            point["impostor_comparisons"],
            number(&fmr[0]),
            number(&fmr[1]),
        )?;
    }
    Ok(())
}

fn speed(page: &mut String, result: &Value) -> Result<()> {
    let text = |field: &str| result[field].as_str().unwrap_or("").to_owned();
    writeln!(
        page,
        "| {} | {} | {} | {} | {:.3} | {:.2}–{:.2} | {:.2} | {:.2} |",
        text("bench"),
        text("pack"),
        text("a"),
        text("b"),
        number(&result["a_over_b"]),
        number(&result["noise_a_over_a_p5"]),
        number(&result["noise_a_over_a_p95"]),
        number(&result["a_ms"]),
        number(&result["b_ms"]),
    )?;
    Ok(())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn percent(share: &Value) -> String {
    format!("{:.2} %", number(share) * 100.0)
}
