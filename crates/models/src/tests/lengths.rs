//! Every list of a model file one shorter and one longer: refused, or the very same answers.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;

use arrow_array::RecordBatch;
use prost::Message as _;
use serde_json::Value as Json;

use super::support::{inputs, json, models, values};
use crate::catboost::CatboostModel;
use crate::document::{Document, parse_json, parse_ubjson};
use crate::onnx::OnnxModel;
use crate::onnx::proto::{GraphProto, ModelProto};
use crate::python::{Elements, Heap, Id, Node};
use crate::sklearn::{SklearnModel, read_object};
use crate::xgboost::{Best, Booster, XgboostModel};
use crate::{Predictor, Result};

/// Shortens a list by its last item or repeats that.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Shorter,
    Longer,
}

const BOTH: [Damage; 2] = [Damage::Shorter, Damage::Longer];

impl Damage {
    /// `false` where there is nothing to take.
    fn apply<T: Clone>(self, list: &mut Vec<T>, items: usize) -> bool {
        let Some(first) = list.len().checked_sub(items.max(1)) else { return false };
        match self {
            Self::Shorter => list.truncate(first),
            Self::Longer => list.extend_from_within(first..),
        }
        true
    }
}

/// Whether a damaged model answers, and something else. That it cannot answer at all is told to who asks.
fn deceives<P: Predictor>(model: Result<P>, input: &RecordBatch, whole: &str) -> bool {
    model.and_then(|model| model.predict(input)).is_ok_and(|answer| values(&answer) != whole)
}

/// The models of a corpus: the entry and the bytes of each.
fn corpus(file: &str) -> Vec<(Json, Vec<u8>)> {
    let mut bytes = Vec::new();
    let packed = std::fs::File::open(models().join("old").join(file)).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    let line = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let index = std::str::from_utf8(&bytes[..line]).unwrap().replace("NaN", "null");
    let index: Json = serde_json::from_str(&index).unwrap();
    let content = &bytes[line + 1..];
    let part = |model: &Json| {
        let at = |key: &str| usize::try_from(model[key].as_u64().unwrap()).unwrap();
        content[at("start")..at("start") + at("length")].to_vec()
    };
    index["models"].as_array().unwrap().iter().map(|model| (model.clone(), part(model))).collect()
}

/// Where the lists of an object heap are, by the names that lead there.
fn places(heap: &Heap, root: Id) -> Vec<(String, Id)> {
    let mut seen = vec![false; heap.nodes.len()];
    let mut open = vec![(String::new(), root)];
    let mut places = Vec::new();
    while let Some((path, id)) = open.pop() {
        if std::mem::replace(&mut seen[id as usize], true) {
            continue;
        }
        match &heap.nodes[id as usize] {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => {
                places.push((path.clone(), id));
                open.extend(items.iter().map(|&item| (format!("{path}[]"), item)));
            }
            Node::Dict(entries) => {
                for &(key, value) in entries {
                    let name = heap.value(key).text().unwrap_or("?");
                    open.push((format!("{path}.{name}"), value));
                }
            }
            Node::Array(array) => {
                if !array.shape.is_empty() {
                    places.push((path.clone(), id));
                }
                if let Elements::Objects(items) = &array.elements {
                    open.extend(items.iter().map(|&item| (format!("{path}[]"), item)));
                }
            }
            Node::Object(object) => {
                let class = object.class.rsplit('.').next().unwrap_or_default();
                let path = format!("{path}:{class}");
                open.extend(object.arguments.iter().map(|&item| (format!("{path}()"), item)));
                open.extend(object.state.map(|state| (path, state)));
            }
            _ => {}
        }
    }
    places
}

fn damage_elements(elements: &mut Elements, items: usize, damage: Damage) -> bool {
    match elements {
        Elements::F64(v) => damage.apply(v, items),
        Elements::F32(v) => damage.apply(v, items),
        Elements::Int(v) => damage.apply(v, items),
        Elements::Bool(v) => damage.apply(v, items),
        Elements::Text(v) => damage.apply(v, items),
        Elements::Objects(v) => damage.apply(v, items),
        Elements::Struct(fields) => {
            fields.iter_mut().all(|(_, elements)| damage_elements(elements, items, damage))
        }
    }
}

