//! Who may use the server: a file of names and argon2id hashes (`--auth-file`).
//!
//! ```text
//! # kind  name   hash
//! user    alice  $argon2id$v=19$m=19456,t=2,p=1$…
//! token   ci     $argon2id$v=19$m=19456,t=2,p=1$…
//! ```
//!
//! A `user` sends name and password (HTTP Basic), a `token` itself (`Authorization: Bearer`): what
//! `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`, make MLflow's clients
//! send. Who is in the file may do everything; there is no entry that the program comes with.
//!
//! A hash costs tens of milliseconds on purpose, so what was right once is remembered, as a digest
//! under a key that only this process has, until the file changes.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use async_trait::async_trait;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::Authorize;
use crate::api::error_answer;

/// Largest file: some ten thousand entries.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Shortest password or token that gets a hash, in characters.
const SECRET_CHARACTERS_MIN: usize = 8;
/// Longest password or token that is looked at: argon2 reads all of it.
const SECRET_BYTES_MAX: usize = 1024;
/// Hashes computed at a time: each takes a core and 19 MiB for a while.
const CHECKS_MAX: usize = 2;
/// Most memory that a hash of the file may ask for, in KiB.
const HASH_KIB_MAX: u32 = 256 << 10;
/// Credentials remembered; entries have one each, unless somebody plays.
const REMEMBERED_MAX: usize = 4096;
/// How often the file is looked at for changes.
const FILE_PERIOD: Duration = Duration::from_secs(1);

/// What an entry of the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name and a password.
    User,
    /// A secret of its own, whose name is only for people.
    Token,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
        }
    }
}

/// A line for the file, with a fresh salt.
pub fn entry(kind: Kind, name: &str, secret: &str) -> Result<String> {
    check_name(name)?;
    let characters = secret.chars().count();
    if characters < SECRET_CHARACTERS_MIN || secret.len() > SECRET_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a password or token has {SECRET_CHARACTERS_MIN} characters or more and at most \
             {SECRET_BYTES_MAX} bytes; this one has {characters}"
        )));
    }
    let hash = Argon2::default()
        .hash_password(secret.as_bytes())
        .map_err(|error| Error::internal(format!("the password could not be hashed: {error}")))?;
    Ok(format!("{} {name} {hash}", kind.word()))
}

fn check_name(name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('#')
        && name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != ':');
    if plain {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the name of a user or token has no space, colon or control character and does not begin \
         with '#': {name:?}"
    )))
}

struct Entry {
    kind: Kind,
    name: String,
    hash: PasswordHash,
}

/// Reads the lines of a file; `source` is for messages.
fn parse(text: &str, source: &Path) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = parse_line(line).map_err(|problem| {
            Error::invalid(format!("{}, line {}: {problem}", source.display(), index + 1))
        })?;
        if entries.iter().any(|known| known.kind == entry.kind && known.name == entry.name) {
            return Err(Error::invalid(format!(
                "{}, line {}: there are two entries for {} '{}'",
                source.display(),
                index + 1,
                entry.kind.word(),
                entry.name
            )));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(Error::invalid(format!(
            "{} has no entry, so nobody could use the server\nhint: trainyard server \
             hash-password --user NAME >> {}",
            source.display(),
            source.display()
        )));
    }
    Ok(entries)
}

