//! The model server over real sockets, with real models.

mod basics;
mod conformance;
mod documentation;
mod inference;
mod log;
mod overload;
mod support;
mod swap;
