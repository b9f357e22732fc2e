//! The confusion matrix: true classes down, predicted classes across.

use crate::Svg;
use crate::canvas::{Anchor, Canvas, file, shorten, turned};

/// Most classes that are drawn; more would not be readable.
const CLASSES_MAX: usize = 40;
/// Characters of a class's name that fit beside the cells.
const NAME_CHARS_MAX: usize = 18;
/// More classes than this get small cells.
const LARGE_CLASSES_MAX: usize = 8;
const LARGE_CELL: f64 = 64.0;
const SMALL_CELL: f64 = 30.0;

/// Draws the matrix, with a note above it. `counts[t][p]` is how often class `t` was predicted as `p`;
/// cells are shaded by the share of their row.
pub fn matrix(labels: &[String], counts: &[Vec<u64>], note: &str) -> Svg {
    let labels = &labels[..labels.len().min(CLASSES_MAX)];
    let classes = labels.len();
    let cell = if classes > LARGE_CLASSES_MAX { SMALL_CELL } else { LARGE_CELL };
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1);
    let label_width = (longest.min(NAME_CHARS_MAX) as f64 * 7.0 + 16.0).max(40.0);
    let (left, top) = (34.0 + label_width, 64.0);
    let size = cell * classes as f64;
    let slanted = longest as f64 * 7.0 > cell - 4.0;
    let below = if slanted { label_width * 0.75 + 10.0 } else { 22.0 };
    let (width, height) = ((left + size + 40.0).max(300.0), top + size + below + 36.0);
    let mut canvas = Canvas::file(width, height, "Confusion matrix");
    canvas.text(file::SOFT_TEXT, (16.0, 48.0), Anchor::Start, note);
    for (row, (label, counts)) in labels.iter().zip(counts).enumerate() {
        let y = top + cell * row as f64;
        cells(&mut canvas, row, counts, classes, (left, y), cell);
        let at = (left - 8.0, y + cell / 2.0 + 4.0);
        canvas.text(file::TEXT, at, Anchor::End, &shorten(label, NAME_CHARS_MAX));
    }
    for (column, label) in labels.iter().enumerate() {
        let at = (left + cell * (column as f64 + 0.5), top + size + 16.0);
        let label = shorten(label, NAME_CHARS_MAX);
        if slanted {
            let look = turned(file::TEXT, -40.0, at);
            canvas.text(&look, (at.0 + 4.0, at.1), Anchor::End, &label);
        } else {
            canvas.text(file::TEXT, at, Anchor::Middle, &label);
        }
    }
    let middle = size / 2.0;
    let bottom = (left + middle, top + size + below + 20.0);
    canvas.text(file::SOFT_TEXT, bottom, Anchor::Middle, "predicted");
    let beside = (22.0, top + middle);
    canvas.text(&turned(file::SOFT_TEXT, -90.0, beside), beside, Anchor::Middle, "true");
    canvas.finish()
}

/// The first `shown` cells of one row, whose upper left corner is given.
fn cells(
    canvas: &mut Canvas,
    row: usize,
    counts: &[u64],
    shown: usize,
    corner: (f64, f64),
    cell: f64,
) {
    let total: u64 = counts.iter().sum();
    for (column, &count) in counts.iter().take(shown).enumerate() {
        let (x, y) = (corner.0 + cell * column as f64, corner.1);
        let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
        let colour = if row == column { file::BLUE } else { file::ORANGE };
        let opacity = if count == 0 { 0.04 } else { 0.12 + 0.78 * share };
        let look = format!("fill=\"{colour}\" fill-opacity=\"{opacity:.2}\"");
        canvas.rect(&look, (x + 1.0, y + 1.0), cell - 2.0, cell - 2.0);
        let ink = if opacity > 0.6 { "fill=\"#ffffff\" " } else { "" };
        let look = format!("{ink}font-size=\"{}\"", if cell > 40.0 { 16 } else { 11 });
        let middle = (x + cell / 2.0, y + cell / 2.0 + 5.0);
        canvas.text(&look, middle, Anchor::Middle, &count.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_shaded_by_the_share_of_their_row() {
        let labels = ["<setosa>".to_owned(), "virginica".to_owned()];
        let svg = matrix(&labels, &[vec![9, 1], vec![0, 5]], "15 rows").0;
        assert!(svg.contains("&lt;setosa&gt;") && svg.contains("15 rows"), "{svg}");
        for opacity in ["0.82", "0.20", "0.04", "0.90"] {
            assert!(svg.contains(&format!("fill-opacity=\"{opacity}\"")), "{opacity}: {svg}");
        }
    }

    #[test]
    fn classes_beyond_the_limit_are_left_out() {
        let labels: Vec<String> = (0..50).map(|class| class.to_string()).collect();
        let svg = matrix(&labels, &vec![vec![1; 50]; 50], "").0;
        assert_eq!(svg.matches("fill-opacity").count(), CLASSES_MAX * CLASSES_MAX);
    }
}
