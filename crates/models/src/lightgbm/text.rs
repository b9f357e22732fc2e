//! The text taken apart: a header, a section for each tree, what is behind them.
//!
//! What LightGBM writes around the trees says how many there are, how long each is and where they end
//! (`tree_sizes`, `Tree=0`, `end of trees`). All of it is checked, as far as the version writes it:
//! without, a file that was cut anywhere would be a smaller model.

use std::collections::HashMap;
use std::fmt;

use crate::document::{Document, parse_json};
use crate::{Error, Result};

/// Classes of one model.
const OUTPUTS_MAX: usize = 100_000;

/// A model of which something is wrong.
pub(super) fn malformed(reason: impl fmt::Display) -> Error {
    Error::Malformed { file: "the LightGBM model".to_owned(), reason: reason.to_string() }
}

/// A model file, in its parts.
pub(super) struct Text<'a> {
    pub(super) header: Section<'a>,
    pub(super) trees: Vec<Section<'a>>,
    /// Trees of one round: one for each class.
    pub(super) outputs: usize,
    /// Columns of the input.
    pub(super) features: usize,
    /// The categories of pandas, where the model was trained on some.
    pub(super) pandas_categorical: Option<Document>,
}

/// `key=value` lines of one part.
pub(super) struct Section<'a>(HashMap<&'a str, &'a str>);

impl<'a> Section<'a> {
    fn new(lines: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut entries = HashMap::new();
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if entries.insert(key.trim(), value.trim()).is_some() {
                return Err(malformed(format!("{key} is there twice")));
            }
        }
        Ok(Self(entries))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    /// Whether the tree is linear; the first versions with such trees say so of each.
    pub(super) fn is_linear(&self) -> Result<bool> {
        match self.text("is_linear") {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(malformed(format!("is_linear is {other:?}"))),
        }
    }

    pub(super) fn count(&self, key: &str) -> Result<usize> {
        let text = self.text(key).ok_or_else(|| malformed(format!("{key} is missing")))?;
        text.parse().map_err(|_| malformed(format!("{key} is {text:?}, which is no count")))
    }

    /// Words between single spaces. Names may hold other kinds of space.
    pub(super) fn words(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.text(key).unwrap_or_default().split(' ').filter(|word| !word.is_empty())
    }

    /// The numbers of a list, of which there must be so many.
    pub(super) fn numbers<T: std::str::FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>> {
        self.check_length(key, count)?;
        let number = |word: &str| {
            word.parse().map_err(|_| malformed(format!("{key}: {word:?} is no such number")))
        };
        self.words(key).map(number).collect()
    }

    /// Refuses a list of another length.
    pub(super) fn check_length(&self, key: &str, count: usize) -> Result<()> {
        let found = self.words(key).count();
        if found == count {
            return Ok(());
        }
        Err(malformed(format!("{key} holds {found} values where there must be {count}")))
    }
}

impl<'a> Text<'a> {
    /// Takes a text apart and checks what holds its parts together.
    pub(super) fn read(text: &'a str) -> Result<Self> {
        if text.lines().next().map(str::trim) != Some("tree") {
            return Err(malformed("the text does not begin with \"tree\""));
        }
        let first = text.find("\nTree=").map(|at| at + 1);
        let end = end_of_trees(text)?;
        let first = first.filter(|&first| first < end).unwrap_or(end);
        let header = Section::new(text.get(..first).unwrap_or_default().lines().skip(1))?;
        let body = text.get(first..end).unwrap_or_default();
        let bodies = match header.text("tree_sizes") {
            Some(_) => by_size(&header, body)?,
            None => by_mark(body),
        };
        let mut trees = Vec::with_capacity(bodies.len());
        for (number, tree) in bodies.into_iter().enumerate() {
            let wrong = || malformed(format!("tree {number} of the text is not \"Tree={number}\""));
            let (mark, rest) = tree.split_once('\n').ok_or_else(wrong)?;
            if mark.trim_end() != format!("Tree={number}") {
                return Err(wrong());
            }
            let section = Section::new(rest.lines());
            trees.push(section.map_err(|error| malformed(format!("tree {number}: {error}")))?);
        }
        let pandas_categorical = check_rest(&header, text.get(end..).unwrap_or_default())?;
        let (outputs, features) = check_header(&header, trees.len())?;
        Ok(Self { header, trees, outputs, features, pandas_categorical })
    }
}

