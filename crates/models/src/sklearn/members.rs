//! What estimators made of estimators share: their members, and whose classes are whose.

use super::data::Classes;
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Nested};
use crate::Result;

pub(super) fn members(fields: Fields<'_>, name: &str, nested: Nested) -> Result<Vec<Boxed>> {
    fields
        .items(name)?
        .into_iter()
        .filter(|value| value.text() != Some("drop"))
        .map(|value| nested.load(value))
        .collect()
}

/// The members as parts of the whole.
pub(super) fn parts(members: &[Boxed]) -> Vec<&dyn Estimator> {
    members.iter().map(|member| &**member).collect()
}

/// Where each class of a member is among the classes of the whole. Members are trained on the classes
/// themselves or on their numbers.
pub(super) fn places(member: &dyn Estimator, classes: &Classes, encoded: bool) -> Vec<usize> {
    let Some(inner) = member.classes() else { return (0..classes.len()).collect() };
    (0..inner.len())
        .map(|at| {
            if encoded {
                return inner.number(at).map_or(at, |number| number as usize);
            }
            (0..classes.len()).find(|&outer| classes.same(outer, inner, at)).unwrap_or(at)
        })
        .collect()
}
