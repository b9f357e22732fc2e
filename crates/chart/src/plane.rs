//! Two axes of a chart on a page, each linear or logarithmic.

use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, escape};
use crate::number::short;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = HEIGHT - 38.0;
/// Ticks of an axis, about.
const TICKS: usize = 6;

/// Two axes. A logarithmic one has the logarithms to base 10 as its values.
#[derive(Debug)]
pub(crate) struct Plane {
    x: Axis,
    y: Axis,
    logs: [bool; 2],
}

/// A value as its axis has it; none where a logarithmic axis has no place for it.
pub(crate) fn scaled(value: f64, is_log: bool) -> Option<f64> {
    if is_log { (value > 0.0).then(|| value.log10()) } else { Some(value) }
}

impl Plane {
    /// Around points that were [`scaled`], with a share of room on each side; x and y of `logs` say which axis is
    /// logarithmic.
    pub(crate) fn over(
        points: impl Iterator<Item = (f64, f64)> + Clone,
        logs: [bool; 2],
        room: f64,
    ) -> Self {
        let x = Axis::over(points.clone().map(|point| point.0), LEFT, RIGHT).widened(room);
        let y = Axis::over(points.map(|point| point.1), BOTTOM, TOP).widened(room);
        Self { x, y, logs }
    }

    /// Where a point lies.
    pub(crate) fn at(&self, point: (f64, f64)) -> (f64, f64) {
        (self.x.at(point.0), self.y.at(point.1))
    }

    /// A drawing with both axes. Its attributes say where the axes lie and what they stand for, so that a script
    /// can read values off it: `data-plot` is left, right, bottom, top; `data-x` and `data-y` are the
    /// ends of the axes; `data-log` is 1 for a logarithmic axis.
    pub(crate) fn canvas(&self, class: &str, label: &str, names: [&str; 2]) -> Canvas {
        let (x, y) = (self.x.range(), self.y.range());
        let [x_log, y_log] = self.logs.map(u8::from);
        let attributes = format!(
            "class=\"chart {class}\" role=\"img\" aria-label=\"{}\" \
             data-plot=\"{LEFT} {RIGHT} {BOTTOM} {TOP}\" data-x=\"{:e} {:e}\" \
             data-y=\"{:e} {:e}\" data-log=\"{x_log} {y_log}\"",
            escape(label),
            x.0,
            x.1,
            y.0,
            y.1
        );
        let mut canvas = Canvas::with(WIDTH, HEIGHT, &attributes);
        for (at, text) in ticks(&self.y, self.logs[1]) {
            canvas.line("class=\"grid\"", (LEFT, at), (RIGHT, at));
            canvas.text("", (LEFT - 8.0, at + 4.0), Anchor::End, &text);
        }
        for (at, text) in ticks(&self.x, self.logs[0]) {
            canvas.text("", (at, BOTTOM + 16.0), Anchor::Middle, &text);
        }
        canvas.text("", (RIGHT, HEIGHT - 5.0), Anchor::End, names[0]);
        canvas.text("", (4.0, HEIGHT - 5.0), Anchor::Start, names[1]);
        canvas
    }
}

/// Where ticks lie and how they are written; powers of ten on a logarithmic axis that has some.
pub(crate) fn ticks(axis: &Axis, is_log: bool) -> Vec<(f64, String)> {
    if !is_log {
        return axis.ticks(TICKS);
    }
    let (low, high) = axis.range();
    let write = |power: f64| (axis.at(power), short(10_f64.powf(power)));
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    if last > first {
        let every = (last - first) as usize / TICKS + 1;
        return (first..=last).step_by(every).map(|power| write(f64::from(power))).collect();
    }
    (0..=TICKS).map(|n| write(low + (high - low) * n as f64 / TICKS as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, is_log: bool) -> Vec<String> {
        let axis = Axis::new(low, high, 0.0, 100.0);
        ticks(&axis, is_log).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn logarithmic_axes_have_powers_of_ten() {
        assert_eq!(texts(-2.5, 1.2, true), ["0.01", "0.1", "1", "10"]);
        assert_eq!(texts(0.0, 1.0, true).first().map(String::as_str), Some("1"));
        assert!(texts(0.1, 0.3, true).len() == 7);
        assert!(texts(-300.0, 300.0, true).len() <= 8);
        assert_eq!(
            [scaled(100.0, true), scaled(0.0, true), scaled(-1.0, true)],
            [Some(2.0), None, None]
        );
        assert_eq!(scaled(-1.0, false), Some(-1.0));
    }
}
