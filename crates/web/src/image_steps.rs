//! Pictures that were logged step by step, and which of them a step means.
//!
//! Source: `mlflow.log_image(image, key=…, step=…)` names them
//! `images/{key}+step+{step}+timestamp+{milliseconds}+{uuid}.png`, with `~` for the slashes of the key, and a smaller copy
//! beside each that ends with `+compressed.webp`. Older clients write `%` for `+`, and `#` for the slashes.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_mlflow::entities::FileInfo;

/// The folder that they lie in.
pub(crate) const FOLDER: &str = "images";

/// A picture at a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// The file as it was logged.
    pub(crate) path: String,
    /// The smaller copy, if there is one.
    pub(crate) small: Option<String>,
}

/// Pictures by key and step; of several at a step, the last one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    series: BTreeMap<String, BTreeMap<i64, Picture>>,
}

impl Steps {
    /// Of the entries of [`FOLDER`], in the order of their names.
    pub(crate) fn of(entries: &[FileInfo]) -> Self {
        let mut series: BTreeMap<String, BTreeMap<i64, Picture>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !entry.is_dir) {
            let Some(named) = named(&entry.path) else { continue };
            let picture = series.entry(named.key).or_default().entry(named.step).or_default();
            if named.is_small {
                picture.small = Some(entry.path.clone());
            } else {
                picture.path.clone_from(&entry.path);
            }
        }
        for pictures in series.values_mut() {
            pictures.retain(|_step, picture| !picture.path.is_empty());
        }
        series.retain(|_key, pictures| !pictures.is_empty());
        Self { series }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// How many keys there are.
    pub(crate) fn keys(&self) -> usize {
        self.series.len()
    }

    /// All steps at which there is a picture.
    pub(crate) fn steps(&self) -> BTreeSet<i64> {
        self.series.values().flat_map(BTreeMap::keys).copied().collect()
    }

    /// Of each key the picture at a step: the last one until then, or the first one there is.
    pub(crate) fn at(&self, step: i64) -> impl Iterator<Item = (&str, i64, &Picture)> {
        self.series.iter().filter_map(move |(key, pictures)| {
            let until = pictures.range(..=step).next_back();
            let (found, picture) = until.or_else(|| pictures.first_key_value())?;
            Some((key.as_str(), *found, picture))
        })
    }
}

/// What a name says.
struct Named {
    key: String,
    step: i64,
    is_small: bool,
}

fn named(path: &str) -> Option<Named> {
    let name = path.rsplit('/').next()?;
    for (between, slash) in [('+', "~"), ('%', "#")] {
        let Some((key, rest)) = name.split_once(&format!("{between}step{between}")) else {
            continue;
        };
        let (step, rest) = rest.split_once(between)?;
        let is_small = rest.ends_with(&format!("{between}compressed.webp"));
        if !rest.starts_with("timestamp") || !(is_small || rest.rsplit('.').next() == Some("png")) {
            return None;
        }
        return Some(Named { key: key.replace(slash, "/"), step: step.parse().ok()?, is_small });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> FileInfo {
        FileInfo { path: format!("{FOLDER}/{name}"), ..FileInfo::default() }
    }

    #[test]
    fn steps_are_told_by_names() {
        let steps = Steps::of(&[
            entry("val~cats+step+10+timestamp+5+u.png"),
            entry("val~cats+step+10+timestamp+5+u+compressed.webp"),
            entry("val~cats+step+2+timestamp+1+u.png"),
            entry("old#dogs%step%3%timestamp%1%u.png"),
            entry("small+step+3+timestamp+1+u+compressed.webp"),
            entry("plain.png"),
            entry("a+step+x+timestamp+1+u.png"),
            entry("a+step+1+timestamp+1+u.html"),
        ]);
        assert_eq!(steps.steps().into_iter().collect::<Vec<_>>(), [2, 3, 10]);
        let at = |step| {
            steps.at(step).map(|(key, found, _)| (key.to_owned(), found)).collect::<Vec<_>>()
        };
        let expected =
            |dogs, cats| vec![("old/dogs".to_owned(), dogs), ("val/cats".to_owned(), cats)];
        assert_eq!(at(9), expected(3, 2));
        assert_eq!(at(10), expected(3, 10));
        assert_eq!(at(i64::MIN), expected(3, 2));
        let (_, _, picture) = steps.at(10).last().unwrap();
        assert_eq!(
            picture.small.as_deref(),
            Some("images/val~cats+step+10+timestamp+5+u+compressed.webp")
        );
        assert!(Steps::of(&[entry("plain.png")]).is_empty());
    }
}
