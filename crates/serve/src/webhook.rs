//! Webhooks of the registry: "the alias moved" arrives the moment it does.
//!
//! MLflow signs a webhook with a shared secret (`mlflow/webhooks/delivery.py`):
//! `X-MLflow-Signature: v1,<base64 of HMAC-SHA256>` over `<delivery id>.<timestamp>.<body>`. What it
//! says is only a reason to look: the registry is asked, never the webhook believed, so the worst
//! that a stolen secret does is to make the server look.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use serde::Deserialize;
use sha2::Sha256;

/// How far a webhook's clock may be from ours, as MLflow recommends: older ones are repeats.
const AGE_SECONDS_MAX: u64 = 300;

/// What MLflow sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Webhook {
    /// `model_version_alias`, `model_version`, …
    entity: String,
    #[serde(default)]
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
struct Data {
    name: Option<String>,
}

impl Webhook {
    /// Whether it may mean another version for this registered model.
    pub(crate) fn concerns(&self, registered: Option<&str>) -> bool {
        let of_models = ["registered_model", "model_version", "model_version_alias"];
        of_models.contains(&self.entity.as_str())
            && (self.data.name.is_none() || self.data.name.as_deref() == registered)
    }
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// No signature, a wrong one, or one that is too old.
    Signature(&'static str),
    /// Not a webhook.
    Content(String),
}

/// Checks the signature, then reads the webhook.
pub(crate) fn read(headers: &HeaderMap, body: &[u8], secret: &str) -> Result<Webhook, Unfit> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    verify(headers, body, secret, now).map_err(Unfit::Signature)?;
    serde_json::from_slice(body).map_err(|error| Unfit::Content(format!("not a webhook: {error}")))
}

fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: u64) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(signature), Some(timestamp), Some(delivery)) = (
        header("x-mlflow-signature"),
        header("x-mlflow-timestamp"),
        header("x-mlflow-delivery-id"),
    ) else {
        return Err("a webhook has the headers X-MLflow-Signature, -Timestamp and -Delivery-Id");
    };
    let Ok(sent) = timestamp.parse::<u64>() else { return Err("the timestamp is no number") };
    if sent.abs_diff(now) > AGE_SECONDS_MAX {
        return Err("the webhook is too old");
    }
    let Some(signature) = signature.strip_prefix("v1,") else {
        return Err("the signature is of another version than v1");
    };
    let Ok(signature) = STANDARD.decode(signature) else {
        return Err("the signature is no base64");
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return Err("the secret is unusable");
    };
    for part in [delivery.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    // Takes the same time wherever the difference is.
    mac.verify_slice(&signature).map_err(|_different| "the signature does not match")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `_generate_hmac_signature("secret", "id-1", "1700000000", body)` of MLflow 3.17.2.
    const SIGNATURE: &str = "v1,UdJTsd53/3CooppQ+5jf0gsVMEpwUNnu57fnxAbHIvA=";
    const BODY: &str =
        r#"{"entity": "model_version_alias", "action": "created", "data": {"name": "M"}}"#;

    fn headers(signature: &str, timestamp: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-mlflow-signature", signature),
            ("x-mlflow-timestamp", timestamp),
            ("x-mlflow-delivery-id", "id-1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn mlflows_signature_is_taken_and_nothing_else() {
        let check = |signature: &str, timestamp: &str, body: &str, secret: &str, now| {
            verify(&headers(signature, timestamp), body.as_bytes(), secret, now)
        };
        assert_eq!(check(SIGNATURE, "1700000000", BODY, "secret", 1_700_000_100), Ok(()));
        for (signature, timestamp, body, secret, now, message) in [
            (SIGNATURE, "1700000000", BODY, "secret", 1_700_000_301, "too old"),
            (SIGNATURE, "1700000000", BODY, "other", 1_700_000_000, "does not match"),
            (SIGNATURE, "1700000000", "{}", "secret", 1_700_000_000, "does not match"),
            (SIGNATURE, "1700000001", BODY, "secret", 1_700_000_000, "does not match"),
            ("v1,%", "1700000000", BODY, "secret", 1_700_000_000, "base64"),
            ("v2,AAAA", "1700000000", BODY, "secret", 1_700_000_000, "another version"),
            (SIGNATURE, "now", BODY, "secret", 1_700_000_000, "no number"),
        ] {
            let error = check(signature, timestamp, body, secret, now).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        assert!(verify(&HeaderMap::new(), b"", "secret", 0).is_err());
    }

    #[test]
    fn only_what_concerns_the_model_is_a_reason_to_look() {
        let webhook: Webhook = serde_json::from_str(BODY).unwrap();
        assert!(webhook.concerns(Some("M")));
        assert!(!webhook.concerns(Some("N")));
        assert!(!webhook.concerns(None));
        let tag = BODY.replace("model_version_alias", "prompt");
        assert!(!serde_json::from_str::<Webhook>(&tag).unwrap().concerns(Some("M")));
    }
}
