//! Looks over a column of text and decides what it says.
//!
//! A column is numbers, or times, where at least 95 % of its values are; words for "no value" do not count.
//! Where it is known what the column is, most of its values are enough. The look ends as soon as that cannot
//! be any more: texts cost it a twentieth of the column.

use arrow_array::{Array as _, StringArray};

use super::candidate::{Behind, Candidate, Said, Shape, numbers};
use super::expected::{Expected, Sort};
use super::form::Form;
use super::found::Reading;
use super::nothing::is_nothing;

/// Of so many values one may be an exception: 5 %. A person who sees twenty numbers and one `see note` sees
/// numbers.
const VALUES_PER_EXCEPTION: usize = 20;

/// Of so many values one may be an exception where it is known what they are: what most values are not is
/// something else now.
const VALUES_PER_EXCEPTION_EXPECTED: usize = 2;

/// A look over a column, piece by piece.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    expected: Expected<'a>,
    candidates: Vec<Candidate>,
    /// Rows of the whole column.
    rows: usize,
    seen: usize,
    values: usize,
    /// Words for "no value".
    nothings: usize,
    has_nulls: bool,
}

impl<'a> Survey<'a> {
    /// A look over a column of so many rows, of which this is known.
    pub(crate) fn new(rows: usize, expected: Expected<'a>) -> Self {
        let mut candidates = Vec::new();
        if matches!(expected.sort, None | Some(Sort::Numbers)) {
            // The order decides between equals: "1,200" is rather twelve hundred.
            let likely = expected.likely_decimal();
            for decimal in [likely, likely.other()] {
                if expected.decimal.is_none_or(|given| given == decimal) {
                    candidates.extend(numbers(decimal, &expected));
                }
            }
        }
        if matches!(expected.sort, None | Some(Sort::Times)) {
            let times = expected.date_orders().map(|order| Candidate::new(Shape::Time(order)));
            candidates.extend(times);
        }
        // Of itself, 12:30 may be a duration, a score or a chapter.
        if expected.sort == Some(Sort::Clocks) {
            candidates.push(Candidate::new(Shape::Clock));
        }
        Self { expected, candidates, rows, seen: 0, values: 0, nothings: 0, has_nulls: false }
    }

