//! XGBoost's binary format: what every version wrote before 1.0, and those before 3.1 under a name that says no other.
//!
//! It becomes the document that the same model is in JSON, so that one reader looks at both. Numbers are in the order of
//! bytes of the machine, which is little on all that XGBoost is built for.

use super::fields::malformed;
use crate::document::{Document, parse_json};
use crate::refusal;
use crate::{Error, Result};

/// What pickles of 1.0 to 1.2 begin with; then the place of the configuration, the model, and the configuration.
const PICKLE: &[u8] = b"CONFIG-offset:";
/// What some files begin with.
const MAGIC: &[u8] = b"binf";
/// Bytes of names, of which the longest is of an objective.
const NAME_BYTES_MAX: usize = 100;
/// The parent of the root, in JSON.
const NO_PARENT: i64 = i32::MAX as i64;

/// Reads a whole file, or the buffer of a pickle.
pub(super) fn parse(bytes: &[u8]) -> Result<Document> {
    if let Some(rest) = bytes.strip_prefix(PICKLE) {
        let mut rest = Bytes(rest);
        let length = rest.length(1).map_err(malformed)?;
        let model = learner(rest.take(length).map_err(malformed)?)?;
        let config = std::str::from_utf8(rest.0).map_err(malformed)?;
        let config = parse_json(config).map_err(malformed)?;
        return Ok(map([("Model", model), ("Config", config)]));
    }
    learner(bytes)
}

