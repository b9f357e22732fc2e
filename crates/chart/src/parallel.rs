//! Parallel coordinates: an axis for each value, a line for each run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Svg;
use crate::canvas::{Anchor, Canvas, escape, polyline, shorten};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 70.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 28.0;
/// Shades that the style sheet has, by a run's place on the last axis.
const SHADES: f64 = 5.0;
/// Characters that fit above and below an axis.
const NAME_CHARS_MAX: usize = 20;

/// Lines that say what they are called; of more none does, as each would lie below others.
const NAMED_MAX: usize = 300;
/// Heights that many lines are told apart by: two points of the drawing each.
const STEPS: f64 = 128.0;

/// An axis.
#[derive(Debug, Clone)]
pub struct Scale {
    pub name: String,
    /// The smallest and the largest value, as written.
    pub ends: [String; 2],
}

/// A run.
#[derive(Debug, Clone)]
pub struct Track {
    /// What it is called when it is pointed at.
    pub name: String,
    /// Its place on each axis, from 0 (the smallest) to 1; none where it has no value.
    pub places: Vec<Option<f64>>,
}

/// A line for each run, broken where it has no value; none for fewer than two axes or no runs.
pub fn chart(scales: &[Scale], tracks: &[Track]) -> Option<Svg> {
    if scales.len() < 2 || tracks.is_empty() {
        return None;
    }
    let x = |position: usize| LEFT + (RIGHT - LEFT) * position as f64 / (scales.len() - 1) as f64;
    let y = |place: f64| BOTTOM + (TOP - BOTTOM) * place.clamp(0.0, 1.0);
    let label = format!("{} values of {} runs", scales.len(), tracks.len());
    let attributes =
        format!("class=\"chart parallel\" role=\"img\" aria-label=\"{}\"", escape(&label));
    let mut canvas = Canvas::with(WIDTH, HEIGHT, &attributes);
    for (position, scale) in scales.iter().enumerate() {
        let at = x(position);
        canvas.line("class=\"grid\"", (at, TOP), (at, BOTTOM));
        // Neighbours' names do not meet.
        let above = if position % 2 == 0 { TOP - 26.0 } else { TOP - 12.0 };
        let name = shorten(&scale.name, NAME_CHARS_MAX);
        canvas.text("", (at, above), Anchor::Middle, &name);
        let [low, high] = &scale.ends;
        let low = shorten(low, NAME_CHARS_MAX / 2);
        canvas.text("", (at, BOTTOM + 16.0), Anchor::Middle, &low);
        canvas.text("", (at + 4.0, TOP + 4.0), Anchor::Start, &shorten(high, NAME_CHARS_MAX / 2));
    }
    if tracks.len() > NAMED_MAX {
        many(&mut canvas, scales.len(), tracks);
        return Some(canvas.finish());
    }
    for track in tracks {
        let points: Vec<Option<(f64, f64)>> = track
            .places
            .iter()
            .take(scales.len())
            .enumerate()
            .map(|(position, place)| place.map(|place| (x(position), y(place))))
            .collect();
        let pieces = points.split(Option::is_none);
        let data: String = pieces.map(|piece| polyline(piece.iter().flatten().copied())).collect();
        if data.is_empty() {
            continue;
        }
        let look = match shade(track, scales.len()) {
            Some(shade) => format!("class=\"line q{shade}\""),
            None => "class=\"line qnone\"".to_owned(),
        };
        canvas.titled_path(&look, &data, &track.name);
    }
    Some(canvas.finish())
}

/// A run's shade: a part of the last axis. None where it has no value there.
fn shade(track: &Track, axes: usize) -> Option<usize> {
    let place = track.places.get(axes - 1).copied().flatten()?;
    Some((place.clamp(0.0, 1.0) * SHADES).floor().min(SHADES - 1.0) as usize)
}

