//! What was made of text when it was read, as findings: each guess is said, and each value that did not fit.

use std::ops::RangeInclusive;

use trainyard_data::{DateOrder, Decimal, Exception, Form, Reading, Remark};
use trainyard_drift::{ColumnDrift, Finding, FindingKind, Severity, Side};

use super::source::Data;

/// Findings on how a column of text was read; of a profile nobody knows how, so its form did not change.
pub(super) fn on_column(
    column: &ColumnDrift,
    reference: Option<&Reading>,
    current: Option<&Reading>,
    is_profile: bool,
) -> Vec<Finding> {
    let forms = [reference, current].map(|reading| reading.map(|reading| reading.form.to_string()));
    let message = match forms {
        [None, None] => return Vec::new(),
        [Some(before), Some(after)] if before == after => format!("text is read as {after}"),
        [Some(before), Some(after)] => {
            format!("the reference's text is read as {before}, current's as {after}")
        }
        [Some(before), None] => format!("the reference's text is read as {before}"),
        [None, Some(after)] => format!("current's text is read as {after}"),
    };
    let mut findings = vec![note(message)];
    if !is_profile && column.verdict().is_some() {
        findings.extend(other_form(reference, current));
    }
    findings.extend(thousands(column, [reference, current]));
    // What a profile keeps of exceptions is that they were missing.
    let before = column.reference.as_ref().map_or(0.0, Side::missing_share);
    findings.extend(reference.and_then(|reading| exceptions("the reference", reading, None)));
    findings.extend(current.and_then(|reading| exceptions("current", reading, Some(before))));
    findings
}

/// Finding on numbers that are written in another way: ten in euros are not ten in dollars, and 12.3 % may be
/// 0.123 now.
fn other_form(reference: Option<&Reading>, current: Option<&Reading>) -> Option<Finding> {
    let signs = [reference, current].map(|reading| signs(reading.map(|reading| &reading.form)));
    let decimals = [reference, current].map(|reading| match reading?.form {
        Form::Numbers { decimal, .. } => Some(decimal),
        _ => None,
    });
    let message = if signs[0] != signs[1] {
        let [before, after] = signs.map(|signs| match signs.as_slice() {
            [] => "no sign".to_owned(),
            signs => signs.join(" and "),
        });
        format!(
            "the reference's numbers are written with {before}, current's with {after}: do they mean the same?"
        )
    } else if let [Some(before), Some(after)] = decimals
        && before != after
    {
        format!(
            "the reference's decimals are written with a {before}, current's with a {after}: are numbers such as 1.234 or 1,234 read as they are meant?"
        )
    } else if let [Some(before), Some(after)] = [reference, current].map(first_in_dates)
        && before != after
    {
        format!(
            "the reference's dates are read {before} first, current's {after} first: is 01/02 the same day on both sides?"
        )
    } else {
        return None;
    };
    Some(Finding { kind: FindingKind::ReadAs, severity: Severity::Warning, message })
}

/// Times by which the values of one side are those of the other where a decimal sign was taken for one between
/// thousands.
const ABOUT_A_THOUSAND: RangeInclusive<f64> = 200.0..=5000.0;

/// Finding on numbers with their thousands in groups on one side alone, which are about a thousand times those of
/// the other: 1,234 may be 1.234.
fn thousands(column: &ColumnDrift, readings: [Option<&Reading>; 2]) -> Option<Finding> {
    let decimals = readings.map(|reading| match reading?.form {
        Form::Numbers { grouped: true, decimal, .. } => Some(decimal),
        _ => None,
    });
    let medians = [&column.reference, &column.current].map(|side| median(side.as_ref()));
    let (decimal, side, times) = match (decimals, medians) {
        ([Some(decimal), None], [Some(before), Some(after)]) => {
            (decimal, "the reference", before / after)
        }
        ([None, Some(decimal)], [Some(before), Some(after)]) => {
            (decimal, "current", after / before)
        }
        _ => return None,
    };
    let (written, other) = match decimal {
        Decimal::Point => ("1,234", ","),
        Decimal::Comma => ("1.234", "."),
    };
    let message = format!(
        "{side}'s {written} is read as 1234, and its values are about a thousand times those of the other side: if that is a decimal sign, say --decimal {other}"
    );
    let is_about = ABOUT_A_THOUSAND.contains(&times);
    is_about.then_some(Finding { kind: FindingKind::ReadAs, severity: Severity::Warning, message })
}

