//! Doubles as proto3 JSON writes them: `NaN` and the infinities are strings.

use serde::{Deserialize, Deserializer, Serializer, de};

/// Writes a finite double as a number, anything else as `"NaN"`, `"Infinity"`, `"-Infinity"`.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else if value.is_nan() {
        serializer.serialize_str("NaN")
    } else if *value > 0.0 {
        serializer.serialize_str("Infinity")
    } else {
        serializer.serialize_str("-Infinity")
    }
}

/// Reads a number or a string that holds one.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(f64),
        Text(String),
    }
    match NumberOrText::deserialize(deserializer)? {
        NumberOrText::Number(value) => Ok(value),
        NumberOrText::Text(text) => text
            .trim()
            .parse()
            .map_err(|_error| de::Error::invalid_value(de::Unexpected::Str(&text), &"a number")),
    }
}

/// Reads an int64 that may have been written as a string, as proto3 JSON allows.
pub mod int64 {
    use serde::{Deserialize, Deserializer, de};

    /// Reads a whole number or a string that holds one.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum IntOrText {
            Int(i64),
            Text(String),
        }
        match IntOrText::deserialize(deserializer)? {
            IntOrText::Int(value) => Ok(value),
            IntOrText::Text(text) => text.trim().parse().map_err(|_error| {
                de::Error::invalid_value(de::Unexpected::Str(&text), &"a whole number")
            }),
        }
    }

    /// The same for a field that may be absent or null.
    pub mod option {
        use serde::{Deserialize, Deserializer};

        /// Reads a whole number, a string that holds one, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<i64>, D::Error> {
            #[derive(Deserialize)]
            struct Wrapped(
                #[serde(deserialize_with = "crate::entities::number::int64::deserialize")] i64,
            );
            Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|wrapped| wrapped.0))
        }
    }
}
