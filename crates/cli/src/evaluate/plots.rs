//! Plots of an evaluation: the DET curve and the score histograms, drawn once as SVG and rendered to PNG from the same bytes.

pub(super) mod linkage;

use anyhow::{Context, Result};
use plotters::prelude::*;
use std::{fs, path::Path, sync::Arc};

const SIZE: (u32, u32) = (900, 640);

/// One curve of a detection error trade-off: its name and (x, y) as shares of 1.
pub(super) type Curve<'a> = (&'a str, &'a [(f64, f64)]);

/// Draws the detection error trade-off (ISO/IEC 19795-1): both error rates logarithmic, one point per threshold. `axes` names
/// the rates. Points with a zero are left out, as a logarithm has no place for them.
pub(super) fn det(folder: &Path, title: &str, axes: [&str; 2], curves: &[Curve<'_>]) -> Result<()> {
    let positive = |points: &[(f64, f64)]| points.iter().copied().filter(|(x, y)| *x > 0.0 && *y > 0.0).collect();
    let shown: Vec<(&str, Vec<(f64, f64)>)> = curves.iter().map(|(name, points)| (*name, positive(points))).collect();
    let low = |pick: fn(&(f64, f64)) -> f64| shown.iter().flat_map(|(_, p)| p).map(pick).fold(0.1, f64::min);
    let (x, y) = (low(|p| p.0), low(|p| p.1));
    save(folder, "det", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((x..1.0).log_scale(), (y..1.0).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(axes[0])
            .y_desc(axes[1])
            .x_label_formatter(&|v| format!("{v:.0e}"))
            .y_label_formatter(&|v| format!("{v:.0e}"))
            .draw()?;
        for (number, (name, points)) in shown.iter().enumerate() {
            let colour = if number == 0 { RGBColor(20, 90, 160).to_rgba() } else { Palette99::pick(number).to_rgba() };
            let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            if shown.len() > 1 {
                drawn.label(*name).legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
            }
        }
        if shown.len() > 1 {
            chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE.mix(0.8)).draw()?;
        }
        Ok(())
    })
}

/// One bar of a chart: a name, a share of 1, and its upper bound.
pub(super) type Bar<'a> = (&'a str, f64, f64);

/// Draws shares as horizontal bars, each with a whisker to its upper bound, and a line at `limit`, into a file of
/// this name.
pub(super) fn bars((folder, name): (&Path, &str), title: &str, bars: &[Bar<'_>], limit: f64) -> Result<()> {
    save(folder, name, |area| {
        let widest = bars.iter().map(|bar| bar.2).fold(2.0 * limit, f64::max);
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(170)
            .build_cartesian_2d(0.0..105.0 * widest, 0.0..bars.len() as f64)?;
        chart.configure_mesh().disable_y_mesh().x_desc("percent, with the upper 95 % bound").y_labels(0).draw()?;
        for (place, bar) in bars.iter().rev().enumerate() {
            let (low, middle) = (place as f64 + 0.2, place as f64 + 0.5);
            let (share, upper) = (100.0 * bar.1, 100.0 * bar.2);
            let colour = RGBColor(20, 90, 160);
            chart.draw_series([Rectangle::new([(0.0, low), (share, place as f64 + 0.8)], colour.filled())])?;
            chart.draw_series(LineSeries::new([(share, middle), (upper, middle)], BLACK.stroke_width(2)))?;
            let at = chart.backend_coord(&(0.0, middle));
            area.draw(&Text::new(bar.0, (16, at.1 - 8), ("sans-serif", 15)))?;
        }
        let line = [(100.0 * limit, 0.0), (100.0 * limit, bars.len() as f64)];
        chart.draw_series(LineSeries::new(line, RGBColor(190, 60, 40)))?;
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