fn damage_node(node: &mut Node, damage: Damage) -> bool {
    match node {
        Node::List(items) | Node::Tuple(items) | Node::Set(items) => damage.apply(items, 1),
        Node::Array(array) => {
            let row = array.shape.iter().skip(1).product();
            if !damage_elements(&mut array.elements, row, damage) {
                return false;
            }
            match damage {
                Damage::Shorter => array.shape[0] -= 1,
                Damage::Longer => array.shape[0] += 1,
            }
            true
        }
        _ => false,
    }
}

/// Lists whose length nothing else in the file says, so that there is no telling: a file that was damaged there
/// and nowhere else is served, and answers something else.
const FREE: [&str; 3] = [
    // The targets that training had are counted by these estimators alone.
    "MultiOutputRegressor.estimators_",
    // A category less is one that training did not see; one that is there twice is refused.
    "OrdinalEncoder.categories_[]",
    // Without its last step a pipeline is another one; a step twice is refused.
    "Pipeline.steps",
];

#[test]
fn no_list_of_an_estimator_may_be_of_another_length() {
    /// Bytes of a file; larger ones are of the same kinds.
    const BYTES_MAX: usize = 40_000;
    /// Lists of one path that are damaged.
    const EACH: usize = 2;
    let mut failures: BTreeMap<String, String> = BTreeMap::new();
    let mut tried = 0;
    for (entry, bytes) in corpus("sklearn-1.7.gz") {
        if !matches!(entry["file"].as_str(), Some("model.pkl" | "model.skops"))
            || bytes.len() > BYTES_MAX
        {
            continue;
        }
        let (mut heap, root) = read_object(&bytes, "model").unwrap();
        let method = entry["predict_fn"].as_str().unwrap();
        let input = inputs(&entry);
        let whole = SklearnModel::new(heap.value(root), method).unwrap().predict(&input).unwrap();
        let whole = values(&whole);
        let mut of_path: HashMap<String, usize> = HashMap::new();
        for (path, id) in places(&heap, root) {
            let count = of_path.entry(path.clone()).or_default();
            *count += 1;
            if *count > EACH {
                continue;
            }
            for damage in BOTH {
                let mut damaged = heap.nodes[id as usize].clone();
                if !damage_node(&mut damaged, damage) {
                    continue;
                }
                let kept = std::mem::replace(&mut heap.nodes[id as usize], damaged);
                tried += 1;
                if deceives(SklearnModel::new(heap.value(root), method), &input, &whole)
                    && !FREE.iter().any(|free| path.ends_with(free))
                {
                    let key = path.rsplit(':').next().unwrap_or_default().to_owned();
                    let told = format!("{damage:?} {path} of {}", entry["name"]);
                    failures.entry(key).or_insert(told);
                }
                heap.nodes[id as usize] = kept;
            }
        }
    }
    let told: Vec<&str> = failures.values().map(String::as_str).collect();
    assert!(told.is_empty(), "{} of {tried}:\n{}", told.len(), told.join("\n"));
    assert!(tried > 2_000, "only {tried} lists");
}

/// Changes the list of this number in a document; `false` once there is none.
fn damage_document(document: &mut Document, number: &mut usize, damage: Damage) -> Option<bool> {
    match document {
        Document::List(items) => {
            if *number == 0 {
                return Some(damage.apply(items, 1));
            }
            *number -= 1;
            items.iter_mut().find_map(|item| damage_document(item, number, damage))
        }
        Document::Numbers(items) => {
            if *number == 0 {
                return Some(damage.apply(items, 1));
            }
            *number -= 1;
            None
        }
        Document::Map(entries) => {
            entries.iter_mut().find_map(|(_, value)| damage_document(value, number, damage))
        }
        _ => None,
    }
}

#[test]
fn no_list_of_an_xgboost_file_may_be_of_another_length() {
    let mut failures = Vec::new();
    let mut tried = 0;
    let files = ["sklearn-1.2.gz", "sklearn-1.4.gz", "sklearn-1.7.gz"];
    for (entry, bytes) in files.into_iter().flat_map(corpus) {
        let document = match entry["file"].as_str() {
            Some("model.ubj") => parse_ubjson(&bytes).unwrap(),
            Some("model.json") => parse_json(std::str::from_utf8(&bytes).unwrap()).unwrap(),
            _ => continue,
        };
        let input = inputs(&entry);
        let read = |document: &Document| {
            Booster::from_document(document, Best::All).map(XgboostModel::plain)
        };
        let whole = values(&read(&document).unwrap().predict(&input).unwrap());
        for number in 0.. {
            let mut any = false;
            for damage in BOTH {
                let (mut damaged, mut at) = (document.clone(), number);
                let Some(changed) = damage_document(&mut damaged, &mut at, damage) else {
                    continue;
                };
                any = true;
                tried += usize::from(changed);
                if changed && deceives(read(&damaged), &input, &whole) {
                    failures.push(format!("{damage:?} list {number} of {}", entry["name"]));
                }
            }
            if !any {
                break;
            }
        }
    }
    assert!(tried > 1_000, "only {tried} lists");
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
}

