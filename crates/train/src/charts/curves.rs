//! Charts with two axes: ROC curves, and predictions against the truth with what is left over.

use std::fmt::Write as _;

use super::{Anchor, COLOURS, Drawing, number, shorten, ticks};

/// Most lines with a colour and legend of their own.
const LINES_MAX: usize = 7;
/// Most points of one chart: more would hide each other and bloat the file.
const POINTS_MAX: usize = 2_000;
const SIDE: f64 = 360.0;

/// A named curve.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A rectangle with scales.
struct Axes {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| {
            if high > low { (value - low) / (high - low) } else { 0.5 }
        };
        (
            self.left + self.width * share(x, self.x),
            self.top + self.height * (1.0 - share(y, self.y)),
        )
    }

    fn draw(&self, drawing: &mut Drawing, x_name: &str, y_name: &str) {
        let grid = "stroke=\"#d8dee4\" stroke-width=\"1\"";
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        for tick in ticks(self.x.0, self.x.1, 5) {
            let (x, _) = self.at((tick, self.y.0));
            drawing.line((x, self.top), (x, bottom), grid);
            drawing.text(x, bottom + 16.0, Anchor::Middle, &number(tick));
        }
        for tick in ticks(self.y.0, self.y.1, 5) {
            let (_, y) = self.at((self.x.0, tick));
            drawing.line((self.left, y), (right, y), grid);
            drawing.text(self.left - 6.0, y + 4.0, Anchor::End, &number(tick));
        }
        let grey = "fill=\"#59636e\"";
        let (x, y) = (self.left + self.width / 2.0, self.top + self.height / 2.0);
        drawing.styled_text(x, bottom + 36.0, Anchor::Middle, grey, x_name);
        let at = self.left - 52.0;
        let turned = format!("{grey} transform=\"rotate(-90 {at:.1} {y:.1})\"");
        drawing.styled_text(at, y, Anchor::Middle, &turned, y_name);
    }
}

/// Draws ROC curves, one a line of the legend.
pub(crate) fn roc(lines: &[Line]) -> String {
    let shown = lines.len().min(LINES_MAX);
    let legend = 20.0 * (shown + usize::from(lines.len() > shown)) as f64;
    let mut drawing = Drawing::new(480.0, 100.0 + SIDE + legend, "ROC curve");
    let axes =
        Axes { left: 84.0, top: 44.0, width: SIDE, height: SIDE, x: (0.0, 1.0), y: (0.0, 1.0) };
    axes.draw(&mut drawing, "false positive rate", "true positive rate");
    let chance = "stroke=\"#8c959f\" stroke-dasharray=\"4 4\"";
    drawing.line(axes.at((0.0, 0.0)), axes.at((1.0, 1.0)), chance);
    for (index, line) in lines.iter().take(LINES_MAX).enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let mut path = String::new();
        for point in thinned(&line.points) {
            let (x, y) = axes.at(*point);
            let _ = write!(path, "{x:.1},{y:.1} ");
        }
        let _ = write!(
            drawing.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.trim_end()
        );
        let y = 104.0 + SIDE + 20.0 * index as f64;
        drawing.rectangle(84.0, y - 9.0, 18.0, 4.0, &format!("fill=\"{colour}\""));
        drawing.text(108.0, y, Anchor::Start, &shorten(&line.name, 50));
    }
    if lines.len() > shown {
        let text = format!("and {} more classes in metrics", lines.len() - shown);
        drawing.text(108.0, 104.0 + SIDE + 20.0 * shown as f64, Anchor::Start, &text);
    }
    drawing.finish()
}

/// Draws (truth, prediction) pairs, and below them what the prediction misses.
pub(crate) fn residuals(pairs: &[(f64, f64)]) -> String {
    let mut drawing = Drawing::new(520.0, 660.0, "Predictions and residuals");
    let points: Vec<(f64, f64)> = thinned(pairs).copied().collect();
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let margin = ((high - low) * 0.04).max(f64::MIN_POSITIVE);
        (low - margin, high + margin)
    };
    let both = range(&mut points.iter().flat_map(|&(truth, predicted)| [truth, predicted]));
    let upper = Axes { left: 96.0, top: 44.0, width: SIDE + 30.0, height: 300.0, x: both, y: both };
    upper.draw(&mut drawing, "", "predicted");
    let exact = "stroke=\"#8c959f\" stroke-dasharray=\"4 4\"";
    drawing.line(upper.at((both.0, both.0)), upper.at((both.1, both.1)), exact);
    dots(&mut drawing, &upper, points.iter().copied());

    let left_over = |&(truth, predicted): &(f64, f64)| truth - predicted;
    let y = range(&mut points.iter().map(left_over).chain([0.0]));
    let lower = Axes { left: 96.0, top: 390.0, width: SIDE + 30.0, height: 200.0, x: both, y };
    lower.draw(&mut drawing, "true value", "true - predicted");
    drawing.line(lower.at((both.0, 0.0)), lower.at((both.1, 0.0)), exact);
    dots(&mut drawing, &lower, points.iter().map(|pair| (pair.0, left_over(pair))));
    drawing.finish()
}

fn dots(drawing: &mut Drawing, axes: &Axes, points: impl Iterator<Item = (f64, f64)>) {
    let _ = write!(drawing.body, "<g fill=\"{}\" fill-opacity=\"0.55\">", COLOURS[0]);
    for point in points {
        let (x, y) = axes.at(point);
        let _ = write!(drawing.body, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
    drawing.body.push_str("</g>");
}

/// Every so-manieth point, and always the last.
fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = &(f64, f64)> {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    points
        .iter()
        .enumerate()
        .filter(move |(index, _)| index % every == 0 || *index == last)
        .map(|(_, point)| point)
}
