//! Damage that only the parts of a file can be given: each list one shorter and one longer. The file is
//! taken apart by its own reader, so that every format is damaged in the same way.

mod lengths;
#[expect(clippy::allow_attributes, reason = "what dead code is expected of counts as used")]
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../../tests/it/support.rs"]
mod support;
