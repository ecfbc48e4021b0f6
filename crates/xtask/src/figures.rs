//! `cargo xtask figures`: runs evaluation and benches and writes `docs/EVALUATION.md`, so that no figure in it was typed.

use crate::{
    bench::{self, Benches},
    command,
    command::Tool,
    places, prepare,
    tally::Tally,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{fmt::Write, fs, path::PathBuf};

const HEAD: &str = "# Evaluation

Written by `cargo xtask figures`; do not edit. Engineering figures on research pictures, never certification figures.

Protocol (ISO/IEC 19795-1, technology evaluation): a development half of LFW (people whose sha256(name) mod 5 is 0 or 1), the first four pictures of a person in name order, all
pairs. LFW overlaps the recognisers' training sets: optimistic. Bounds are 95 %: identities are drawn again 1,000 times. Of each rate two thresholds stand: where the measured FMR meets it, and, in the
columns headed *kept*, where the upper bound of the FMR does (TARGETS B1): these are what calibration tables hold and gate 5 decides by. Disjoint pairs share no person, so that they are independent; so few of them show less.
";

const GATES: &str = "## All gates under attack, simulated

**Simulated** captures of people who were not used for tuning, mode `LIGHT_AND_MOTION`, first attempt, 640x480, as `countersign evaluate presentation` tells it; every pack judges the same captures. Engineering figures: they show how
gates react to what the simulator draws, and say nothing of error rates on people before real instruments.
";

const QUALITY: &str = "## Quality, defects injected

**Simulated** frames that were given one defect each, as `countersign evaluate quality` tells it, with pack `base`; all packs look with the same detector and landmarks. The bar is TARGETS B7.
";

const UNLINKABILITY: &str = "## Unlinkability of protected templates

Whether templates tell who they are of once sealing is gone and the transform keys are not, as `countersign evaluate unlinkability` tells it. The bar is TARGETS B6.
";

const CHALLENGE: &str = "## The challenge, simulated

**Simulated** captures, as `countersign evaluate challenge` tells it: who answers a script by gates 1 and 4 alone, mode by mode, how often scripts are met by chance beside the bound that receipts
state, and how often the decision of all five gates flips under small changes of camera, light and frame.
";

const SPEED: &str = "## Speed

Ratios of one run in interleaved blocks; A/A is the noise of the machine. Times are medians of one frame.

| bench | pack | A | B | A / B | A/A noise (5–95 %) | A ms | B ms |
|---|---|---|---|---|---|---|---|
";

const CAPTURE: &str = "
### All five gates over a capture

8 frames of 640x480, light and motion, simulated; every capture passes all gates, so that no gate's work is left out. CPU time of the process on one core, not the clock's. Steps that cannot run alone
are differences of medians. The default script asks for 10 frames; these ask for two light slots fewer.

";

const STORE: &str = "
### The store

On SQLite: audit rows, one a transaction, that 128 and 512 callers make durable for each COMMIT, which waits for one `fsync` (TARGETS P9: 100; `docs/adr/0008` says why it reads so), how many that are in a
second beside the bare `fsync`s of the same file system, and with a second audit sink that must take every line; what a verification takes beside many references over beside few (P10: 1.10), one caller in one process: its two transactions alone, and with all five gates over 8 frames between them, by the clock;
references that a KEK rotation rewraps in a second (5,000).
";
const PEERS: &str = "
### Against what a Python team would run

One thread, same images, in turn. `peers`: single frames, no presentation attack detection. `capture_peers`: captures of 8 frames; the engine runs all five gates, the peers only models, measuring nothing: every model of the
pack on every frame (by CPU time), and the reference pipeline as it stands (by the clock).
";

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure this part alone and leave the others as they stand
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Bona fide captures to simulate, which all packs judge
    #[arg(long, default_value_t = 1000)]
    bona_fide: u32,
    /// Captures of each attack species to simulate, which all packs judge
    #[arg(long, default_value_t = 300)]
    attacks: u32,
    /// Bona fide captures to simulate for each pack, mode and change of the challenge's part; a tenth as many of each species
    #[arg(long, default_value_t = 100)]
    challenge: u32,
    /// References of the store's part: a million and, for the rotation, a hundred thousand unless given
    #[arg(long)]
    references: Option<usize>,
}

