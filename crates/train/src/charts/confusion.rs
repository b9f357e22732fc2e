//! The confusion matrix: true classes down, predicted classes across.

use crate::metrics::classification::Confusion;

use super::{Anchor, Drawing, shorten};

/// Most classes that are drawn; more would not be readable. The JSON beside it has all.
const CLASSES_MAX: usize = 40;
const CELL: f64 = 64.0;
const SMALL_CELL: f64 = 30.0;

/// Draws the matrix.
pub(crate) fn confusion_matrix(confusion: &Confusion) -> String {
    let classes = confusion.labels.len().min(CLASSES_MAX);
    let cell = if classes > 8 { SMALL_CELL } else { CELL };
    let longest =
        confusion.labels.iter().take(classes).map(|label| label.chars().count()).max().unwrap_or(1);
    let label_width = (longest.min(18) as f64 * 7.0 + 16.0).max(40.0);
    let (left, top) = (34.0 + label_width, 64.0);
    let size = cell * classes as f64;
    let slanted = longest as f64 * 7.0 > cell - 4.0;
    let below = if slanted { label_width * 0.75 + 10.0 } else { 22.0 };
    let mut drawing = Drawing::new(
        (left + size + 40.0).max(300.0),
        top + size + below + 36.0,
        "Confusion matrix",
    );
    drawing.styled_text(
        16.0,
        48.0,
        Anchor::Start,
        "fill=\"#59636e\"",
        &format!("{} holdout rows, accuracy {:.3}", confusion.rows(), confusion.accuracy()),
    );
    for (row, counts) in confusion.counts.iter().take(classes).enumerate() {
        let y = top + cell * row as f64;
        let total: u64 = counts.iter().sum();
        for (column, &count) in counts.iter().take(classes).enumerate() {
            let x = left + cell * column as f64;
            let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
            let colour = if row == column { "#0072b2" } else { "#d55e00" };
            let opacity = if count == 0 { 0.04 } else { 0.12 + 0.78 * share };
            let style = format!("fill=\"{colour}\" fill-opacity=\"{opacity:.2}\"");
            drawing.rectangle(x + 1.0, y + 1.0, cell - 2.0, cell - 2.0, &style);
            let ink = if opacity > 0.6 { "fill=\"#ffffff\"" } else { "" };
            let style = format!("{ink} font-size=\"{}\"", if cell > 40.0 { 16 } else { 11 });
            let middle = (x + cell / 2.0, y + cell / 2.0 + 5.0);
            drawing.styled_text(middle.0, middle.1, Anchor::Middle, &style, &count.to_string());
        }
        let label = shorten(&confusion.labels[row], 18);
        drawing.text(left - 8.0, y + cell / 2.0 + 4.0, Anchor::End, &label);
    }
    for (column, label) in confusion.labels.iter().take(classes).enumerate() {
        let (x, y) = (left + cell * (column as f64 + 0.5), top + size + 16.0);
        let label = shorten(label, 18);
        if slanted {
            let style = format!("transform=\"rotate(-40 {x:.1} {y:.1})\"");
            drawing.styled_text(x + 4.0, y, Anchor::End, &style, &label);
        } else {
            drawing.text(x, y, Anchor::Middle, &label);
        }
    }
    let grey = "fill=\"#59636e\"";
    let bottom = top + size + below + 20.0;
    drawing.styled_text(left + size / 2.0, bottom, Anchor::Middle, grey, "predicted");
    let centre = top + size / 2.0;
    let turned = format!("{grey} transform=\"rotate(-90 22 {centre:.1})\"");
    drawing.styled_text(22.0, centre, Anchor::Middle, &turned, "true");
    drawing.finish()
}