/// Lines without names, those of a shade as one path. One unit of x is from an axis to the next and y has [`STEPS`], so
/// that a point takes some two packed bytes.
fn many(canvas: &mut Canvas, axes: usize, tracks: &[Track]) {
    let scale = format!(
        "vector-effect=\"non-scaling-stroke\" transform=\"matrix({} 0 0 {} {LEFT} {TOP})\"",
        (RIGHT - LEFT) / (axes - 1) as f64,
        (BOTTOM - TOP) / STEPS
    );
    let mut by_shade: BTreeMap<Option<usize>, Vec<Vec<Option<i64>>>> = BTreeMap::new();
    for track in tracks {
        let step = |place: f64| ((1.0 - place.clamp(0.0, 1.0)) * STEPS).round() as i64;
        let steps = track.places.iter().take(axes).map(|place| place.map(step)).collect();
        by_shade.entry(shade(track, axes)).or_default().push(steps);
    }
    for (shade, mut lines) in by_shade {
        // What begins alike lies side by side, and is drawn once where it is the same.
        lines.sort_unstable();
        lines.dedup();
        let data: String = lines.iter().map(|line| relative(line)).collect();
        let shade = shade.map_or("none".to_owned(), |shade| shade.to_string());
        canvas.path(&format!("class=\"many q{shade}\" {scale}"), &data);
    }
}

/// A line through steps on neighbouring axes, each by its difference to the one before.
fn relative(steps: &[Option<i64>]) -> String {
    let mut data = String::new();
    let mut last: Option<i64> = None;
    let mut is_line = false;
    for (axis, step) in steps.iter().enumerate() {
        // Writing to a string cannot fail.
        let _infallible = match (last, step) {
            (_, None) => Ok(()),
            (None, Some(step)) => write!(data, "M{axis} {step}"),
            (Some(last), Some(step)) => {
                let down = step - last;
                let between = if down < 0 { "" } else { " " };
                write!(data, "{}1{between}{down}", if is_line { " " } else { "l" })
            }
        };
        is_line = last.is_some() && step.is_some();
        last = *step;
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_there_is_no_value() {
        let scale = |name: &str| Scale { name: name.to_owned(), ends: ["0".into(), "<1>".into()] };
        let scales = [scale("lr"), scale("depth"), scale("loss")];
        let track = |places: [Option<f64>; 3]| Track { name: "r".into(), places: places.into() };
        let tracks = [
            track([Some(0.0), Some(0.5), Some(1.0)]),
            track([Some(1.0), None, Some(0.0)]),
            track([None, None, None]),
        ];
        let svg = chart(&scales, &tracks).unwrap().0;
        assert!(svg.contains("class=\"line q4\" d=\"M70 312L480 178L890 44\""), "{svg}");
        assert!(svg.contains("class=\"line q0\" d=\"M70 44M890 312\""), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2);
        assert!(svg.contains("&lt;1&gt;"), "{svg}");
        assert!(chart(&scales[..1], &tracks).is_none() && chart(&scales, &[]).is_none());
    }

    #[test]
    fn very_many_are_a_path_a_shade() {
        let scale = |name: &str| Scale { name: name.to_owned(), ends: ["0".into(), "1".into()] };
        let scales = [scale("lr"), scale("depth"), scale("loss")];
        let track = |n: u32| {
            let place = f64::from(n) / 999.0;
            Track { name: format!("run {n}"), places: vec![Some(place), None, Some(1.0 - place)] }
        };
        let mut tracks: Vec<Track> = (0..1000).map(track).collect();
        tracks.push(Track { name: "last".into(), places: vec![Some(0.0), Some(1.0), None] });
        let svg = chart(&scales, &tracks).unwrap().0;
        assert!(svg.contains("3 values of 1001 runs") && !svg.contains("run 7"), "{svg}");
        assert_eq!(
            svg.matches("<path").count(),
            6,
            "five shades, and those without a value: {svg}"
        );
        assert!(svg.len() < 6_000, "what is drawn alike is drawn once: {}", svg.len());
        assert_eq!(relative(&[Some(128), Some(0), Some(0), Some(5)]), "M0 128l1-128 1 0 1 5");
        assert_eq!(relative(&[None, Some(4), None, Some(2), Some(3)]), "M1 4M3 2l1 1");
        assert_eq!(relative(&[None]), "");
    }
}
