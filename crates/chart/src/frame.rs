//! Two axes with a grid and names, for charts that are files.

use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, file, turned};

/// Ticks of an axis, about.
const TICKS: usize = 5;

/// Two axes.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

impl Frame {
    /// Where a point lies.
    pub(crate) fn at(&self, point: (f64, f64)) -> (f64, f64) {
        (self.x.at(point.0), self.y.at(point.1))
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, x_name: &str, y_name: &str) {
        let ((left, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        for (x, text) in self.x.ticks(TICKS) {
            canvas.line(file::GRID, (x, top), (x, bottom));
            canvas.text(file::TEXT, (x, bottom + 16.0), Anchor::Middle, &text);
        }
        for (y, text) in self.y.ticks(TICKS) {
            canvas.line(file::GRID, (left, y), (right, y));
            canvas.text(file::TEXT, (left - 6.0, y + 4.0), Anchor::End, &text);
        }
        let below = (f64::midpoint(left, right), bottom + 36.0);
        canvas.text(file::SOFT_TEXT, below, Anchor::Middle, x_name);
        let beside = (left - 52.0, f64::midpoint(top, bottom));
        let upwards = turned(file::SOFT_TEXT, -90.0, beside);
        canvas.text(&upwards, beside, Anchor::Middle, y_name);
    }
}

/// Most points of one chart: more would hide each other and bloat the file.
const POINTS_MAX: usize = 2_000;

/// Every so-manieth point, and always the last.
pub(crate) fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + Clone {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    points
        .iter()
        .enumerate()
        .filter(move |(index, _)| index % every == 0 || *index == last)
        .map(|(_, point)| *point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_both_ends() {
        let points: Vec<(f64, f64)> = (0..10_001).map(|i| (f64::from(i), 0.0)).collect();
        let few: Vec<_> = thinned(&points).collect();
        assert!(few.len() <= POINTS_MAX + 1, "{}", few.len());
        assert_eq!((few[0].0, few[few.len() - 1].0), (0.0, 10_000.0));
        assert_eq!(thinned(&points[..7]).count(), 7);
    }
}
