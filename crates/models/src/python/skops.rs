//! skops files: a zip archive of `schema.json`, a tree of typed nodes, and arrays beside it.

use std::collections::HashMap;

use super::array::{Array, Elements, Id};
use super::globals::is_known_global;
use super::heap::{Heap, Node, Object};
use super::npy;
use super::zip::Zip;
use crate::document::{Document, parse_json};
use crate::refusal::{Refusal, Result};

/// Depth to which objects nest; pipelines of ensembles of pipelines stay below 40.
const DEPTH_MAX: usize = 150;

/// Reads a file into a heap; gives the root object.
pub(crate) fn read(bytes: &[u8]) -> Result<(Heap, Id)> {
    let zip = Zip::new(bytes)?;
    let schema = zip.read("schema.json")?;
    let schema = String::from_utf8(schema).map_err(|_| "schema.json is not UTF-8")?;
    let schema = parse_json(&schema).map_err(|refusal| refusal.within("schema.json"))?;
    // Names are short; what counts is what the archive unpacks to.
    let unpacked = zip.unpacked_bytes();
    let mut reader = Reader { zip, heap: Heap::for_file(unpacked), arrays: HashMap::new() };
    let root = reader.node(&schema, 0)?;
    Ok((reader.heap, root))
}

struct Reader<'a> {
    zip: Zip<'a>,
    heap: Heap,
    /// Arrays by file: many nodes can refer to one.
    arrays: HashMap<String, Id>,
}

