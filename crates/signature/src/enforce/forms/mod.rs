//! The forms that a request may have, each read straight into the buffers of its columns.

mod arrays;
pub(super) mod body;
pub(super) mod csv;
mod datatype;
mod input_tensor;
pub(super) mod open_inference;
mod records;
pub(super) mod split;
