//! Damage that only the parts of a file can be given: each list one shorter and one longer. The file is
//! taken apart by its own reader, so that every format is damaged in the same way.

mod lengths;
#[cfg_attr(not(clippy), expect(dead_code, reason = "the other tests use the rest"))]
#[path = "../../tests/it/support.rs"]
mod support;
