//! Plots of linkage scores: both distributions and D↔ above them, one panel over the other.

use super::save;
use anyhow::Result;
use biometrics::error_rates::LocalPoint;
use plotters::prelude::*;
use std::path::Path;

/// One panel.
pub(in crate::evaluate) struct Panel {
    pub(in crate::evaluate) title: String,
    /// In rising order of scores.
    pub(in crate::evaluate) points: Vec<LocalPoint>,
}

/// Draws panels one below the other into `name`.svg and .png; `axis` names the score.
pub(in crate::evaluate) fn draw(folder: &Path, (name, axis): (&str, &str), panels: &[Panel]) -> Result<()> {
    save(folder, name, |area| {
        for (part, panel) in area.split_evenly((panels.len(), 1)).iter().zip(panels) {
            draw_panel(part, panel, axis)?;
        }
        Ok(())
    })
}

fn draw_panel(area: &super::Area<'_>, panel: &Panel, axis: &str) -> Result<()> {
    let (Some(first), Some(last)) = (panel.points.first(), panel.points.last()) else { return Ok(()) };
    let margin = if last.score > first.score { 0.0 } else { 0.5 };
    let range = first.score - margin..last.score + margin;
    let top = panel.points.iter().map(|p| p.mated.max(p.non_mated)).fold(0.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(38)
        .y_label_area_size(60)
        .right_y_label_area_size(50)
        .build_cartesian_2d(range.clone(), 0.0..top)?
        .set_secondary_coord(range, 0.0..1.05);
    chart.configure_mesh().x_desc(axis).y_desc("share of pairs").draw()?;
    chart.configure_secondary_axes().y_desc("D(s)").draw()?;
    let red = RGBColor(190, 60, 40);
    let blue = RGBColor(20, 90, 160);
    for (name, pick, colour) in [
        ("non-mated", (|p| p.non_mated) as fn(&LocalPoint) -> f64, red),
        ("mated", (|p| p.mated) as fn(&LocalPoint) -> f64, blue),
    ] {
        let points = panel.points.iter().map(|p| (p.score, pick(p)));
        chart
            .draw_series(AreaSeries::new(points, 0.0, colour.mix(0.35)).border_style(colour))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    let local = panel.points.iter().map(|p| (p.score, p.linkability));
    chart
        .draw_secondary_series(LineSeries::new(local, BLACK.mix(0.7)))?
        .label("D(s)")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 12, y)], BLACK));
    chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}