    /// Whether the column cannot be anything but text any more.
    pub(crate) fn is_over(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Looks at the next values.
    pub(crate) fn see(&mut self, piece: &StringArray) {
        let most = self.rows / self.values_per_exception();
        for (index, text) in piece.iter().enumerate() {
            if self.is_over() {
                return;
            }
            let Some(text) = text else {
                self.has_nulls = true;
                continue;
            };
            let row = self.seen + index;
            if is_nothing(text) {
                self.nothings += 1;
                self.candidates.iter_mut().for_each(|candidate| candidate.keep_example(row, text));
                continue;
            }
            self.values += 1;
            let said = Said::of(text, &self.candidates);
            self.candidates.iter_mut().for_each(|candidate| candidate.see(row, text, &said));
            self.candidates.retain(|candidate| candidate.exceptions <= most);
        }
        self.seen += piece.len();
    }

    fn values_per_exception(&self) -> usize {
        if self.expected.sort.is_some() {
            VALUES_PER_EXCEPTION_EXPECTED
        } else {
            VALUES_PER_EXCEPTION
        }
    }

    /// What the column says; `None` if it is text. Digits with leading zeros are labels, unless they are
    /// known to be numbers.
    pub(crate) fn finish(self) -> Option<Reading> {
        let values_per_exception = self.values_per_exception();
        let Self { expected, candidates, values, nothings, has_nulls, .. } = self;
        let are_numbers = expected.sort == Some(Sort::Numbers);
        let fits = |candidate: &Candidate| {
            candidate.hits > 0
                && candidate.exceptions * values_per_exception <= values
                && (are_numbers || !candidate.is_labels())
        };
        let best = candidates
            .into_iter()
            .filter(fits)
            .reduce(|best, other| if other.hits > best.hits { other } else { best })?;
        let is_whole = best.exceptions + nothings == 0 && !has_nulls;
        let form = match best.shape {
            Shape::Number { decimal, behind } => Form::Numbers {
                decimal,
                percent: behind == Behind::Percent,
                currency: best.currency.filter(|_| best.has_currency),
                unit: best.unit.filter(|_| behind == Behind::Unit),
                grouped: best.is_grouped,
                integers: best.all_simple && is_whole,
            },
            Shape::Clock => Form::Clocks,
            Shape::Time(order) if best.all_simple => Form::Dates { order },
            Shape::Time(order) => Form::Times { order, zoned: best.is_zoned },
        };
        Some(Reading {
            form,
            values: values + nothings,
            exceptions: best.exceptions + nothings,
            examples: best.examples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::{DateOrder, Decimal};
    use super::*;

    fn read(values: &[&str]) -> Option<Reading> {
        read_as(values, Expected::default())
    }

    fn read_as(values: &[&str], expected: Expected<'_>) -> Option<Reading> {
        let mut survey = Survey::new(values.len(), expected);
        survey.see(&StringArray::from(values.to_vec()));
        survey.finish()
    }

    fn many<'a>(value: &'a str, other: &'a str) -> Vec<&'a str> {
        let mut values = vec![value; 39];
        values.push(other);
        values
    }

    #[test]
    fn one_in_twenty_may_be_an_exception() {
        let reading = read(&many("1.5", "see note")).unwrap();
        assert_eq!((reading.values, reading.exceptions), (40, 1));
        assert_eq!(reading.examples[0].row, 39);
        assert_eq!(reading.examples[0].text, "see note");
        let mut values = many("1.5", "see note");
        values[0] = "ask";
        values[1] = "ask";
        assert_eq!(read(&values), None);
        assert_eq!(read(&["1.5", "ask"]), None);
    }

    #[test]
    fn words_for_nothing_do_not_count() {
        let reading = read(&["1", "-", "n/a.", "unknown", "2"]).unwrap();
        assert_eq!((reading.values, reading.exceptions), (5, 3));
        assert_eq!(reading.examples[0].text, "-");
        assert!(matches!(reading.form, Form::Numbers { integers: false, .. }));
        assert_eq!(read(&["-", "none"]), None);
        assert_eq!(read(&["-", "apple", "5"]), None);
    }

    #[test]
    fn what_is_known_of_a_column_counts() {
        let numbers = Expected { sort: Some(Sort::Numbers), ..Expected::default() };
        let reading = read_as(&["1", "x", "2", "y", "3"], numbers).unwrap();
        assert_eq!((reading.values, reading.exceptions), (5, 2));
        assert_eq!(read_as(&["1", "x", "y"], numbers), None);
        assert_eq!(read_as(&["2026-01-31"], numbers), None);
        assert!(read_as(&["06510"], numbers).is_some());
        let times = Expected { sort: Some(Sort::Times), ..Expected::default() };
        assert!(read_as(&["2026-01-31", "x"], times).is_some());
        assert_eq!(read_as(&["1"], times), None);
        let clocks = Expected { sort: Some(Sort::Clocks), ..Expected::default() };
        let form = |expected| read_as(&["12:30", "09:15:10"], expected).map(|found| found.form);
        assert_eq!(form(clocks), Some(Form::Clocks));
        assert_eq!(form(Expected::default()), None);
    }

    #[test]
    fn the_form_of_the_other_column_counts_where_it_can() {
        let form = read(&["€ 1,5", "€ 20,25", "€ 3"]).unwrap().form;
        let like = Expected { form: Some(&form), ..Expected::default() };
        let read = |values: &[&str]| match read_as(values, like).map(|reading| reading.form) {
            Some(Form::Numbers { decimal, currency, .. }) => Some((decimal, currency)),
            _ => None,
        };
        assert_eq!(read(&["€ 1.234", "€ 5"]), Some((Decimal::Comma, Some("€"))));
        assert_eq!(read(&["1.234"]), Some((Decimal::Comma, None)));
        assert_eq!(read(&["$ 1.5", "$ 5"]), Some((Decimal::Point, Some("$"))));
        let mut values = vec!["€ 1,5"; 39];
        values[0] = "$ 5";
        assert_eq!(read(&values), Some((Decimal::Comma, Some("€"))));
    }

    #[test]
    fn one_unit_behind_every_number_is_left_off() {
        let unit = |values: &[&str]| match read(values).map(|reading| reading.form) {
            Some(Form::Numbers { unit, .. }) => unit,
            _ => None,
        };
        assert_eq!(unit(&["80 kg", "75.5 kg"]).as_deref(), Some("kg"));
        assert_eq!(unit(&many("80kr", "75")).as_deref(), Some("kr"));
        assert_eq!(unit(&["80 kg", "75 lb"]), None);
        assert_eq!(unit(&["80 kg", "75"]), None);
        assert_eq!(unit(&["001A", "002A"]), None);
    }

    #[test]
    fn the_form_that_most_values_have_counts() {
        let decimal = |values: &[&str]| match read(values).map(|reading| reading.form) {
            Some(Form::Numbers { decimal, .. }) => Some(decimal),
            _ => None,
        };
        assert_eq!(decimal(&["1,200", "900"]), Some(Decimal::Point));
        assert_eq!(decimal(&["1,200", "9,5"]), Some(Decimal::Comma));
        assert_eq!(decimal(&["1,200.5", "9"]), Some(Decimal::Point));
        assert_eq!(decimal(&["$5", "€5"]), None);
        assert_eq!(decimal(&["5%", "5"]), None);
        assert_eq!(decimal(&["06510", "94103"]), None);
        assert_eq!(decimal(&["apple", "pear"]), None);
    }

    #[test]
    fn times_are_dates_where_all_are() {
        let form = |values: &[&str]| read(values).map(|reading| reading.form);
        let order = DateOrder::Year;
        assert_eq!(form(&["2026-01-31"]), Some(Form::Dates { order }));
        assert_eq!(
            form(&["2026-01-31", "2026-01-31 10:00:00"]),
            Some(Form::Times { order, zoned: false })
        );
        assert_eq!(form(&["2026-01-31T10:00:00Z"]), Some(Form::Times { order, zoned: true }));
    }

    #[test]
    fn the_order_of_dates_is_told_by_all_of_them() {
        fn order(values: &[&str], expected: Expected<'_>) -> Option<DateOrder> {
            match read_as(values, expected)?.form {
                Form::Dates { order } | Form::Times { order, .. } => Some(order),
                _ => None,
            }
        }
        let alone = |values: &[&str]| order(values, Expected::default());
        assert_eq!(alone(&["01/02/2026", "31/01/2026"]), Some(DateOrder::Day));
        assert_eq!(alone(&["01/02/2026", "01/31/2026 5:00 PM"]), Some(DateOrder::Month));
        assert_eq!(alone(&["01/02/2026"]), Some(DateOrder::Month));
        assert_eq!(alone(&["01.02.2026"]), Some(DateOrder::Day));
        assert_eq!(alone(&["31/01/2026", "01/31/2026"]), None);
        // As on the other side, where both are possible.
        let form = Form::Dates { order: DateOrder::Day };
        let like = Expected { form: Some(&form), ..Expected::default() };
        assert_eq!(order(&["01/02/2026"], like), Some(DateOrder::Day));
        assert_eq!(order(&["01/31/2026"], like), Some(DateOrder::Month));
    }
}
