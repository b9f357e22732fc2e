//! Types of columns: which takes all values of another, and which gives none but those.
//!
//! What a type takes is what [`crate::enforce`] makes of JSON, CSV and Parquet, under every
//! [`Casting`](crate::enforce::Casting): `float` for a whole number is the same number, rounded as any
//! decimal is; `boolean` for a number is not: Parquet has a type of its own for it.

use super::effect::{Effect, Form};
use crate::model::DataType;

/// What it means for requests that an input of the type `before` is one of `after` now.
pub(super) fn taken(before: &DataType, after: &DataType) -> Effect {
    use DataType::{Any, Array, Double, Float, Integer, Long, Map, Object};
    if before == after {
        return Effect::Harmless;
    }
    match (before, after) {
        (Integer, Long | Double) | (Float, Double) => Effect::Harmless,
        // Parquet's whole numbers of 64 bits are no doubles, and those of 32 bits no floats: neither holds
        // all of them. JSON and CSV have but numbers. Nor are structs a value of any type there.
        (Integer | Long, Float) | (Long, Double) | (Object(_) | Map(_), Any) => {
            Effect::Forms(vec![Form::Parquet])
        }
        // A value of any type is JSON. Lists are none: how deep they are says where rows end, as in
        // `{"a": [[1, 2], [3, 4]]}`.
        (before, Any) if !matches!(before, Array(_)) => {
            Effect::Forms(vec![Form::Csv, Form::Parquet])
        }
        (Array(before), Array(after)) | (Map(before), Map(after)) => taken(before, after),
        (Object(before), Object(after)) => object_taken(before, after),
        _ => Effect::Break,
    }
}

type Properties = [(String, DataType, bool)];

/// Properties that an object type does not know are refused, unlike columns.
fn object_taken(before: &Properties, after: &Properties) -> Effect {
    if before.iter().any(|(name, ..)| find(after, name).is_none()) {
        return Effect::Break;
    }
    let of = |(name, kind, required): &(String, DataType, bool)| match find(before, name) {
        Some((_, _, false)) | None if *required => Effect::Break,
        Some((_, before, _)) => taken(before, kind),
        None => Effect::Harmless,
    };
    after.iter().map(of).fold(Effect::Harmless, Effect::and)
}

/// Whether whoever reads values of `before` can read those of `after`.
pub(super) fn given(before: &DataType, after: &DataType) -> bool {
    use DataType::{Any, Array, Double, Float, Integer, Long, Map, Object};
    if before == after {
        return true;
    }
    match (before, after) {
        (Any, _) | (Long | Float, Integer) | (Double, Integer | Long | Float) => true,
        (Array(before), Array(after)) | (Map(before), Map(after)) => given(before, after),
        (Object(before), Object(after)) => object_given(before, after),
        _ => false,
    }
}

/// What a reader relies on is there; what is more he does not look at.
fn object_given(before: &Properties, after: &Properties) -> bool {
    before.iter().all(|(name, kind, required)| match find(after, name) {
        Some((_, after, stays)) => (*stays || !required) && given(kind, after),
        None => !required,
    })
}

fn find<'p>(properties: &'p Properties, name: &str) -> Option<&'p (String, DataType, bool)> {
    properties.iter().find(|(known, ..)| known == name)
}

#[cfg(test)]
mod tests {
    use super::DataType::{
        Any, Array, Binary, Boolean, Datetime, Double, Float, Integer, Long, Map, Object, String,
    };
    use super::*;

    fn object(properties: &[(&str, DataType, bool)]) -> DataType {
        let owned = |(name, kind, required): &(&str, DataType, bool)| {
            ((*name).to_owned(), kind.clone(), *required)
        };
        Object(properties.iter().map(owned).collect())
    }

    fn list(items: DataType) -> DataType {
        Array(Box::new(items))
    }

    #[test]
    fn wider_types_take_what_narrower_ones_took() {
        let parquet = || Effect::Forms(vec![Form::Parquet]);
        for (before, after, effect) in [
            (Integer, Long, Effect::Harmless),
            (Integer, Double, Effect::Harmless),
            (Float, Double, Effect::Harmless),
            (Long, Double, parquet()),
            (Integer, Float, parquet()),
            (Long, Integer, Effect::Break),
            (Double, Float, Effect::Break),
            (Double, Long, Effect::Break),
            (Boolean, Long, Effect::Break),
            (Long, String, Effect::Break),
            (Datetime, String, Effect::Break),
            (Binary, String, Effect::Break),
            (String, Any, Effect::Forms(vec![Form::Csv, Form::Parquet])),
            (Any, String, Effect::Break),
            (list(Integer), list(Long), Effect::Harmless),
            (list(Long), list(Integer), Effect::Break),
            (list(Long), Any, Effect::Break),
            (list(Long), Long, Effect::Break),
            (Map(Box::new(Float)), Map(Box::new(Double)), Effect::Harmless),
            (Map(Box::new(Float)), Any, parquet()),
        ] {
            assert_eq!(taken(&before, &after), effect, "{before} → {after}");
        }
    }

    #[test]
    fn objects_refuse_properties_that_they_do_not_know() {
        let before = object(&[("a", Integer, true), ("b", String, false)]);
        for (after, effect) in [
            (object(&[("b", String, false), ("a", Long, true)]), Effect::Harmless),
            (object(&[("a", Integer, false), ("b", String, false)]), Effect::Harmless),
            (
                object(&[("a", Integer, true), ("b", String, false), ("c", Long, false)]),
                Effect::Harmless,
            ),
            (
                object(&[("a", Integer, true), ("b", String, false), ("c", Long, true)]),
                Effect::Break,
            ),
            (object(&[("a", Integer, true), ("b", String, true)]), Effect::Break),
            (object(&[("a", Integer, true)]), Effect::Break),
            (object(&[("a", String, true), ("b", String, false)]), Effect::Break),
        ] {
            assert_eq!(taken(&before, &after), effect, "{before} → {after}");
        }
    }

    #[test]
    fn answers_may_become_narrower() {
        for (before, after, reads) in [
            (Long, Integer, true),
            (Double, Long, true),
            (Double, Float, true),
            (Any, String, true),
            (Long, Double, false),
            (Float, Double, false),
            (Long, String, false),
            (Boolean, Long, false),
            (list(Double), list(Long), true),
            (list(Double), Double, false),
            (object(&[("a", Long, true)]), object(&[("a", Integer, true), ("b", Any, true)]), true),
            (object(&[("a", Long, true)]), object(&[("a", Long, false)]), false),
            (object(&[("a", Long, true)]), object(&[("b", Long, true)]), false),
            (object(&[("a", Long, false), ("b", Long, true)]), object(&[("b", Long, true)]), true),
        ] {
            assert_eq!(given(&before, &after), reads, "{before} → {after}");
        }
    }
}