/// Parts of the page, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Error rates of the comparison alone.
    Comparison,
    /// All gates under simulated attack.
    Gates,
    /// Gate 2 against injected defects.
    Quality,
    /// Whether protected templates can be linked.
    Unlinkability,
    /// Who answers a script, and how firm decisions stand.
    Challenge,
    /// Speed of the engine.
    Speed,
    /// Speed against what a Python team would run.
    Peers,
    /// Speed of the store.
    Store,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Comparison,
        Self::Gates,
        Self::Quality,
        Self::Challenge,
        Self::Unlinkability,
        Self::Speed,
        Self::Peers,
        Self::Store,
    ];

    /// The line before which a part's text begins.
    const fn mark(self) -> &'static str {
        match self {
            Self::Comparison => "<!-- part: comparison -->",
            Self::Gates => "<!-- part: gates -->",
            Self::Quality => "<!-- part: quality -->",
            Self::Unlinkability => "<!-- part: unlinkability -->",
            Self::Challenge => "<!-- part: challenge -->",
            Self::Speed => "<!-- part: speed -->",
            Self::Peers => "<!-- part: peers -->",
            Self::Store => "<!-- part: store -->",
        }
    }

    /// The part as the page has it now; empty where it does not.
    fn standing(self, page: &str) -> String {
        let Some((_, from)) = page.split_once(self.mark()) else { return String::new() };
        from.split("<!-- part: ").next().unwrap_or_default().to_owned()
    }

    fn measure(self, options: &Options) -> Result<String> {
        let packs = prepare::packs(&mut Tally::default())?;
        let all = if packs.len() > 1 { vec!["base", "standard", "standard-fp32"] } else { packs.clone() };
        match self {
            Self::Comparison => comparison(&all),
            Self::Gates => gates(&all, options),
            Self::Quality => quality(),
            Self::Unlinkability => unlinkability(&packs),
            Self::Challenge => challenge(&packs, options),
            Self::Speed => engine(),
            Self::Peers => verbatim(PEERS, bench::Options::only(Benches::Peers, None)),
            Self::Store => verbatim(STORE, bench::Options::only(Benches::Store, options.references)),
        }
    }
}

/// Measures what is asked for and writes the page.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(faces().is_dir(), "figures need ../shared/faces/lfw-dev beside this repository");
    prepare::programs()?;
    let place = places::root().join("docs/EVALUATION.md");
    let before = fs::read_to_string(&place).unwrap_or_default();
    let mut page = HEAD.to_owned();
    for part in Part::ALL {
        let wanted = options.only.is_none_or(|only| only == part);
        let text = if wanted { part.measure(options)? } else { part.standing(&before) };
        write!(page, "\n{}\n\n{}\n", part.mark(), text.trim())?;
    }
    fs::write(&place, page)?;
    command::say("docs/EVALUATION.md written");
    Ok(())
}

fn faces() -> PathBuf {
    places::root().join("../shared/faces/lfw-dev")
}

/// The `countersign evaluate` command on a pack.
fn evaluate(what: &str, pack: &str) -> Result<Tool> {
    command::say(&format!("evaluate {what} with {pack}"));
    let tool = Tool::new(places::target().join("debug/countersign")).args(["evaluate", what, "--pack"]);
    Ok(tool.arg(places::target().join("packs").join(pack)).arg("--onnxruntime").arg(bench::runtime()?))
}

