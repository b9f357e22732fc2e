//! A confusion matrix.

use super::{Canvas, Svg, coordinate, escape};

/// Classes beyond this make a matrix that nobody can read; the rest is left out.
const MAX_CLASSES: usize = 30;

/// Draws counts by true class (down) and predicted class (across); cells are shaded by the share of their row.
/// `counts[i][j]` is how often true class i was predicted as class j.
pub fn confusion_matrix(classes: &[String], counts: &[Vec<u64>]) -> Svg {
    const LEFT: f64 = 120.0;
    const TOP: f64 = 48.0;
    let shown = classes.len().min(MAX_CLASSES);
    let cell = (420.0 / shown.max(1) as f64).clamp(18.0, 84.0);
    let size = cell * shown as f64;
    let mut canvas = Canvas::new(
        LEFT + size + 12.0,
        TOP + size + 12.0,
        "confusion matrix: true classes down, predicted classes across",
    );
    canvas.text("t", LEFT + size / 2.0, 14.0, "middle", "predicted");
    for (index, class) in classes.iter().take(shown).enumerate() {
        let middle = cell * (index as f64 + 0.5);
        let name: String = class.chars().take(16).collect();
        canvas.text("t", LEFT - 6.0, TOP + middle + 4.0, "end", &name);
        canvas.text(
            "t",
            LEFT + middle,
            TOP - 8.0,
            "middle",
            &name.chars().take((cell / 6.0) as usize).collect::<String>(),
        );
    }
    for (row, line) in counts.iter().take(shown).enumerate() {
        let total: u64 = line.iter().sum();
        for (column, count) in line.iter().take(shown).enumerate() {
            let share = *count as f64 / total.max(1) as f64;
            let (x, y) = (LEFT + cell * column as f64, TOP + cell * row as f64);
            let title = format!(
                "{count} of {total} {} predicted as {}",
                classes.get(row).map_or("", String::as_str),
                classes.get(column).map_or("", String::as_str)
            );
            canvas.raw(&format!(
                "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" fill-opacity=\"{share:.2}\" stroke=\"#999\" stroke-width=\".5\"/></g>",
                escape(&title), coordinate(x), coordinate(y), coordinate(cell), coordinate(cell),
                if row == column { "#0072b2" } else { "#d55e00" },
            ));
            let ink = if share > 0.6 { "#fff" } else { "currentColor" };
            canvas.raw(&format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{ink}\">{count}</text>",
                coordinate(x + cell / 2.0),
                coordinate(y + cell / 2.0 + 4.0)
            ));
        }
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_they_count() {
        let classes = ["<setosa>".to_owned(), "virginica".to_owned()];
        let svg = confusion_matrix(&classes, &[vec![9, 1], vec![0, 5]]).0;
        assert!(
            svg.contains("<title>1 of 10 &lt;setosa&gt; predicted as virginica</title>"),
            "{svg}"
        );
    }
}
