//! A signed token (RFC 7519, in the compact form of RFC 7515), taken apart and not yet believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::jwk::Algorithm;
use super::refused::Refused;

/// Longest token: a person's, with a hundred groups, has some 8 kB.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Kinds of tokens that are no word of who somebody is, though a provider signs them.
const OTHER_KINDS: [&str; 3] = ["logout+jwt", "secevent+jwt", "dpop+jwt"];

/// A token whose signature is yet to be looked at.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    /// The key that it names.
    pub(super) kid: Option<String>,
    pub(super) claims: Map<String, Value>,
    /// What was signed.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// Whether a secret is written as such tokens are.
pub(crate) fn is_jwt(secret: &str) -> bool {
    secret.starts_with("ey") && secret.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl<'a> Unverified<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, Refused> {
        let malformed = || Refused::token("the token is no signed JWT");
        if token.len() > TOKEN_BYTES_MAX {
            let message = format!("the token has more than {TOKEN_BYTES_MAX} bytes");
            return Err(Refused::token(message));
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        let header = object(header).ok_or_else(malformed)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let name = text("alg").ok_or_else(malformed)?;
        let Some(algorithm) = Algorithm::of_name(name) else {
            return Err(Refused::token(
                "the token is signed by an algorithm that counts for nothing here; RS256 and ES256 do",
            ));
        };
        // RFC 7515, 4.1.11: who does not know an extension that is critical refuses the token.
        if header.contains_key("crit") {
            return Err(Refused::token("the token asks for extensions that are not known here"));
        }
        let is_other =
            |kind: &str| OTHER_KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known));
        if text("typ").is_some_and(is_other) {
            return Err(Refused::token("the token is not one to sign in with"));
        }
        let kid = text("kid").map(str::to_owned);
        let claims = object(claims).ok_or_else(malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_error| malformed())?;
        Ok(Self { algorithm, kid, claims, message: message.as_bytes(), signature })
    }

    /// Who it says that it is of, to know whose keys to look at.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode("signature"))
    }

    #[test]
    fn a_token_is_taken_apart_and_its_algorithm_is_one_that_counts() {
        let good = token(&json!({ "alg": "RS256", "kid": "a" }), &json!({ "iss": "https://i" }));
        assert!(is_jwt(&good));
        let read = Unverified::read(&good).unwrap();
        assert_eq!((read.algorithm, read.kid.as_deref()), (Algorithm::Rs256, Some("a")));
        assert_eq!(
            (read.issuer(), read.signature.as_slice()),
            (Some("https://i"), &b"signature"[..])
        );
        assert!(good.as_bytes().starts_with(read.message));
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": ["RS256"] }),
            json!({}),
            json!({ "alg": "RS256", "crit": ["b64"], "b64": false }),
            json!({ "alg": "RS256", "typ": "Logout+JWT" }),
        ] {
            let bad = token(&header, &json!({}));
            assert!(matches!(Unverified::read(&bad), Err(Refused::Token(_))), "{header}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        let long = format!("ey{}", "a".repeat(TOKEN_BYTES_MAX));
        for text in
            ["", "a", "a.b", "a.b.c", "ey.ey.ey", "e30.e30", "eyJhbGciOiJub25lIn0.e30.", &long]
        {
            let error = Unverified::read(text).unwrap_err().to_string();
            assert!(text.len() < 3 || !error.contains(text), "{error}");
        }
        assert!(!is_jwt("trainyard_00"));
    }
}
