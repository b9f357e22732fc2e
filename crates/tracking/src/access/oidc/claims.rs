//! What a token claims, held against what is expected of it: from whom, for whom, and when.

use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::fetch::shown;
use super::jwk::Jwk;
use super::jwt::Unverified;
use super::refused::Refused;

/// What clocks may differ by, in seconds.
const SKEW_SECONDS: f64 = 60.0;

/// What a token has to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    /// One of these is whom it is for.
    pub(super) audiences: &'a [String],
    /// What this server sent with the request that it answers, if it answers one.
    pub(super) nonce: Option<&'a str>,
    /// Seconds since the Unix epoch.
    pub(super) now: f64,
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// A time of a token, in seconds; refused if it is there and no number.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refused> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|seconds| seconds.is_finite()) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(Refused::token(format!("the token's {name} is no number"))),
        },
    }
}

/// Whom a token is for.
fn audiences(claims: &Map<String, Value>) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The claims of a token that one of these keys signed and that is as expected.
pub(super) fn verified(
    token: Unverified<'_>,
    keys: &[Jwk],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, Refused> {
    let signed = keys.iter().any(|key| {
        key.fits(token.kid.as_deref(), token.algorithm)
            && key.verifies(token.algorithm, token.message, &token.signature)
    });
    if !signed {
        return Err(Refused::token("the token's signature is not its provider's"));
    }
    check(&token.claims, expected)?;
    Ok(token.claims)
}

/// Refuses claims that are not as expected.
fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Refused> {
    if text(claims, "iss") != Some(expected.issuer) {
        return Err(Refused::token("the token is of another issuer"));
    }
    let theirs = audiences(claims);
    if !expected.audiences.iter().any(|ours| theirs.contains(&ours.as_str())) {
        return Err(Refused::token(format!(
            "the token is for {}, and this server is {}",
            shown(&theirs.join(", ")),
            expected.audiences.join(", ")
        )));
    }
    let Some(end) = time(claims, "exp")? else {
        return Err(Refused::token("the token has no end (exp)"));
    };
    if end + SKEW_SECONDS <= expected.now {
        return Err(Refused::token("the token has expired"));
    }
    for name in ["nbf", "iat"] {
        if time(claims, name)?.is_some_and(|start| start > expected.now + SKEW_SECONDS) {
            return Err(Refused::token("the token is of a time that has yet to come"));
        }
    }
    if let Some(nonce) = expected.nonce {
        let theirs = text(claims, "nonce").unwrap_or_default();
        if !bool::from(theirs.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(Refused::token("the token answers another sign-in (nonce)"));
        }
        // OpenID Connect Core, 3.1.3.7: if it says for whose use it is, then for ours.
        if text(claims, "azp").is_some_and(|party| !expected.audiences.iter().any(|a| a == party)) {
            return Err(Refused::token("the token is for the use of another client (azp)"));
        }
    }
    Ok(())
}

/// When verified claims end, in milliseconds since the Unix epoch.
pub(super) fn end_millis(claims: &Map<String, Value>) -> i64 {
    claims.get("exp").and_then(Value::as_f64).map_or(0, |seconds| (seconds * 1000.0) as i64)
}

/// When they were made, in the same.
pub(super) fn issued_millis(claims: &Map<String, Value>) -> i64 {
    claims.get("iat").and_then(Value::as_f64).map_or(0, |seconds| (seconds * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_800_000_000.0;

    /// The refusal of claims that are good but for what is given.
    fn refusal(change: &Value, nonce: Option<&str>) -> Option<String> {
        let mut claims = json!({
            "iss": "https://i", "aud": "trainyard", "exp": NOW + 300.0, "iat": NOW, "nonce": "n",
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let audiences = ["trainyard".to_owned(), "https://mlflow".to_owned()];
        let expected = Expected { issuer: "https://i", audiences: &audiences, nonce, now: NOW };
        check(claims.as_object().unwrap(), &expected).err().map(|error| error.to_string())
    }

    #[test]
    fn good_claims_pass() {
        for change in [
            json!({}),
            json!({ "aud": ["other", "https://mlflow"] }),
            json!({ "exp": NOW - 59.0 }),
            json!({ "nbf": NOW + 59.0, "iat": NOW + 59.0 }),
            json!({ "azp": "trainyard" }),
        ] {
            assert_eq!(refusal(&change, Some("n")), None, "{change}");
        }
        assert_eq!(refusal(&json!({ "nonce": null }), None), None);
    }

    #[test]
    fn claims_of_others_for_others_and_of_other_times_do_not() {
        for (change, reason) in [
            (json!({ "iss": "https://i/" }), "issuer"),
            (json!({ "iss": null }), "issuer"),
            (json!({ "aud": "other" }), "for other"),
            (json!({ "aud": "trainyard2" }), "for trainyard2"),
            (json!({ "aud": null }), "for"),
            (json!({ "aud": [] }), "for"),
            (json!({ "exp": null }), "exp"),
            (json!({ "exp": "1800000300" }), "exp is no number"),
            (json!({ "exp": NOW - 60.0 }), "expired"),
            (json!({ "nbf": NOW + 61.0 }), "yet to come"),
            (json!({ "nbf": "soon" }), "nbf is no number"),
            (json!({ "iat": NOW + 61.0 }), "yet to come"),
            (json!({ "nonce": "m" }), "nonce"),
            (json!({ "nonce": null }), "nonce"),
            (json!({ "azp": "other" }), "azp"),
        ] {
            let error = refusal(&change, Some("n")).expect("a refusal");
            assert!(error.contains(reason), "{change}: {error}");
        }
    }
}
