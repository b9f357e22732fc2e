//! The same as JSON (`save_model(format="json")`), as CatBoost reads it back.

use std::collections::{HashMap, HashSet};

use super::file::{
    CategoricalFeature, CtrFeature, CtrKind, CtrTable, File, FloatFeature, LEVELS_MAX,
    OneHotFeature, Shape, Source, Trees, malformed, unsupported,
};
use crate::document::{Document, parse_json};
use crate::{Error, Result};

/// Nodes of all trees: a tree is a document within its parent, which limits its depth.
const NODES_MAX: usize = crate::tree::NODES_MAX;

/// Reads a whole document.
pub(super) fn read(document: &Document) -> Result<File> {
    let features = field(document, "features_info")?;
    for (list, kind) in [("text_features", "text"), ("embedding_features", "embedding")] {
        if let Some(feature) = list_of(features, list).first() {
            let name = feature.get("feature_name").and_then(Document::text).unwrap_or_default();
            return Err(unsupported(format!("the {kind} feature {name:?}")));
        }
    }
    let mut categories = Vec::new();
    let mut one_hot = Vec::new();
    for feature in list_of(features, "categorical_features") {
        let index = count(feature, "feature_index")?;
        categories.push(CategoricalFeature {
            index,
            column: count(feature, "flat_feature_index")?,
            name: name(feature),
            is_used: true,
        });
        if feature.get("values").is_some() {
            let values = list_of(feature, "values").iter().map(|value| whole(value, "a category"));
            one_hot.push(OneHotFeature { index, values: values.collect::<Result<_>>()? });
        }
    }
    let ctrs = list_of(features, "ctrs").iter().map(ctr_feature).collect::<Result<Vec<_>>>()?;
    let floats = list_of(features, "float_features").iter().map(float_feature);
    let floats = floats.collect::<Result<Vec<_>>>()?;
    let (scale, bias) = scale_and_bias(document)?;
    let splits = Splits::of(&floats, &one_hot, &ctrs);
    let trees = match document.get("oblivious_trees") {
        Some(trees) => symmetric_trees(trees, &splits)?,
        None => node_trees(field(document, "trees")?, &splits)?,
    };
    let info = document.get("model_info").and_then(Document::map).unwrap_or_default();
    let file = File {
        tables: ctr_tables(document.get("ctr_data"))?,
        bias: bias.unwrap_or_else(|| vec![0.0; trees.first_leaf]),
        trees: trees.trees,
        info: info.to_vec(),
        floats,
        categories,
        one_hot,
        ctrs,
        scale,
    };
    file.check()?;
    Ok(file)
}

fn field<'a>(document: &'a Document, name: &str) -> Result<&'a Document> {
    document.get(name).ok_or_else(|| malformed(format!("{name} is missing")))
}

/// A list; what is not there, or is null, is an empty one.
fn list_of<'a>(document: &'a Document, name: &str) -> &'a [Document] {
    document.get(name).and_then(Document::list).unwrap_or_default()
}

fn whole(value: &Document, what: &str) -> Result<i32> {
    let number = if let Document::Int(number) = value { i32::try_from(*number).ok() } else { None };
    number.ok_or_else(|| malformed(format!("{what} is no whole number of 32 bits")))
}

fn count(document: &Document, name: &str) -> Result<usize> {
    let number = whole(field(document, name)?, name)?;
    usize::try_from(number).map_err(|_| malformed(format!("{name} is {number}")))
}

fn number(document: &Document, name: &str) -> Result<f64> {
    let number = match field(document, name)? {
        Document::Text(_) => None,
        other => other.number(),
    };
    number.ok_or_else(|| malformed(format!("{name} is no number")))
}

fn numbers(document: &Document, name: &str) -> Result<Vec<f64>> {
    match document.get(name) {
        None | Some(Document::Null) => Ok(Vec::new()),
        Some(list) => {
            list.numbers().ok_or_else(|| malformed(format!("{name} is no list of numbers")))
        }
    }
}

fn singles(document: &Document, name: &str) -> Result<Vec<f32>> {
    Ok(numbers(document, name)?.into_iter().map(|x| x as f32).collect())
}

fn text<'a>(document: &'a Document, name: &str) -> Result<&'a str> {
    field(document, name)?.text().ok_or_else(|| malformed(format!("{name} is no text")))
}

/// The name that a column had in training; empty if it had none.
fn name(feature: &Document) -> String {
    feature.get("feature_id").and_then(Document::text).unwrap_or_default().to_owned()
}

fn float_feature(feature: &Document) -> Result<FloatFeature> {
    let has_missing = feature.get("has_nans") == Some(&Document::Bool(true));
    let treatment = feature.get("nan_value_treatment").and_then(Document::text);
    Ok(FloatFeature {
        index: count(feature, "feature_index")?,
        column: count(feature, "flat_feature_index")?,
        name: name(feature),
        borders: singles(feature, "borders")?,
        missing_is_above: has_missing && treatment == Some("AsTrue"),
    })
}

