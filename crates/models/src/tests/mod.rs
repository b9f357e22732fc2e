//! Damage that only the parts of a file can be given: each list one shorter and one longer. The file is
//! taken apart by its own reader, so that every format is damaged in the same way.

mod lengths;
#[path = "../../tests/it/support.rs"]
mod support;
