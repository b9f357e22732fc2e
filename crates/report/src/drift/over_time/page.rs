//! The page over time: alerts that go on, a strip of columns and windows, and a line a window.
//!
//! It is one file without requests or scripts.

use maud::{DOCTYPE, PreEscaped, html};
use trainyard_drift::{Episode, WindowLength, WindowResult};

use super::super::meta::Meta;
use super::parts::WindowParts;

const STYLE: &str = include_str!("style.css");

/// Windows as one HTML page.
pub fn windows_page(
    results: &[WindowResult],
    length: WindowLength,
    alerts: &[Episode],
    meta: &Meta,
) -> String {
    let parts = WindowParts { results, length, alerts, address: None };
    let title = if meta.title.is_empty() { "Production data" } else { &meta.title };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) ": windows of " (length) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    p.why { (results.len()) " windows of " (length) " of " (meta.current) ", compared with " (meta.reference) }
                    (parts.alerts())
                    (parts.strip())
                    (parts.list())
                }
            }
        }
    };
    markup.into_string()
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{About, Measure, Window, metric};

    use super::*;

    #[test]
    fn ninety_windows_of_fifty_columns_are_a_small_page_without_scripts() {
        const DAY: i64 = 86_400_000;
        let results: Vec<WindowResult> = (0..90)
            .map(|day| {
                let window = Window { begins: day * DAY, ends: (day + 1) * DAY };
                let mut result = WindowResult::new(window, 5000);
                let score = |column: i64| {
                    Measure::new(About::Drift, metric::DRIFT_SCORE, 0.123_456)
                        .of_column(&format!("<column> {column}"))
                        .alarming((day + column) % 3 == 0)
                };
                result.extend((0..50).map(score));
                result.extend([
                    Measure::new(About::Drift, metric::VERDICT, 2.0),
                    Measure::new(About::Quality, "accuracy", 0.91).beside(Some(0.93)),
                ]);
                result
            })
            .collect();
        let day: WindowLength = "1d".parse().unwrap();
        let page = windows_page(&results, day, &[], &Meta::default());
        assert!(page.len() < 300_000, "{} bytes", page.len());
        assert!(!page.contains("<script") && page.contains("&lt;column&gt; 7"));
        assert!(page.contains("1970-03-31") && page.contains("reference 0.93"));
        assert_eq!(page.matches("▲").count(), 90 * 50 / 3 + 2 * 90 + 1);
    }
}
