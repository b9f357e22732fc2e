//! Which paths a listener lets through. The public may predict, read the documentation and ask whether
//! the service is well; what steers an instance or tells of its inside is for operators.
//!
//! Rules see the path as it was sent, so it must be in its one normal form: what a program behind could
//! read as another path is refused, not mended.

use http::StatusCode;
use trainyard_base::words::PROBE_PATHS;

use super::failure::Failure;
use crate::error::{Error, Result};

/// What the public may do with a model server. `*` is any one segment.
const PUBLIC: [&str; 29] = [
    "/predict",
    "/invocations",
    "/explain",
    "/docs",
    "/openapi.json",
    "/health",
    "/ping",
    "/version",
    "/models/*/predict",
    "/models/*/invocations",
    "/models/*/explain",
    "/models/*/docs",
    "/models/*/openapi.json",
    "/models/*/health",
    "/models/*/ping",
    "/models/*/version",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/*",
    "/v2/models/*/infer",
    "/v2/models/*/explain",
    "/v2/models/*/metadata",
    "/v2/models/*/ready",
    "/v2/models/*/versions/*",
    "/v2/models/*/versions/*/infer",
    "/v2/models/*/versions/*/explain",
    "/v2/models/*/versions/*/metadata",
    "/v2/models/*/versions/*/ready",
];

/// Whether a path asks how the service is: that is answered whatever the crowd.
pub(super) fn is_probe(path: &str) -> bool {
    PROBE_PATHS.contains(&path)
}

/// What asks for predictions: nothing is done by it, so it may be asked again.
const PREDICTIONS: [&str; 6] = [
    "/predict",
    "/invocations",
    "/models/*/predict",
    "/models/*/invocations",
    "/v2/models/*/infer",
    "/v2/models/*/versions/*/infer",
];

/// Whether a path asks for predictions.
pub(super) fn is_prediction(path: &str) -> bool {
    PREDICTIONS.iter().any(|rule| matches(rule, path))
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Anybody.
    Public,
    /// Whoever reaches the operators' listener.
    Operators,
}

/// Whom a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everybody, whatever else is asked for.
    Open,
    /// The public.
    Public,
    /// Operators.
    Operators,
}

/// The rules of a gateway.
#[derive(Debug)]
pub(super) struct Paths {
    /// What the public may ask beside the usual.
    exposed: Vec<Rule>,
    open: Vec<Rule>,
}

impl Paths {
    /// The usual rules, and these.
    pub(super) fn new(exposed: &[String], open: &[String]) -> Result<Self> {
        let rules = |rules: &[String]| -> Result<Vec<Rule>> {
            rules.iter().map(|rule| rule.parse()).collect()
        };
        Ok(Self { exposed: rules(exposed)?, open: rules(open)? })
    }

    /// Whether what is behind answers at `/`, by a rule: else that is the gateway's own place.
    pub(super) fn let_root_through(&self) -> bool {
        self.open.iter().chain(&self.exposed).any(|rule| rule.lets("/"))
    }

    /// Whom a path is for. A path that is not in its normal form is refused to all.
    pub(super) fn reach(&self, path: &str) -> Result<Reach, Failure> {
        if !is_normal(path) {
            return Err(Failure::Refused(
                StatusCode::BAD_REQUEST,
                "the path is not in its normal form",
            ));
        }
        if self.open.iter().any(|rule| rule.lets(path)) {
            return Ok(Reach::Open);
        }
        let is_public = PUBLIC.iter().any(|rule| matches(rule, path))
            || self.exposed.iter().any(|rule| rule.lets(path));
        Ok(if is_public { Reach::Public } else { Reach::Operators })
    }
}

/// A path that is let through, as an operator writes it: `/feedback`, `/models/*/feedback`, `/static/**`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule(String);

impl Rule {
    fn lets(&self, path: &str) -> bool {
        matches(&self.0, path)
    }
}

impl std::str::FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if is_normal(text) { Ok(Self(text.to_owned())) } else { Err(Error::Path(text.to_owned())) }
    }
}

