//! One metric of many runs: a line each, smoothed or not.

use crate::Svg;
use crate::canvas::polyline;
use crate::history::thinned;
use crate::plane::{Plane, scaled};

/// Points of all lines of a chart: a few hundred kilobytes.
const POINTS_MAX: usize = 20_000;
/// Points of one line: no chart is wider in pixels.
const LINE_POINTS_MAX: usize = 600;
/// Colours and dashes that the style sheet tells apart.
const COLOURS: usize = 10;
const DASHES: usize = 4;
/// The smoothing that leaves a little of the newest value.
const SMOOTHING_MAX: f64 = 0.99;

/// A history.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is called when it is pointed at.
    pub name: String,
    /// Which colour and dash it has: the number of the line among all on a page.
    pub number: usize,
    /// (x, y) in ascending order of x, and finite.
    pub points: Vec<(f64, f64)>,
}

/// How lines are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// Logarithmic axes; what is not positive is left out.
    pub x_log: bool,
    pub y_log: bool,
    /// Weight of what came before, from 0 (none) to 0.99; the lines as they are lie behind.
    pub smoothing: f64,
    /// The part of x that is drawn.
    pub from: Option<f64>,
    pub to: Option<f64>,
}

/// The class of a line by its number, for legends.
pub fn class(number: usize) -> String {
    format!("c{} d{}", number % COLOURS, number / COLOURS % DASHES)
}

/// A chart of all lines; none if there is nothing to draw. `unit` is that of x.
pub fn chart(title: &str, unit: &str, lines: &[Line], view: &View) -> Option<Svg> {
    let smoothing = Some(view.smoothing).filter(|weight| *weight > 0.0);
    let max = (POINTS_MAX / lines.len().max(1)).clamp(2, LINE_POINTS_MAX);
    let max = if smoothing.is_some() { (max / 2).max(2) } else { max };
    let shown = |points: &[(f64, f64)]| {
        let points: Vec<(f64, f64)> =
            points.iter().filter_map(|point| within(*point, view)).collect();
        thinned(&points, max)
    };
    let raw: Vec<Vec<(f64, f64)>> = lines.iter().map(|line| shown(&line.points)).collect();
    let smooth: Vec<Vec<(f64, f64)>> = match smoothing {
        Some(weight) => lines.iter().map(|line| shown(&smoothed(&line.points, weight))).collect(),
        None => Vec::new(),
    };
    let drawn = raw.iter().filter(|points| !points.is_empty()).count();
    if drawn == 0 {
        return None;
    }
    let plane = Plane::over(raw.iter().flatten().copied(), [view.x_log, view.y_log], 0.0);
    let label = format!("{title} of {drawn} runs over {unit}");
    let mut canvas = plane.canvas("lines", &label, [unit, title]);
    let data = |points: &[(f64, f64)]| {
        let data = polyline(points.iter().map(|point| plane.at(*point)));
        // A line of no length is a dot.
        if points.len() == 1 { format!("{data}h0") } else { data }
    };
    if smoothing.is_some() {
        for (line, points) in lines.iter().zip(&raw).filter(|(_, points)| !points.is_empty()) {
            canvas.path(&format!("class=\"raw {}\"", class(line.number)), &data(points));
        }
    }
    let front = if smoothing.is_some() { &smooth } else { &raw };
    for (line, points) in lines.iter().zip(front).filter(|(_, points)| !points.is_empty()) {
        let look = format!("class=\"line {}\"", class(line.number));
        canvas.titled_path(&look, &data(points), &line.name);
    }
    Some(canvas.finish())
}

/// The point as its axes have it, if it is in the part that is looked at.
fn within(point: (f64, f64), view: &View) -> Option<(f64, f64)> {
    let is_inside =
        view.from.is_none_or(|from| point.0 >= from) && view.to.is_none_or(|to| point.0 <= to);
    let scaled = scaled(point.0, view.x_log).zip(scaled(point.1, view.y_log));
    scaled.filter(|_| is_inside)
}

/// The exponential moving average, without its pull to zero at the start (as TensorBoard's).
fn smoothed(points: &[(f64, f64)], weight: f64) -> Vec<(f64, f64)> {
    let weight = weight.clamp(0.0, SMOOTHING_MAX);
    let (mut average, mut share) = (0.0, 0.0);
    let next = |point: &(f64, f64)| {
        average = average * weight + point.1 * (1.0 - weight);
        share = share * weight + (1.0 - weight);
        (point.0, average / share)
    };
    points.iter().map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, values: &[f64]) -> Line {
        let points = values.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
        Line { name: format!("<run {number}>"), number, points }
    }

    #[test]
    fn a_hundred_long_lines_are_one_small_drawing_that_keeps_peaks() {
        let mut values = vec![0.5; 10_000];
        values[7_777] = 100.0;
        let lines: Vec<Line> = (0..100).map(|number| line(number, &values)).collect();
        let svg = chart("loss", "step", &lines, &View::default()).unwrap().0;
        assert!(svg.len() < 400_000, "{} bytes", svg.len());
        assert_eq!(svg.matches("<path class=\"line").count(), 100);
        // The peak lies at the top of the plot in each.
        assert_eq!(svg.matches(" 14L").count(), 100, "{svg}");
        assert!(svg.contains("&lt;run 7&gt;") && !svg.contains("<run"), "{svg}");
    }

    #[test]
    fn smoothing_keeps_the_raw_line_behind() {
        assert_eq!(smoothed(&[(0.0, 4.0), (1.0, 4.0)], 0.9), [(0.0, 4.0), (1.0, 4.0)]);
        let few = smoothed(&[(0.0, 0.0), (1.0, 3.0)], 0.5);
        assert_eq!(few, [(0.0, 0.0), (1.0, 2.0)]);
        let view = View { smoothing: 0.5, ..View::default() };
        let svg = chart("m", "step", &[line(3, &[0.0, 3.0, 1.0])], &view).unwrap().0;
        let (raw, front) = (svg.find("class=\"raw c3 d0\""), svg.find("class=\"line c3 d0\""));
        assert!(raw.is_some() && raw < front, "{svg}");
    }

    #[test]
    fn odd_lines_make_no_odd_drawings() {
        let log = View { x_log: true, y_log: true, ..View::default() };
        let part = View { from: Some(1.0), to: Some(2.0), ..View::default() };
        assert!(chart("m", "step", &[], &View::default()).is_none());
        assert!(chart("m", "step", &[line(0, &[-1.0, -2.0])], &log).is_none());
        assert!(chart("m", "step", &[line(0, &[1.0])], &part).is_none());
        for values in [&[1.0] as &[f64], &[0.0, 1.0, 1e300], &[f64::MAX / 2.0, -f64::MAX / 2.0]] {
            for view in [View::default(), log, View { smoothing: 2.0, ..View::default() }] {
                let Some(svg) = chart("m", "step", &[line(0, values)], &view) else { continue };
                assert!(!svg.0.contains("NaN") && !svg.0.contains("inf"), "{values:?}: {svg:?}");
            }
        }
    }
}
