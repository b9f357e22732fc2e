//! Who may use the server: those in a file of names and hashes (`--auth-file`).
//!
//! A `user` sends name and password (HTTP Basic), a `token` itself (`Authorization: Bearer`): what
//! `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`, make MLflow's clients
//! send. Who is in the file may do everything; there is no entry that the program comes with.
//!
//! A password's hash costs tens of milliseconds and 19 MiB on purpose, also when a stranger asks for it.
//! So few are computed at a time, few requests wait for one, those that present the same share it
//! ([`super::keyed_lock`]), an address has few wrong answers ([`super::login_limit`]), and what was right or
//! wrong is remembered for a while, as a digest under a key that only this process has.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::auth_file::{Entries, SECRET_BYTES_MAX, Stamp, load, stamp};
pub use super::auth_file::{Kind, entry};
use super::connections::Peer;
use super::keyed_lock::{KeyedGuard, KeyedLock};
use super::login_limit::{LoginLimit, Try};
use super::options::Authorize;
use crate::api::error_answer;

/// Passwords checked at a time: each takes a core and 19 MiB for a while.
const CHECKS_MAX: usize = 2;
/// Requests that wait for a check, at most: the last of them waits for about a second.
const WAITING_MAX: usize = 64;
/// Credentials remembered; entries have one each, unless somebody plays.
const REMEMBERED_MAX: usize = 4096;
/// How long what was right is remembered after it was last used.
const RIGHT_FOR: Duration = Duration::from_hours(24);
/// How long what was wrong is remembered: a tool with an old password asks again and again.
const WRONG_FOR: Duration = Duration::from_secs(10);
/// How often the file is looked at for changes.
const FILE_PERIOD: Duration = Duration::from_secs(1);

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
        let presented = if scheme.eq_ignore_ascii_case("bearer") {
            Self { kind: Kind::Token, name: String::new(), secret: rest.to_owned() }
        } else if scheme.eq_ignore_ascii_case("basic") {
            let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (name, secret) = text.split_once(':')?;
            Self { kind: Kind::User, name: name.to_owned(), secret: secret.to_owned() }
        } else {
            return None;
        };
        (presented.secret.len() <= SECRET_BYTES_MAX).then_some(presented)
    }
}

/// What was presented and is right.
#[derive(Clone)]
struct Right {
    /// Whose password it is; none for a token.
    user: Option<String>,
    used: Instant,
}

/// Digests of what was presented, and when they were looked at last.
#[derive(Default)]
struct Remembered {
    right: HashMap<[u8; 32], Right>,
    wrong: HashMap<[u8; 32], Instant>,
}

impl Remembered {
    /// Whether this was right or wrong a while ago; none if nothing is known.
    fn of(&mut self, digest: &[u8; 32]) -> Option<bool> {
        let now = Instant::now();
        if let Some(right) = self.right.get_mut(digest)
            && now.saturating_duration_since(right.used) < RIGHT_FOR
        {
            right.used = now;
            return Some(true);
        }
        let wrong = self.wrong.get(digest)?;
        (now.saturating_duration_since(*wrong) < WRONG_FOR).then_some(false)
    }

    fn add_right(&mut self, digest: [u8; 32], user: Option<String>) {
        make_room(&mut self.right, |right| right.used.elapsed() < RIGHT_FOR);
        self.right.insert(digest, Right { user, used: Instant::now() });
    }

    fn add_wrong(&mut self, digest: [u8; 32]) {
        make_room(&mut self.wrong, |used| used.elapsed() < WRONG_FOR);
        self.wrong.insert(digest, Instant::now());
    }
}

/// Forgets what is no use any more, and if that is not enough, everything: it is only asked again.
fn make_room<T>(list: &mut HashMap<[u8; 32], T>, is_of_use: impl Fn(&T) -> bool) {
    if list.len() >= REMEMBERED_MAX {
        list.retain(|_, entry| is_of_use(entry));
    }
    if list.len() >= REMEMBERED_MAX {
        list.clear();
    }
}

/// One state of the file.
struct State {
    entries: Entries,
    remembered: Mutex<Remembered>,
}

impl State {
    fn new(entries: Entries) -> Arc<Self> {
        Arc::new(Self { entries, remembered: Mutex::default() })
    }

