//! Choices and numbers as people write them, in a file or as flags.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize as _, Deserializer, de};

/// Reads a choice by its name.
pub(super) fn name<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

/// Reads choices by name, one a column.
pub(super) fn by_column<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Vec<(String, T)>, D::Error> {
    BTreeMap::<String, String>::deserialize(deserializer)?
        .into_iter()
        .map(|(column, name)| Ok((column, name.parse().map_err(de::Error::custom)?)))
        .collect()
}

/// Reads numbers, one a column.
pub(super) fn numbers_by_column<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, f64)>, D::Error> {
    Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
}

/// Reads `column=value`; the name may hold `=` itself.
pub(super) fn pair<T: FromStr<Err: Display>>(text: &str) -> Result<(String, T), String> {
    let (column, value) =
        text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not COLUMN=VALUE"))?;
    let value = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok((column.to_owned(), value))
}
