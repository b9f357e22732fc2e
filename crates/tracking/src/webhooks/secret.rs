//! Secrets of webhooks as MLflow keeps them: Fernet tokens (AES-128-CBC and HMAC-SHA256) of the key in
//! `MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY`. The one crate of Fernet has a licence that we do not take.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// First byte of a token.
const VERSION: u8 = 0x80;
/// Version, time and initialisation vector.
const HEAD_BYTES: usize = 1 + 8 + IV_BYTES;
const IV_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

/// The key that secrets are kept with.
#[derive(Clone)]
pub(crate) struct SecretKey {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}

impl SecretKey {
    /// A key as `Fernet.generate_key()` writes one: base64 of 32 bytes, `-` and `_` for `+` and `/`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = URL_SAFE.decode(text.trim()).ok()?.try_into().ok()?;
        let (signing, encryption) = bytes.split_at(16);
        Some(Self { signing: signing.try_into().ok()?, encryption: encryption.try_into().ok()? })
    }

    /// The token of a secret.
    pub(crate) fn encrypt(&self, secret: &str) -> Option<String> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.encrypt_with(secret, seconds, rand::random())
    }

    fn encrypt_with(&self, secret: &str, seconds: u64, iv: [u8; IV_BYTES]) -> Option<String> {
        let cipher = cbc::Encryptor::<Aes128>::new_from_slices(&self.encryption, &iv).ok()?;
        let mut token = vec![VERSION];
        token.extend(seconds.to_be_bytes());
        token.extend(iv);
        token.extend(cipher.encrypt_padded_vec::<Pkcs7>(secret.as_bytes()));
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.signing).ok()?;
        mac.update(&token);
        token.extend_from_slice(&mac.finalize().into_bytes());
        Some(URL_SAFE.encode(token))
    }

    /// The secret of a token; none if it was made with another key, or damaged.
    pub(crate) fn decrypt(&self, token: &str) -> Option<String> {
        let token = URL_SAFE.decode(token.trim()).ok()?;
        let (signed, tag) = token.split_at_checked(token.len().checked_sub(TAG_BYTES)?)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.signing).ok()?;
        mac.update(signed);
        // Takes the same time wherever the difference is.
        mac.verify_slice(tag).ok()?;
        let (head, encrypted) = signed.split_at_checked(HEAD_BYTES)?;
        let iv = head.get(HEAD_BYTES - IV_BYTES..)?;
        if head.first() != Some(&VERSION) {
            return None;
        }
        let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&self.encryption, iv).ok()?;
        let secret = cipher.decrypt_padded_vec::<Pkcs7>(encrypted).ok()?;
        String::from_utf8(secret).ok()
    }
}

/// `v1,` and base64 of HMAC-SHA256 over `delivery.timestamp.body`, as MLflow signs.
pub(crate) fn signature(secret: &str, delivery: &str, timestamp: &str, body: &str) -> String {
    use base64::engine::general_purpose::STANDARD;

    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{delivery}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Fernet's specification (`generate.json`, `verify.json`).
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn tokens_are_those_of_the_specification() {
        let key = SecretKey::parse(KEY).unwrap();
        let iv: [u8; IV_BYTES] = std::array::from_fn(|index| index as u8);
        assert_eq!(key.encrypt_with("hello", 499_162_800, iv).as_deref(), Some(TOKEN));
        assert_eq!(key.decrypt(TOKEN).as_deref(), Some("hello"));
    }

    #[test]
    fn a_secret_comes_back_with_its_key_alone() {
        let key = SecretKey::parse(KEY).unwrap();
        for secret in ["", "s", "sixteen bytes ok", "schlüssel"] {
            let token = key.encrypt(secret).unwrap();
            assert_eq!(key.decrypt(&token).as_deref(), Some(secret));
        }
        let other = SecretKey::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
        assert_eq!(other.decrypt(TOKEN), None);
        for damaged in ["", "gAAAAA==", "%", &TOKEN.replace("gAAAAAAd", "gQAAAAAd")] {
            assert_eq!(key.decrypt(damaged), None, "{damaged}");
        }
        assert!(SecretKey::parse("short").is_none());
    }

    #[test]
    fn the_signature_is_mlflows() {
        // Made with `_generate_hmac_signature("secret", "id-1", "1700000000", body)` of MLflow 3.17.2.
        let body =
            r#"{"entity": "model_version_alias", "action": "created", "data": {"name": "M"}}"#;
        assert_eq!(
            signature("secret", "id-1", "1700000000", body),
            "v1,UdJTsd53/3CooppQ+5jf0gsVMEpwUNnu57fnxAbHIvA="
        );
    }
}
