//! A line of the file of tokens.
//!
//! ```text
//! # name   what is kept of the secret             who and how often
//! shop     sha256:2c26b46b68ffc68ff99b453c1d…     rate=100/s expires=2027-01-01
//! oncall   sha256:fcde2b2edba56bf408601fb721…     scope=operate
//! ```
//!
//! A token is 256 random bits and cannot be guessed however fast one is: its digest is enough to know it by, and
//! whoever reads the file has none of the tokens.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use trainyard_base::rate::Rate;

/// Characters of a name, which is a label of metrics.
const NAME_CHARACTERS_MAX: usize = 64;

/// What begins a digest, here and in the file of the tracking server's users.
const MARKS: [&str; 2] = ["sha256:", "$sha256$"];

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// What the public may ask: predictions, documentation.
    #[default]
    Predict,
    /// That, and what steers an instance or tells of its inside.
    Operate,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Predict, Self::Operate];

    /// Its name in the file and in flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Operate => "operate",
        }
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// For people: it is in the access log and in metrics.
    pub name: String,
    /// What it is for.
    pub scope: Scope,
    /// How often it may be used; as often as one likes if none.
    pub rate: Option<Rate>,
    /// The first day, UTC, on which it is worth nothing.
    pub expires: Option<NaiveDate>,
    digest: [u8; 32],
}

/// What is kept of a secret.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Entry {
    /// A token of this name.
    ///
    /// # Errors
    ///
    /// What is wrong with the name.
    pub fn new(name: &str, secret: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.bytes().all(is_plain) {
            return Err(format!(
                "the name {name:?} of a token has letters, digits, '-', '_' and '.', at most \
                 {NAME_CHARACTERS_MAX}"
            ));
        }
        let (scope, rate, expires) = (Scope::default(), None, None);
        Ok(Self { name: name.to_owned(), scope, rate, expires, digest: digest(secret) })
    }

    /// Whether a secret with this digest is the token's. It takes as long whatever the digest.
    pub(crate) fn is_of(&self, digest: &[u8; 32]) -> bool {
        self.digest.as_slice().ct_eq(digest.as_slice()).into()
    }

    /// Whether its last day is over at a time, in milliseconds since 1970.
    pub fn has_expired(&self, at_ms: u64) -> bool {
        let Some(day) = self.expires else { return false };
        let begins = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
        i64::try_from(at_ms).unwrap_or(i64::MAX) >= begins
    }

    /// Sets `scope`, `rate` or `expires`, as a line says it.
    ///
    /// # Errors
    ///
    /// What is wrong with the value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "scope" => {
                let known = Scope::ALL.into_iter().find(|scope| scope.name() == value);
                self.scope = known
                    .ok_or_else(|| format!("scope={value:?} is neither predict nor operate"))?;
            }
            "rate" => self.rate = Some(value.parse::<Rate>().map_err(|error| error.to_string())?),
            "expires" => {
                let day = value.parse::<NaiveDate>();
                let day = day.map_err(|_| format!("expires={value:?} is no day like 2027-01-01"));
                self.expires = Some(day?);
            }
            _ => return Err(format!("{key:?} is none of scope, rate, expires")),
        }
        Ok(())
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        // What was meant as a secret must not end up in a log, so it is not quoted.
        let (Some(name), Some(kept)) = (words.next(), words.next()) else {
            return Err("a line is `NAME sha256:DIGEST`, and scope=, rate=, expires=".to_owned());
        };
        let mut entry = Self::new(name, "")?;
        let digits = MARKS.iter().find_map(|mark| kept.strip_prefix(mark)).unwrap_or_default();
        hex::decode_to_slice(digits, &mut entry.digest).map_err(|_| {
            format!("the digest of {name:?} is not sha256: and 64 hex digits; secrets are not kept")
        })?;
        // Whoever sends an empty token would be let in.
        if entry.is_of(&digest("")) {
            return Err(format!("the digest of {name:?} is that of an empty secret"));
        }
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| format!("a word of {name:?} is no KEY=VALUE"))?;
            entry.set(key, value)?;
        }
        Ok(entry)
    }
}

impl fmt::Display for Entry {
    /// The line of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sha256:{}", self.name, hex::encode(self.digest))?;
        if self.scope != Scope::default() {
            write!(f, " scope={}", self.scope.name())?;
        }
        if let Some(rate) = self.rate {
            write!(f, " rate={rate}")?;
        }
        if let Some(day) = self.expires {
            write!(f, " expires={day}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf abc | sha256sum
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn what_is_written_is_read() {
        let line = format!("shop sha256:{ABC} scope=operate rate=100/s expires=2027-01-01");
        let entry: Entry = line.parse().unwrap();
        assert_eq!(entry.to_string(), line);
        assert!(entry.is_of(&digest("abc")) && !entry.is_of(&digest("abd")));
        let short: Entry = format!("  ci   $sha256${ABC} ").parse().unwrap();
        assert_eq!(short.to_string(), format!("ci sha256:{ABC}"));
        assert_eq!((short.scope, short.rate), (Scope::Predict, None));
        assert_eq!(Entry::new("ci", "abc").unwrap(), short);
    }

    #[test]
    fn a_token_ends_with_its_last_day() {
        let entry: Entry = format!("a sha256:{ABC} expires=1970-01-02").parse().unwrap();
        assert!(!entry.has_expired(86_399_999));
        assert!(entry.has_expired(86_400_000));
        assert!(!Entry::new("a", "abc").unwrap().has_expired(u64::MAX));
    }

    #[test]
    fn bad_lines_are_refused_without_the_secret() {
        for (line, expect) in [
            ("ci", "a line is"),
            ("ci hunter2", "the digest of \"ci\""),
            ("ci sha256:hunter2", "the digest of \"ci\""),
            ("c/i sha256:ab", "the name \"c/i\""),
            ("ci sha256:ABC scope=all", "neither predict nor operate"),
            ("ci sha256:ABC rate=100", "is no rate"),
            ("ci sha256:ABC expires=soon", "is no day"),
            ("ci sha256:ABC hunter2", "no KEY=VALUE"),
            ("ci sha256:ABC color=red", "none of scope"),
        ] {
            let error = line.replace("ABC", ABC).parse::<Entry>().unwrap_err();
            assert!(error.contains(expect) && !error.contains("hunter2"), "{line}: {error}");
        }
        let nothing = Entry::new("ci", "").unwrap().to_string();
        let error = nothing.parse::<Entry>().unwrap_err();
        assert!(error.contains("of an empty secret"), "{error}");
    }
}