/// Whether a version writes `end of trees` and what follows it as later ones do.
fn is_old(version: Option<&str>) -> bool {
    matches!(version, None | Some("v2"))
}

/// Where the trees end. Versions before 3 went on with the importances at once.
fn end_of_trees(text: &str) -> Result<usize> {
    if let Some(at) = text.find("\nend of trees") {
        let rest = text.get(at + 1..).unwrap_or_default();
        if rest.lines().next().map(str::trim_end) == Some("end of trees") {
            return Ok(at + 1);
        }
    }
    let version = text.lines().find_map(|line| line.strip_prefix("version=")).map(str::trim_end);
    if is_old(version)
        && let Some(at) = text.find("\nfeature importances:")
    {
        return Ok(at + 1);
    }
    Err(malformed("\"end of trees\" is missing: the file is cut"))
}

/// The trees as the header says how long they are.
fn by_size<'a>(header: &Section<'a>, body: &'a str) -> Result<Vec<&'a str>> {
    // Sizes are those of lines that end as LightGBM ends them; other tools may have changed that.
    let carriage_returns = body.contains('\r');
    let marked = by_mark(body);
    let sizes: Vec<usize> = header.numbers("tree_sizes", marked.len())?;
    let mut trees = marked.iter().zip(&sizes).enumerate();
    let count = marked.len();
    let wrong = trees.find(|(number, (tree, size))| {
        let last = number + 1 == count;
        let returns = if carriage_returns { tree.matches('\r').count() } else { 0 };
        // Old versions have an empty line between the last tree and what follows.
        let length = tree.len() - returns;
        length != **size && !(last && length == **size + 1)
    });
    if let Some((number, (tree, size))) = wrong {
        return Err(malformed(format!(
            "tree {number} is {} bytes long, tree_sizes says {size}: the file is cut or edited",
            tree.len()
        )));
    }
    Ok(marked)
}

/// The trees by the lines that they begin with.
fn by_mark(body: &str) -> Vec<&str> {
    let mut trees = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let next = rest.find("\nTree=").map_or(rest.len(), |at| at + 1);
        let (tree, behind) = rest.split_at(next);
        trees.push(tree);
        rest = behind;
    }
    trees
}

/// What follows the trees: importances, parameters and, by Python, the categories of pandas, which it answers.
fn check_rest(header: &Section<'_>, rest: &str) -> Result<Option<Document>> {
    let has = |mark: &str| rest.lines().any(|line| line.trim_end() == mark);
    // Version 4 always ends them; some of 3 do not.
    if header.text("version") == Some("v4") && has("parameters:") && !has("end of parameters") {
        return Err(malformed("\"end of parameters\" is missing: the file is cut"));
    }
    let categories = rest.lines().find_map(|line| line.strip_prefix("pandas_categorical:"));
    let categories = categories.map(|categories| parse_json(categories.trim())).transpose();
    categories.map_err(|reason| malformed(format!("pandas_categorical: {reason}")))
}

/// Trees a round and columns, where everything that says them agrees.
fn check_header(header: &Section<'_>, trees: usize) -> Result<(usize, usize)> {
    let classes = header.count("num_class")?;
    let outputs = match header.text("num_tree_per_iteration") {
        Some(_) => header.count("num_tree_per_iteration")?,
        None => classes,
    };
    if outputs == 0 || outputs > OUTPUTS_MAX {
        return Err(malformed(format!("{outputs} trees in a round")));
    }
    if classes != outputs {
        return Err(malformed(format!("{classes} classes, but {outputs} trees in a round")));
    }
    if !trees.is_multiple_of(outputs) {
        return Err(malformed(format!("{trees} trees are no whole rounds of {outputs}")));
    }
    let features = header.count("max_feature_idx")?.saturating_add(1);
    for key in ["feature_names", "feature_infos", "monotone_constraints"] {
        // The first versions wrote fewer of these.
        if header.has(key) {
            header.check_length(key, features)?;
        } else if key == "feature_names" {
            return Err(malformed(format!("{key} is missing")));
        }
    }
    Ok((outputs, features))
}
