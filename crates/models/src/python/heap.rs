//! The heap of objects, and looking at it.

use super::array::{Array, Elements, Id};
use super::dtype::Dtype;
use crate::refusal::Result;

/// Objects of one file; a forest of 1000 trees has some 50 000, a vocabulary two for each term.
const NODES_MAX: usize = 8_000_000;

/// Bytes in memory for each byte of a file: a byte of a pickle can make an empty list, and an element of
/// one byte becomes one of eight.
const EXPANSION_MAX: usize = 64;

/// Bytes in memory that any file may take.
const FREE_BYTES: usize = 64 << 20;

/// All objects of one file.
#[derive(Debug)]
pub(crate) struct Heap {
    pub(crate) nodes: Vec<Node>,
    /// Bytes that may still be taken.
    left: usize,
}

/// One object.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Set(Vec<Id>),
    Array(Array),
    /// An element type; the pickle reader uses it, models rarely do.
    Dtype(Dtype),
    /// A class or function by its full name.
    Global(String),
    Object(Object),
}

/// An instance: its class, what it was made from and what it was filled with.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// `module.Class`
    pub(crate) class: String,
    pub(crate) arguments: Vec<Id>,
    pub(crate) state: Option<Id>,
}

impl Node {
    /// Bytes held beyond the node itself, roughly.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(ids) | Self::Tuple(ids) | Self::Set(ids) => size_of_val(ids.as_slice()),
            Self::Dict(entries) => size_of_val(entries.as_slice()),
            Self::Array(array) => array.elements.bytes(),
            Self::Object(object) => object.class.len() + size_of_val(object.arguments.as_slice()),
            Self::Global(name) => name.len(),
            _ => 0,
        }
    }
}

impl Heap {
    /// A heap for a file of this size: what it may grow to is in proportion.
    pub(crate) fn for_file(file_bytes: usize) -> Self {
        let left = file_bytes.saturating_mul(EXPANSION_MAX).saturating_add(FREE_BYTES);
        Self { nodes: Vec::new(), left }
    }

    /// Counts bytes that are about to be taken; an error once they are out of proportion to the file.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or(
            "the file asks for memory out of all proportion to its size; it is taken for a bomb",
        )?;
        Ok(())
    }

    /// Adds an object.
    pub(crate) fn push(&mut self, node: Node) -> Result<Id> {
        self.charge(size_of::<Node>() + node.bytes())?;
        if self.nodes.len() >= NODES_MAX {
            return Err(format!("more than {NODES_MAX} objects").into());
        }
        self.nodes.push(node);
        Ok(self.nodes.len() as Id - 1)
    }

    pub(crate) fn value(&self, id: Id) -> Value<'_> {
        Value { heap: self, id }
    }
}

/// An object of a heap.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    heap: &'a Heap,
    id: Id,
}

