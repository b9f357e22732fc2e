//! The model server over real sockets, with real models.

mod basics;
mod conformance;
mod log;
mod overload;
mod support;
mod swap;