fn ctr_feature(ctr: &Document) -> Result<CtrFeature> {
    let source = source(field(ctr, "elements")?, text(ctr, "ctr_type")?)?;
    if identified(text(ctr, "identifier")?)? != source {
        return Err(malformed("the elements of a CTR are not those of its identifier"));
    }
    Ok(CtrFeature {
        source,
        target_border: count(ctr, "target_border_idx")?,
        prior: (number(ctr, "prior_numerator")? as f32, number(ctr, "prior_denomerator")? as f32),
        shift: number(ctr, "shift")? as f32,
        scale: number(ctr, "scale")? as f32,
        borders: singles(ctr, "borders")?,
    })
}

/// What a CTR counts, of the text that stands for it.
fn identified(identifier: &str) -> Result<Source> {
    let identifier = parse_json(identifier).map_err(malformed)?;
    source(field(&identifier, "identifier")?, text(&identifier, "type")?)
}

/// What a CTR counts. JSON does not say by which cuts of the target.
fn source(elements: &Document, kind: &str) -> Result<Source> {
    let named = CtrKind::NAMES.iter().find(|(name, _)| *name == kind);
    let &(_, kind) = named.ok_or_else(|| malformed(format!("a CTR of type {kind:?}")))?;
    let mut source =
        Source { categories: Vec::new(), floats: Vec::new(), one_hot: Vec::new(), kind, cuts: 0 };
    for element in elements.list().unwrap_or_default() {
        match text(element, "combination_element")? {
            "cat_feature_value" => source.categories.push(count(element, "cat_feature_index")?),
            "float_feature" => {
                let border = number(element, "border")? as f32;
                source.floats.push((count(element, "float_feature_index")?, border.to_bits()));
            }
            "cat_feature_exact_value" => {
                let value = whole(field(element, "value")?, "value")?;
                source.one_hot.push((count(element, "cat_feature_index")?, value));
            }
            other => return Err(malformed(format!("a combination of {other:?}"))),
        }
    }
    Ok(source)
}

/// Older files have one number as bias, or neither.
fn scale_and_bias(document: &Document) -> Result<(f64, Option<Vec<f64>>)> {
    let Some(both) = document.get("scale_and_bias") else { return Ok((1.0, None)) };
    let wrong = || malformed("scale_and_bias are no two numbers");
    let Some([scale, bias]) = both.list() else { return Err(wrong()) };
    let scale = scale.number().ok_or_else(wrong)?;
    let bias = bias.numbers().or_else(|| bias.number().map(|bias| vec![bias])).ok_or_else(wrong)?;
    Ok((scale, Some(bias)))
}

/// All borders and values that splits ask for, in the order of their numbers.
struct Splits(Vec<Asked>);

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Border(usize, f32),
    Value(usize, i32),
    Ctr(usize, f32),
}

impl Splits {
    fn of(floats: &[FloatFeature], one_hot: &[OneHotFeature], ctrs: &[CtrFeature]) -> Self {
        let mut asked = Vec::new();
        for feature in floats {
            asked.extend(feature.borders.iter().map(|&x| Asked::Border(feature.index, x)));
        }
        for feature in one_hot {
            asked.extend(feature.values.iter().map(|&x| Asked::Value(feature.index, x)));
        }
        for ctr in ctrs {
            asked.extend(ctr.borders.iter().map(|&x| Asked::Ctr(ctr.target_border, x)));
        }
        Self(asked)
    }

    /// The number of a split, which says also what it asks for.
    fn number(&self, split: &Document) -> Result<u32> {
        let at = count(split, "split_index")?;
        let asked = match text(split, "split_type")? {
            "FloatFeature" => {
                Asked::Border(count(split, "float_feature_index")?, number(split, "border")? as f32)
            }
            "OneHotFeature" => Asked::Value(
                count(split, "cat_feature_index")?,
                whole(field(split, "value")?, "value")?,
            ),
            "OnlineCtr" => {
                Asked::Ctr(count(split, "ctr_target_border_idx")?, number(split, "border")? as f32)
            }
            other => return Err(unsupported(format!("a split by {other:?}"))),
        };
        if self.0.get(at) != Some(&asked) {
            return Err(malformed(format!("split {at} asks for something else than its feature")));
        }
        Ok(at as u32)
    }
}

/// Trees, and how many values their first leaf has.
struct Read {
    trees: Trees,
    first_leaf: usize,
}

fn symmetric_trees(document: &Document, splits: &Splits) -> Result<Read> {
    let mut trees = Trees::default();
    let mut first_leaf = None;
    for tree in document.list().unwrap_or_default() {
        let levels = list_of(tree, "splits");
        for split in levels {
            trees.splits.push(splits.number(split)?);
        }
        trees.sizes.push(levels.len());
        if levels.len() > LEVELS_MAX {
            return Err(malformed(format!("a symmetric tree of {} levels", levels.len())));
        }
        let values = numbers(tree, "leaf_values")?;
        let of_leaf = values.len() >> levels.len();
        if *first_leaf.get_or_insert(of_leaf) != of_leaf || of_leaf << levels.len() != values.len()
        {
            return Err(malformed(format!("{} values of {} levels", values.len(), levels.len())));
        }
        trees.leaves.extend(values);
        trees.weights.extend(numbers(tree, "leaf_weights")?);
    }
    Ok(Read { trees, first_leaf: first_leaf.unwrap_or(0) })
}

