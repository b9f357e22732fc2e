//! Any bytes as a file of this format: a model that answers or an error, never a panic.

#![no_main]

mod ask;

use libfuzzer_sys::fuzz_target;
use trainyard_models::Format;

fuzz_target!(|bytes: &[u8]| ask::ask(bytes, Format::Onnx));