fn parse_line(line: &str) -> std::result::Result<Entry, String> {
    let mut words = line.split_whitespace();
    let (Some(kind), Some(name), Some(hash), None) =
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
    // What was meant as a password must not end up in a log, so it is not quoted.
    let hash = PasswordHash::new(hash).map_err(|error| {
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
    Ok(Entry { kind, name: name.to_owned(), hash })
}

/// What an `Authorization` header says.
struct Presented {
    kind: Kind,
    /// Empty for a token.
    name: String,
    secret: String,
}

impl Presented {
    fn read(value: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = rest.trim();
        if rest.len() > 2 * SECRET_BYTES_MAX {
            return None;
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self { kind: Kind::Token, name: String::new(), secret: rest.to_owned() });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (name, secret) = text.split_once(':')?;
        Some(Self { kind: Kind::User, name: name.to_owned(), secret: secret.to_owned() })
    }
}

/// The entries of one state of the file.
struct Entries {
    list: Vec<Entry>,
    /// Digests of what was right.
    remembered: Mutex<HashSet<[u8; 32]>>,
}

impl Entries {
    fn new(list: Vec<Entry>) -> Self {
        Self { list, remembered: Mutex::new(HashSet::new()) }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        // The guarded set is whole between any two operations, so a panic elsewhere is no harm.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes hashes until one is right. The hash of somebody is computed for unknown names,
    /// too: how long a refusal takes tells nobody which names there are.
    fn verify(&self, presented: &Presented) -> bool {
        let argon2 = Argon2::default();
        let right = |entry: &Entry| {
            argon2.verify_password(presented.secret.as_bytes(), &entry.hash).is_ok()
        };
        let candidates = || self.list.iter().filter(|entry| entry.kind == presented.kind);
        match presented.kind {
            Kind::Token => candidates().any(right),
            Kind::User => {
                let named = candidates().find(|entry| entry.name == presented.name);
                let checked = named.or(self.list.first()).is_some_and(right);
                named.is_some() && checked
            }
        }
    }
}

/// The file as it was read last.
struct Loaded {
    entries: Arc<Entries>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// Lets only those through who are in a file.
pub struct AuthFile {
    path: PathBuf,
    loaded: RwLock<Loaded>,
    checks: Arc<Semaphore>,
    /// Key of the digests.
    key: [u8; 32],
}

impl fmt::Debug for AuthFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl AuthFile {
    /// Reads the file. It is read again when it changes; a change that cannot be read is logged,
    /// and the entries before it stay.
    pub fn open(path: &Path) -> Result<Self> {
        let (entries, stamp) = load(path)?;
        let loaded =
            Loaded { entries: Arc::new(Entries::new(entries)), stamp, looked: Instant::now() };
        Ok(Self {
            path: path.to_owned(),
            loaded: RwLock::new(loaded),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            key: rand::random(),
        })
    }

    /// The entries, read again if the file has changed.
    fn entries(&self) -> Arc<Entries> {
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.looked.elapsed() < FILE_PERIOD {
                return Arc::clone(&loaded.entries);
            }
        }
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.looked = Instant::now();
        if stamp(&self.path) == loaded.stamp {
            return Arc::clone(&loaded.entries);
        }
        match load(&self.path) {
            Ok((entries, stamp)) => {
                tracing::info!(file = %self.path.display(), "read the users again");
                loaded.entries = Arc::new(Entries::new(entries));
                loaded.stamp = stamp;
            }
            Err(error) => tracing::error!(%error, "the users stay as they were"),
        }
        Arc::clone(&loaded.entries)
    }

    fn digest(&self, value: &HeaderValue) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update(value.as_bytes());
        digest.finalize().into()
    }

    async fn passes(&self, value: &HeaderValue) -> bool {
        let entries = self.entries();
        let digest = self.digest(value);
        if entries.remembered().contains(&digest) {
            return true;
        }
        let Some(presented) =
            Presented::read(value).filter(|given| given.secret.len() <= SECRET_BYTES_MAX)
        else {
            return false;
        };
        let Ok(permit) = Arc::clone(&self.checks).acquire_owned().await else { return false };
        // Several requests of one client wait together; the first one has the answer for all.
        if entries.remembered().contains(&digest) {
            return true;
        }
        let checked = tokio::task::spawn_blocking(move || {
            let right = entries.verify(&presented);
            drop(permit);
            if right {
                let mut remembered = entries.remembered();
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(digest);
            } else {
                tracing::warn!(kind = presented.kind.word(), "refused wrong credentials");
            }
            right
        });
        checked.await.unwrap_or(false)
    }
}

#[async_trait]
impl Authorize for AuthFile {
    async fn check(&self, request: &Parts) -> std::result::Result<(), Box<Response>> {
        let value = request.headers.get(header::AUTHORIZATION);
        if let Some(value) = value
            && self.passes(value).await
        {
            return Ok(());
        }
        let message = if value.is_some() {
            "wrong user name, password or token"
        } else {
            "this server asks for a user name and password or a token: set \
             MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        };
        let error = Error::api(ErrorCode::Unauthenticated, message);
        let mut answer = error_answer(error);
        let headers = answer.headers_mut();
        let basic = HeaderValue::from_static(r#"Basic realm="trainyard", charset="UTF-8""#);
        headers.append(header::WWW_AUTHENTICATE, basic);
        let bearer = HeaderValue::from_static(r#"Bearer realm="trainyard""#);
        headers.append(header::WWW_AUTHENTICATE, bearer);
        Err(Box::new(answer))
    }
}

/// When a file was changed, and how long it is.
type Stamp = (SystemTime, u64);

/// None if the file is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(path: &Path) -> Result<(Vec<Entry>, Option<Stamp>)> {
    // Taken first: a change while the file is read is noticed the next time.
    let stamp = stamp(path);
    if stamp.is_some_and(|(_, bytes)| bytes > FILE_BYTES_MAX) {
        return Err(Error::invalid(format!(
            "{} is larger than {FILE_BYTES_MAX} bytes",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    Ok((parse(&text, path)?, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Result<Vec<Entry>> {
        parse(text, Path::new("users"))
    }

    fn presented(kind: Kind, name: &str, secret: &str) -> Presented {
        Presented { kind, name: name.to_owned(), secret: secret.to_owned() }
    }

    #[test]
    fn entries_let_in_whom_they_were_made_for() {
        let alice = entry(Kind::User, "alice", "correct horse").unwrap();
        let ci = entry(Kind::Token, "ci", "battery staple").unwrap();
        let entries = Entries::new(entries(&format!("# people\n{alice}\n\n{ci}\n")).unwrap());
        for (given, expect) in [
            (presented(Kind::User, "alice", "correct horse"), true),
            (presented(Kind::User, "alice", "battery staple"), false),
            (presented(Kind::User, "ci", "battery staple"), false),
            (presented(Kind::User, "nobody", "correct horse"), false),
            (presented(Kind::Token, "", "battery staple"), true),
            (presented(Kind::Token, "", "correct horse"), false),
            (presented(Kind::Token, "", ""), false),
        ] {
            assert_eq!(entries.verify(&given), expect, "{} {}", given.name, given.secret);
        }
        assert_ne!(
            alice,
            entry(Kind::User, "alice", "correct horse").unwrap(),
            "a salt of its own"
        );
    }

    #[test]
    fn bad_lines_are_refused_with_their_number_and_without_the_secret() {
        let alice = entry(Kind::User, "alice", "correct horse").unwrap();
        for (text, expect) in [
            ("", "no entry"),
            ("# nobody\n", "no entry"),
            ("user alice secretpassword", "line 1: the hash of 'alice' cannot be read"),
            ("alice:secretpassword", "line 1: a line is"),
            ("admin alice secretpassword", "line 1: 'admin' is neither"),
            (&format!("{alice}\n{alice}"), "line 2: there are two entries for user 'alice'"),
            (&alice.replace("argon2id", "argon2i"), "is no argon2id hash"),
            (&alice.replace("m=19456", "m=99999999"), "KiB of memory"),
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

    #[test]
    fn headers_are_read_as_clients_write_them() {
        let read = |text: &str| {
            Presented::read(&HeaderValue::from_str(text).unwrap())
                .map(|given| (given.kind, given.name, given.secret))
        };
        let basic = format!("Basic {}", STANDARD.encode("alice:a:b"));
        assert_eq!(read(&basic), Some((Kind::User, "alice".to_owned(), "a:b".to_owned())));
        assert_eq!(read("bearer t0k"), Some((Kind::Token, String::new(), "t0k".to_owned())));
        for bad in ["Basic", "Basic !!!", "Digest x", "Basic YQ==", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("Bearer {}", "x".repeat(3000))), None);
    }
}