/// Nothing says a second time how many trees there are.
#[test]
fn no_list_of_a_catboost_file_may_be_of_another_length() {
    let mut failures = Vec::new();
    let mut tried = 0;
    let folder = models().join("cb_json");
    let text = std::fs::read_to_string(folder.join("model.cb")).unwrap();
    let document = parse_json(&text).unwrap();
    let input = inputs(&json(&folder.join("expected.json")));
    let whole = values(&CatboostModel::from_document(&document).unwrap().predict(&input).unwrap());
    let trees = |document: &Document| document.get("oblivious_trees").and_then(Document::length);
    for number in 0.. {
        let mut any = false;
        for damage in BOTH {
            let (mut damaged, mut at) = (document.clone(), number);
            let Some(changed) = damage_document(&mut damaged, &mut at, damage) else { continue };
            any = true;
            tried += usize::from(changed);
            let read = CatboostModel::from_document(&damaged);
            if changed && trees(&damaged) == trees(&document) && deceives(read, &input, &whole) {
                failures.push(format!("{damage:?} list {number}"));
            }
        }
        if !any {
            break;
        }
    }
    assert!(tried > 50, "only {tried} lists");
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
}

/// Changes the list of this number in a graph; `None` once there is none.
fn damage_graph(graph: &mut GraphProto, number: usize, damage: Damage) -> Option<(String, bool)> {
    let mut at = 0;
    macro_rules! list {
        ($list:expr, $what:expr) => {{
            if at == number {
                let what = $what;
                return Some((what, damage.apply(&mut $list, 1)));
            }
            at += 1;
        }};
    }
    for tensor in &mut graph.initializer {
        let name = tensor.name.clone();
        list!(tensor.dims, format!("dims of {name}"));
        list!(tensor.float_data, format!("float_data of {name}"));
        list!(tensor.int64_data, format!("int64_data of {name}"));
        list!(tensor.string_data, format!("string_data of {name}"));
        list!(tensor.raw_data, format!("raw_data of {name}"));
    }
    for node in &mut graph.node {
        let operator = node.op_type.clone();
        list!(node.input, format!("inputs of {operator}"));
        list!(node.output, format!("outputs of {operator}"));
        for attribute in &mut node.attribute {
            let name = format!("{} of {operator}", attribute.name);
            list!(attribute.floats, name);
            list!(attribute.ints, name);
            list!(attribute.strings, name);
            if let Some(tensor) = &mut attribute.t {
                list!(tensor.dims, format!("dims of {name}"));
                list!(tensor.float_data, format!("float_data of {name}"));
                list!(tensor.raw_data, format!("raw_data of {name}"));
            }
        }
    }
    None
}

#[test]
fn no_list_of_an_onnx_graph_may_be_of_another_length() {
    let mut failures = Vec::new();
    let mut tried = 0;
    for name in ["onnx_rf", "onnx_rf_nozipmap"] {
        let folder = models().join(name);
        let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
        let model = ModelProto::decode(bytes.as_slice()).unwrap();
        let input = inputs(&json(&folder.join("expected.json")));
        let read = |model: &ModelProto| OnnxModel::parse(&model.encode_to_vec(), "model.onnx");
        let whole = values(&read(&model).unwrap().predict(&input).unwrap());
        for number in 0.. {
            let mut any = false;
            for damage in BOTH {
                let mut damaged = model.clone();
                let graph = damaged.graph.as_mut().unwrap();
                let Some((what, changed)) = damage_graph(graph, number, damage) else { continue };
                any = true;
                tried += usize::from(changed);
                if changed && deceives(read(&damaged), &input, &whole) {
                    failures.push(format!("{damage:?} {what} in {name}"));
                }
            }
            if !any {
                break;
            }
        }
    }
    assert!(tried > 50, "only {tried} lists");
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
}
