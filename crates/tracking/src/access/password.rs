//! What is kept of a password: argon2id of those set here, and what an upstream server wrote
//! (werkzeug's scrypt and PBKDF2), until their owner signs in the next time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use pbkdf2::pbkdf2_hmac;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use trainyard_mlflow::{Error, Result};

/// Shortest password, in characters: upstream's rule.
const CHARACTERS_MIN: usize = 12;
/// Longest, in bytes: a hash reads all of it.
const BYTES_MAX: usize = 1024;
/// Most memory that a stored hash may ask for. Upstream's own takes 32 MiB.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Most rounds of PBKDF2 that a stored hash may ask for. Upstream's own has 1,000,000.
const ROUNDS_MAX: u32 = 10_000_000;
/// Most work of scrypt that a stored hash may ask for beside its memory.
const PARALLEL_MAX: u32 = 16;
/// Bytes of scrypt's digest, as werkzeug writes it.
const SCRYPT_BYTES: usize = 64;
/// Stands for a password that nobody has: of service accounts, and of who signs in elsewhere.
pub(crate) const NONE: &str = "!";

/// Refuses passwords that upstream refuses, and such as cost too much to hash.
fn check(password: &str) -> Result<()> {
    if password.chars().count() < CHARACTERS_MIN {
        return Err(Error::invalid(format!(
            "Password must be at least {CHARACTERS_MIN} characters."
        )));
    }
    if password.len() > BYTES_MAX {
        return Err(Error::invalid(format!("Password must be at most {BYTES_MAX} bytes.")));
    }
    Ok(())
}

/// What is kept of a password. Takes tens of milliseconds and 19 MiB.
pub(crate) fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal(format!("the password could not be hashed: {error}")))?;
    Ok(hash.to_string())
}

/// The same of a password that is fit to be one, on a thread that may take its time.
pub(crate) async fn hashed(password: String) -> Result<String> {
    check(&password)?;
    tokio::task::spawn_blocking(move || hash(&password))
        .await
        .map_err(|error| Error::internal(format!("hashing a password broke off: {error}")))?
}

/// Whether what is kept is of an older kind, and is to be made anew.
pub(crate) fn is_outdated(kept: &str) -> bool {
    !kept.starts_with("$argon2id$")
}

/// Whether a password is the one that something was kept of. What cannot be read is of no password.
pub(crate) fn verify(kept: &str, password: &str) -> bool {
    if password.len() > BYTES_MAX {
        return false;
    }
    if kept.starts_with("$argon2id$") {
        return verify_argon2(kept, password).unwrap_or(false);
    }
    verify_werkzeug(kept, password).unwrap_or(false)
}

fn verify_argon2(kept: &str, password: &str) -> Option<bool> {
    let hash = PasswordHash::new(kept).ok()?;
    let cost = Params::try_from(&hash).ok()?;
    let is_affordable = u64::from(cost.m_cost()) << 10 <= MEMORY_BYTES_MAX;
    let is_right =
        is_affordable && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    Some(is_right)
}

/// `scrypt:N:r:p$salt$hex` or `pbkdf2:sha256:rounds$salt$hex`.
fn verify_werkzeug(kept: &str, password: &str) -> Option<bool> {
    let (method, rest) = kept.split_once('$')?;
    let (salt, digest) = rest.split_once('$')?;
    let digest = hex::decode(digest).ok()?;
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    let computed = match method.split(':').collect::<Vec<_>>().as_slice() {
        ["scrypt"] => scrypt(password, salt, 1 << 15, 8, 1)?,
        ["scrypt", n, r, p] => {
            scrypt(password, salt, n.parse().ok()?, r.parse().ok()?, p.parse().ok()?)?
        }
        ["pbkdf2", function, rounds] => {
            let rounds = rounds.parse().ok().filter(|rounds| *rounds <= ROUNDS_MAX)?;
            match *function {
                "sha256" => {
                    let mut computed = vec![0; 32];
                    pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut computed);
                    computed
                }
                "sha512" => {
                    let mut computed = vec![0; 64];
                    pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut computed);
                    computed
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(computed.ct_eq(&digest).into())
}

fn scrypt(password: &[u8], salt: &[u8], n: u64, r: u32, p: u32) -> Option<Vec<u8>> {
    let memory = n.checked_mul(u64::from(r))?.checked_mul(128)?;
    if !n.is_power_of_two() || memory > MEMORY_BYTES_MAX || p > PARALLEL_MAX {
        return None;
    }
    let log_n = u8::try_from(n.trailing_zeros()).ok()?;
    let params = ::scrypt::Params::new(log_n, r, p).ok()?;
    let mut computed = vec![0; SCRYPT_BYTES];
    ::scrypt::scrypt(password, salt, &params, &mut computed).ok()?;
    Some(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "difference engine 1";
    /// Written by werkzeug 3.1's `generate_password_hash`.
    const SCRYPT: &str = "scrypt:1024:8:1$ZWhcvLjbCVzYXJUt$df46a389ed9b0de5bccc831e8b0aa6dc28e555b5a2d3faef8a5eab253d28782b5d0b714d6fd8e5f8cfc15032d0d639a7f5b3215c60600171f002189ce862e1cd";
    const PBKDF2: &str = "pbkdf2:sha256:1000$syASIwbpspG8Cf7o$c8c19b937b58e7c2bf020462803689daeb04d1cceb580c844ace9f63a05bd733";

    #[test]
    fn what_upstream_kept_lets_the_same_people_in() {
        for kept in [SCRYPT, PBKDF2] {
            assert!(verify(kept, PASSWORD), "{kept}");
            assert!(!verify(kept, "difference engine 2"), "{kept}");
            assert!(!verify(kept, ""), "{kept}");
            assert!(is_outdated(kept));
        }
    }

    #[test]
    fn what_is_kept_here_is_argon2id() {
        let kept = hash(PASSWORD).unwrap();
        assert!(!is_outdated(&kept));
        assert!(verify(&kept, PASSWORD));
        assert!(!verify(&kept, "difference engine 2"));
        assert_ne!(kept, hash(PASSWORD).unwrap(), "a salt of its own");
    }

    #[test]
    fn what_cannot_be_read_or_paid_for_is_nobodys() {
        let dear = SCRYPT.replace("scrypt:1024:8:1", "scrypt:1073741824:8:1");
        let odd = SCRYPT.replace("scrypt:1024", "scrypt:1000");
        let slow = PBKDF2.replace("1000", "4000000000");
        let unknown = PBKDF2.replace("sha256", "md4");
        for kept in ["", NONE, "plain", "a$b$c", &dear, &odd, &slow, &unknown] {
            assert!(!verify(kept, PASSWORD), "{kept}");
            assert!(!verify(kept, kept), "{kept}");
        }
        assert!(!verify(PBKDF2, &"x".repeat(BYTES_MAX + 1)));
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(check("elevenchars").is_err());
        assert!(check("twelve chars").is_ok());
        assert!(check("zwölf Zeichen").is_ok());
        assert!(check(&"x".repeat(BYTES_MAX + 1)).is_err());
    }
}
