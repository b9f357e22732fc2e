//! Signed JSON for machines.
//!
//! The signature is that of Standard Webhooks (standardwebhooks.com): `webhook-signature` is `v1,` and the base64 of
//! HMAC-SHA256 over `id.timestamp.body`, with `webhook-id` and `webhook-timestamp` beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use sha2::Sha256;

use super::config::{Notify, Occasion};
use super::credential::variable;
use super::deliver::{client, post};
use super::happened::Happened;

/// The signed message.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: Occasion,
    /// RFC 3339.
    timestamp: String,
    model: &'a str,
    text: String,
    data: &'a Happened,
}

/// Tells it, if anybody wants to hear.
pub(super) async fn tell(config: &Notify, model: &str, happened: &Happened) -> Result<(), String> {
    let (Some(url), Some(secret)) = (&config.webhook_url_env, &config.webhook_secret_env) else {
        return Ok(());
    };
    let (url, secret) = (variable(url)?, variable(secret)?);
    let now = chrono::Utc::now();
    let message = Message {
        kind: happened.occasion(),
        timestamp: now.to_rfc3339(),
        model,
        text: happened.text(model),
        data: happened,
    };
    let body = serde_json::to_string(&message).map_err(|error| error.to_string())?;
    // The same for every try, so that a receiver knows what it has had.
    let id = format!("msg_{}_{}", now.timestamp_micros(), std::process::id());
    let timestamp = now.timestamp().to_string();
    let signature = sign(&secret, &id, &timestamp, &body)?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", format!("v1,{signature}")),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
        headers.insert(HeaderName::from_static(name), value);
    }
    post(&client(Vec::new())?, &url, &headers, &body).await
}

/// Base64 of HMAC-SHA256 over `id.timestamp.body`. A secret written as `whsec_…` is base64 itself.
fn sign(secret: &str, id: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|error| {
            format!("the webhook's secret begins with whsec_ but is not base64: {error}")
        })?,
        None => secret.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example of the specification.
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.unwrap(), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(sign("whsec_%", "a", "1", "").unwrap_err().contains("base64"));
    }
}
