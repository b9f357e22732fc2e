//! Any bytes as a file of this format: a model or an error, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trainyard_models::{Format, load_bytes};

fuzz_target!(|bytes: &[u8]| drop(load_bytes(bytes, Format::Estimator)));
