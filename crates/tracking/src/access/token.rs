//! Tokens: long random secrets by which programs sign in on behalf of somebody.

use sha2::{Digest as _, Sha256};
use trainyard_mlflow::{Error, Result};

use super::rows::TokenRow;
use super::scope::check_scope;
use crate::store::now_millis;

/// What begins each: a scanner of repositories can find one that was left somewhere.
pub(crate) const MARK: &str = "trainyard_";
/// Longest life, in days; one that ends never is asked for in so many words.
const DAYS_MAX: i64 = 3660;
const MILLIS_OF_DAY: i64 = 24 * 60 * 60 * 1000;

/// A new secret. It is shown once, and only its digest is kept: it cannot be guessed, however fast.
pub(crate) fn secret() -> String {
    let random: [u8; 32] = rand::random();
    format!("{MARK}{}", hex::encode(random))
}

/// What is kept of a secret.
pub(crate) fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// When a token made at `now` ends, in milliseconds since the Unix epoch.
fn end(now: i64, days: i64) -> Result<i64> {
    if (1..=DAYS_MAX).contains(&days) {
        return Ok(now.saturating_add(days * MILLIS_OF_DAY));
    }
    Err(Error::invalid(format!("expires_in_days is from 1 to {DAYS_MAX}, not {days}")))
}

/// A new token's secret and its row. It ends after so many days, or never.
pub(crate) fn new(
    name: &str,
    owner: &str,
    scope: &str,
    days: Option<i64>,
) -> Result<(String, TokenRow)> {
    check_scope(scope)?;
    let now = now_millis();
    let secret = secret();
    let row = TokenRow {
        name: name.to_owned(),
        username: owner.to_owned(),
        user_id: 0,
        digest: digest(&secret),
        scope: scope.to_owned(),
        created_at: now,
        expires_at: days.map(|days| end(now, days)).transpose()?,
    };
    Ok((secret, row))
}

/// The same for somebody who signed in at a provider, for so many hours, under a name of its own. It takes the place
/// of a token that ends within minutes.
pub(crate) fn for_login(owner: &str, scope: &str, hours: i64) -> (String, TokenRow) {
    let now = now_millis();
    let secret = secret();
    let mark: [u8; 8] = rand::random();
    let row = TokenRow {
        name: format!("login-{}", hex::encode(mark)),
        username: owner.to_owned(),
        user_id: 0,
        digest: digest(&secret),
        scope: scope.to_owned(),
        created_at: now,
        expires_at: Some(now + hours * 60 * 60 * 1000),
    };
    (secret, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_no_two_are_the_same() {
        let (one, other) = (secret(), secret());
        assert_ne!(one, other);
        assert_eq!(one.len(), MARK.len() + 64);
        assert!(!digest(&one).contains(&one) && digest(&one) != digest(&other));
    }

    #[test]
    fn lives_are_what_was_asked_for() {
        assert_eq!(end(1000, 1).unwrap(), 1000 + MILLIS_OF_DAY);
        for days in [0, -1, DAYS_MAX + 1] {
            assert!(end(0, days).is_err(), "{days}");
        }
    }
}