/// The value in the middle of a side of numbers.
fn median(side: Option<&Side>) -> Option<f64> {
    let quantiles = &side?.numbers.as_ref()?.quantiles;
    quantiles.get(quantiles.len() / 2).copied()
}

/// What stands first in dates that can be read in two ways.
fn first_in_dates(reading: Option<&Reading>) -> Option<&'static str> {
    match reading?.form {
        Form::Dates { order } | Form::Times { order, .. } => match order {
            DateOrder::Year => None,
            DateOrder::Day => Some("day"),
            DateOrder::Month => Some("month"),
        },
        _ => None,
    }
}

/// What is written beside numbers: their currency, unit or percent sign. Numbers that are no text have none.
fn signs(form: Option<&Form>) -> Vec<&str> {
    match form {
        Some(Form::Numbers { currency, percent, unit, .. }) => {
            let percent = percent.then_some("%");
            currency.iter().copied().chain(percent).chain(unit.as_deref()).collect()
        }
        _ => Vec::new(),
    }
}

/// Finding on values that are not what their column is; a warning where they are more than was missing
/// before.
fn exceptions(side: &str, reading: &Reading, before: Option<f64>) -> Option<Finding> {
    let (count, values) = (reading.exceptions, reading.values);
    if count == 0 {
        return None;
    }
    let share = count as f64 / values.max(1) as f64;
    let is_more = before.is_some_and(|before| share > before);
    let examples: Vec<String> = reading.examples.iter().map(example).collect();
    let further = if count > examples.len() { ", …" } else { "" };
    let message = format!(
        "{count} of {values} values of {side} {} no {}, and missing: {}{further}",
        if count == 1 { "is" } else { "are" },
        reading.form.noun(),
        examples.join(", ")
    );
    let severity = if is_more { Severity::Warning } else { Severity::Note };
    Some(Finding { kind: FindingKind::Unread, severity, message })
}

fn example(exception: &Exception) -> String {
    match exception.line {
        Some(line) => format!("{:?} in line {line}", exception.text),
        None => format!("{:?} in row {}", exception.text, exception.row + 1),
    }
}

/// Findings on how the files of both sides were read.
pub(super) fn on_files(reference: &[Remark], current: &[Remark]) -> Vec<Finding> {
    let mut messages: Vec<String> =
        reference.iter().chain(current).map(ToString::to_string).collect();
    messages.sort_unstable();
    messages.dedup();
    messages.into_iter().map(note).collect()
}

/// What was guessed of one side, a sentence each.
pub(super) fn sentences(data: &Data) -> Vec<String> {
    let files = data.remarks().into_iter().map(|remark| remark.to_string());
    let columns = data.names().into_iter().filter_map(|name| {
        let reading = data.reading(name)?;
        let exceptions = exceptions("it", reading, None).map(|finding| finding.message);
        let further = exceptions.map(|message| format!("; {message}")).unwrap_or_default();
        Some(format!("column {name:?} is read as {}{further}", reading.form))
    });
    files.chain(columns).collect()
}