    /// The state after this one. Who is still there with the same password need not show it again.
    fn with(&self, entries: Entries) -> Arc<Self> {
        let is_same = |right: &Right| {
            right.user.as_deref().is_some_and(|user| entries.has_same_user(user, &self.entries))
        };
        let mut right = self.remembered().right.clone();
        right.retain(|_, right| is_same(right));
        let remembered = Mutex::new(Remembered { right, wrong: HashMap::new() });
        Arc::new(Self { entries, remembered })
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // The guarded lists are whole between any two operations, so a panic elsewhere is no harm.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a digest.
    fn known(&self, digest: &[u8; 32]) -> Option<Verdict> {
        let is_right = self.remembered().of(digest)?;
        Some(Verdict::of(is_right))
    }
}

/// The file as it was read last.
struct Loaded {
    state: Arc<State>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// What becomes of a request.
enum Verdict {
    Right,
    Wrong,
    /// Too many wrong answers were given to this address.
    Wait(Duration),
    /// Too many others wait for a check.
    Busy,
}

impl Verdict {
    fn of(is_right: bool) -> Self {
        if is_right { Self::Right } else { Self::Wrong }
    }
}

/// Lets only those through who are in a file.
pub struct AuthFile {
    path: PathBuf,
    loaded: RwLock<Loaded>,
    login_limit: Arc<LoginLimit>,
    turns: KeyedLock,
    waiting: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    /// Tokens with a hash are compared one after the other, and passwords do not wait for them.
    token_checks: Arc<Semaphore>,
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
        let loaded = Loaded { state: State::new(entries), stamp, looked: Instant::now() };
        Ok(Self {
            path: path.to_owned(),
            loaded: RwLock::new(loaded),
            login_limit: Arc::default(),
            turns: KeyedLock::default(),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            token_checks: Arc::new(Semaphore::new(1)),
            key: rand::random(),
        })
    }

    /// The entries, read again if the file has changed.
    fn state(&self) -> Arc<State> {
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.looked.elapsed() < FILE_PERIOD {
                return Arc::clone(&loaded.state);
            }
        }
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.looked = Instant::now();
        if stamp(&self.path) == loaded.stamp {
            return Arc::clone(&loaded.state);
        }
        match load(&self.path) {
            Ok((entries, stamp)) => {
                tracing::info!(file = %self.path.display(), "read the users again");
                loaded.state = loaded.state.with(entries);
                loaded.stamp = stamp;
            }
            Err(error) => tracing::error!(%error, "the users stay as they were"),
        }
        Arc::clone(&loaded.state)
    }

    fn digest(&self, value: &HeaderValue) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update(value.as_bytes());
        digest.finalize().into()
    }

    async fn judge(&self, value: &HeaderValue, address: IpAddr) -> Verdict {
        let state = self.state();
        let Some(presented) = Presented::read(value) else { return Verdict::Wrong };
        if presented.kind == Kind::Token && state.entries.has_token(&presented.secret) {
            return Verdict::Right;
        }
        let digest = self.digest(value);
        if let Some(verdict) = state.known(&digest) {
            return verdict;
        }
        let turn = self.turns.lock(digest).await;
        // Who had the turn before may have found out.
        if let Some(verdict) = state.known(&digest) {
            return verdict;
        }
        let attempt = match self.login_limit.take(address, &presented.name) {
            Ok(attempt) => attempt,
            Err(wait) => return Verdict::Wait(wait),
        };
        let kind = presented.kind;
        let is_right = if state.entries.has_hashes(kind) {
            let Some(is_right) = self.check(&state, presented, digest, attempt, turn).await else {
                return Verdict::Busy;
            };
            is_right
        } else {
            state.remembered().add_wrong(digest);
            attempt.was_wrong();
            false
        };
        if !is_right {
            tracing::warn!(kind = kind.word(), %address, "refused wrong credentials");
        }
        Verdict::of(is_right)
    }

    /// Computes hashes, when there is room for it; none if too many wait.
    async fn check(
        &self,
        state: &Arc<State>,
        presented: Presented,
        digest: [u8; 32],
        attempt: Try,
        turn: KeyedGuard,
    ) -> Option<bool> {
        let _waiting = self.waiting.try_acquire().ok()?;
        let checks = match presented.kind {
            Kind::User => &self.checks,
            Kind::Token => &self.token_checks,
        };
        let permit = Arc::clone(checks).acquire_owned().await.ok()?;
        let state = Arc::clone(state);
        // Ends, and is remembered, also when the client goes away.
        let checked = tokio::task::spawn_blocking(move || {
            let Presented { kind, name, secret } = presented;
            let is_right = state.entries.verify(kind, &name, &secret);
            if is_right {
                state.remembered().add_right(digest, (kind == Kind::User).then_some(name));
            } else {
                state.remembered().add_wrong(digest);
                attempt.was_wrong();
            }
            drop((permit, turn));
            is_right
        });
        Some(checked.await.unwrap_or(false))
    }
}

