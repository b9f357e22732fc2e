//! Attributes of a node, by name and type.

use super::proto::{AttributeProto, NodeProto};
use super::tensor::{Outcome, Tensor, text};

/// The attributes of one node.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a NodeProto);

impl<'a> Attributes<'a> {
    fn get(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn int(self, name: &str, default: i64) -> i64 {
        self.get(name).map_or(default, |attribute| attribute.i)
    }

    pub(crate) fn float(self, name: &str, default: f32) -> f32 {
        self.get(name).map_or(default, |attribute| attribute.f)
    }

    pub(crate) fn ints(self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(crate) fn floats(self, name: &str) -> &'a [f32] {
        self.get(name).map_or(&[], |attribute| &attribute.floats)
    }

    /// Text, or the default when it is absent.
    pub(crate) fn string(self, name: &str, default: &str) -> Outcome<String> {
        self.get(name).map_or_else(|| Ok(default.to_owned()), |attribute| text(&attribute.s))
    }

    pub(crate) fn strings(self, name: &str) -> Outcome<Vec<String>> {
        self.texts(name).iter().map(|bytes| text(bytes)).collect()
    }

    /// Texts as they are in the file.
    pub(crate) fn texts(self, name: &str) -> &'a [Vec<u8>] {
        self.get(name).map_or(&[], |attribute| &attribute.strings)
    }

    pub(crate) fn tensor(self, name: &str) -> Outcome<Option<Tensor>> {
        self.get(name)
            .and_then(|attribute| attribute.t.as_ref())
            .map(Tensor::from_proto)
            .transpose()
    }

    /// Floats from `name`, or doubles from `name_as_tensor`, as version 3 of the tree operators has it.
    pub(crate) fn numbers(self, name: &str) -> Outcome<Vec<f64>> {
        match self.tensor(&format!("{name}_as_tensor"))? {
            Some(tensor) => tensor.data.to_f64(),
            None => Ok(self.floats(name).iter().map(|&x| f64::from(x)).collect()),
        }
    }
}
