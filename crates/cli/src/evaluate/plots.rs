//! Plots of an evaluation: the DET curve and the score histograms, drawn once as SVG and rendered to PNG from the same bytes.

use anyhow::{Context, Result};
use plotters::prelude::*;
use std::{fs, path::Path, sync::Arc};

const SIZE: (u32, u32) = (900, 640);

/// Draws the detection error trade-off (ISO/IEC 19795-1): FNMR over FMR, both logarithmic, one point per threshold.
///
/// `points` are (FMR, FNMR) as shares of 1; points with a zero are left out, as a logarithm has no place for them.
pub(super) fn det(folder: &Path, title: &str, points: &[(f64, f64)]) -> Result<()> {
    let shown: Vec<(f64, f64)> = points.iter().copied().filter(|(fmr, fnmr)| *fmr > 0.0 && *fnmr > 0.0).collect();
    let low = |pick: fn(&(f64, f64)) -> f64| shown.iter().map(pick).fold(0.1, f64::min);
    let (x, y) = (low(|p| p.0), low(|p| p.1));
    save(folder, "det", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(format!("DET curve, {title}"), ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((x..1.0).log_scale(), (y..1.0).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("FMR")
            .y_desc("FNMR")
            .x_label_formatter(&|v| format!("{v:.0e}"))
            .y_label_formatter(&|v| format!("{v:.0e}"))
            .draw()?;
        chart.draw_series(LineSeries::new(shown.iter().copied(), RGBColor(20, 90, 160).stroke_width(2)))?;
        Ok(())
    })
}

/// Draws both score distributions as shares per bin, with the thresholds as vertical lines.
pub(super) fn histogram(
    folder: &Path,
    title: &str,
    [genuine, impostor]: [&[f32]; 2],
    thresholds: &[f64],
) -> Result<()> {
    const BINS: usize = 120;
    let finite = || genuine.iter().chain(impostor).copied().filter(|s| s.is_finite()).map(f64::from);
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
    let width = ((high - low) / BINS as f64).max(f64::EPSILON);
    let shares = |scores: &[f32]| {
        let mut bins = vec![0_f64; BINS];
        for score in scores.iter().filter(|s| s.is_finite()) {
            let bin = ((f64::from(*score) - low) / width) as usize;
            bins[bin.min(BINS - 1)] += 1.0 / scores.len() as f64;
        }
        bins
    };
    let (genuine, impostor) = (shares(genuine), shares(impostor));
    let top = genuine.iter().chain(&impostor).copied().fold(0.0, f64::max) * 1.1;
    save(folder, "scores", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(format!("Comparison scores, {title}"), ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(low..high, 0.0..top)?;
        chart.configure_mesh().x_desc("comparison score").y_desc("share of pairs").draw()?;
        for (name, bins, colour) in
            [("impostor", &impostor, RGBColor(190, 60, 40)), ("genuine", &genuine, RGBColor(20, 90, 160))]
        {
            let points = bins.iter().enumerate().map(|(i, share)| (low + (i as f64 + 0.5) * width, *share));
            chart
                .draw_series(AreaSeries::new(points, 0.0, colour.mix(0.35)).border_style(colour))?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        }
        for threshold in thresholds {
            chart.draw_series(LineSeries::new([(*threshold, 0.0), (*threshold, top)], BLACK.mix(0.5)))?;
        }
        chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE.mix(0.8)).draw()?;
        Ok(())
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn save(folder: &Path, name: &str, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<()> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
    }
    let place = folder.join(format!("{name}.svg"));
    fs::write(&place, &svg).with_context(|| format!("{} cannot be written", place.display()))?;
    let place = folder.join(format!("{name}.png"));
    fs::write(&place, png(&svg)?).with_context(|| format!("{} cannot be written", place.display()))
}

/// Renders with the system's fonts; where there are none the lettering stays out of the PNG (the SVG has it).
fn png(svg: &str) -> Result<Vec<u8>> {
    let mut options = resvg::usvg::Options::default();
    let fonts = Arc::make_mut(&mut options.fontdb);
    fonts.load_system_fonts();
    let family = fonts.faces().next().and_then(|face| face.families.first().map(|(name, _)| name.clone()));
    if let Some(family) = family {
        fonts.set_sans_serif_family(family);
    }
    let tree = resvg::usvg::Tree::from_str(svg, &options)?;
    let mut pixels = resvg::tiny_skia::Pixmap::new(SIZE.0, SIZE.1).context("no memory for the picture")?;
    resvg::render(&tree, resvg::tiny_skia::Transform::identity(), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}