#[async_trait]
impl Authorize for AuthFile {
    async fn check(&self, request: &Parts) -> std::result::Result<(), Box<Response>> {
        let peer = request.extensions.get::<Peer>();
        let address = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        let verdict = match request.headers.get(header::AUTHORIZATION) {
            Some(value) => Some(self.judge(value, address).await),
            None => None,
        };
        Err(Box::new(match verdict {
            Some(Verdict::Right) => return Ok(()),
            None => unauthenticated(
                "this server asks for a user name and password or a token: set \
                 MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
            ),
            Some(Verdict::Wrong) => unauthenticated("wrong user name, password or token"),
            Some(Verdict::Wait(wait)) => {
                tracing::warn!(%address, "too many wrong credentials");
                let seconds = wait.as_secs() + 1;
                let message = format!(
                    "too many wrong user names, passwords or tokens came from this address; try \
                     again in {seconds} s"
                );
                let error = Error::api(ErrorCode::RequestLimitExceeded, message);
                let mut answer = error_answer(error);
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                answer
            }
            Some(Verdict::Busy) => error_answer(Error::api(
                ErrorCode::TemporarilyUnavailable,
                "too many passwords are being checked; try again",
            )),
        }))
    }
}

fn unauthenticated(message: &str) -> Response {
    let mut answer = error_answer(Error::api(ErrorCode::Unauthenticated, message));
    let headers = answer.headers_mut();
    let basic = HeaderValue::from_static(r#"Basic realm="trainyard", charset="UTF-8""#);
    headers.append(header::WWW_AUTHENTICATE, basic);
    let bearer = HeaderValue::from_static(r#"Bearer realm="trainyard""#);
    headers.append(header::WWW_AUTHENTICATE, bearer);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(read(&format!("Bearer {}", "x".repeat(1025))), None);
    }

    #[tokio::test]
    async fn what_is_presented_many_times_at_once_is_one_try() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        std::fs::write(&file, entry(Kind::User, "ada", "difference").unwrap()).unwrap();
        let guard = AuthFile::open(&file).unwrap();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for (password, is_right) in [("engine", false), ("difference", true)] {
            let basic = format!("Basic {}", STANDARD.encode(format!("ada:{password}")));
            let basic = HeaderValue::from_str(&basic).unwrap();
            let verdicts =
                futures::future::join_all((0..100).map(|_| guard.judge(&basic, address)));
            for verdict in verdicts.await {
                match verdict {
                    Verdict::Right => assert!(is_right, "{password}"),
                    Verdict::Wrong => assert!(!is_right, "{password}"),
                    Verdict::Wait(_) | Verdict::Busy => panic!("{password} was not looked at"),
                }
            }
        }
    }

    #[test]
    fn a_changed_file_forgets_only_whom_it_changes() {
        let entries = |text: &str| Entries::parse(text, Path::new("users")).unwrap();
        let ada = entry(Kind::User, "ada", "difference").unwrap();
        let bob = entry(Kind::User, "bob", "correct horse").unwrap();
        let other = entry(Kind::User, "bob", "battery staple").unwrap();
        let before = State::new(entries(&format!("{ada}\n{bob}")));
        before.remembered().add_right([1; 32], Some("ada".to_owned()));
        before.remembered().add_right([2; 32], Some("bob".to_owned()));
        before.remembered().add_right([3; 32], None);
        before.remembered().add_wrong([4; 32]);
        for (text, known) in [(&format!("{ada}\n{other}"), 1), (&ada, 1), (&bob, 2)] {
            let after = before.with(entries(text));
            for digest in 1..=4 {
                let is_known = after.remembered().of(&[digest; 32]) == Some(true);
                assert_eq!(is_known, digest == known, "{digest} after {text}");
            }
        }
    }

    #[tokio::test]
    async fn guesses_keep_nobody_else_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        std::fs::write(&file, entry(Kind::User, "ada", "difference").unwrap()).unwrap();
        let guard = AuthFile::open(&file).unwrap();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for number in 0..20 {
            let basic = format!("Basic {}", STANDARD.encode(format!("bob:{number}")));
            let guess = guard.judge(&HeaderValue::from_str(&basic).unwrap(), address).await;
            assert!(matches!(guess, Verdict::Wrong), "{number}");
        }
        let basic = format!("Basic {}", STANDARD.encode("ada:difference"));
        let ada = guard.judge(&HeaderValue::from_str(&basic).unwrap(), address).await;
        assert!(matches!(ada, Verdict::Right));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::default();
        for number in 0..10_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_le_bytes());
            if number == 0 {
                remembered.add_right(digest, None);
            } else {
                remembered.add_wrong(digest);
            }
            assert_eq!(remembered.of(&digest), Some(number == 0));
        }
        assert!(remembered.wrong.len() <= REMEMBERED_MAX);
        assert_eq!(remembered.of(&[0; 32]), Some(true), "wrong ones do not push right ones out");
        assert_eq!(remembered.of(&[9; 32]), None);
    }
}
