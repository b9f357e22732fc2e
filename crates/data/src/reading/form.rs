//! The forms in which text holds numbers or times.

use std::fmt;

/// What stands before the decimals of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decimal {
    /// `1,234.5`
    Point,
    /// `1.234,5`
    Comma,
}

impl Decimal {
    pub(super) fn sign(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }

    /// Whether the character may stand between groups of thousands: blanks (also those that do not break
    /// a line), apostrophes, and the other of point and comma.
    pub(super) fn groups(self, character: char) -> bool {
        match character {
            ' ' | '\u{a0}' | '\u{202f}' | '\'' | '\u{2019}' => true,
            ',' => self == Self::Point,
            '.' => self == Self::Comma,
            _ => false,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Point => "point",
            Self::Comma => "comma",
        })
    }
}

/// What stands first in a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// ISO 8601 and its like, and all dates whose month is a word.
    Year,
    /// `31/12/2026`
    Day,
    /// `12/31/2026`
    Month,
}

impl DateOrder {
    /// All orders.
    pub(super) const ALL: [Self; 3] = [Self::Year, Self::Day, Self::Month];

    /// What is said beside dates of this order.
    fn words(self) -> &'static str {
        match self {
            Self::Year => "",
            Self::Day => ", day first",
            Self::Month => ", month first",
        }
    }
}

/// What the text of a column says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Numbers.
    Numbers {
        /// How decimals are written.
        decimal: Decimal,
        /// Each has a percent sign, which is left off: `12.3%` is 12.3.
        percent: bool,
        /// The currency with which some are written; amounts in another are missing.
        currency: Option<&'static str>,
        /// The unit behind each of them, which is left off: `80 kg` is 80.
        unit: Option<String>,
        /// Some have their thousands in groups.
        grouped: bool,
        /// All are integers, and none is missing: the column is Int64, else Float64.
        integers: bool,
    },
    /// Dates without a time of day: Date32.
    Dates {
        /// How they are written.
        order: DateOrder,
    },
    /// Times of day, where they are expected: Time64 in microseconds.
    Clocks,
    /// Dates with a time of day: Timestamp in microseconds.
    Times {
        /// How their dates are written.
        order: DateOrder,
        /// Some say their distance from UTC; the others are taken for UTC.
        zoned: bool,
    },
}

impl Form {
    /// What one value is: `number`, `date`, `time`.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Numbers { .. } => "number",
            Self::Dates { .. } => "date",
            Self::Clocks => "time of day",
            Self::Times { .. } => "time",
        }
    }
}

impl fmt::Display for Form {
    /// In words: `numbers, without their percent signs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dates { order } => write!(f, "dates{}", order.words()),
            Self::Clocks => f.write_str("times of day"),
            Self::Times { order, zoned: false } => write!(f, "times{}", order.words()),
            Self::Times { order, zoned: true } => write!(f, "times in UTC{}", order.words()),
            Self::Numbers { decimal, percent, currency, unit, grouped, .. } => {
                f.write_str("numbers")?;
                if *decimal == Decimal::Comma {
                    f.write_str(" with decimal commas")?;
                }
                if *percent {
                    f.write_str(", percent signs left off")?;
                }
                if let Some(currency) = currency {
                    write!(f, ", {currency} left off")?;
                }
                if let Some(unit) = unit {
                    write!(f, ", {unit} left off")?;
                }
                if *grouped {
                    f.write_str(", thousands joined")?;
                }
                Ok(())
            }
        }
    }
}
