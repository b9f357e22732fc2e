//! The first rows of a table.

use maud::{Markup, html};

use super::measure::{Measure, VALUE_CHARS};
use crate::format;

/// The first rows of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    /// Each with its type, if that is known.
    pub(super) columns: Vec<(String, Option<String>)>,
    /// `None` is nothing at all, which is not an empty text.
    pub(super) rows: Vec<Vec<Option<String>>>,
    /// Columns of the file.
    pub(super) columns_total: usize,
    /// Rows of the file, where they are known.
    pub(super) rows_total: Option<usize>,
    /// Whether the file has more rows.
    pub(super) has_more: bool,
}

impl Grid {
    /// What is shown of a table that was read as far as needed; nothing shown is wider or longer than `measure`.
    pub(super) fn show(&self, measure: &Measure) -> Markup {
        let rows = self.rows.get(..measure.rows).unwrap_or(&self.rows);
        let width = self.columns.len().min(measure.columns);
        html! {
            div.scroll tabindex="0" role="region" aria-label="First rows" {
                table.grid {
                    thead {
                        tr {
                            @for (name, kind) in self.columns.iter().take(width) {
                                th scope="col" {
                                    (format::short(name, VALUE_CHARS))
                                    @if let Some(kind) = kind { " " small { (format::short(kind, 40)) } }
                                }
                            }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                @for value in row.iter().take(width) {
                                    @match value {
                                        Some(text) => td class=[is_number(text).then_some("number")] { (format::short(text, VALUE_CHARS)) },
                                        None => td.soft { "–" },
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p.soft { (self.told(rows.len(), width)) }
        }
    }

    fn told(&self, rows: usize, columns: usize) -> String {
        let of = |shown: usize, total: Option<usize>, has_more: bool, what: &str| match total {
            Some(total) if total > shown => format!("{shown} of {total} {what}"),
            _ if has_more => format!("The first {shown} {what}"),
            _ => format!("{shown} {what}"),
        };
        let has_more = self.has_more || self.rows.len() > rows;
        let columns = of(columns, Some(self.columns_total), false, "columns");
        format!("{}, {columns}.", of(rows, self.rows_total, has_more, "rows"))
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'))
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::measure::PAGE;
    use super::*;

    #[test]
    fn a_table_is_cut_and_says_so() {
        let value = |text: &str| Some(text.to_owned());
        let grid = Grid {
            columns: vec![("<a>".to_owned(), Some("Int64".to_owned())), ("b".to_owned(), None)],
            rows: vec![vec![value("-1.5"), None], vec![value("-"), value("")]],
            columns_total: 2,
            rows_total: Some(70),
            has_more: true,
        };
        let html = grid.show(&PAGE).into_string();
        assert!(html.contains("&lt;a&gt; <small>Int64</small>"), "{html}");
        assert!(html.contains("<td class=\"number\">-1.5</td><td class=\"soft\">–</td>"), "{html}");
        assert!(
            html.contains("<td>-</td><td></td>") && html.contains("2 of 70 rows, 2 columns."),
            "{html}"
        );
        let narrow = Measure { rows: 1, columns: 1, ..PAGE };
        let html = Grid { rows_total: None, ..grid }.show(&narrow).into_string();
        assert!(
            html.contains("The first 1 rows, 1 of 2 columns.") && !html.contains("<td>"),
            "{html}"
        );
    }
}
