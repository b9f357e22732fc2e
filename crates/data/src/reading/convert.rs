//! A piece of text as what it was found to say.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};

use super::form::Form;
use super::numeral::{Numeral, numeral};
use super::time::{moment, time_of_day};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The name of the zone of times that have one.
const ZONE: &str = "UTC";

impl Form {
    /// The type of what is read.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Numbers { integers: true, .. } => DataType::Int64,
            Self::Numbers { integers: false, .. } => DataType::Float64,
            Self::Dates { .. } => DataType::Date32,
            Self::Clocks => DataType::Time64(TimeUnit::Microsecond),
            Self::Times { zoned, .. } => {
                DataType::Timestamp(TimeUnit::Microsecond, zoned.then(|| ZONE.into()))
            }
        }
    }
}

/// Reads a piece as the form says; what is not of the form is missing.
pub(crate) fn convert(piece: &StringArray, form: &Form) -> ArrayRef {
    match form {
        Form::Numbers { decimal, percent, currency, unit, integers, .. } => {
            let is_of_form = |found: &Numeral<'_>| {
                found.is_percent == *percent
                    && (found.currency.is_none() || found.currency == *currency)
                    && found.unit == unit.as_deref()
            };
            let read = |text| numeral(text, *decimal).filter(is_of_form);
            if *integers {
                let value = |found: Numeral<'_>| found.integer;
                Arc::new(
                    piece
                        .iter()
                        .map(|text| text.and_then(read).and_then(value))
                        .collect::<Int64Array>(),
                )
            } else {
                let value = |found: Numeral<'_>| found.value;
                Arc::new(
                    piece
                        .iter()
                        .map(|text| text.and_then(read).map(value))
                        .collect::<Float64Array>(),
                )
            }
        }
        Form::Dates { order } => {
            let day = |text| {
                let found = moment(text, *order).filter(|found| found.is_date)?;
                i32::try_from(found.micros.div_euclid(DAY)).ok()
            };
            Arc::new(piece.iter().map(|text| text.and_then(day)).collect::<Date32Array>())
        }
        Form::Clocks => {
            let times = piece.iter().map(|text| text.and_then(time_of_day));
            Arc::new(times.collect::<Time64MicrosecondArray>())
        }
        Form::Times { order, zoned } => {
            let micros = |text| moment(text, *order).map(|found| found.micros);
            let times: TimestampMicrosecondArray =
                piece.iter().map(|text| text.and_then(micros)).collect();
            Arc::new(if *zoned { times.with_timezone(ZONE) } else { times })
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;

    use super::super::form::Decimal;
    use super::*;

    #[test]
    fn exceptions_are_missing() {
        let piece = StringArray::from(vec![Some("$1,200"), None, Some("€4"), Some("3")]);
        let form = Form::Numbers {
            decimal: Decimal::Point,
            percent: false,
            currency: Some("$"),
            unit: None,
            grouped: true,
            integers: false,
        };
        let read = convert(&piece, &form);
        let expected = Float64Array::from(vec![Some(1200.0), None, None, Some(3.0)]);
        assert_eq!(read.as_ref(), &expected as &dyn arrow_array::Array);
        assert_eq!(read.null_count(), 2);
    }
}
