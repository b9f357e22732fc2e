//! What kind of column it is, which decides the methods that apply.
//!
//! The rules are those of Evidently 0.7 on the pandas type that the Arrow type becomes, judged on the
//! reference: what a column is does not change with what comes in today, and a profile says the same as
//! its table. With Evidently's behaviour the current data decide, as there. Where Evidently leaves a
//! column out because of its type (unsigned and nullable integers, booleans with missing values,
//! decimals, dates), the column is tested all the same, unless its behaviour was asked for.

use std::fmt;
use std::str::FromStr;

use crate::choice::{UnknownName, find};
use crate::column::Column;
use crate::compat::Compat;
use crate::row_names::are_row_names;
use crate::values::family::{Family, type_name};

/// Integers with at most this many distinct values are categories.
pub(crate) const INTEGER_CATEGORIES_MAX: u64 = 10;
/// Strings with more distinct values than this share of the values are text.
pub(crate) const TEXT_DISTINCT_SHARE: f64 = 0.5;

/// Why a column without values is of no kind.
const NO_VALUES: &str = "no usable value";

/// What kind of values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Quantities: compared by their order and distance.
    Numerical,
    /// Labels: compared by how often each occurs.
    Categorical,
    /// Free text and identifiers: compared by features of the texts.
    Text,
    /// Points in time: compared like quantities, but not counted in the share of drifted columns,
    /// because later data have later times.
    Datetime,
    /// Not compared.
    Unknown,
}

impl Kind {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Numerical => "numerical",
            Self::Categorical => "categorical",
            Self::Text => "text",
            Self::Datetime => "datetime",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let kinds = [Self::Numerical, Self::Categorical, Self::Text, Self::Datetime, Self::Unknown];
        find("kind of column", name, &kinds.map(|kind| (kind.name(), kind)))
    }
}

/// The kind of a column, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inferred {
    pub(crate) kind: Kind,
    pub(crate) reason: String,
    /// Evidently 0.7 leaves a column of this type out.
    pub(crate) beyond_evidently: bool,
}

/// Infers the kind of the column of this name from the side that decides.
pub(crate) fn infer(column_name: &str, column: &Column, compat: Compat) -> Inferred {
    let name = type_name(column.data_type());
    let has_nulls = column.missing() > 0;
    let distinct = column.distinct();
    let inferred = |kind, reason| Inferred { kind, reason, beyond_evidently: false };
    let beyond = |kind, reason: String| match compat {
        Compat::Trainyard => Inferred { kind, reason, beyond_evidently: true },
        Compat::Evidently => Inferred {
            kind: Kind::Unknown,
            reason: format!("Evidently does not test {name} columns"),
            beyond_evidently: true,
        },
    };
    if compat == Compat::Trainyard && column.is_empty() && column.family() != Family::Nested {
        return inferred(Kind::Unknown, NO_VALUES.to_owned());
    }
    if compat == Compat::Trainyard && are_row_names(column_name, column) {
        return inferred(Kind::Unknown, "names or numbers of rows, by its name".to_owned());
    }
    match column.family() {
        Family::Float => inferred(Kind::Numerical, name),
        // pandas holds integers with missing values as floats.
        Family::Integer | Family::Unsigned if has_nulls => {
            inferred(Kind::Numerical, format!("{name} with missing values"))
        }
        Family::Integer => {
            let (kind, reason) = integer_kind(&name, distinct);
            inferred(kind, reason)
        }
        Family::Unsigned => {
            let (kind, reason) = integer_kind(&name, distinct);
            beyond(kind, reason)
        }
        Family::Decimal | Family::Interval => beyond(Kind::Numerical, name.clone()),
        Family::Boolean if has_nulls => {
            beyond(Kind::Categorical, format!("{name} with missing values"))
        }
        Family::Boolean | Family::Dictionary => inferred(Kind::Categorical, name),
        Family::String if column.is_empty() => inferred(Kind::Unknown, NO_VALUES.to_owned()),
        Family::String => {
            let count = column.len();
            if distinct as f64 > TEXT_DISTINCT_SHARE * count as f64 {
                inferred(
                    Kind::Text,
                    format!("{name}, {distinct} distinct of {count} values (more than half)"),
                )
            } else {
                inferred(
                    Kind::Categorical,
                    format!("{name}, {distinct} distinct of {count} values"),
                )
            }
        }
        Family::Instant => beyond(Kind::Datetime, name.clone()),
        // pandas reads a CSV column without values as floats, and Evidently then stops at it.
        Family::Null if compat == Compat::Evidently => {
            inferred(Kind::Numerical, NO_VALUES.to_owned())
        }
        Family::Null => inferred(Kind::Unknown, NO_VALUES.to_owned()),
        Family::Nested => inferred(Kind::Unknown, format!("{name} values cannot be compared")),
    }
}

fn integer_kind(name: &str, distinct: u64) -> (Kind, String) {
    if distinct <= INTEGER_CATEGORIES_MAX {
        (
            Kind::Categorical,
            format!("{name}, {distinct} distinct values (at most {INTEGER_CATEGORIES_MAX})"),
        )
    } else {
        (Kind::Numerical, format!("{name}, {distinct} distinct values"))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        Array, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, UInt64Array,
    };

    use super::*;

    fn check(array: &dyn Array, trainyard: Kind, evidently: Kind) {
        let column = Column::new(&[array]);
        for (compat, kind) in [(Compat::Trainyard, trainyard), (Compat::Evidently, evidently)] {
            assert_eq!(infer("x", &column, compat).kind, kind, "{:?}", column.data_type());
        }
    }

    #[test]
    fn the_rules_by_type() {
        use Kind::{Categorical, Datetime, Numerical, Text, Unknown};
        check(&Float64Array::from(vec![1.0, 1.0]), Numerical, Numerical);
        check(&Int64Array::from_iter_values(0..10), Categorical, Categorical);
        check(&Int64Array::from_iter_values(0..11), Numerical, Numerical);
        check(&Int64Array::from(vec![Some(1), None]), Numerical, Numerical);
        check(&UInt64Array::from_iter_values(0..11), Numerical, Unknown);
        check(&UInt64Array::from(vec![1, 1]), Categorical, Unknown);
        check(&BooleanArray::from(vec![true, false]), Categorical, Categorical);
        check(&BooleanArray::from(vec![Some(true), None]), Categorical, Unknown);
        check(&StringArray::from(vec!["a", "a", "b", "b"]), Categorical, Categorical);
        check(&StringArray::from(vec!["a", "b", "b"]), Text, Text);
        check(&StringArray::from(vec![None::<&str>]), Unknown, Unknown);
        check(&Date32Array::from(vec![1, 2]), Datetime, Unknown);
        // A CSV column without values comes as floats.
        check(&Float64Array::from(vec![None]), Unknown, Numerical);
    }
}
