//! Keys of a provider (RFC 7517) and what they signed (RFC 7518).
//!
//! A key says by itself which algorithms it can be for, and a token's `alg` only chooses among those: neither
//! `none` nor a secret that is a public key is an algorithm here. The cryptography is ring's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Map, Value};

/// Keys of one provider; large ones have a few.
const KEYS_MAX: usize = 100;
/// Bytes of a number in a key: RSA of 8,192 bits.
const NUMBER_BYTES_MAX: usize = 1024;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// None of those that count for nothing here.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// What a key is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jwk {
    pub(super) kid: Option<String>,
    /// The one algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn number(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text(members, name)?).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    let bytes = bytes.get(start..)?.to_vec();
    (bytes.len() <= NUMBER_BYTES_MAX).then_some(bytes)
}

/// A point of a curve whose numbers have this many bytes.
fn point(members: &Map<String, Value>, size: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for name in ["x", "y"] {
        let bytes = URL_SAFE_NO_PAD.decode(text(members, name)?).ok()?;
        if bytes.len() != size {
            return None;
        }
        point.extend(bytes);
    }
    Some(point)
}

impl Jwk {
    /// None of a key that is not for signatures, or of a kind that is not known: a provider may have those, too.
    fn read(members: &Map<String, Value>) -> Option<Self> {
        if text(members, "use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let algorithm = match text(members, "alg") {
            Some(name) => Some(Algorithm::of_name(name)?),
            None => None,
        };
        let material = match (text(members, "kty")?, text(members, "crv")) {
            ("RSA", _) => Material::Rsa { n: number(members, "n")?, e: number(members, "e")? },
            ("EC", Some("P-256")) => Material::P256(point(members, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(members, 48)?),
            ("OKP", Some("Ed25519")) => {
                let bytes = URL_SAFE_NO_PAD.decode(text(members, "x")?).ok()?;
                Material::Ed25519(bytes)
            }
            _ => return None,
        };
        Some(Self { kid: text(members, "kid").map(str::to_owned), algorithm, material })
    }

    /// Whether a token that names a key, and this algorithm, may be signed by it.
    pub(super) fn fits(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        // Who names no key means any; a key without a name is never the one that is named.
        kid.is_none_or(|kid| self.kid.as_deref() == Some(kid))
            && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether it signed a message. Never with an algorithm that is not for keys of its kind.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signed).is_ok()
        };
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512) => {
                let parameters = match algorithm {
                    Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signed).is_ok()
            }
            (Material::P256(key), Es256) => by(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), Es384) => by(&signature::ECDSA_P384_SHA384_FIXED, key),
            (Material::Ed25519(key), EdDsa) => by(&signature::ED25519, key),
            _ => false,
        }
    }
}

/// The keys of a document that can be used here; none if it is no such document, or has too many.
pub(super) fn keys(document: &Map<String, Value>) -> Option<Vec<Jwk>> {
    let listed = document.get("keys")?.as_array().filter(|listed| listed.len() <= KEYS_MAX)?;
    Some(listed.iter().filter_map(Value::as_object).filter_map(Jwk::read).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 8037, A.4: a key of Ed25519 and what it signed.
    const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const ED25519_SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const ED25519_SIGNATURE: &str =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    fn read(document: &Value) -> Option<Vec<Jwk>> {
        keys(document.as_object().unwrap())
    }

    #[test]
    fn a_signature_counts_with_the_algorithm_of_its_key_alone() {
        let document =
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": ED25519_X }] });
        let key = read(&document).unwrap().remove(0);
        let signed = URL_SAFE_NO_PAD.decode(ED25519_SIGNATURE).unwrap();
        let message = ED25519_SIGNED.as_bytes();
        assert!(key.verifies(Algorithm::EdDsa, message, &signed));
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384] {
            assert!(!key.verifies(algorithm, message, &signed), "{algorithm:?}");
        }
        assert!(!key.verifies(Algorithm::EdDsa, &message[1..], &signed));
        assert!(!key.verifies(Algorithm::EdDsa, message, &[]));
    }

    #[test]
    fn no_algorithm_and_those_with_a_shared_secret_are_none() {
        for name in ["none", "None", "NONE", "", "HS256", "HS512", "RS1", "rs256", "ES512"] {
            assert_eq!(Algorithm::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn keys_that_are_of_no_use_here_are_left_out_and_too_many_refused() {
        let ours = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_X });
        let others = [
            json!({ "kty": "oct", "k": "c2VjcmV0" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_X, "use": "enc" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_X, "alg": "HS256" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
            json!({ "kty": "RSA", "n": "", "e": "AQAB" }),
            json!({ "kty": "RSA", "n": "!!!", "e": "AQAB" }),
            json!(7),
        ];
        let mut listed = others.to_vec();
        listed.push(ours.clone());
        assert_eq!(read(&json!({ "keys": listed })).unwrap().len(), 1);
        assert_eq!(read(&json!({ "keys": vec![ours; KEYS_MAX + 1] })), None);
        for odd in [json!({}), json!({ "keys": {} })] {
            assert_eq!(read(&odd), None);
        }
    }

    #[test]
    fn a_key_is_for_tokens_that_name_it() {
        let of = |more: Value| {
            let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_X });
            for (name, value) in more.as_object().unwrap() {
                key[name] = value.clone();
            }
            read(&json!({ "keys": [key] })).unwrap().remove(0)
        };
        let named = of(json!({ "kid": "a", "alg": "EdDSA" }));
        assert!(named.fits(Some("a"), Algorithm::EdDsa));
        assert!(named.fits(None, Algorithm::EdDsa));
        assert!(!named.fits(Some("b"), Algorithm::EdDsa));
        assert!(!named.fits(Some("a"), Algorithm::Es256));
        assert!(!of(json!({})).fits(Some("a"), Algorithm::EdDsa));
    }
}
