//! Looks over a column of text and decides what it says.
//!
//! A column is numbers, or times, where at least 95 % of its values are. The look ends as soon as that
//! cannot be any more: texts cost it a twentieth of the column.

use arrow_array::{Array as _, StringArray};

use super::form::{Decimal, Form};
use super::numeral::{Numeral, numeral};
use super::time::{Moment, moment};

/// Of so many values one may be an exception: 5 %. A person who sees twenty numbers and one `N.A.` sees
/// numbers.
const VALUES_PER_EXCEPTION: usize = 20;

/// Exceptions that are kept as examples.
const EXAMPLES_MAX: usize = 3;

/// What a column of text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// In which form.
    pub form: Form,
    /// Values, exceptions included, missing ones not.
    pub values: usize,
    /// Values that are not of the form; they are missing in what is read.
    pub exceptions: usize,
    /// The first exceptions.
    pub examples: Vec<Exception>,
}

/// A value that is not of its column's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Row of the table, from 0.
    pub row: usize,
    /// Physical line of the CSV file, from 1, where the table is one.
    pub line: Option<usize>,
    /// As it is written.
    pub text: String,
}

/// A form that the column may have.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, made one by one")]
struct Candidate {
    shape: Shape,
    hits: usize,
    exceptions: usize,
    examples: Vec<Exception>,
    /// Of numbers: whether all are integers. Of times: whether all are dates.
    all_simple: bool,
    has_padded: bool,
    is_grouped: bool,
    is_zoned: bool,
    currency: Option<&'static str>,
    /// Amounts in two currencies do not compare.
    mixes_currencies: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Number { decimal: Decimal, percent: bool },
    Time,
}

/// What one text says, as far as there are candidates for it.
struct Said {
    point: Option<Numeral>,
    comma: Option<Numeral>,
    moment: Option<Moment>,
}

impl Said {
    fn of(text: &str, candidates: &[Candidate]) -> Self {
        let number = |wanted| {
            let is_wanted = |candidate: &Candidate| matches!(candidate.shape, Shape::Number { decimal, .. } if decimal == wanted);
            candidates.iter().any(is_wanted).then(|| numeral(text, wanted)).flatten()
        };
        let is_time = |candidate: &Candidate| candidate.shape == Shape::Time;
        Self {
            point: number(Decimal::Point),
            comma: number(Decimal::Comma),
            moment: candidates.iter().any(is_time).then(|| moment(text)).flatten(),
        }
    }

    fn numeral(&self, decimal: Decimal) -> Option<Numeral> {
        match decimal {
            Decimal::Point => self.point,
            Decimal::Comma => self.comma,
        }
    }
}

/// A look over a column, piece by piece.
#[derive(Debug)]
pub(crate) struct Survey {
    candidates: Vec<Candidate>,
    /// Rows of the whole column.
    rows: usize,
    seen: usize,
    values: usize,
    has_nulls: bool,
}

impl Survey {
    /// A look over a column of so many rows, whose decimals are written so, if that is known.
    pub(crate) fn new(rows: usize, decimal: Option<Decimal>) -> Self {
        let numbers = |decimal| {
            [false, true].map(|percent| Candidate::new(Shape::Number { decimal, percent }))
        };
        let mut candidates = Vec::new();
        // The order decides between equals: "1,200" is rather twelve hundred.
        for possible in [Decimal::Point, Decimal::Comma] {
            if decimal.is_none_or(|given| given == possible) {
                candidates.extend(numbers(possible));
            }
        }
        candidates.push(Candidate::new(Shape::Time));
        Self { candidates, rows, seen: 0, values: 0, has_nulls: false }
    }