fn comparison(packs: &[&str]) -> Result<String> {
    let mut page = String::new();
    for pack in packs {
        let said = evaluate("verification", pack)?.args(["--json", "--gates", "--images"]).arg(faces()).output()?;
        let result: Value = serde_json::from_str(said.trim()).context("evaluate printed no JSON")?;
        table(&mut page, &format!("Comparison, pack `{pack}`"), &result)?;
        table(
            &mut page,
            &format!("Comparison, pack `{pack}`, pictures inside the quality envelope (30 px)"),
            &result["quality_gate"],
        )?;
    }
    Ok(page)
}

/// What the command says of all packs on the same captures, word for word.
fn gates(packs: &[&str], options: &Options) -> Result<String> {
    let (first, beside) = packs.split_first().context("no pack")?;
    let rates = packs.iter().map(|pack| fmr(pack)).collect::<Vec<_>>().join(",");
    let (bona_fide, attacks) = (options.bona_fide.to_string(), options.attacks.to_string());
    let mut tool = evaluate("presentation", first)?.args(["--bona-fide", &bona_fide, "--attacks", &attacks]);
    for pack in beside {
        tool = tool.arg("--beside").arg(places::target().join("packs").join(pack));
    }
    let said = tool.args(["--fmr", &rates, "--faces"]).arg(faces()).output()?;
    Ok(format!("{GATES}\n```text\n{}\n```\n", said.trim_end()))
}

/// What the command says of the one detector and the landmarks that all packs share, word for word.
fn quality() -> Result<String> {
    let said = evaluate("quality", "base")?.arg("--faces").arg(faces()).output()?;
    Ok(format!("{QUALITY}\n```text\n{}\n```\n", said.trim_end()))
}

/// What the command says of each pack, word for word.
fn unlinkability(packs: &[&str]) -> Result<String> {
    let mut page = UNLINKABILITY.to_owned();
    for pack in packs {
        let said = evaluate("unlinkability", pack)?.arg("--faces").arg(faces()).output()?;
        write!(page, "\n### Pack `{pack}`\n\n```text\n{}\n```\n", said.trim_end())?;
    }
    Ok(page)
}

/// The false match rate that a pack is used at: `base` keeps no smaller one without refusing a third of its users.
fn fmr(pack: &str) -> &'static str {
    if pack == "base" { "1e-3" } else { "1e-4" }
}

/// What the command says of each pack, word for word, without and with `--robustness`.
fn challenge(packs: &[&str], options: &Options) -> Result<String> {
    let mut page = CHALLENGE.to_owned();
    let (bona_fide, attacks) = (options.challenge.to_string(), options.challenge.div_ceil(10).to_string());
    for pack in packs {
        for (what, more) in [("scripts", None), ("small changes", Some("--robustness"))] {
            let counts = ["--bona-fide", &bona_fide, "--attacks", &attacks, "--fmr", fmr(pack)];
            let said = evaluate("challenge", pack)?.args(counts).args(more).arg("--faces").arg(faces()).output()?;
            write!(page, "\n### Pack `{pack}`, {what}\n\n```text\n{}\n```\n", said.trim_end())?;
        }
    }
    Ok(page)
}

fn engine() -> Result<String> {
    let (mut page, mut captures) = (SPEED.to_owned(), Vec::new());
    for result in bench::results(&bench::Options::only(Benches::Engine, None))? {
        match result["bench"].as_str() {
            Some("capture") => captures.push(result),
            _ => speed(&mut page, &result)?,
        }
    }
    page.push_str(&capture_table(&captures)?);
    Ok(page)
}

/// What benches print, each beside its own bar.
fn verbatim(head: &str, options: bench::Options) -> Result<String> {
    let mut page = head.to_owned();
    for result in bench::results(&options)? {
        writeln!(page, "\n```json\n{result:#}\n```")?;
    }
    Ok(page)
}

