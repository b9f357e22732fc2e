//! The datatypes of the Open Inference Protocol, and which values are of them.

use trainyard_base::json::{Kind, Number, Reader, Syntax};

use crate::enforce::cast::{self, Casting, Refusal};
use crate::model::DataType;

/// The largest number of 16 bits and half a step: what is below rounds to a finite one.
const FP16_END: f64 = 65_520.0;

/// A datatype that an input says it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Datatype {
    Bool,
    /// A whole number of so many bits.
    Int(u32),
    /// A whole number of so many bits, and no sign.
    Uint(u32),
    Fp16,
    Fp32,
    Fp64,
    Bytes,
}

/// Their names in requests; the protocol has no others.
const NAMES: [(&str, Datatype); 13] = [
    ("BOOL", Datatype::Bool),
    ("UINT8", Datatype::Uint(8)),
    ("UINT16", Datatype::Uint(16)),
    ("UINT32", Datatype::Uint(32)),
    ("UINT64", Datatype::Uint(64)),
    ("INT8", Datatype::Int(8)),
    ("INT16", Datatype::Int(16)),
    ("INT32", Datatype::Int(32)),
    ("INT64", Datatype::Int(64)),
    ("FP16", Datatype::Fp16),
    ("FP32", Datatype::Fp32),
    ("FP64", Datatype::Fp64),
    ("BYTES", Datatype::Bytes),
];

/// A value that is not of its datatype: what it is, its text, and why it is not.
pub(crate) type Misfit<'t> = (Kind, &'t str, Refusal);

impl Datatype {
    pub(crate) fn of(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, datatype)| *datatype)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, datatype)| *datatype == self).map_or("?", |(name, _)| name)
    }

    /// All names, for a message.
    pub(crate) fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// The type of a column of these values.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int(_) | Self::Uint(_) => DataType::Long,
            Self::Fp16 | Self::Fp32 => DataType::Float,
            Self::Fp64 => DataType::Double,
            Self::Bytes => DataType::String,
        }
    }

    /// Refuses a number that is none of the type. NaN is a missing value, of every type.
    #[inline]
    pub(crate) fn check_number(self, number: Number<'_>) -> Result<(), Refusal> {
        if matches!(number, Number::Real(value) if value.is_nan()) {
            return Ok(());
        }
        match self {
            Self::Fp64 => cast::double(number, Casting::Lossless).map(drop),
            Self::Fp32 => cast::float(number, Casting::Lossless).map(drop),
            Self::Fp16 => match cast::double(number, Casting::Lossless)? {
                value if value.is_finite() && value.abs() >= FP16_END => Err(Refusal::Range),
                _ => Ok(()),
            },
            Self::Int(bits) => {
                let value = cast::long(number, Casting::Lossless)?;
                // What is left above the bits is copies of the sign.
                let rest = value >> (bits - 1);
                if rest == 0 || rest == -1 { Ok(()) } else { Err(Refusal::Range) }
            }
            Self::Uint(64) if matches!(number, Number::BigInt(digits) if digits.parse::<u64>().is_ok()) => {
                Ok(())
            }
            Self::Uint(bits) => {
                let value = cast::long(number, Casting::Lossless)?;
                let fits = value >= 0 && (bits == 64 || value >> bits == 0);
                if fits { Ok(()) } else { Err(Refusal::Range) }
            }
            Self::Bool | Self::Bytes => Err(Refusal::Type),
        }
    }

    /// Whether a value that is neither a number nor a list is of the type. Null is a missing value, of
    /// every type.
    pub(crate) fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Null => true,
            Kind::Boolean => self == Self::Bool,
            Kind::Text => self == Self::Bytes,
            Kind::Number | Kind::Array | Kind::Object => false,
        }
    }

    /// The first value that is not of the type, of the one that comes next or of a list of them.
    pub(crate) fn misfit<'t>(
        self,
        reader: &mut Reader<'t>,
        depth: usize,
    ) -> Result<Option<Misfit<'t>>, Syntax> {
        let kind = reader.kind()?;
        let start = reader.position();
        let outcome = match kind {
            Kind::Number => self.check_number(reader.number()?),
            Kind::Array => {
                reader.check_depth(depth)?;
                let mut more = reader.array_start()?;
                while more {
                    if let Some(misfit) = self.misfit(reader, depth + 1)? {
                        return Ok(Some(misfit));
                    }
                    more = reader.array_next()?;
                }
                Ok(())
            }
            _ => {
                reader.skip()?;
                if self.takes(kind) { Ok(()) } else { Err(Refusal::Type) }
            }
        };
        Ok(outcome.err().map(|refusal| (kind, reader.since(start), refusal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_of_a_type_or_not() {
        let cases: [(&str, &[&str], &[&str]); 13] = [
            ("BOOL", &["NaN"], &["0", "1", "1.0"]),
            ("UINT8", &["0", "255", "7.0", "NaN"], &["-1", "256", "1.5", "Infinity", "1e400"]),
            ("UINT16", &["0", "65535"], &["-1", "65536"]),
            ("UINT32", &["0", "4294967295"], &["-1", "4294967296"]),
            ("UINT64", &["0", "18446744073709551615"], &["-1", "18446744073709551616", "0.5"]),
            ("INT8", &["-128", "127"], &["-129", "128"]),
            ("INT16", &["-32768", "32767"], &["-32769", "32768"]),
            ("INT32", &["-2147483648", "2147483647"], &["-2147483649", "2147483648"]),
            (
                "INT64",
                &["-9223372036854775808", "9223372036854775807", "-0", "2.0"],
                &["9223372036854775808", "1.5", "-Infinity", "1e300"],
            ),
            ("FP16", &["65504", "-65519.9", "0.1", "Infinity", "NaN"], &["65520", "-7e4", "1e400"]),
            ("FP32", &["3.4e38", "1e-50", "-Infinity", "16777217"], &["1e39", "-1e300", "1e400"]),
            ("FP64", &["1.7e308", "Infinity", "18446744073709551616"], &["1e400"]),
            ("BYTES", &["NaN"], &["1", "1.5"]),
        ];
        for (name, of_it, not_of_it) in cases {
            let datatype = Datatype::of(name).unwrap();
            assert_eq!(datatype.name(), name);
            let check = |text| datatype.check_number(Reader::new(text, 1).number().unwrap());
            for text in of_it {
                assert_eq!(check(text), Ok(()), "{name}: {text}");
            }
            for text in not_of_it {
                assert!(check(text).is_err(), "{name}: {text}");
            }
        }
        assert!(Datatype::of("INT65").is_none() && Datatype::of("fp32").is_none());
    }
}