fn note(message: String) -> Finding {
    Finding { kind: FindingKind::ReadAs, severity: Severity::Note, message }
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;
    use trainyard_drift::{Column, Options, compare_columns};

    use super::*;

    fn reading(exceptions: usize) -> Reading {
        let form = Form::Numbers {
            decimal: Decimal::Point,
            percent: true,
            currency: None,
            unit: None,
            grouped: false,
            integers: false,
        };
        let text = "N.A.".to_owned();
        let examples = vec![Exception { row: 4, line: Some(6), text }];
        Reading { form, values: 2000, exceptions, examples }
    }

    #[test]
    fn exceptions_are_said_with_their_line() {
        let column = compare_columns("x", None, None, &Options::default());
        let findings = on_column(&column, Some(&reading(0)), Some(&reading(1)), false);
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].message, "text is read as numbers, percent signs left off");
        assert_eq!(findings[0].severity, Severity::Note);
        assert_eq!(
            findings[1].message,
            "1 of 2000 values of current is no number, and missing: \"N.A.\" in line 6"
        );
        assert_eq!(findings[1].severity, Severity::Warning);
        assert!(on_column(&column, None, None, false).is_empty());
    }

    #[test]
    fn another_form_is_a_warning() {
        let values = Float64Array::from_iter_values((0..50).map(f64::from));
        let numbers = Column::new(&[&values]);
        let column = compare_columns("x", Some(&numbers), Some(&numbers), &Options::default());
        let with = |sign: &'static str| Reading {
            form: Form::Numbers {
                decimal: Decimal::Point,
                percent: false,
                currency: Some(sign),
                unit: None,
                grouped: false,
                integers: false,
            },
            ..reading(0)
        };
        let (dollars, euros, percents) = (with("$"), with("€"), reading(0));
        let warning = |before: Option<&Reading>, after: Option<&Reading>, is_profile| {
            let findings = on_column(&column, before, after, is_profile);
            let warning =
                findings.into_iter().find(|finding| finding.severity == Severity::Warning);
            warning.map(|finding| finding.message)
        };
        assert_eq!(warning(Some(&dollars), Some(&dollars), false), None);
        assert_eq!(warning(None, Some(&dollars), true), None);
        let said = warning(Some(&dollars), Some(&euros), false).unwrap();
        assert!(said.contains("written with $, current's with €"), "{said}");
        let said = warning(Some(&percents), None, false).unwrap();
        assert!(said.contains("written with %, current's with no sign"), "{said}");
    }

    #[test]
    fn decimal_commas_that_look_like_thousands_are_said() {
        let column = |times: f64| {
            let values = (1..50).map(|row| f64::from(row) * times);
            Column::new(&[&Float64Array::from_iter_values(values)])
        };
        let form = |decimal| Form::Numbers {
            decimal,
            percent: false,
            currency: None,
            unit: None,
            grouped: true,
            integers: true,
        };
        let point = Reading { form: form(Decimal::Point), ..reading(0) };
        let comma = Reading { form: form(Decimal::Comma), ..reading(0) };
        let said = |times: f64, readings| {
            let options = Options::default();
            let column = compare_columns("x", Some(&column(1.0)), Some(&column(times)), &options);
            thousands(&column, readings).map(|finding| finding.message)
        };
        let of_current = said(1000.0, [None, Some(&point)]).unwrap();
        assert!(of_current.starts_with("current's 1,234 is read as 1234"), "{of_current}");
        let of_reference = said(0.001, [Some(&comma), None]).unwrap();
        assert!(of_reference.ends_with("say --decimal ."), "{of_reference}");
        assert_eq!(said(2.0, [None, Some(&point)]), None);
        assert_eq!(said(1000.0, [Some(&point), Some(&point)]), None);
    }

    #[test]
    fn another_order_of_dates_is_a_warning() {
        let times = |order| Reading { form: Form::Dates { order }, ..reading(0) };
        let values = Float64Array::from_iter_values((0..50).map(f64::from));
        let numbers = Column::new(&[&values]);
        let column = compare_columns("x", Some(&numbers), Some(&numbers), &Options::default());
        let warns = |before, after| {
            let findings = on_column(&column, Some(&times(before)), Some(&times(after)), false);
            findings.iter().any(|finding| {
                finding.severity == Severity::Warning && finding.message.contains("first")
            })
        };
        assert!(warns(DateOrder::Day, DateOrder::Month));
        assert!(!warns(DateOrder::Day, DateOrder::Day));
        assert!(!warns(DateOrder::Year, DateOrder::Day));
    }
}