fn node_trees(document: &Document, splits: &Splits) -> Result<Read> {
    let mut nodes = Nodes {
        splits,
        trees: Trees::default(),
        steps: Vec::new(),
        places: Vec::new(),
        outputs: None,
    };
    for tree in document.list().unwrap_or_default() {
        let first = nodes.places.len();
        nodes.add(tree)?;
        let size = nodes.places.len() - first;
        nodes.trees.sizes.push(size);
    }
    let Nodes { mut trees, steps, places, outputs, .. } = nodes;
    trees.shape = Shape::Nodes { steps, places };
    Ok(Read { trees, first_leaf: outputs.unwrap_or(0) })
}

/// Trees as nodes one after the other, a node before those below it.
struct Nodes<'a> {
    splits: &'a Splits,
    trees: Trees,
    steps: Vec<(u32, u32)>,
    places: Vec<u32>,
    outputs: Option<usize>,
}

impl Nodes<'_> {
    /// Adds a node and what is below it, to the depth that a document has.
    fn add(&mut self, node: &Document) -> Result<()> {
        let at = self.places.len();
        if at >= NODES_MAX {
            return Err(malformed(format!("more than {NODES_MAX} nodes")));
        }
        if let Some(value) = node.get("value") {
            let values = value.numbers().or_else(|| value.number().map(|value| vec![value]));
            let values = values.ok_or_else(|| malformed("the value of a leaf is no number"))?;
            if *self.outputs.get_or_insert(values.len()) != values.len() {
                return Err(malformed("leaves of several lengths"));
            }
            self.trees.splits.push(0);
            self.steps.push((0, 0));
            self.places.push(self.trees.leaves.len() as u32);
            self.trees.leaves.extend(values);
            if node.get("weight").is_some() {
                self.trees.weights.push(number(node, "weight")?);
            }
            return Ok(());
        }
        self.trees.splits.push(self.splits.number(field(node, "split")?)?);
        self.steps.push((1, 0));
        self.places.push(u32::MAX);
        self.add(field(node, "left")?)?;
        let right = (self.places.len() - at) as u32;
        if let Some((_, step)) = self.steps.get_mut(at) {
            *step = right;
        }
        self.add(field(node, "right")?)
    }
}

fn ctr_tables(data: Option<&Document>) -> Result<Vec<CtrTable>> {
    let entries = data.and_then(Document::map).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut tables = Vec::new();
    for (key, table) in entries {
        let source = identified(key)?;
        if !seen.insert(source.clone()) {
            return Err(malformed("a table of CTRs is there twice"));
        }
        tables.push(ctr_table(source, table)?);
    }
    Ok(tables)
}

fn ctr_table(source: Source, table: &Document) -> Result<CtrTable> {
    /// What stands for an empty place, as in CatBoost, which writes these as well.
    const EMPTY: u64 = u64::MAX;
    let stride = count(table, "hash_stride")?;
    let rows = list_of(table, "hash_map");
    let classes = stride.saturating_sub(1);
    if classes == 0 || !rows.len().is_multiple_of(stride) || source.kind.stride(classes) != classes
    {
        return Err(malformed(format!("{} entries of {stride} in a CTR", rows.len())));
    }
    let mut places = HashMap::new();
    let mut counts = Vec::new();
    for row in rows.chunks_exact(stride) {
        let Some((hash, row)) = row.split_first() else { continue };
        let hash = hash.text().and_then(|hash| hash.parse::<u64>().ok());
        let hash = hash.ok_or_else(|| malformed("a hash of a CTR is no whole number"))?;
        if hash == EMPTY {
            continue;
        }
        if places.insert(hash, (counts.len() / classes) as u32).is_some() {
            return Err(malformed("a combination of categories is there twice"));
        }
        match (source.kind, row) {
            (CtrKind::Mean, [sum, count]) => {
                counts.push(whole_sum(sum)?.to_bits() as i32);
                counts.push(whole(count, "a count")?);
            }
            _ => {
                for number in row {
                    counts.push(whole(number, "a count")?);
                }
            }
        }
    }
    let denominator = table.get("counter_denominator").map(|x| whole(x, "counter_denominator"));
    Ok(CtrTable { source, places, counts, denominator: denominator.unwrap_or(Ok(0))?, classes })
}

/// CatBoost writes sums with their fractions and reads them back without: such a file has no one meaning.
fn whole_sum(sum: &Document) -> Result<f32> {
    match sum {
        Document::Int(sum) => Ok(*sum as f32),
        _ => Err(Error::Unsupported {
            what: "JSON of CatBoost with means of the target, which it does not read back as it wrote them,"
                .to_owned(),
            hint: "save the model as cbm".to_owned(),
        }),
    }
}