    /// Whether the column cannot be anything but text any more.
    pub(crate) fn is_over(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Looks at the next values.
    pub(crate) fn see(&mut self, piece: &StringArray) {
        let most = self.rows / VALUES_PER_EXCEPTION;
        for (index, text) in piece.iter().enumerate() {
            if self.is_over() {
                return;
            }
            let Some(text) = text else {
                self.has_nulls = true;
                continue;
            };
            self.values += 1;
            let row = self.seen + index;
            let said = Said::of(text, &self.candidates);
            self.candidates.iter_mut().for_each(|candidate| candidate.see(row, text, &said));
            self.candidates.retain(|candidate| candidate.exceptions <= most);
        }
        self.seen += piece.len();
    }

    /// What the column says; `None` if it is text. Digits with leading zeros are labels, unless they are
    /// known to be numbers.
    pub(crate) fn finish(self, are_numbers: bool) -> Option<Reading> {
        let Self { candidates, values, has_nulls, .. } = self;
        let fits = |candidate: &Candidate| {
            candidate.hits > 0
                && candidate.exceptions * VALUES_PER_EXCEPTION <= values
                && !candidate.mixes_currencies
                && (are_numbers || !candidate.is_labels())
        };
        let best = candidates
            .into_iter()
            .filter(fits)
            .reduce(|best, other| if other.hits > best.hits { other } else { best })?;
        let is_whole = best.exceptions == 0 && !has_nulls;
        let form = match best.shape {
            Shape::Number { decimal, percent } => Form::Numbers {
                decimal,
                percent,
                currency: best.currency,
                grouped: best.is_grouped,
                integers: best.all_simple && is_whole,
            },
            Shape::Time if best.all_simple => Form::Dates,
            Shape::Time => Form::Times { zoned: best.is_zoned },
        };
        let Candidate { exceptions, examples, .. } = best;
        Some(Reading { form, values, exceptions, examples })
    }
}

impl Candidate {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            hits: 0,
            exceptions: 0,
            examples: Vec::new(),
            all_simple: true,
            has_padded: false,
            is_grouped: false,
            is_zoned: false,
            currency: None,
            mixes_currencies: false,
        }
    }

    /// Integers of which some are written with leading zeros.
    fn is_labels(&self) -> bool {
        self.has_padded && self.all_simple
    }

    fn see(&mut self, row: usize, text: &str, said: &Said) {
        let is_hit = match self.shape {
            Shape::Number { decimal, percent } => {
                let found = said.numeral(decimal).filter(|found| found.is_percent == percent);
                found.map(|found| self.note_number(found)).is_some()
            }
            Shape::Time => said.moment.map(|found| self.note_time(found)).is_some(),
        };
        if is_hit {
            self.hits += 1;
            return;
        }
        self.exceptions += 1;
        if self.examples.len() < EXAMPLES_MAX {
            let text = crate::error::shorten(text);
            self.examples.push(Exception { row, line: None, text });
        }
    }

    fn note_number(&mut self, found: Numeral) {
        self.all_simple &= found.integer.is_some();
        self.has_padded |= found.is_padded;
        self.is_grouped |= found.is_grouped;
        if found.currency.is_some() {
            self.mixes_currencies |= self.currency.is_some() && self.currency != found.currency;
            self.currency = found.currency;
        }
    }

    fn note_time(&mut self, found: Moment) {
        self.all_simple &= found.is_date;
        self.is_zoned |= found.is_zoned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<Reading> {
        let mut survey = Survey::new(values.len(), None);
        survey.see(&StringArray::from(values.to_vec()));
        survey.finish(false)
    }

    fn many<'a>(value: &'a str, other: &'a str) -> Vec<&'a str> {
        let mut values = vec![value; 39];
        values.push(other);
        values
    }

    #[test]
    fn one_in_twenty_may_be_an_exception() {
        let reading = read(&many("1.5", "N.A.")).unwrap();
        assert_eq!((reading.values, reading.exceptions), (40, 1));
        assert_eq!(reading.examples[0].row, 39);
        assert_eq!(reading.examples[0].text, "N.A.");
        let mut values = many("1.5", "N.A.");
        values[0] = "none";
        values[1] = "none";
        assert_eq!(read(&values), None);
        assert_eq!(read(&["1.5", "N.A."]), None);
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
        assert_eq!(form(&["2026-01-31"]), Some(Form::Dates));
        assert_eq!(
            form(&["2026-01-31", "2026-01-31 10:00:00"]),
            Some(Form::Times { zoned: false })
        );
        assert_eq!(form(&["2026-01-31T10:00:00Z"]), Some(Form::Times { zoned: true }));
    }
}
