//! What estimators made of estimators share: their members, and whose classes are whose.

use super::data::Classes;
use super::estimator::{Estimator, Fields};
use crate::Result;

pub(super) type Boxed = Box<dyn Estimator>;

pub(super) fn members(fields: Fields<'_>, name: &str, depth: usize) -> Result<Vec<Boxed>> {
    fields
        .items(name)?
        .into_iter()
        .filter(|value| value.text() != Some("drop"))
        .map(|value| super::load(value, depth + 1))
        .collect()
}

pub(super) fn total_size(members: &[Boxed]) -> usize {
    members.iter().map(|member| member.size_bytes()).sum()
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
