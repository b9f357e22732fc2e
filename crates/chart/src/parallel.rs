//! Parallel coordinates: an axis for each value, a line for each run.

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
        let last = track.places.get(scales.len() - 1).copied().flatten();
        let shade = last.map_or("none".to_owned(), |place| {
            format!("{:.0}", (place.clamp(0.0, 1.0) * SHADES).floor().min(SHADES - 1.0))
        });
        canvas.titled_path(&format!("class=\"line q{shade}\""), &data, &track.name);
    }
    Some(canvas.finish())
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
}
