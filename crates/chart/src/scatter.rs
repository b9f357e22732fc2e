//! One value of many runs against another.

use std::collections::BTreeSet;
use std::fmt::Write as _;

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

/// Dots that say what they are called; of more none does, and they are one path: each takes a tenth of the room.
const NAMED_MAX: usize = 300;

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
    if placed.len() > NAMED_MAX {
        let places = placed.iter().map(|(_, at)| plane.at(*at));
        canvas.path("class=\"dots\"", &dots_path(places));
    } else {
        for (dot, at) in placed {
            canvas.titled_circle(plane.at(at), 4.0, &dot.name);
        }
    }
    Some(canvas.finish())
}

/// The data of a path of dots, drawn by the round ends of lines without a length; those that share a point of the
/// drawing are one.
pub(crate) fn dots_path(places: impl Iterator<Item = (f64, f64)>) -> String {
    let places: BTreeSet<(i64, i64)> =
        places.map(|(x, y)| (x.round() as i64, y.round() as i64)).collect();
    let mut data = String::new();
    let mut last = (0, 0);
    for (x, y) in places {
        // From dot to dot, which is shorter. Writing to a string cannot fail.
        let _infallible = write!(data, "m{} {}h0", x - last.0, y - last.1);
        last = (x, y);
    }
    data
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

    #[test]
    fn very_many_are_one_path_without_names() {
        let dots: Vec<Dot> = (0..1000)
            .map(|n| Dot { name: format!("run {n}"), at: (f64::from(n % 500), 1.0) })
            .collect();
        let svg = chart(["lr", "loss"], &dots, [false, false]).unwrap().0;
        assert!(svg.contains("scatter") && svg.contains("of 1000 runs"), "{svg}");
        assert!(!svg.contains("<circle") && !svg.contains("run 7"), "{svg}");
        // Those at one place are one.
        assert_eq!(svg.matches("h0").count(), 500, "{svg}");
        assert_eq!(dots_path([(3.2, 9.0), (1.0, 4.0), (3.0, 9.1)].into_iter()), "m1 4h0m2 5h0");
    }
}
