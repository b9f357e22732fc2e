//! Tells clients in a header when a param or tag was too long and was cut, which upstream does in
//! silence.

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use trainyard_mlflow::LogBatch;
use trainyard_mlflow::entities::{Param, Tag};

/// `param:<key>` and `tag:<key>` of what was cut, with commas; keys are percent-encoded.
const TRUNCATED: HeaderName = HeaderName::from_static("x-trainyard-truncated");

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
            && let Ok(value) = HeaderValue::from_str(&self.0.join(","))
        {
            answer.headers_mut().insert(TRUNCATED, value);
        }
        answer
    }
}