fn learner(bytes: &[u8]) -> Result<Document> {
    let mut bytes = Bytes(bytes.strip_prefix(MAGIC).unwrap_or(bytes));
    let head = Head::read(&mut bytes);
    let head = head.map_err(|reason| {
        malformed(format!("it is neither JSON, UBJSON nor of the binary format: {reason}"))
    })?;
    let booster = match head.booster.as_str() {
        "gbtree" => map([("name", text("gbtree")), ("model", trees(&mut bytes, &head)?)]),
        "dart" => {
            let model = map([("model", trees(&mut bytes, &head)?)]);
            let weights = bytes.weights().map_err(malformed)?;
            map([("name", text("dart")), ("gbtree", model), ("weight_drop", weights)])
        }
        "gblinear" => {
            bytes.take(136).map_err(malformed)?;
            let weights = bytes.weights().map_err(malformed)?;
            map([("name", text("gblinear")), ("model", map([("weights", weights)]))])
        }
        other => map([("name", text(other))]),
    };
    let attributes =
        if head.has_attributes { bytes.pairs().map_err(malformed)? } else { Vec::new() };
    if head.version.0 >= 1 && !bytes.0.is_empty() {
        return Err(malformed(format!("{} bytes behind its end", bytes.0.len())));
    }
    // Since 1.0 the objective is among the attributes, with its parameters.
    let mut objective = match attributes.iter().find(|(name, _)| name == "objective") {
        Some((_, Document::Text(said))) => match parse_json(said).map_err(malformed)? {
            Document::Map(entries) => entries,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    objective.retain(|(name, _)| name != "name");
    objective.push(("name".to_owned(), text(&head.objective)));
    let learner = map([
        ("attributes", Document::Map(attributes)),
        ("gradient_booster", booster),
        ("learner_model_param", head.parameters),
        ("objective", Document::Map(objective)),
    ]);
    let (major, minor) = head.version;
    let version = Document::Numbers(vec![f64::from(major), f64::from(minor), 0.0]);
    Ok(map([("learner", learner), ("version", version)]))
}

/// What stands before the booster.
struct Head {
    parameters: Document,
    has_attributes: bool,
    version: (u32, u32),
    objective: String,
    booster: String,
}

impl Head {
    fn read(bytes: &mut Bytes<'_>) -> refusal::Result<Self> {
        let base = bytes.float()?;
        let [features, classes, attributes, _metrics] = bytes.integers()?;
        let [major, minor, targets] = bytes.integers()?;
        bytes.take(26 * 4)?;
        let parameters = map([
            ("base_score", Document::Float(f64::from(base))),
            ("num_feature", Document::Int(features)),
            ("num_class", Document::Int(classes)),
            ("num_target", Document::Int(targets)),
        ]);
        let natural = |number: i64| {
            u32::try_from(number).map_err(|_| format!("its version has the part {number}"))
        };
        Ok(Self {
            parameters,
            has_attributes: attributes != 0,
            version: (natural(major)?, natural(minor)?),
            objective: bytes.name()?,
            booster: bytes.name()?,
        })
    }
}

/// All trees, and which output each is of.
fn trees(bytes: &mut Bytes<'_>, head: &Head) -> Result<Document> {
    let read = |bytes: &mut Bytes<'_>| -> refusal::Result<(usize, i64, bool)> {
        let [trees, parallel, _features, _padding] = bytes.integers()?;
        let buffer = bytes.take(8)?;
        bytes.take(34 * 4)?;
        // A tree takes more bytes than this.
        let trees = bytes.counted(trees, 148)?;
        Ok((trees, parallel, buffer.iter().any(|&byte| byte != 0)))
    };
    let (count, parallel, has_buffer) = read(bytes).map_err(malformed)?;
    if has_buffer {
        return Err(Error::Unsupported {
            what: "XGBoost's binary format of before 0.7".to_owned(),
            hint: "load it with an XGBoost of 0.7 to 3.0, and save it again: model.save_model(\"model.ubj\")"
                .to_owned(),
        });
    }
    let mut trees = Vec::with_capacity(count);
    for number in 0..count {
        let tree = tree(bytes);
        trees.push(tree.map_err(|reason| malformed(format!("tree {number}: {reason}")))?);
    }
    let info = (0..count).map(|_| bytes.integers().map(|[output]| output as f64));
    let info = info.collect::<refusal::Result<Vec<f64>>>().map_err(malformed)?;
    let mut parameters = vec![("num_trees", Document::Int(count as i64))];
    // Before 1.6 the place had another meaning.
    if head.version >= (1, 6) && parallel > 0 {
        parameters.push(("num_parallel_tree", Document::Int(parallel)));
    }
    Ok(map([
        ("gbtree_model_param", map(parameters)),
        ("trees", Document::List(trees)),
        ("tree_info", Document::Numbers(info)),
    ]))
}

fn tree(bytes: &mut Bytes<'_>) -> refusal::Result<Document> {
    let [_roots, nodes, _deleted, _depth, features, leaf_width] = bytes.integers()?;
    bytes.take(31 * 4)?;
    if leaf_width > 1 {
        return Err("its leaves are vectors".into());
    }
    let nodes = bytes.counted(nodes, 20 + 16)?;
    let list = || Vec::with_capacity(nodes);
    let (mut left, mut right, mut parents) = (list(), list(), list());
    let (mut columns, mut conditions, mut default_left) = (list(), list(), list());
    for _ in 0..nodes {
        let [parent, left_child, right_child] = bytes.integers()?;
        let [split] = bytes.integers()?;
        // The highest bit of a parent says which of its children this is; that of a column where missing values go.
        parents.push(if parent == -1 { NO_PARENT } else { parent & 0x7fff_ffff } as f64);
        left.push(left_child as f64);
        right.push(right_child as f64);
        columns.push((split & 0x7fff_ffff) as f64);
        default_left.push(f64::from(u8::from(split < 0)));
        conditions.push(f64::from(bytes.float()?));
    }
    let (mut gains, mut hessians, mut weights) = (list(), list(), list());
    for _ in 0..nodes {
        gains.push(f64::from(bytes.float()?));
        hessians.push(f64::from(bytes.float()?));
        weights.push(f64::from(bytes.float()?));
        bytes.take(4)?;
    }
    let parameters = [("num_nodes", nodes as i64), ("num_feature", features)];
    let parameters = parameters.map(|(name, value)| (name, Document::Int(value)));
    let lists = [
        ("left_children", left),
        ("right_children", right),
        ("parents", parents),
        ("split_indices", columns),
        ("split_conditions", conditions),
        ("default_left", default_left),
        ("loss_changes", gains),
        ("sum_hessian", hessians),
        ("base_weights", weights),
    ];
    let lists = lists.map(|(name, values)| (name, Document::Numbers(values)));
    Ok(map([("tree_param", map(parameters))].into_iter().chain(lists)))
}

fn map<'n>(entries: impl IntoIterator<Item = (&'n str, Document)>) -> Document {
    Document::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(text: &str) -> Document {
    Document::Text(text.to_owned())
}

/// What is not read yet.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> refusal::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> refusal::Result<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "it ends too early".into())
    }

    fn float(&mut self) -> refusal::Result<f32> {
        self.array().map(f32::from_le_bytes)
    }

    fn integers<const N: usize>(&mut self) -> refusal::Result<[i64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = i64::from(i32::from_le_bytes(self.array()?));
        }
        Ok(numbers)
    }

    /// A count of what takes so many bytes each, which there must be.
    fn counted(&self, count: i64, each: usize) -> refusal::Result<usize> {
        let fits = |&count: &usize| count <= self.0.len() / each;
        let count = usize::try_from(count).ok().filter(fits);
        count.ok_or_else(|| "it counts more than there is".into())
    }

    /// A length of 64 bits, of what takes so many bytes each.
    fn length(&mut self, each: usize) -> refusal::Result<usize> {
        let length = i64::from_le_bytes(self.array()?);
        self.counted(length, each)
    }

    fn text(&mut self) -> refusal::Result<String> {
        let length = self.length(1)?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map(str::to_owned).map_err(|_| "a text is not UTF-8".into())
    }

    fn name(&mut self) -> refusal::Result<String> {
        let name = self.text()?;
        let is_name =
            name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name { Ok(name) } else { Err("a name is none".into()) }
    }

    fn weights(&mut self) -> refusal::Result<Document> {
        let length = self.length(4)?;
        let weights = (0..length).map(|_| self.float().map(f64::from));
        weights.collect::<refusal::Result<_>>().map(Document::Numbers)
    }

    fn pairs(&mut self) -> refusal::Result<Vec<(String, Document)>> {
        let count = self.length(16)?;
        (0..count).map(|_| Ok((self.text()?, Document::Text(self.text()?)))).collect()
    }
}