impl Reader<'_> {
    fn node(&mut self, json: &Document, depth: usize) -> Result<Id> {
        if depth > DEPTH_MAX {
            return Err(format!("objects nest deeper than {DEPTH_MAX}").into());
        }
        let map = json;
        let loader = text(map, "__loader__")?;
        let content = map.get("content");
        let node = match loader {
            "JsonNode" => return self.json(&parse_json(text(map, "content")?)?, 0),
            "ListNode" => Node::List(self.list(content, depth)?),
            "TupleNode" => Node::Tuple(self.list(content, depth)?),
            "SetNode" => Node::Set(self.list(content, depth)?),
            "DictNode" => Node::Dict(self.dict(map, content, depth)?),
            "DefaultDictNode" => {
                let main = content
                    .and_then(|content| content.get("main"))
                    .ok_or("a defaultdict without content")?;
                return self.node(main, depth + 1);
            }
            "NdArrayNode" => return self.array(map, content, depth),
            "BytesNode" | "BytearrayNode" => {
                Node::Bytes(self.zip.read(text(map, "content").or_else(|_| text(map, "file"))?)?)
            }
            "TypeNode" | "FunctionNode" | "OperatorFuncNode" | "MethodNode" => {
                Node::Global(class(map)?)
            }
            "SparseMatrixNode" => Node::Object(self.sparse(map)?),
            // What an array's type or a random state was made of says nothing about predictions.
            "DTypeNode"
            | "MaskedArrayNode"
            | "RandomStateNode"
            | "RandomGeneratorNode"
            | "SliceNode" => {
                Node::Object(Object { class: class(map)?, arguments: Vec::new(), state: None })
            }
            // A function with some of its arguments: what it calls is kept, to be known by name.
            "PartialNode" => {
                let function = content
                    .and_then(|content| content.get("func"))
                    .ok_or("a partial without a function")?;
                let arguments = vec![self.node(function, depth + 1)?];
                Node::Object(Object {
                    class: "functools.partial".to_owned(),
                    arguments,
                    state: None,
                })
            }
            _ => Node::Object(self.object(map, content, depth)?),
        };
        self.heap.push(node)
    }

    fn object(
        &mut self,
        map: &Document,
        content: Option<&Document>,
        depth: usize,
    ) -> Result<Object> {
        let class = class(map)?;
        let (module, name) = class.rsplit_once('.').unwrap_or(("", &class));
        if !is_known_global(module, name) {
            let what = format!("{class} is not a class that models are made of here");
            return Err(Refusal::Foreign(what));
        }
        let arguments = match map.get("__reduce__").and_then(|reduce| reduce.get("args")) {
            Some(arguments) => {
                let id = self.node(arguments, depth + 1)?;
                match self.heap.nodes.get(id as usize) {
                    Some(Node::Tuple(items) | Node::List(items)) => items.clone(),
                    _ => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        let state = match content {
            Some(content @ Document::Map(_)) => Some(self.node(content, depth + 1)?),
            _ => None,
        };
        Ok(Object { class, arguments, state })
    }

    /// A sparse matrix: an archive of arrays within the archive.
    fn sparse(&mut self, map: &Document) -> Result<Object> {
        let bytes = self.zip.read(text(map, "file")?)?;
        let inner = Zip::new(&bytes)?;
        let mut entries = Vec::new();
        for name in inner.names() {
            let array = npy::read(&inner.read(&name)?)?;
            let node = match &array.elements {
                // The format is a name, kept as an array of one.
                Elements::Text(names) if names.len() == 1 => {
                    Node::Text(names.first().cloned().unwrap_or_default())
                }
                _ => Node::Array(array),
            };
            let key = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
            entries.push((self.heap.push(Node::Text(key))?, self.heap.push(node)?));
        }
        let state = Some(self.heap.push(Node::Dict(entries))?);
        Ok(Object { class: class(map)?, arguments: Vec::new(), state })
    }

    fn list(&mut self, content: Option<&Document>, depth: usize) -> Result<Vec<Id>> {
        let items = content.and_then(Document::list).ok_or("a list without items")?;
        items.iter().map(|item| self.node(item, depth + 1)).collect()
    }

    fn dict(
        &mut self,
        map: &Document,
        content: Option<&Document>,
        depth: usize,
    ) -> Result<Vec<(Id, Id)>> {
        let entries = content.and_then(Document::map).ok_or("a dict without content")?;
        // JSON keys are text; the schema says which were numbers.
        let kinds =
            map.get("key_types").and_then(|kinds| kinds.get("content")).and_then(Document::list);
        entries
            .iter()
            .enumerate()
            .map(|(at, (key, value))| {
                let kind = kinds
                    .and_then(|kinds| kinds.get(at))
                    .and_then(|kind| kind.get("__class__"))
                    .and_then(Document::text);
                let number = match kind {
                    Some("int" | "int64" | "int32") => key.parse().ok().map(Node::Int),
                    Some("float" | "float64" | "float32") => key.parse().ok().map(Node::Float),
                    _ => None,
                };
                let key = self.heap.push(number.unwrap_or_else(|| Node::Text(key.clone())))?;
                Ok((key, self.node(value, depth + 1)?))
            })
            .collect()
    }

    fn array(&mut self, map: &Document, content: Option<&Document>, depth: usize) -> Result<Id> {
        if text(map, "type")? == "json" {
            let items = self.list(content, depth)?;
            let shape = map.get("shape").ok_or("an array without a shape")?;
            let shape = self.node(shape, depth + 1)?;
            let shape: Option<Vec<usize>> = self.heap.value(shape).items().and_then(|dims| {
                dims.into_iter()
                    .map(|dim| dim.int().and_then(|dim| usize::try_from(dim).ok()))
                    .collect()
            });
            let shape = shape.ok_or("an array without a shape")?;
            // Arrays of more dimensions are nested lists; only their outermost items are kept.
            let array = Array { shape, elements: Elements::Objects(items), bits: 0 };
            return self.heap.push(Node::Array(array));
        }
        let file = text(map, "file")?;
        if let Some(&id) = self.arrays.get(file) {
            return Ok(id);
        }
        let array = npy::read(&self.zip.read(file)?).map_err(|refusal| refusal.within(file))?;
        let id = self.heap.push(Node::Array(array))?;
        self.arrays.insert(file.to_owned(), id);
        Ok(id)
    }

    fn json(&mut self, json: &Document, depth: usize) -> Result<Id> {
        if depth > DEPTH_MAX {
            return Err(format!("objects nest deeper than {DEPTH_MAX}").into());
        }
        let node = match json {
            Document::Null => Node::None,
            Document::Bool(value) => Node::Bool(*value),
            Document::Int(value) => Node::Int(*value),
            Document::Float(value) => Node::Float(*value),
            Document::Text(text) => Node::Text(text.clone()),
            Document::List(items) => Node::List(
                items.iter().map(|item| self.json(item, depth + 1)).collect::<Result<_, _>>()?,
            ),
            Document::Numbers(_) => return Err("typed numbers in JSON".into()),
            Document::Map(entries) => Node::Dict(
                entries
                    .iter()
                    .map(|(key, value)| {
                        Ok((self.heap.push(Node::Text(key.clone()))?, self.json(value, depth + 1)?))
                    })
                    .collect::<Result<_>>()?,
            ),
        };
        self.heap.push(node)
    }
}

fn text<'a>(map: &'a Document, key: &str) -> Result<&'a str> {
    map.get(key)
        .and_then(Document::text)
        .ok_or_else(|| format!("a schema node without {key}").into())
}

fn class(map: &Document) -> Result<String> {
    Ok(format!("{}.{}", text(map, "__module__")?, text(map, "__class__")?))
}
