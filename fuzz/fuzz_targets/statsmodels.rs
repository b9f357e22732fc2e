//! Any bytes as a file of this format: a model that answers or an error, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trainyard_models::Format;

fuzz_target!(|bytes: &[u8]| trainyard_fuzz::ask(bytes, Format::Statsmodels));
