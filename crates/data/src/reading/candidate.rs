//! A form that a column of text may have, and how far its values agree with it.

use super::expected::Expected;
use super::form::{DateOrder, Decimal};
use super::found::Exception;
use super::moment::Moment;
use super::numeral::{Numeral, numeral};
use super::time::{moment, time_of_day};

/// Exceptions that are kept as examples.
const EXAMPLES_MAX: usize = 3;

/// A form that the column may have.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, made one by one")]
pub(super) struct Candidate {
    pub(super) shape: Shape,
    pub(super) hits: usize,
    pub(super) exceptions: usize,
    pub(super) examples: Vec<Exception>,
    /// Of numbers: whether all are integers. Of times: whether all are dates.
    pub(super) all_simple: bool,
    pub(super) has_padded: bool,
    pub(super) is_grouped: bool,
    pub(super) is_zoned: bool,
    /// The currency of all amounts, as two do not compare: that which is expected, or else the first.
    pub(super) currency: Option<&'static str>,
    pub(super) has_currency: bool,
    /// The unit of all values, where they have one: that which is expected, or else the first.
    pub(super) unit: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Number { decimal: Decimal, behind: Behind },
    Time(DateOrder),
    Clock,
}

/// What stands behind each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    Nothing,
    Percent,
    Unit,
}

impl Behind {
    fn of(found: &Numeral<'_>) -> Self {
        match found {
            Numeral { is_percent: true, .. } => Self::Percent,
            Numeral { unit: Some(_), .. } => Self::Unit,
            _ => Self::Nothing,
        }
    }
}

/// What one text says, as far as there are candidates for it.
pub(super) struct Said<'a> {
    point: Option<Numeral<'a>>,
    comma: Option<Numeral<'a>>,
    /// In the order of [`DateOrder::ALL`].
    moments: [Option<Moment>; 3],
}

impl<'a> Said<'a> {
    /// Reads it in all ways that are wanted.
    pub(super) fn of(text: &'a str, candidates: &[Candidate]) -> Self {
        let number = |wanted| {
            let is_wanted = |candidate: &Candidate| matches!(candidate.shape, Shape::Number { decimal, .. } if decimal == wanted);
            candidates.iter().any(is_wanted).then(|| numeral(text, wanted)).flatten()
        };
        let time = |order| {
            let is_wanted = |candidate: &Candidate| candidate.shape == Shape::Time(order);
            candidates.iter().any(is_wanted).then(|| moment(text, order)).flatten()
        };
        Self {
            point: number(Decimal::Point),
            comma: number(Decimal::Comma),
            moments: DateOrder::ALL.map(time),
        }
    }

    fn numeral(&self, decimal: Decimal) -> Option<Numeral<'a>> {
        match decimal {
            Decimal::Point => self.point,
            Decimal::Comma => self.comma,
        }
    }

    fn moment(&self, order: DateOrder) -> Option<Moment> {
        let place = DateOrder::ALL.iter().position(|one| *one == order)?;
        self.moments.get(place).copied().flatten()
    }
}

/// The ways to write numbers with this decimal sign; first with the currency and the unit that are expected.
pub(super) fn numbers(decimal: Decimal, expected: &Expected<'_>) -> Vec<Candidate> {
    let number = |behind| Candidate::new(Shape::Number { decimal, behind });
    let currency = expected.currency();
    let paid = currency.map(|_| Candidate { currency, ..number(Behind::Nothing) });
    let unit = expected.unit().map(str::to_owned);
    let measured = unit.is_some().then(|| Candidate { unit, ..number(Behind::Unit) });
    let any = [Behind::Nothing, Behind::Percent, Behind::Unit].map(number);
    paid.into_iter().chain(measured).chain(any).collect()
}

impl Candidate {
    pub(super) fn new(shape: Shape) -> Self {
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
            has_currency: false,
            unit: None,
        }
    }

    /// Integers of which some are written with leading zeros.
    pub(super) fn is_labels(&self) -> bool {
        self.has_padded && self.all_simple
    }

    pub(super) fn see(&mut self, row: usize, text: &str, said: &Said<'_>) {
        let is_hit = match self.shape {
            Shape::Number { decimal, behind } => {
                let found = said.numeral(decimal).filter(|found| self.is_alike(found, behind));
                found.map(|found| self.note_number(found)).is_some()
            }
            Shape::Time(order) => said.moment(order).map(|found| self.note_time(found)).is_some(),
            Shape::Clock => time_of_day(text).is_some(),
        };
        if is_hit {
            self.hits += 1;
            return;
        }
        self.exceptions += 1;
        self.keep_example(row, text);
    }

    pub(super) fn keep_example(&mut self, row: usize, text: &str) {
        if self.examples.len() < EXAMPLES_MAX {
            let text = crate::error::shorten(text);
            self.examples.push(Exception { row, line: None, text });
        }
    }

    /// Whether a number is in the currency and the unit of those before.
    fn is_alike(&self, found: &Numeral<'_>, behind: Behind) -> bool {
        let is_paid_so = self.currency.is_none() || found.currency.is_none();
        let is_measured_so = self.unit.is_none() || self.unit.as_deref() == found.unit;
        Behind::of(found) == behind
            && (is_paid_so || self.currency == found.currency)
            && is_measured_so
    }

    fn note_number(&mut self, found: Numeral<'_>) {
        self.all_simple &= found.integer.is_some();
        self.has_padded |= found.is_padded;
        self.is_grouped |= found.is_grouped;
        if found.currency.is_some() {
            self.has_currency = true;
            self.currency = found.currency;
        }
        if self.unit.is_none() {
            self.unit = found.unit.map(str::to_owned);
        }
    }

    fn note_time(&mut self, found: Moment) {
        self.all_simple &= found.is_date;
        self.is_zoned |= found.is_zoned;
    }
}
