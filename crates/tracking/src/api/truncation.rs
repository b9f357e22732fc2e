//! Tells clients in a header when a param or tag was too long and was cut, which upstream does in
//! silence.

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use trainyard_mlflow::LogBatch;
use trainyard_mlflow::entities::{Param, Tag};

/// `param:<key>` and `tag:<key>` of what was cut, with commas; keys are percent-encoded. `…` (encoded)
/// stands for those that have no room.
const TRUNCATED: HeaderName = HeaderName::from_static("x-trainyard-truncated");

/// Longest value of the header: Python refuses an answer with a line of 64 KiB, although what was sent
/// is stored, and proxies refuse heads of 8 KiB.
const HEADER_BYTES_MAX: usize = 2048;

/// Longest value of a param that is kept whole, in characters.
const PARAM_CHARS_MAX: usize = 6000;
/// Longest value of a run's tag that is kept whole, in characters.
const TAG_CHARS_MAX: usize = 8000;

/// What will be cut, if the store accepts it at all.
#[derive(Debug, Default)]
pub(super) struct Truncated(Vec<String>);

impl Truncated {
    pub(super) fn param(param: &Param) -> Self {
        let mut truncated = Self::default();
        truncated.check("param", &param.key, &param.value, PARAM_CHARS_MAX);
        truncated
    }

    pub(super) fn tag(tag: &Tag) -> Self {
        let mut truncated = Self::default();
        truncated.check("tag", &tag.key, &tag.value, TAG_CHARS_MAX);
        truncated
    }

    pub(super) fn batch(batch: &LogBatch) -> Self {
        let mut truncated = Self::default();
        for param in &batch.params {
            truncated.check("param", &param.key, &param.value, PARAM_CHARS_MAX);
        }
        for tag in &batch.tags {
            truncated.check("tag", &tag.key, &tag.value, TAG_CHARS_MAX);
        }
        truncated
    }

    fn check(&mut self, kind: &str, key: &str, value: &str, chars_max: usize) {
        // Bytes are quickly counted, and never fewer than characters.
        if value.len() > chars_max && value.chars().count() > chars_max {
            self.0.push(format!("{kind}:{}", utf8_percent_encode(key, NON_ALPHANUMERIC)));
        }
    }

    /// The answer, with the header if anything was cut.
    pub(super) fn tell(self, mut answer: Response) -> Response {
        if !self.0.is_empty()
            && let Ok(value) = HeaderValue::from_str(&joined(&self.0))
        {
            answer.headers_mut().insert(TRUNCATED, value);
        }
        answer
    }
}

/// As many as there is room for.
fn joined(names: &[String]) -> String {
    const MORE: &str = "%E2%80%A6";
    let mut list = String::new();
    for name in names {
        let has_room = list.len() + name.len() + MORE.len() + 2 <= HEADER_BYTES_MAX;
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(if has_room { name } else { MORE });
        if !has_room {
            break;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_stays_short() {
        assert_eq!(joined(&["param:a".to_owned(), "tag:b".to_owned()]), "param:a,tag:b");
        let long = format!("param:{}", "%C3%A9".repeat(250));
        let list = joined(&vec![long.clone(); 100]);
        assert_eq!(list, format!("{long},%E2%80%A6"));
        let longer = joined(&["x".repeat(70_000)]);
        assert_eq!(longer, "%E2%80%A6");
    }
}
