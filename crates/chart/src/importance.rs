//! What a model looks at, as bars.

use crate::Svg;
use crate::canvas::{Anchor, Canvas, file, shorten};
use crate::number::short;

/// Most features that are drawn, the strongest; more would not be read.
const FEATURES_MAX: usize = 30;
/// Characters of a name that fit beside the bars.
const NAME_CHARS_MAX: usize = 32;
const ROW: f64 = 24.0;
const BAR_WIDTH: f64 = 300.0;

/// Draws (feature, weight) pairs, which come strongest first; negative weights in another colour.
pub fn bars(importances: &[(String, f64)], title: &str) -> Svg {
    let shown = &importances[..importances.len().min(FEATURES_MAX)];
    let longest = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(1);
    let left = longest.min(NAME_CHARS_MAX) as f64 * 7.0 + 28.0;
    let more = importances.len() > shown.len();
    let height = 56.0 + ROW * (shown.len() + usize::from(more)) as f64;
    let mut canvas = Canvas::file((left + BAR_WIDTH + 90.0).max(320.0), height, title);
    let largest = shown.iter().map(|(_, weight)| weight.abs()).fold(0.0, f64::max);
    for (index, (name, weight)) in shown.iter().enumerate() {
        let y = 44.0 + ROW * index as f64;
        let share = if largest > 0.0 { weight.abs() / largest } else { 0.0 };
        let colour = if *weight < 0.0 { file::ORANGE } else { file::BLUE };
        let name = shorten(name, NAME_CHARS_MAX);
        canvas.text(file::TEXT, (left - 8.0, y + 14.0), Anchor::End, &name);
        let look = format!("fill=\"{colour}\" rx=\"2\"");
        canvas.rect(&look, (left, y + 3.0), (share * BAR_WIDTH).max(1.0), ROW - 8.0);
        let end = (left + share * BAR_WIDTH + 6.0, y + 14.0);
        canvas.text(file::TEXT, end, Anchor::Start, &short(*weight));
    }
    if more {
        let text = format!("and {} more", importances.len() - shown.len());
        let at = (left, 58.0 + ROW * shown.len() as f64);
        canvas.text(file::TEXT, at, Anchor::Start, &text);
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_weights() {
        let svg = bars(&[("a".to_owned(), -2.0), ("<b>".to_owned(), 0.5)], "Coefficients").0;
        assert!(svg.contains("width=\"300\"") && svg.contains("width=\"75\""), "{svg}");
        assert!(svg.contains(file::ORANGE) && svg.contains("&lt;b&gt;") && svg.contains("−2"));
        let many = vec![("x".to_owned(), 1.0); 40];
        assert!(bars(&many, "x").0.contains("and 10 more"));
    }
}
