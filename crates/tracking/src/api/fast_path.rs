//! The fast path of the busiest requests: in the form in which clients send them, they are read without a
//! tree.
//!
//! Whatever is not exactly of that form (a number in a string, another spelling of a name, a field
//! too many, twice or missing) is none here, and goes the long way through [`super::fields`], which
//! also knows what to say about it. So this reader may be strict, but never wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};

use super::error::Result;
use super::message::Message;
use super::request::{Fields, JsonBody};

/// A message that requires texts, which its derived reader takes for there if they are empty.
pub(super) trait Named {
    /// Whether none of them is.
    fn is_named(&self) -> bool;
}

/// Reads a message, whatever its form.
pub(super) fn read<T: Message + Named + DeserializeOwned>(body: JsonBody) -> Result<Fields<T>> {
    match strict::<T>(body.bytes()) {
        Some(message) => Ok(body.with(message)),
        None => Ok(body.read()?),
    }
}

fn strict<T: Named + DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok().filter(Named::is_named)
}

/// An optional text as [`super::message`] reads one.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Most entries of a list that are read here: what a batch may have. Longer ones go the long way, where
/// their memory is counted.
const ENTRIES_MAX: usize = 1000;

/// A list that is not too long.
pub(super) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                if list.len() >= ENTRIES_MAX {
                    return Err(serde::de::Error::custom("not few"));
                }
                list.push(item);
            }
            Ok(list)
        }
    }

    from.deserialize_seq(Few(PhantomData))
}

/// A number, or one of the three words for what is none.
pub(super) fn double<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    from.deserialize_any(DoubleVisitor)
}

struct DoubleVisitor;

impl Visitor<'_> for DoubleVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(E::custom("not one of proto3's words for a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::metrics::LogMetric;
    use super::super::runs::Batch;
    use super::*;

    fn is_fast<T: Named + DeserializeOwned>(body: &str) -> bool {
        strict::<T>(body.as_bytes()).is_some()
    }

    #[test]
    fn the_clients_own_form_is_fast() {
        for body in [
            r#"{"run_uuid": "r", "run_id": "r", "key": "loss", "value": 0.5, "timestamp": 7, "step": 2}"#,
            r#"{"run_id": "r", "key": "loss", "value": "-Infinity", "timestamp": 7, "model_id": null}"#,
        ] {
            assert!(is_fast::<LogMetric>(body), "{body}");
        }
        let body = r#"{"run_id": "r", "metrics": [{"key": "a", "value": "NaN", "timestamp": 1}], "params": [{"key": "p", "value": "1"}]}"#;
        assert!(is_fast::<Batch>(body));
    }

    #[test]
    fn everything_else_goes_the_long_way() {
        for body in [
            r#"{"runId": "r", "key": "k", "value": 1, "timestamp": 1}"#,
            r#"{"run_id": "r", "key": "k", "value": "1", "timestamp": 1}"#,
            r#"{"run_id": "r", "key": "k", "value": 1, "timestamp": "1"}"#,
            r#"{"run_id": "r", "key": "k", "value": 1, "timestamp": 1, "step": 1.5}"#,
            r#"{"run_id": "r", "key": "k", "value": 1}"#,
            r#"{"run_id": "r", "key": "", "value": 1, "timestamp": 1}"#,
            r#"{"run_id": "", "run_uuid": "r", "key": "k", "value": 1, "timestamp": 1}"#,
            r#"{"run_id": "r", "key": "k", "value": null, "timestamp": 1}"#,
            r#"{"run_id": "r", "key": "k", "key": "j", "value": 1, "timestamp": 1}"#,
            r#"{"run_id": "r", "key": "k", "value": NaN, "timestamp": 1}"#,
        ] {
            assert!(!is_fast::<LogMetric>(body), "{body}");
        }
        assert!(!is_fast::<Batch>(r#"{"run_id": "r", "params": [{"value": "1"}]}"#));
    }

    /// What both ways make of a body; an optional text that is empty is unset on the one and empty on the
    /// other, until the handler makes it unset.
    fn both<T: Message + Named + DeserializeOwned + fmt::Debug>(body: &str) -> Option<[String; 2]> {
        let fast = strict::<T>(body.as_bytes())?;
        let Fields(long, _) = JsonBody::of(body).read::<T>().unwrap();
        Some([format!("{fast:?}").replace("Some(\"\")", "None"), format!("{long:?}")])
    }

    proptest! {
        /// Both ways read the same, or the fast one does not read it.
        #[test]
        fn both_ways_agree(
            key in "[a-z\u{e9}\"\\\\]{0,3}",
            value in prop_oneof![Just("1".to_owned()), Just("\"NaN\"".to_owned()), Just("-0.25e3".to_owned()), Just("true".to_owned()), Just("18446744073709551615".to_owned())],
            timestamp in prop_oneof![Just("5".to_owned()), Just("\"5\"".to_owned()), Just("5.0".to_owned()), Just("null".to_owned())],
            extra in prop_oneof![Just(""), Just(",\"step\":3"), Just(",\"step\":null"), Just(",\"modelId\":\"m\""), Just(",\"model_id\":\"\""), Just(",\"other\":[1]"), Just(",\"run_uuid\":\"u\"")],
        ) {
            let key = serde_json::to_string(&key).unwrap();
            let members = format!(r#""key":{key},"value":{value},"timestamp":{timestamp}{extra}"#);
            let body = format!(r#"{{"run_id":"r",{members}}}"#);
            if let Some([fast, long]) = both::<LogMetric>(&body) {
                prop_assert_eq!(fast, long);
            }
            let body = format!(r#"{{"run_id":"r","metrics":[{{{members}}}],"tags":[{{"key":{key}}}]}}"#);
            if let Some([fast, long]) = both::<Batch>(&body) {
                prop_assert_eq!(fast, long);
            }
        }
    }
}
