//! The busiest requests in the form in which clients send them, read straight into what the trait
//! takes.
//!
//! Whatever is not exactly of that form (a number in a string, another spelling of a name, a field
//! too many, twice or missing) is none here, and goes the long way through [`super::shape`], which
//! also knows what to say about it. So this reader may be strict, but never wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use trainyard_mlflow::LogBatch;
use trainyard_mlflow::entities::{KeyValue, Metric};

/// `runs/log-metric`: the run and the metric.
pub(super) fn log_metric(body: &[u8]) -> Option<(String, Metric)> {
    let message: LogMetricMessage = serde_json::from_slice(body).ok()?;
    let LogMetricMessage { run_id, run_uuid, key, value, timestamp, step, .. } = message;
    let agrees = run_uuid.is_none_or(|uuid| uuid == run_id);
    if run_id.is_empty() || key.is_empty() || !agrees {
        return None;
    }
    let metric = Metric {
        key,
        value: value.0,
        timestamp,
        step,
        model_id: filled(message.model_id),
        dataset_name: filled(message.dataset_name),
        dataset_digest: filled(message.dataset_digest),
        run_id: None,
    };
    Some((run_id, metric))
}

/// `runs/log-batch`: the run and what is logged to it.
pub(super) fn log_batch(body: &[u8]) -> Option<(String, LogBatch)> {
    let message: LogBatchMessage = serde_json::from_slice(body).ok()?;
    let LogBatchMessage { run_id, metrics, params, tags } = message;
    let named = !run_id.is_empty()
        && metrics.iter().all(|metric| !metric.key.is_empty())
        && params.iter().chain(&tags).all(|entry| !entry.key.is_empty());
    if !named {
        return None;
    }
    let metrics = metrics.into_iter().map(Metric::from).collect();
    Some((run_id, LogBatch { metrics, params, tags }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogMetricMessage {
    run_id: String,
    run_uuid: Option<String>,
    key: String,
    value: Double,
    timestamp: i64,
    #[serde(default)]
    step: i64,
    model_id: Option<String>,
    dataset_name: Option<String>,
    dataset_digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogBatchMessage {
    run_id: String,
    #[serde(default, deserialize_with = "few")]
    metrics: Vec<MetricMessage>,
    #[serde(default, deserialize_with = "few")]
    params: Vec<KeyValue>,
    #[serde(default, deserialize_with = "few")]
    tags: Vec<KeyValue>,
}

/// Most entries of a list that are read here: what a batch may have. Longer ones go the long way, where
/// their memory is counted.
const ENTRIES_MAX: usize = 1000;

/// A list that is not too long.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricMessage {
    key: String,
    value: Double,
    timestamp: i64,
    #[serde(default)]
    step: i64,
    model_id: Option<String>,
    dataset_name: Option<String>,
    dataset_digest: Option<String>,
}

impl From<MetricMessage> for Metric {
    fn from(message: MetricMessage) -> Self {
        Self {
            key: message.key,
            value: message.value.0,
            timestamp: message.timestamp,
            step: message.step,
            model_id: filled(message.model_id),
            dataset_name: filled(message.dataset_name),
            dataset_digest: filled(message.dataset_digest),
            run_id: None,
        }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A number, or one of the three words for what is none.
struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DoubleVisitor)
    }
}

struct DoubleVisitor;

impl Visitor<'_> for DoubleVisitor {
    type Value = Double;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Double, E> {
        Ok(Double(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Double, E> {
        Ok(Double(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Double, E> {
        Ok(Double(value as f64))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Double, E> {
        match text {
            "NaN" => Ok(Double(f64::NAN)),
            "Infinity" => Ok(Double(f64::INFINITY)),
            "-Infinity" => Ok(Double(f64::NEG_INFINITY)),
            _ => Err(E::custom("not one of proto3's words for a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::metrics::LOG_METRIC;
    use super::super::request::{Fields, JsonBody};

    use super::super::runs::{LOG_BATCH, batch_of};
    use super::*;

    fn the_long_way(body: &str, shape: &'static super::super::shape::Shape) -> Option<Fields> {
        JsonBody::of(body).read(shape).ok()
    }

    #[test]
    fn the_clients_own_form_is_usual() {
        let body = r#"{"run_uuid": "r", "run_id": "r", "key": "loss", "value": 0.5, "timestamp": 7, "step": 2}"#;
        let (run_id, metric) = log_metric(body.as_bytes()).unwrap();
        assert_eq!((run_id.as_str(), metric), ("r", Metric::new("loss", 0.5, 7, 2)));
        let body = r#"{"run_id": "r", "metrics": [{"key": "a", "value": "NaN", "timestamp": 1}], "params": [{"key": "p", "value": "1"}]}"#;
        let (_, batch) = log_batch(body.as_bytes()).unwrap();
        assert!(batch.metrics[0].value.is_nan());
        assert_eq!(batch.params, [KeyValue::new("p", "1")]);
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
            assert!(log_metric(body.as_bytes()).is_none(), "{body}");
        }
        assert!(log_batch(br#"{"run_id": "r", "params": [{"value": "1"}]}"#).is_none());
    }

    proptest! {
        /// Both ways read the same, or the short one does not read it.
        #[test]
        fn both_ways_agree(
            key in "[a-z\u{e9}\"\\\\]{0,3}",
            value in prop_oneof![Just("1".to_owned()), Just("\"NaN\"".to_owned()), Just("-0.25e3".to_owned()), Just("true".to_owned()), Just("18446744073709551615".to_owned())],
            timestamp in prop_oneof![Just("5".to_owned()), Just("\"5\"".to_owned()), Just("5.0".to_owned()), Just("null".to_owned())],
            extra in prop_oneof![Just(""), Just(",\"step\":3"), Just(",\"step\":null"), Just(",\"modelId\":\"m\""), Just(",\"model_id\":\"\""), Just(",\"other\":[1]")],
        ) {
            let key = serde_json::to_string(&key).unwrap();
            let members = format!(r#""key":{key},"value":{value},"timestamp":{timestamp}{extra}"#);
            let body = format!(r#"{{"run_id":"r",{members}}}"#);
            if let Some((run_id, short)) = log_metric(body.as_bytes()) {
                let mut fields = the_long_way(&body, &LOG_METRIC).unwrap();
                prop_assert_eq!(run_id, fields.run_id());
                prop_assert_eq!(format!("{short:?}"), format!("{:?}", fields.metric()));
            }
            let body = format!(r#"{{"run_id":"r","metrics":[{{{members}}}],"tags":[{{"key":{key}}}]}}"#);
            if let Some((_, short)) = log_batch(body.as_bytes()) {
                let mut fields = the_long_way(&body, &LOG_BATCH).unwrap();
                prop_assert_eq!(format!("{short:?}"), format!("{:?}", batch_of(&mut fields)));
            }
        }
    }
}
