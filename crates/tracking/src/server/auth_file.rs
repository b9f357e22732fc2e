//! The file of users and tokens, and what its lines hold.
//!
//! ```text
//! # kind  name   what is kept of the secret
//! user    alice  $argon2id$v=19$m=19456,t=2,p=1$…
//! token   ci     $sha256$2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
//! ```
//!
//! A password is short and comes from a head, so what is kept of it must be slow to compute. A long
//! random token cannot be guessed however fast one is: its digest is enough, and is found in a table
//! at once, whatever the number of tokens. Lines of tokens with an argon2id hash, which older versions
//! wrote, go on working; each costs a hash for every wrong token.

use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use sha2::{Digest as _, Sha256};
use trainyard_mlflow::{Error, Result};

use crate::error::invalid;

/// Largest file: some ten thousand entries.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Shortest password or token that gets a line, in characters.
const SECRET_CHARACTERS_MIN: usize = 8;
/// Longest password or token that is looked at: argon2 reads all of it.
pub(crate) const SECRET_BYTES_MAX: usize = 1024;
/// Shortest token that is kept as a digest: 32 random hex digits are 128 bits. A shorter one may be a
/// word, for which a digest is no protection.
const RANDOM_CHARACTERS_MIN: usize = 32;
/// Most memory that a hash of the file may ask for, in KiB.
const HASH_KIB_MAX: u32 = 256 << 10;
/// What begins the digest of a token.
const DIGEST_MARK: &str = "$sha256$";

/// What an entry of the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name and a password.
    User,
    /// A secret of its own, whose name is only for people.
    Token,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
        }
    }
}

/// A line for the file: an argon2id hash with a fresh salt, or the digest of a token that is long
/// enough to be random.
pub fn entry(kind: Kind, name: &str, secret: &str) -> Result<String> {
    check_name(name)?;
    let characters = secret.chars().count();
    if characters < SECRET_CHARACTERS_MIN || secret.len() > SECRET_BYTES_MAX {
        return invalid!(
            "a password or token has {SECRET_CHARACTERS_MIN} characters or more and at most \
             {SECRET_BYTES_MAX} bytes; this one has {characters}"
        );
    }
    if kind == Kind::Token && characters >= RANDOM_CHARACTERS_MIN {
        return Ok(format!("{} {name} {DIGEST_MARK}{}", kind.word(), hex::encode(digest(secret))));
    }
    let hash = Argon2::default()
        .hash_password(secret.as_bytes())
        .map_err(|error| Error::internal(format!("the password could not be hashed: {error}")))?;
    Ok(format!("{} {name} {hash}", kind.word()))
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn check_name(name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('#')
        && name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != ':');
    if plain {
        return Ok(());
    }
    invalid!(
        "the name of a user or token has no space, colon or control character and does not begin \
         with '#': {name:?}"
    )
}

/// All lines of a file, by how they are looked for.
#[derive(Default)]
pub(super) struct Entries {
    users: HashMap<String, PasswordHash>,
    tokens: HashMap<[u8; 32], String>,
    hashed_tokens: Vec<(String, PasswordHash)>,
    /// The hash that is computed for names that are not there: of the first user, as all are made alike.
    decoy: Option<PasswordHash>,
}

