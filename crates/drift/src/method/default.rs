//! The default choice of a method, and its words.

use super::catalogue::Method;
use crate::Kind;

/// Rows (after dropping missing values) in the reference up to which tests with p-values are the default:
/// Evidently's number.
pub const SMALL_SAMPLE_MAX: u64 = 1000;

/// Numerical columns with at most this many distinct values are compared value by value.
const FEW_VALUES_MAX: u64 = 5;

/// Chooses by the size of the reference and the number of distinct values on both sides together,
/// as Evidently 0.7 does. `distinct` is only needed up to 6. With `evidently`, its own text methods.
pub(crate) fn default_method(
    kind: Kind,
    reference_values: u64,
    distinct: u64,
    evidently: bool,
) -> (Method, String) {
    let small = reference_values <= SMALL_SAMPLE_MAX;
    let size = if small {
        format!("{reference_values} reference values (at most {SMALL_SAMPLE_MAX})")
    } else {
        format!("{reference_values} reference values (more than {SMALL_SAMPLE_MAX})")
    };
    if kind == Kind::Text {
        let method = match (small, evidently) {
            (_, false) => Method::TextContent,
            (true, true) => Method::PercTextContent,
            (false, true) => Method::AbsTextContent,
        };
        return (method, format!("text, {size}"));
    }
    let numerical = matches!(kind, Kind::Numerical | Kind::Datetime);
    let values = match (numerical, distinct) {
        (true, distinct) if distinct > FEW_VALUES_MAX => {
            format!("more than {FEW_VALUES_MAX} distinct values")
        }
        (false, distinct) if distinct > 2 => "more than 2 distinct values".to_owned(),
        (_, distinct) if distinct > 2 => format!("{distinct} distinct values"),
        _ => "at most 2 distinct values".to_owned(),
    };
    let method = if numerical && distinct > FEW_VALUES_MAX {
        if small { Method::KolmogorovSmirnov } else { Method::Wasserstein }
    } else if !small {
        Method::JensenShannon
    } else if distinct > 2 {
        Method::ChiSquare
    } else {
        Method::ZTest
    };
    (method, format!("{}, {values}, {size}", kind.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_defaults() {
        let choose = |kind, size, distinct| default_method(kind, size, distinct, false).0;
        assert_eq!(choose(Kind::Numerical, 1000, 6), Method::KolmogorovSmirnov);
        assert_eq!(choose(Kind::Numerical, 1001, 6), Method::Wasserstein);
        assert_eq!(choose(Kind::Numerical, 1000, 5), Method::ChiSquare);
        assert_eq!(choose(Kind::Numerical, 1000, 2), Method::ZTest);
        assert_eq!(choose(Kind::Numerical, 1001, 2), Method::JensenShannon);
        assert_eq!(choose(Kind::Categorical, 1000, 3), Method::ChiSquare);
        assert_eq!(choose(Kind::Categorical, 1000, 2), Method::ZTest);
        assert_eq!(choose(Kind::Categorical, 1001, 9), Method::JensenShannon);
        assert_eq!(choose(Kind::Text, 1000, 900), Method::TextContent);
        assert_eq!(default_method(Kind::Text, 1001, 900, true).0, Method::AbsTextContent);
    }
}
