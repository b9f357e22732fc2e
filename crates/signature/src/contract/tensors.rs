//! Tensors: which takes all values of another, and which gives none but those.

use super::effect::{Effect, Form};
use crate::model::TensorSpec;

/// What it means for requests that a tensor `before` is one of `after` now.
pub(super) fn taken(before: &TensorSpec, after: &TensorSpec) -> Effect {
    let fits = shape_within(&before.shape, &after.shape)
        && (before.dtype == after.dtype || is_wider(&before.dtype, &after.dtype));
    if !fits {
        return Effect::Break;
    }
    // Lists of Parquet are of exactly the type, and of a length that the signature says.
    let frees = |(before, after): (&i64, &i64)| *before >= 0 && *after < 0;
    let same = before.dtype == after.dtype && !before.shape.iter().zip(&after.shape).any(frees);
    if same { Effect::Harmless } else { Effect::Forms(vec![Form::Parquet]) }
}

/// Whether whoever reads tensors of `before` can read those of `after`.
pub(super) fn given(before: &TensorSpec, after: &TensorSpec) -> bool {
    shape_within(&after.shape, &before.shape)
        && (before.dtype == after.dtype || is_wider(&after.dtype, &before.dtype))
}

/// Whether every tensor of the first shape is one of the second. -1 is any length.
fn shape_within(inner: &[i64], outer: &[i64]) -> bool {
    let fits = |(inner, outer): (&i64, &i64)| *outer < 0 || inner == outer;
    inner.len() == outer.len() && inner.iter().zip(outer).all(fits)
}

/// Whether all numbers of a dtype go into another one, as JSON writes them: requests for `uint64` end
/// where `int64` does.
fn is_wider(narrow: &str, wide: &str) -> bool {
    let floats = ["float16", "float32", "float64"];
    let position = |dtype: &str| floats.iter().position(|known| *known == dtype);
    match (range(narrow), range(wide), position(narrow), position(wide)) {
        (Some((low, high)), Some((lowest, highest)), ..) => lowest <= low && high <= highest,
        (Some(_), None, _, Some(_)) => true,
        (_, _, Some(narrow), Some(wide)) => narrow < wide,
        _ => false,
    }
}

fn range(dtype: &str) -> Option<(i64, i64)> {
    Some(match dtype {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN, i64::MAX),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" => (0, i64::MAX),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dtype: &str, shape: &[i64]) -> TensorSpec {
        TensorSpec::unnamed(dtype, shape)
    }

    #[test]
    fn shapes_and_dtypes_may_widen() {
        let parquet = || Effect::Forms(vec![Form::Parquet]);
        let before = tensor("float32", &[-1, 3]);
        for (after, effect) in [
            (tensor("float32", &[-1, 3]), Effect::Harmless),
            (tensor("float32", &[-1, -1]), parquet()),
            (tensor("float64", &[-1, 3]), parquet()),
            (tensor("float16", &[-1, 3]), Effect::Break),
            (tensor("int64", &[-1, 3]), Effect::Break),
            (tensor("float32", &[-1, 4]), Effect::Break),
            (tensor("float32", &[8, 3]), Effect::Break),
            (tensor("float32", &[-1]), Effect::Break),
            (tensor("float32", &[-1, 3, 1]), Effect::Break),
        ] {
            assert_eq!(taken(&before, &after), effect, "{after:?}");
        }
        let effect = |before, after| taken(&tensor(before, &[-1]), &tensor(after, &[-1]));
        for (before, after) in
            [("int8", "int64"), ("uint8", "int16"), ("uint64", "int64"), ("int32", "float16")]
        {
            assert_eq!(effect(before, after), parquet(), "{before} → {after}");
        }
        for (before, after) in
            [("int8", "uint8"), ("bool", "int8"), ("str", "object"), ("float64", "float32")]
        {
            assert_eq!(effect(before, after), Effect::Break, "{before} → {after}");
        }
    }

    #[test]
    fn answers_may_become_narrower() {
        let before = tensor("float64", &[-1, -1]);
        assert!(given(&before, &tensor("float32", &[-1, 3])));
        assert!(given(&before, &tensor("int64", &[-1, -1])));
        assert!(!given(&tensor("float32", &[-1, 3]), &before));
        assert!(!given(&before, &tensor("float64", &[-1])));
        assert!(!given(&tensor("int64", &[-1]), &tensor("str", &[-1])));
    }
}