/// Refuses what is no rule.
pub fn check_rule(text: &str) -> Result<()> {
    text.parse::<Rule>().map(|_rule| ())
}

/// Segment by segment; `*` is any one that is not empty, `**` at the end all that follow, one at least.
fn matches(rule: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let mut wanted = rule.split('/').peekable();
    while let Some(rule) = wanted.next() {
        if rule == "**" && wanted.peek().is_none() {
            // `/static/**` is what is below `/static/`, not `/static`, which is another path.
            return segments.next().is_some();
        }
        match segments.next() {
            Some(segment) if rule == segment || (rule == "*" && !segment.is_empty()) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Whether there is no other way to write this path. It begins with `/`; no segment is empty (but the
/// last), `.` or `..`; `%` stands only for what cannot be written otherwise; and nothing is in it that a
/// program might cut off or take for a `/`.
fn is_normal(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if segment == "." || segment == ".." || (segment.is_empty() && !is_last) {
            return false;
        }
    }
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let is_plain = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return false;
                };
                // A blank, a quotation mark, or a byte of a letter beyond ASCII.
                matches!(high * 16 + low, 0x20 | 0x22 | 0x3c | 0x3e | 0x60 | 0x7b..=0x7d | 0x80..)
            }
            b'\\' | b';' => false,
            other => other.is_ascii_graphic(),
        };
        if !is_plain {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(path: &str) -> Option<bool> {
        let exposed = ["/feedback".to_owned(), "/static/**".to_owned()];
        let open = ["/health".to_owned()];
        let reach = Paths::new(&exposed, &open).unwrap().reach(path).ok()?;
        assert_eq!(reach == Reach::Open, path == "/health", "{path}");
        Some(reach != Reach::Operators)
    }

    #[test]
    fn the_public_may_predict_and_no_more() {
        for path in [
            "/predict",
            "/invocations",
            "/health",
            "/models/Iris/predict",
            "/models/My%20Model/docs",
            "/explain",
            "/models/Iris/explain",
            "/v2/models/Iris/versions/3/explain",
            "/models/reload/predict",
            "/v2",
            "/v2/models/Iris/versions/3/infer",
            "/feedback",
            "/static/a/b.css",
            "/static/",
        ] {
            assert_eq!(public(path), Some(true), "{path}");
        }
        for path in [
            "/",
            "/reload",
            "/flush",
            "/metrics",
            "/webhook",
            "/models/Iris/reload",
            "/models/Iris/feedback",
            "/models//predict",
            "/models/Iris/predict/",
            "/predict/",
            "/Predict",
            "/PREDICT",
            "/predict/x",
            "/v2/repository/models/Iris/unload",
            "/v2/",
            "/static",
            "/statics/a",
        ] {
            assert_ne!(public(path), Some(true), "{path}");
        }
    }

    #[test]
    fn other_ways_to_write_a_path_are_refused() {
        for path in [
            "",
            "*",
            "predict",
            "//reload",
            "/models/x/../reload",
            "/models/x/./predict",
            "/..",
            "/%72eload",
            "/predict%2f..%2freload",
            "/predict%2F",
            "/%2e%2e/reload",
            "/predict;/../reload",
            "/predict%3b",
            "/predict\\..\\reload",
            "/predict%5c",
            "/predict%00",
            "/predict%0d%0a",
            "/predict%",
            "/predict%2",
            "/predict%zz",
            "/predict%25",
            "/pr\u{e9}dict",
            "/predict\u{7f}",
        ] {
            assert_eq!(public(path), None, "{path}");
        }
        let wrong = ["feedback".to_owned()];
        assert!(matches!(Paths::new(&wrong, &[]), Err(Error::Path(_))));
        assert!(matches!(Paths::new(&[], &wrong), Err(Error::Path(_))));
        let metrics = Paths::new(&[], &[]).unwrap().reach("/metrics").unwrap();
        assert_eq!(metrics, Reach::Operators);
    }
}
