//! ROC curves: how many false alarms each share of the found costs.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, file, polyline, shorten};
use crate::frame::{Frame, thinned};

/// Most lines with a colour and legend of their own: there are no more colours that can be told apart.
const LINES_MAX: usize = file::COLOURS.len();
const SIDE: f64 = 360.0;
const LEFT: f64 = 84.0;
const TOP: f64 = 44.0;

/// A named curve through points (false positive rate, true positive rate).
#[derive(Debug, Clone)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Points in order.
    pub points: Vec<(f64, f64)>,
}

/// Draws the curves, each with a line of the legend.
pub fn curves(lines: &[Line]) -> Svg {
    let shown = lines.len().min(LINES_MAX);
    let legend = 20.0 * (shown + usize::from(lines.len() > shown)) as f64;
    let mut canvas = Canvas::file(480.0, 100.0 + SIDE + legend, "ROC curve");
    let frame = Frame {
        x: Axis::new(0.0, 1.0, LEFT, LEFT + SIDE),
        y: Axis::new(0.0, 1.0, TOP + SIDE, TOP),
    };
    frame.draw(&mut canvas, "false positive rate", "true positive rate");
    canvas.line(file::DASHED, frame.at((0.0, 0.0)), frame.at((1.0, 1.0)));
    let row = |index: usize| 104.0 + SIDE + 20.0 * index as f64;
    for (index, (line, colour)) in lines.iter().zip(file::COLOURS).enumerate() {
        let data = polyline(thinned(&line.points).map(|point| frame.at(point)));
        let look = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"");
        canvas.path(&look, &data);
        let y = row(index);
        canvas.rect(&format!("fill=\"{colour}\""), (LEFT, y - 9.0), 18.0, 4.0);
        canvas.text(file::TEXT, (LEFT + 24.0, y), Anchor::Start, &shorten(&line.name, 50));
    }
    if lines.len() > shown {
        let text = format!("and {} more classes in metrics", lines.len() - shown);
        canvas.text(file::TEXT, (LEFT + 24.0, row(shown)), Anchor::Start, &text);
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_colours_are_counted() {
        let line =
            Line { name: "a & b".to_owned(), points: vec![(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)] };
        let svg = curves(&vec![line; 9]).0;
        assert_eq!(svg.matches("d=\"M84 404L264 44L444 44\"").count(), 7, "{svg}");
        assert!(svg.contains("a &amp; b") && svg.contains("and 2 more classes"), "{svg}");
    }
}
