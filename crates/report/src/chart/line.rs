//! Lines over a common pair of axes: ROC curves, scores over time, residuals.

use super::{Axis, Canvas, Svg, coordinate, escape};

/// A line through points, with a name for the legend.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// Points in order.
    pub points: &'a [(f64, f64)],
}

/// Colours that people with any colour vision tell apart (Okabe and Ito).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666"];

/// Draws lines on axes from the smallest to the largest value; `x_label` and `y_label` name the axes.
/// With `diagonal`, a dashed line from corner to corner (chance in a ROC curve).
pub fn lines(
    series: &[Series<'_>],
    x_label: &str,
    y_label: &str,
    diagonal: bool,
    label: &str,
) -> Svg {
    const WIDTH: f64 = 480.0;
    const HEIGHT: f64 = 340.0;
    const LEFT: f64 = 52.0;
    const RIGHT: f64 = WIDTH - 12.0;
    const TOP: f64 = 12.0;
    const BOTTOM: f64 = HEIGHT - 40.0;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let points = || series.iter().flat_map(|line| line.points.iter());
    let range = |side: fn(&(f64, f64)) -> f64| {
        (
            points().map(side).fold(f64::INFINITY, f64::min),
            points().map(side).fold(f64::NEG_INFINITY, f64::max),
        )
    };
    let ((x_low, x_high), (y_low, y_high)) = (range(|point| point.0), range(|point| point.1));
    let (x, y) = (Axis::new(x_low, x_high, LEFT, RIGHT), Axis::new(y_low, y_high, BOTTOM, TOP));
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (x_value, y_value) =
            (x_low + (x_high - x_low) * share, y_low + (y_high - y_low) * share);
        canvas.path("x g", &format!("M{LEFT} {}H{RIGHT}", coordinate(y.at(y_value))));
        canvas.text("t", LEFT - 5.0, y.at(y_value) + 4.0, "end", &crate::number::short(y_value));
        canvas.text("t", x.at(x_value), BOTTOM + 14.0, "middle", &crate::number::short(x_value));
    }
    canvas.path("x", &format!("M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"));
    if diagonal {
        canvas.path("x d", &format!("M{LEFT} {BOTTOM}L{RIGHT} {TOP}"));
    }
    for (index, line) in series.iter().enumerate() {
        let data: Vec<String> = line
            .points
            .iter()
            .map(|point| format!("{} {}", coordinate(x.at(point.0)), coordinate(y.at(point.1))))
            .collect();
        let colour = COLOURS[index % COLOURS.len()];
        canvas.raw(&format!(
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            data.join("L")
        ));
        let (top, name) = (BOTTOM - 10.0 - 15.0 * index as f64, escape(line.name));
        canvas.raw(&format!(
            "<text x=\"{}\" y=\"{top}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
            RIGHT - 6.0
        ));
    }
    canvas.text("t", f64::midpoint(LEFT, RIGHT), HEIGHT - 6.0, "middle", x_label);
    canvas.raw(&format!(
        "<text class=\"t\" transform=\"translate(12 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        coordinate(f64::midpoint(TOP, BOTTOM)),
        escape(y_label)
    ));
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roc_curve() {
        let series = [Series { name: "a & b", points: &[(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)] }];
        let svg = lines(&series, "false positive rate", "true positive rate", true, "ROC").0;
        assert!(svg.contains("d=\"M52 300L260 12L468 12\""), "{svg}");
        assert!(svg.contains("a &amp; b") && svg.contains("x d"));
    }
}