impl Entries {
    /// Reads the lines of a file; `source` is for messages.
    pub(super) fn parse(text: &str, source: &Path) -> Result<Self> {
        let mut entries = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            entries.add(line).map_err(|problem| {
                Error::invalid(format!("{}, line {}: {problem}", source.display(), index + 1))
            })?;
        }
        if entries.users.is_empty() && entries.tokens.is_empty() && entries.hashed_tokens.is_empty()
        {
            return invalid!(
                "{} has no entry, so nobody could use the server; `trainyard server hash-password \
                 --user NAME >> {}` writes one",
                source.display(),
                source.display()
            );
        }
        if !entries.hashed_tokens.is_empty() {
            tracing::info!(
                tokens = entries.hashed_tokens.len(),
                "some tokens are kept as argon2id hashes, all of which a wrong token has to be \
                 compared with; `trainyard server hash-password --token` keeps one of \
                 {RANDOM_CHARACTERS_MIN} characters or more as a digest"
            );
        }
        Ok(entries)
    }

    fn add(&mut self, line: &str) -> std::result::Result<(), String> {
        let mut words = line.split_whitespace();
        let (Some(kind), Some(name), Some(kept), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("a line is 'user NAME HASH' or 'token NAME HASH'".to_owned());
        };
        let kind = match kind {
            "user" => Kind::User,
            "token" => Kind::Token,
            other => return Err(format!("'{other}' is neither 'user' nor 'token'")),
        };
        check_name(name).map_err(|error| error.to_string())?;
        let is_twice = match kind {
            Kind::User => self.users.contains_key(name),
            Kind::Token => {
                self.tokens.values().any(|known| known == name)
                    || self.hashed_tokens.iter().any(|(known, _)| known == name)
            }
        };
        if is_twice {
            return Err(format!("there are two entries for {} '{name}'", kind.word()));
        }
        match (kind, kept.strip_prefix(DIGEST_MARK)) {
            (Kind::Token, Some(digest)) => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(digest, &mut bytes)
                    .map_err(|_| format!("the digest of '{name}' is not 64 hex digits"))?;
                self.tokens.insert(bytes, name.to_owned());
            }
            (Kind::User, Some(_digest)) => {
                return Err(format!(
                    "'{name}' is a user: a digest is no protection for a password, which needs an \
                     argon2id hash"
                ));
            }
            (kind, None) => {
                let hash = read_hash(name, kept)?;
                match kind {
                    Kind::User => {
                        self.decoy.get_or_insert_with(|| hash.clone());
                        self.users.insert(name.to_owned(), hash);
                    }
                    Kind::Token => self.hashed_tokens.push((name.to_owned(), hash)),
                }
            }
        }
        Ok(())
    }

    /// The name of a token that is kept as a digest.
    pub(super) fn token_name(&self, secret: &str) -> Option<&str> {
        self.tokens.get(&digest(secret)).map(String::as_str)
    }

    /// Whether this user is there.
    pub(super) fn has_user(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    /// Whether this user is there, with the same hash as before.
    pub(super) fn has_same_user(&self, name: &str, before: &Self) -> bool {
        self.users.get(name).is_some_and(|hash| before.users.get(name) == Some(hash))
    }

    /// Whether there is anything that takes a hash to compare with.
    pub(super) fn has_hashes(&self, kind: Kind) -> bool {
        match kind {
            Kind::User => !self.users.is_empty(),
            Kind::Token => !self.hashed_tokens.is_empty(),
        }
    }

    /// Computes hashes: of the user, and of somebody for a name that is not there, so that how long a
    /// refusal takes tells nobody which names there are; or of each token that has one. The name of whom it is.
    pub(super) fn verify(&self, kind: Kind, name: &str, secret: &str) -> Option<&str> {
        let argon2 = Argon2::default();
        let is_right =
            |hash: &PasswordHash| argon2.verify_password(secret.as_bytes(), hash).is_ok();
        match kind {
            Kind::Token => {
                let token = self.hashed_tokens.iter().find(|(_, hash)| is_right(hash));
                token.map(|(name, _)| name.as_str())
            }
            Kind::User => {
                let user = self.users.get_key_value(name);
                let hash = user.map(|(_, hash)| hash);
                let checked = hash.or(self.decoy.as_ref()).is_some_and(is_right);
                user.filter(|_| checked).map(|(name, _)| name.as_str())
            }
        }
    }
}

fn read_hash(name: &str, kept: &str) -> std::result::Result<PasswordHash, String> {
    // What was meant as a password must not end up in a log, so it is not quoted.
    let hash = PasswordHash::new(kept).map_err(|error| {
        format!("the hash of '{name}' cannot be read ({error}); passwords are not kept as they are")
    })?;
    if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() {
        return Err(format!("the hash of '{name}' is no argon2id hash"));
    }
    let cost = Params::try_from(&hash).map_err(|error| format!("the hash of '{name}': {error}"))?;
    if cost.m_cost() > HASH_KIB_MAX {
        return Err(format!(
            "the hash of '{name}' takes {} KiB of memory each time; at most {HASH_KIB_MAX}",
            cost.m_cost()
        ));
    }
    Ok(hash)
}

/// When a file was changed, and how long it is.
pub(super) type Stamp = (SystemTime, u64);

