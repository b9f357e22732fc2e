//! Python objects as data: what pickle and skops files hold, without running any of it.
//!
//! Both readers fill a [`Heap`] of nodes that refer to each other by number (pickles may share nodes and
//! even hold circles). Estimators are looked at through [`Value`].

mod array;
mod dtype;
mod globals;
mod heap;
mod npy;
pub(crate) mod packed;
pub(crate) mod pandas;
pub(crate) mod pickle;
pub(crate) mod skops;
mod zip;

pub(crate) use array::{Array, Elements, Id};
pub(crate) use heap::{Heap, Node, Object, Value};
