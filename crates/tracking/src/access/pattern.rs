//! What a grant names, in the one spelling that a check looks up.

use std::borrow::Cow;

use super::resource::Kind;

/// The one id of what a request may call by several: the store reads `02` and ` 2` as the experiment 2, on which grants
/// and vetoes are.
pub(crate) fn canonical(kind: Kind, id: &str) -> Cow<'_, str> {
    let is_usual = |id: &str| !id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit());
    if kind != Kind::Experiment || is_usual(id) {
        return id.into();
    }
    id.trim().parse().map_or(id.into(), |number: i64| number.to_string().into())
}

/// Whether a pattern names one experiment, or a scorer in it.
pub(crate) fn is_of_experiment(kind: Kind, pattern: &str, id: &str) -> bool {
    match kind {
        Kind::Experiment => canonical(kind, pattern) == id,
        Kind::Scorer => pattern.split_once('/').is_some_and(|(experiment, _name)| experiment == id),
        _ => false,
    }
}

/// The pattern of an alias, whose spelling does not matter: `production` is not everybody's where `Production` is kept.
pub(super) fn folded(pattern: &str) -> String {
    match pattern.rsplit_once('/') {
        Some((model, alias)) => format!("{model}/{}", alias.to_ascii_lowercase()),
        None => pattern.to_owned(),
    }
}
