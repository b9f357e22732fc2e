//! Arrays as joblib writes them: their description in the pickle, and behind it, between two instructions, their
//! bytes (joblib's `numpy_pickle`).

use super::machine::Machine;
use super::shape::dimensions;
use crate::python::dtype::Kind;
use crate::python::{Id, Node};
use crate::refusal::Result;

/// The class that describes an array whose bytes follow.
pub(super) const WRAPPER: &str = "joblib.numpy_pickle.NumpyArrayWrapper";

impl Machine<'_> {
    /// Puts the array that follows in the place of its description.
    pub(super) fn framed_array(&mut self, wrapper: Id) -> Result<()> {
        let value = self.heap.value(wrapper);
        let part = |name: &str| {
            value.get(name).ok_or_else(|| format!("an array of joblib does not say its {name}"))
        };
        let shape = dimensions(part("shape")?)?;
        let is_fortran = part("order")?.text() == Some("F");
        let Node::Dtype(dtype) = part("dtype")?.node() else {
            return Err("an array of joblib without a type".into());
        };
        let dtype = dtype.clone();
        // Since joblib 1.1 numbers start at round places of the file.
        let is_aligned =
            value.get("numpy_array_alignment_bytes").is_some_and(|bytes| !bytes.is_none());
        let filled = if dtype.kind == Kind::Object {
            let root = self.inner_pickle()?;
            let array = self.heap.value(root).array().filter(|array| array.shape == shape);
            Node::Array(array.ok_or("objects of joblib that are no array of their shape")?.clone())
        } else {
            if is_aligned {
                let padding = self.u8()?;
                self.take(padding)?;
            }
            let count = shape.iter().try_fold(dtype.size, |bytes, &dim| bytes.checked_mul(dim));
            let bytes = self.take(count.ok_or("an array without end")? as u64)?;
            Node::Array(dtype.array(bytes, shape, is_fortran)?)
        };
        if let Node::Array(array) = &filled {
            self.heap.charge(array.elements.bytes())?;
        }
        if let Some(slot) = self.heap.nodes.get_mut(wrapper as usize) {
            *slot = filled;
        }
        Ok(())
    }
}
