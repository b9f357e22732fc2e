//! Tests of the tracking crate from outside.

mod store;
mod store_interop;
mod interop;
mod served;
