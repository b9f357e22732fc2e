//! One value of many runs against another.

use crate::Svg;
use crate::plane::{Plane, scaled};

/// A run.
#[derive(Debug, Clone)]
pub struct Dot {
    /// What it is called when it is pointed at.
    pub name: String,
    /// Finite.
    pub at: (f64, f64),
}

/// A dot for each; none if there is nothing to draw. `names` and `logs` are of x and y; what is not positive has
/// no place on a logarithmic axis.
pub fn chart(names: [&str; 2], dots: &[Dot], logs: [bool; 2]) -> Option<Svg> {
    let placed: Vec<(&Dot, (f64, f64))> = dots
        .iter()
        .filter_map(|dot| Some((dot, scaled(dot.at.0, logs[0]).zip(scaled(dot.at.1, logs[1]))?)))
        .collect();
    if placed.is_empty() {
        return None;
    }
    let plane = Plane::over(placed.iter().map(|(_, at)| *at), logs, 0.03);
    let label = format!("{} against {} of {} runs", names[1], names[0], placed.len());
    let mut canvas = plane.canvas("scatter", &label, names);
    for (dot, at) in placed {
        canvas.titled_circle(plane.at(at), 4.0, &dot.name);
    }
    Some(canvas.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_is_left_out() {
        let dots: Vec<Dot> = [(0.0, 1.0), (10.0, 2.0), (100.0, 3.0)]
            .map(|at| Dot { name: format!("<{}>", at.0), at })
            .into();
        let svg = chart(["lr", "loss"], &dots, [false, false]).unwrap().0;
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("<title>&lt;100&gt;</title>"), "{svg}");
        let svg = chart(["lr", "loss"], &dots, [true, false]).unwrap().0;
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(chart(["a", "b"], &[], [false, false]).is_none());
    }
}