/// One column for each pack: the whole, then its steps.
fn capture_table(captures: &[Value]) -> Result<String> {
    let Some(first) = captures.first() else { return Ok(String::new()) };
    let mut page = CAPTURE.to_owned();
    let mut row = |name: &str, cell: &dyn Fn(&Value) -> String| {
        let cells: Vec<String> = captures.iter().map(cell).collect();
        writeln!(page, "| {name} | {} |", cells.join(" | "))
    };
    let ms = |value: &Value| format!("{:.1}", number(value));
    row("ms of CPU", &|c| format!("`{}`", c["pack"].as_str().unwrap_or_default()))?;
    row("---", &|_| "---".to_owned())?;
    row("**all gates, median**", &|c| format!("**{}**", ms(&c["cpu_ms"])))?;
    row("5–95 %", &|c| format!("{}–{}", ms(&c["cpu_ms_p5"]), ms(&c["cpu_ms_p95"])))?;
    row("A/A noise (5–95 %)", &|c| {
        format!("{:.2}–{:.2}", number(&c["noise_a_over_a_p5"]), number(&c["noise_a_over_a_p95"]))
    })?;
    row("bar", &|c| if c["pack"] == "standard" { format!("≤ {}", ms(&c["bar_ms"])) } else { "-".to_owned() })?;
    for (at, step) in first["steps"].as_array().context("a capture without steps")?.iter().enumerate() {
        row(step["step"].as_str().unwrap_or_default(), &|c| ms(&c["steps"][at]["ms"]))?;
    }
    Ok(page)
}

fn table(page: &mut String, title: &str, result: &Value) -> Result<()> {
    writeln!(
        page,
        "\n## {title}\n\n{} pictures of {} people, {} left out; EER {}.\n\n| FMR | threshold | FNMR | FNMR 95 % | non-matches | false matches | FMR 95 % | kept: threshold | kept: FNMR | kept: FNMR 95 % | kept: false matches | kept: disjoint pairs that match |\n|---|---|---|---|---|---|---|---|---|---|---|---|",
        result["pictures"],
        result["people"],
        result["missed"],
        percent(&result["equal_error_rate"]["rate"])
    )?;
    for point in result["operating_points"].as_array().context("no operating points")? {
        let (fnmr, fmr) = (&point["fnmr_bounds_95"], &point["fmr_bounds_95"]);
        writeln!(
            page,
            "| {:.0e} | {:.4} | {} | {} – {} | {} of {} | {} of {} | {:.1e} – {:.1e} | {} |",
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
            kept(&point["kept"]),
        )?;
    }
    Ok(())
}

/// The cells of the threshold that keeps a rate.
fn kept(point: &Value) -> String {
    if point.is_null() {
        return "- | - | - | - | -".to_owned();
    }
    let (fnmr, disjoint) = (&point["fnmr_bounds_95"], &point["disjoint"]);
    format!(
        "{:.4} | {} | {} – {} | {} of {} | {} of {}, ≤ {:.1e}",
        number(&point["threshold"]),
        percent(&point["fnmr"]),
        percent(&fnmr[0]),
        percent(&fnmr[1]),
        point["false_matches"],
        point["impostor_comparisons"],
        disjoint["matches"],
        disjoint["pairs"],
        number(&disjoint["upper_95"]),
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn captures_stand_side_by_side_with_their_steps_in_order() {
        let one = |pack: &str, ms: f64| {
            json!({
                "pack": pack, "cpu_ms": ms, "cpu_ms_p5": 80.0, "cpu_ms_p95": 99.0, "bar_ms": 140.0,
                "noise_a_over_a_p5": 0.9, "noise_a_over_a_p95": 1.1,
                "steps": [{ "step": "decode", "ms": 12.0 }, { "step": "compare", "ms": 0.1 }],
            })
        };
        let page = capture_table(&[one("base", 78.12), one("standard", 89.0)]).unwrap();
        for line in ["| ms of CPU | `base` | `standard` |", "| bar | - | ≤ 140.0 |", "| decode | 12.0 | 12.0 |"] {
            assert!(page.contains(line), "{page}");
        }
        assert!(page.contains("**78.1** | **89.0**") && page.find("decode") < page.find("compare"), "{page}");
        assert!(capture_table(&[]).unwrap().is_empty());
    }
}
