//! What is known of a column of text before it is looked at.

use super::form::{DateOrder, Decimal, Form};

/// What is known of a column: nothing, by default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected<'a> {
    /// How its decimals are written, for certain.
    pub(crate) decimal: Option<Decimal>,
    /// What it is.
    pub(crate) sort: Option<Sort>,
    /// What a column that it is compared with was found to be. It counts where both are possible.
    pub(crate) form: Option<&'a Form>,
}

/// What a column is, whatever some of its values say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Numbers,
    Times,
    Clocks,
}

impl Expected<'_> {
    /// The decimal sign that counts where a number can be read with either.
    pub(super) fn likely_decimal(&self) -> Decimal {
        let of_form = match self.form {
            Some(Form::Numbers { decimal, .. }) => Some(*decimal),
            _ => None,
        };
        self.decimal.or(of_form).unwrap_or(Decimal::Point)
    }

    /// The orders of dates; of those that fit equally well the first counts. 01/02/2026 alone is in January, as for
    /// pandas.
    pub(super) fn date_orders(&self) -> [DateOrder; 3] {
        match self.form {
            Some(
                Form::Dates { order: DateOrder::Day } | Form::Times { order: DateOrder::Day, .. },
            ) => [DateOrder::Year, DateOrder::Day, DateOrder::Month],
            _ => [DateOrder::Year, DateOrder::Month, DateOrder::Day],
        }
    }

    /// The currency of the column that it is compared with.
    pub(super) fn currency(&self) -> Option<&'static str> {
        match self.form? {
            Form::Numbers { currency, .. } => *currency,
            _ => None,
        }
    }

    /// The unit of the column that it is compared with.
    pub(super) fn unit(&self) -> Option<&str> {
        match self.form? {
            Form::Numbers { unit, .. } => unit.as_deref(),
            _ => None,
        }
    }
}
