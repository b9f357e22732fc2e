//! Box plots: how the values of each group lie, one group below the other.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, coordinate, escape, shorten};
use crate::number::short;
use crate::plane::{scaled, ticks};
use crate::scatter::dots_path;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = WIDTH - 60.0;
const TOP: f64 = 10.0;
/// Height of a group, and of its box.
const ROW: f64 = 28.0;
const BOX: f64 = 14.0;
/// Characters of a name that fit beside the boxes.
const NAME_CHARS_MAX: usize = 18;
/// What lies farther from the box than so many times its length is drawn by itself (Tukey).
const WHISKER: f64 = 1.5;
/// Values of a group that are drawn by themselves and say what they are; of more none does.
const NAMED_MAX: usize = 50;

/// Values that are drawn together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    /// Finite, in any order.
    pub values: Vec<f64>,
}

/// Five numbers that say how values lie. Quartiles are interpolated, as NumPy and pandas do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub min: f64,
    pub first: f64,
    pub median: f64,
    pub third: f64,
    pub max: f64,
}

impl Group {
    /// None of no values.
    pub fn summary(&self) -> Option<Summary> {
        let sorted = self.sorted();
        let (min, max) = sorted.first().copied().zip(sorted.last().copied())?;
        let [first, median, third] = [0.25, 0.5, 0.75].map(|share| quantile(&sorted, share));
        Some(Summary { min, first, median, third, max })
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Of sorted values, of which there are some.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let (low, high) = (at(place.floor() as usize), at(place.ceil() as usize));
    let share = place.fract();
    // Each by its share, so that the difference of huge values stays finite.
    low * (1.0 - share) + high * share
}

/// A box for each group, its whiskers to the farthest values within one and a half of its length, and the others as dots;
/// none if there is nothing to draw. `names` are of the groups and of the values. What is not positive has no place on a
/// logarithmic axis.
pub fn chart(names: [&str; 2], groups: &[Group], is_log: bool) -> Option<Svg> {
    let placed = |value: &f64| scaled(*value, is_log);
    let values = groups.iter().flat_map(|group| &group.values).filter_map(placed);
    values.clone().next()?;
    let axis = Axis::over(values, LEFT, RIGHT).widened(0.03);
    let bottom = TOP + ROW * groups.len() as f64;
    let label = format!("{} by {} of {} groups", names[1], names[0], groups.len());
    let attributes =
        format!("class=\"chart boxes\" role=\"img\" aria-label=\"{}\"", escape(&label));
    let mut canvas = Canvas::with(WIDTH, bottom + 38.0, &attributes);
    for (at, text) in ticks(&axis, is_log) {
        canvas.line("class=\"grid\"", (at, TOP), (at, bottom));
        canvas.text("", (at, bottom + 16.0), Anchor::Middle, &text);
    }
    canvas.text("", (RIGHT, bottom + 33.0), Anchor::End, names[1]);
    for (position, group) in groups.iter().enumerate() {
        draw(&mut canvas, &axis, TOP + ROW * (position as f64 + 0.5), group, is_log);
    }
    Some(canvas.finish())
}

fn draw(canvas: &mut Canvas, axis: &Axis, y: f64, group: &Group, is_log: bool) {
    let name = shorten(&group.name, NAME_CHARS_MAX);
    canvas.text("", (LEFT - 10.0, y + 4.0), Anchor::End, &name);
    let Some(summary) = group.summary() else { return };
    let x = |value: f64| scaled(value, is_log).map(|value| axis.at(value));
    let sorted = group.sorted();
    // Halved, so that the difference of huge values stays finite.
    let reach = (summary.third / 2.0 - summary.first / 2.0) * 2.0 * WHISKER;
    let reached = summary.first - reach..=summary.third + reach;
    let is_near = |value: &&f64| reached.contains(*value);
    let near = |found: Option<&f64>, other: f64| found.copied().unwrap_or(other);
    // A quartile between two values may lie beyond the last that is near.
    let low = near(sorted.iter().find(is_near), summary.first).min(summary.first);
    let high = near(sorted.iter().rev().find(is_near), summary.third).max(summary.third);
    let ends = [low, summary.first, summary.median, summary.third, high].map(x);
    let [Some(low), Some(first), Some(median), Some(third), Some(high)] = ends else { return };
    let (top, bottom) = (coordinate(y - BOX / 2.0), coordinate(y + BOX / 2.0));
    let [low, first, median, third, high] = [low, first, median, third, high].map(coordinate);
    let middle = coordinate(y);
    let data = format!(
        "M{low} {middle}H{first}M{third} {middle}H{high}M{first} {top}H{third}V{bottom}H{first}Z"
    );
    let runs = group.values.len();
    let title = format!(
        "{}: {runs} {}, median {}, quartiles {} and {}",
        group.name,
        if runs == 1 { "run" } else { "runs" },
        short(summary.median),
        short(summary.first),
        short(summary.third)
    );
    canvas.titled_path("class=\"box\"", &data, &title);
    canvas.path("class=\"median\"", &format!("M{median} {top}V{bottom}"));
    let far: Vec<f64> = sorted.iter().filter(|value| !is_near(value)).copied().collect();
    if far.len() > NAMED_MAX {
        let places = far.iter().filter_map(|value| Some((x(*value)?, y)));
        canvas.path("class=\"dots\"", &dots_path(places));
    } else {
        for value in far {
            if let Some(at) = x(value) {
                canvas.titled_circle((at, y), 3.0, &format!("{}: {}", group.name, short(value)));
            }
        }
    }
    canvas.text("", (RIGHT + 8.0, y + 4.0), Anchor::Start, &format!("n {runs}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, values: &[f64]) -> Group {
        Group { name: name.to_owned(), values: values.to_vec() }
    }

    #[test]
    fn quartiles_are_numpys() {
        // numpy.percentile([1, 2, 4, 8, 100], [25, 50, 75])
        let summary = group("a", &[100.0, 1.0, 8.0, 2.0, 4.0]).summary().unwrap();
        assert_eq!((summary.first, summary.median, summary.third), (2.0, 4.0, 8.0));
        // numpy.percentile([1, 2, 3, 4], [25, 50, 75])
        let summary = group("a", &[4.0, 3.0, 2.0, 1.0]).summary().unwrap();
        assert_eq!((summary.first, summary.median, summary.third), (1.75, 2.5, 3.25));
        assert_eq!(group("a", &[]).summary(), None);
        let far = group("a", &[f64::MIN, f64::MAX]).summary().unwrap();
        assert!(far.first.is_finite() && far.median == 0.0, "{far:?}");
    }

    #[test]
    fn what_lies_far_out_is_a_dot_of_its_own() {
        let groups =
            [group("<a>", &[1.0, 2.0, 3.0, 4.0, 100.0]), group("b", &[2.0]), group("c", &[])];
        let svg = chart(["lr", "loss"], &groups, false).unwrap().0;
        assert_eq!(svg.matches("class=\"box\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
        assert!(
            svg.contains("<title>&lt;a&gt;: 5 runs, median 3, quartiles 2 and 4</title>"),
            "{svg}"
        );
        assert!(svg.contains("b: 1 run, median 2"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(chart(["a", "b"], &[], false).is_none());
        assert!(chart(["a", "b"], &[group("a", &[-1.0])], true).is_none());
        let far = chart(["a", "b"], &[group("a", &[f64::MIN, 0.0, f64::MAX])], false).unwrap().0;
        assert!(!far.contains("NaN") && !far.contains("inf"), "{far}");
    }
}
