//! What an address asks for: its query, which is the only state that a page has.

use maud::{Markup, html};
use percent_encoding::percent_decode_str;

use crate::links::part;

/// Pairs that are read: many more than a form of ours sends.
const PAIRS_MAX: usize = 2_000;

/// Names and values, in order; a name may come several times. What is empty is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

impl Query {
    pub(crate) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('=')).take(PAIRS_MAX);
        let pairs = pairs.filter(|(_, value)| !value.is_empty());
        Self { pairs: pairs.map(|(name, value)| (decoded(name), decoded(value))).collect() }
    }

    /// The first value of this name, or nothing.
    pub(crate) fn one(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        !self.one(name).is_empty()
    }

    /// All values of this name, each once, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for (_, value) in self.pairs.iter().filter(|(known, _)| known == name) {
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        values
    }

    /// A finite number, if one was asked for.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.one(name).trim().parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The same with this value alone for the name; without the name for an empty value.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.without(&[name]);
        if !value.is_empty() {
            changed.pairs.push((name.to_owned(), value.to_owned()));
        }
        changed
    }

    /// The same with these values of the name.
    pub(crate) fn with_all(&self, name: &str, values: impl Iterator<Item = String>) -> Self {
        let mut changed = self.without(&[name]);
        changed.pairs.extend(values.map(|value| (name.to_owned(), value)));
        changed
    }

    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let kept = self.pairs.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Self { pairs: kept.cloned().collect() }
    }

    /// Only these names.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let kept = self.pairs.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self { pairs: kept.cloned().collect() }
    }

    /// As it is written in an address, without its `?`.
    pub(crate) fn text(&self) -> String {
        let pairs =
            self.pairs.iter().map(|(name, value)| format!("{}={}", part(name), part(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The address that asks for this.
    pub(crate) fn at(&self, address: &str) -> String {
        if self.pairs.is_empty() {
            address.to_owned()
        } else {
            format!("{address}?{}", self.text())
        }
    }

    /// Fields that carry this along in a form.
    pub(crate) fn hidden(&self) -> Markup {
        html! {
            @for (name, value) in &self.pairs { input type="hidden" name=(name) value=(value); }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_survives_its_address() {
        let query = Query::read("q=a+b%26c&col=x&col=y&col=x&empty=&odd&n=1e3&bad=NaN");
        assert_eq!((query.one("q"), query.all("col")), ("a b&c", vec!["x", "y"]));
        assert_eq!((query.number("n"), query.number("bad")), (Some(1000.0), None));
        assert!(!query.has("empty") && !query.has("odd"));
        assert_eq!(Query::read(&query.text()), query);
        let changed = query.only(&["q", "col"]).with("col", "é").with("q", "");
        assert_eq!(changed.at("/e"), "/e?col=%C3%A9");
        assert_eq!(changed.without(&["col"]).at("/e"), "/e");
        let nasty = Query::read("q=%22%3E%3Cb%3E").hidden().into_string();
        assert!(!nasty.contains("<b>") && nasty.contains("&lt;b&gt;"), "{nasty}");
    }
}