impl<'a> Value<'a> {
    pub(crate) fn node(self) -> &'a Node {
        static NONE: Node = Node::None;
        self.heap.nodes.get(self.id as usize).unwrap_or(&NONE)
    }

    /// Another object of the same heap.
    pub(crate) fn sibling(self, id: Id) -> Self {
        self.at(id)
    }

    fn at(self, id: Id) -> Self {
        Self { heap: self.heap, id }
    }

    pub(crate) fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// `module.Class` of an instance.
    pub(crate) fn class(self) -> Option<&'a str> {
        match self.node() {
            Node::Object(object) => Some(&object.class),
            _ => None,
        }
    }

    /// What the object is, for messages.
    pub(crate) fn describe(self) -> String {
        match self.node() {
            Node::Object(object) => object.class.clone(),
            Node::Global(name) => name.clone(),
            Node::None => "None".to_owned(),
            Node::Text(text) => format!("{text:?}"),
            Node::Bool(value) => value.to_string(),
            Node::Int(value) => value.to_string(),
            Node::Float(value) => value.to_string(),
            Node::Bytes(_) => "bytes".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Tuple(_) => "a tuple".to_owned(),
            Node::Dict(_) => "a dict".to_owned(),
            Node::Set(_) => "a set".to_owned(),
            Node::Array(array) => format!("an array of shape {:?}", array.shape),
            Node::Dtype(_) => "a dtype".to_owned(),
        }
    }

    /// An attribute of an instance or a key of a dict.
    pub(crate) fn get(self, name: &str) -> Option<Self> {
        match self.node() {
            Node::Dict(entries) => entries
                .iter()
                .rev()
                .find(|(key, _)| matches!(self.at(*key).node(), Node::Text(key) if key == name))
                .map(|(_, value)| self.at(*value)),
            Node::Object(object) => {
                let state = self.at(object.state?);
                match state.node() {
                    Node::Dict(_) => state.get(name),
                    // `(None, {...})`: an object with slots.
                    Node::Tuple(parts) => {
                        parts.iter().rev().find_map(|&part| match self.at(part).node() {
                            Node::Dict(_) => self.at(part).get(name),
                            _ => None,
                        })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `module.name` of a class or function.
    pub(crate) fn global(self) -> Option<&'a str> {
        match self.node() {
            Node::Global(name) => Some(name),
            _ => None,
        }
    }

    /// What an instance was filled with.
    pub(crate) fn state(self) -> Option<Self> {
        match self.node() {
            Node::Object(object) => object.state.map(|id| self.at(id)),
            _ => None,
        }
    }

    /// What the constructor was given.
    pub(crate) fn arguments(self) -> Vec<Self> {
        match self.node() {
            Node::Object(object) => object.arguments.iter().map(|&id| self.at(id)).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn text(self) -> Option<&'a str> {
        match self.node() {
            Node::Text(text) => Some(text),
            Node::Array(Array { elements: Elements::Text(v), shape, .. }) if shape.is_empty() => {
                v.first().map(String::as_str)
            }
            _ => None,
        }
    }

    pub(crate) fn bool(self) -> Option<bool> {
        match self.node() {
            Node::Bool(value) => Some(*value),
            Node::Int(value) => Some(*value != 0),
            Node::Array(Array { elements: Elements::Bool(v), .. }) if v.len() == 1 => {
                v.first().copied()
            }
            _ => None,
        }
    }

    pub(crate) fn int(self) -> Option<i64> {
        match self.node() {
            Node::Int(value) => Some(*value),
            Node::Bool(value) => Some(i64::from(*value)),
            Node::Float(value) if value.fract() == 0.0 => Some(*value as i64),
            Node::Array(array) if array.elements.len() == 1 => {
                array.elements.to_i64()?.first().copied()
            }
            _ => None,
        }
    }

    pub(crate) fn float(self) -> Option<f64> {
        match self.node() {
            Node::Float(value) => Some(*value),
            Node::Int(value) => Some(*value as f64),
            Node::Bool(value) => Some(f64::from(u8::from(*value))),
            Node::Array(array) if array.elements.len() == 1 => {
                array.elements.to_f64()?.first().copied()
            }
            _ => None,
        }
    }

    pub(crate) fn array(self) -> Option<&'a Array> {
        match self.node() {
            Node::Array(array) => Some(array),
            _ => None,
        }
    }

    /// Items of a list, tuple, set, or an array of objects.
    pub(crate) fn items(self) -> Option<Vec<Self>> {
        match self.node() {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => {
                Some(items.iter().map(|&id| self.at(id)).collect())
            }
            Node::Array(Array { elements: Elements::Objects(items), .. }) => {
                Some(items.iter().map(|&id| self.at(id)).collect())
            }
            _ => None,
        }
    }

    /// Entries of a dict.
    pub(crate) fn entries(self) -> Option<Vec<(Self, Self)>> {
        match self.node() {
            Node::Dict(entries) => {
                Some(entries.iter().map(|&(key, value)| (self.at(key), self.at(value))).collect())
            }
            _ => None,
        }
    }
}
