//! Long tables, a part at a time: a run may have any number of params, and a browser has not.

use maud::{Markup, html};

use crate::query::Query;

/// Rows of a part. Values have some thousand characters at most, so a part has a few megabytes.
const ROWS_MAX: usize = 500;

/// Which parts of a page's tables were asked for: `?params=2&tags=3`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The page's own address.
    address: &'a str,
    query: &'a str,
}

/// A part of a table.
pub(crate) struct Rows<'a, T> {
    /// What is shown.
    pub(crate) items: &'a [T],
    asked: Asked<'a>,
    name: &'static str,
    first: usize,
    /// Rows of a part.
    most: usize,
    total: usize,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(address: &'a str, query: Option<&'a str>) -> Self {
        Self { address, query: query.unwrap_or_default() }
    }

    /// The part of the table called `name`; the first if nothing else was asked for.
    pub(crate) fn rows<T>(self, name: &'static str, items: &'a [T]) -> Rows<'a, T> {
        self.parts(name, items, ROWS_MAX)
    }

    /// The same in parts of so many rows: of a wide table.
    pub(crate) fn parts<T>(self, name: &'static str, items: &'a [T], most: usize) -> Rows<'a, T> {
        let most = most.max(1);
        let number = self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| value.parse::<usize>().ok())?
        });
        let last = items.len().saturating_sub(1) / most;
        let part = number.unwrap_or(1).saturating_sub(1).min(last);
        let first = part * most;
        let end = items.len().min(first + most);
        let shown = items.get(first..end).unwrap_or_default();
        Rows { items: shown, asked: self, name, first, most, total: items.len() }
    }
}

impl<T> Rows<'_, T> {
    /// Which rows are shown, and ways to the others; nothing if these are all.
    pub(crate) fn others(&self) -> Markup {
        let part = self.first / self.most + 1;
        let end = self.first + self.items.len();
        // What else was asked for stays: other tables' parts, words to find.
        let query = Query::read(self.asked.query);
        let link = |part: usize| {
            let query = query.with(self.name, &part.to_string());
            format!("{}#{}", query.at(self.asked.address), self.name)
        };
        html! {
            @if self.items.len() < self.total {
                div.actions id=(self.name) {
                    span.soft { (self.first + 1) "–" (end) " of " (self.total) " " (self.name) }
                    @if part > 1 { a href=(link(part - 1)) rel="prev" { "Previous" } }
                    @if end < self.total { a href=(link(part + 1)) rel="next" { "Next" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_end() {
        let items: Vec<usize> = (0..1200).collect();
        let rows = |query| Asked::new("/runs/r", Some(query)).rows("params", &items);
        assert_eq!(rows("").items, &items[..500]);
        assert_eq!(rows("tags=2&params=3").items, &items[1000..]);
        for odd in ["params=0", "params=x", "params", "params=-1"] {
            assert_eq!(rows(odd).items, &items[..500], "{odd}");
        }
        assert_eq!(rows("params=99999999999999999").items, &items[1000..]);
        let links = rows("params=2").others().0;
        assert!(links.contains("501–1000 of 1200 params"), "{links}");
        assert!(links.contains("/runs/r?params=1#params") && links.contains("?params=3#params"));
        let kept = rows("find=a%26b&params=2&tags=3").others().0;
        assert!(kept.contains("/runs/r?find=a%26b&amp;tags=3&amp;params=3#params"), "{kept}");
        assert!(!rows("params=3").others().0.contains("Next"));
        let wide = Asked::new("/r", Some("params=12")).parts("params", &items, 100);
        assert_eq!(wide.items, &items[1100..]);
        assert!(wide.others().0.contains("params=11#params"));
        let few = [1, 2];
        assert_eq!(Asked::new("/r", None).rows("params", &few).others().0, "");
        let none: [u8; 0] = [];
        assert!(Asked::new("/r", None).rows("params", &none).items.is_empty());
    }
}
