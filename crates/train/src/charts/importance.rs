//! What a model looks at, as bars.

use super::{Anchor, Drawing, number, shorten};

/// Most features that are drawn, the strongest; the JSON beside it has all.
const FEATURES_MAX: usize = 30;
const ROW: f64 = 24.0;
const BAR_WIDTH: f64 = 300.0;

/// Draws (feature, weight) pairs, which come strongest first; negative weights in another colour.
pub(crate) fn importance(importances: &[(String, f64)], title: &str) -> String {
    let shown = &importances[..importances.len().min(FEATURES_MAX)];
    let longest = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(1);
    let left = longest.min(32) as f64 * 7.0 + 28.0;
    let more = importances.len() > shown.len();
    let height = 56.0 + ROW * (shown.len() + usize::from(more)) as f64;
    let mut drawing = Drawing::new((left + BAR_WIDTH + 90.0).max(320.0), height, title);
    let largest = shown.iter().map(|(_, weight)| weight.abs()).fold(0.0, f64::max);
    for (index, (name, weight)) in shown.iter().enumerate() {
        let y = 44.0 + ROW * index as f64;
        let share = if largest > 0.0 { weight.abs() / largest } else { 0.0 };
        let colour = if *weight < 0.0 { "#d55e00" } else { "#0072b2" };
        drawing.text(left - 8.0, y + 14.0, Anchor::End, &shorten(name, 32));
        let style = format!("fill=\"{colour}\" rx=\"2\"");
        drawing.rectangle(left, y + 3.0, (share * BAR_WIDTH).max(1.0), ROW - 8.0, &style);
        let end = left + share * BAR_WIDTH + 6.0;
        drawing.text(end, y + 14.0, Anchor::Start, &number(*weight));
    }
    if more {
        let text = format!("and {} more", importances.len() - shown.len());
        drawing.text(left, 58.0 + ROW * shown.len() as f64, Anchor::Start, &text);
    }
    drawing.finish()
}
