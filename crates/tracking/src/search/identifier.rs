//! `entity.key`, with the quotes that a key may have.

use crate::error::{Result, invalid};
use crate::store::python;

/// The text without the quotes around it, if it has any.
fn strip(text: &str, quotes: &[char]) -> String {
    for quote in quotes {
        let inner = text.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote));
        if let Some(inner) = inner {
            return inner.to_owned();
        }
    }
    text.to_owned()
}

/// The key without quotes, then without backticks.
pub(super) fn key(text: &str) -> String {
    strip(&strip(text, &['\'', '"']), &['`'])
}

/// The entity without backticks, and the key; the entity is none where there is no dot.
pub(super) fn split(text: &str) -> (Option<String>, String) {
    // A name that is quoted as a whole has no entity, whatever dots it holds.
    if text.starts_with('"') {
        return (None, key(text));
    }
    match text.split_once('.') {
        None => (None, key(text)),
        Some((entity, rest)) => (Some(strip(entity, &['`'])), key(rest)),
    }
}

/// Refuses an attribute that is not in the list.
pub(super) fn check_attribute(key: &str, valid: &[&str]) -> Result<()> {
    if valid.contains(&key) {
        return Ok(());
    }
    invalid!(
        "Invalid attribute key '{key}' specified. Valid keys are '{}'",
        python::repr_set(valid)
    )
}

/// What an identifier of experiments, registered models and versions names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Attribute(String),
    Tag(String),
}

/// Reads an identifier of experiments, registered models and versions.
pub(super) fn field(text: &str, attributes: &[&str]) -> Result<Field> {
    let (entity, key) = split(text);
    match entity.as_deref() {
        None | Some("attribute") => {
            check_attribute(&key, attributes)?;
            Ok(Field::Attribute(key))
        }
        Some("tag" | "tags") => Ok(Field::Tag(key)),
        Some(other) => invalid!(
            "Invalid entity type '{other}'. Valid entity types are ('attribute', 'tag', 'tags')"
        ),
    }
}