/// None if the file is not there.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Reads a file, and when it was changed last.
pub(super) fn load(path: &Path) -> Result<(Entries, Option<Stamp>)> {
    // Taken first: a change while the file is read is noticed the next time.
    let stamp = stamp(path);
    if stamp.is_some_and(|(_, bytes)| bytes > FILE_BYTES_MAX) {
        return invalid!("{} is larger than {FILE_BYTES_MAX} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    Ok((Entries::parse(&text, path)?, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 hex digits, as `openssl rand -hex 32` writes them.
    const RANDOM: &str = "8c1d2a7be0f94c5a9e3b6d70f1245867a0b1c2d3e4f5061728394a5b6c7d8e9f";

    fn entries(text: &str) -> Result<Entries> {
        Entries::parse(text, Path::new("users"))
    }

    #[test]
    fn entries_let_in_whom_they_were_made_for() {
        let alice = entry(Kind::User, "alice", "correct horse").unwrap();
        let short = entry(Kind::Token, "short", "battery staple").unwrap();
        let long = entry(Kind::Token, "long", RANDOM).unwrap();
        assert!(alice.contains("$argon2id$") && short.contains("$argon2id$"));
        assert!(long.starts_with("token long $sha256$") && !long.contains(RANDOM), "{long}");
        let entries = entries(&format!("# people\n{alice}\n\n{short}\n{long}\n")).unwrap();
        for (kind, name, secret, expect) in [
            (Kind::User, "alice", "correct horse", true),
            (Kind::User, "alice", "battery staple", false),
            (Kind::User, "short", "battery staple", false),
            (Kind::User, "long", RANDOM, false),
            (Kind::User, "nobody", "correct horse", false),
            (Kind::Token, "", "battery staple", true),
            (Kind::Token, "", "correct horse", false),
            (Kind::Token, "", "", false),
        ] {
            assert_eq!(entries.verify(kind, name, secret).is_some(), expect, "{name} {secret}");
        }
        assert_eq!(entries.token_name(RANDOM), Some("long"));
        for wrong in ["", "battery staple", &RANDOM[1..], &RANDOM.to_uppercase()] {
            assert_eq!(entries.token_name(wrong), None, "{wrong}");
        }
        let again = entry(Kind::User, "alice", "correct horse").unwrap();
        assert_ne!(alice, again, "a salt of its own");
    }

    #[test]
    fn the_digest_is_what_everybody_computes() {
        // printf %s … | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(digest("abc")), abc);
        let entries = entries(&format!("token t $sha256${abc}")).unwrap();
        assert_eq!(entries.token_name("abc"), Some("t"));
    }

    #[test]
    fn bad_lines_are_refused_with_their_number_and_without_the_secret() {
        let alice = entry(Kind::User, "alice", "correct horse").unwrap();
        let token = entry(Kind::Token, "ci", RANDOM).unwrap();
        for (text, expect) in [
            ("", "no entry"),
            ("# nobody\n", "no entry"),
            ("user alice secretpassword", "line 1: the hash of 'alice' cannot be read"),
            ("alice:secretpassword", "line 1: a line is"),
            ("admin alice secretpassword", "line 1: 'admin' is neither"),
            (&format!("{alice}\n{alice}"), "line 2: there are two entries for user 'alice'"),
            (&format!("{token}\n{token}"), "line 2: there are two entries for token 'ci'"),
            (&alice.replace("argon2id", "argon2i"), "is no argon2id hash"),
            (&alice.replace("m=19456", "m=99999999"), "KiB of memory"),
            (&token.replace("token", "user"), "a digest is no protection"),
            ("token ci $sha256$secretpassword", "the digest of 'ci' is not 64 hex digits"),
        ] {
            let Err(error) = entries(text) else { panic!("accepted: {text}") };
            let error = error.to_string();
            assert!(error.contains(expect), "{error}");
            assert!(!error.contains("secretpassword"), "{error}");
        }
    }

    #[test]
    fn weak_secrets_and_strange_names_get_no_entry() {
        assert!(entry(Kind::User, "alice", "").is_err());
        assert!(entry(Kind::User, "alice", "1234567").is_err());
        assert!(entry(Kind::User, "alice", &"x".repeat(SECRET_BYTES_MAX + 1)).is_err());
        for name in ["", "a b", "a:b", "#a", "a\n"] {
            assert!(entry(Kind::User, name, "correct horse").is_err(), "{name:?}");
        }
    }
}
