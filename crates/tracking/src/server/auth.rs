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
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use trainyard_mlflow::Result;
use trainyard_mlflow::entities::ApprovalRequest;

use super::actor::{Actor, ActorKind};
use super::auth_file::{Entries, Stamp, load, stamp};
pub use super::auth_file::{Kind, entry};
use super::keyed_lock::{KeyedGuard, KeyedLock};
use super::login_limit::{LoginLimit, Try};
use super::options::Authorize;
use super::presented::Presented;
use super::verdict::{Verdict, address, admit};
use crate::governance::Approvers;

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

/// What was presented and is right.
#[derive(Clone)]
struct Right {
    actor: Actor,
    used: Instant,
}

/// Digests of what was presented, and when they were looked at last.
#[derive(Default)]
struct Remembered {
    right: HashMap<[u8; 32], Right>,
    wrong: HashMap<[u8; 32], Instant>,
}

impl Remembered {
    /// Whose it was, or that it was wrong a while ago; none if nothing is known.
    fn of(&mut self, digest: &[u8; 32]) -> Option<Verdict> {
        let now = Instant::now();
        if let Some(right) = self.right.get_mut(digest)
            && now.saturating_duration_since(right.used) < RIGHT_FOR
        {
            right.used = now;
            return Some(Verdict::Right(right.actor.clone()));
        }
        let wrong = self.wrong.get(digest)?;
        (now.saturating_duration_since(*wrong) < WRONG_FOR).then_some(Verdict::Wrong)
    }

    fn add_right(&mut self, digest: [u8; 32], actor: Actor) {
        make_room(&mut self.right, |right| right.used.elapsed() < RIGHT_FOR);
        self.right.insert(digest, Right { actor, used: Instant::now() });
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
            right.actor.kind == ActorKind::User
                && entries.has_same_user(&right.actor.name, &self.entries)
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
        self.remembered().of(digest)
    }
}

/// The file as it was read last.
struct Loaded {
    state: Arc<State>,
    stamp: Option<Stamp>,
    looked: Instant,
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
        if presented.kind == Kind::Token
            && let Some(name) = state.entries.token_name(&presented.secret)
        {
            return Verdict::Right(Actor::token(name, name));
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
        let verdict = if state.entries.has_hashes(kind) {
            self.check(&state, presented, digest, attempt, turn).await
        } else {
            state.remembered().add_wrong(digest);
            attempt.was_wrong();
            Verdict::Wrong
        };
        if matches!(verdict, Verdict::Wrong) {
            tracing::warn!(kind = kind.word(), %address, "refused wrong credentials");
        }
        verdict
    }

    /// Computes hashes, when there is room for it.
    async fn check(
        &self,
        state: &Arc<State>,
        presented: Presented,
        digest: [u8; 32],
        attempt: Try,
        turn: KeyedGuard,
    ) -> Verdict {
        let Ok(_waiting) = self.waiting.try_acquire() else { return Verdict::Busy };
        let checks = match presented.kind {
            Kind::User => &self.checks,
            Kind::Token => &self.token_checks,
        };
        let Ok(permit) = Arc::clone(checks).acquire_owned().await else { return Verdict::Busy };
        let state = Arc::clone(state);
        // Ends, and is remembered, also when the client goes away.
        let checked = tokio::task::spawn_blocking(move || {
            let Presented { kind, name, secret } = presented;
            let verdict = if let Some(name) = state.entries.verify(kind, &name, &secret) {
                let actor = match kind {
                    Kind::User => Actor::user(name),
                    Kind::Token => Actor::token(name, name),
                };
                state.remembered().add_right(digest, actor.clone());
                Verdict::Right(actor)
            } else {
                state.remembered().add_wrong(digest);
                attempt.was_wrong();
                Verdict::Wrong
            };
            drop((permit, turn));
            verdict
        });
        checked.await.unwrap_or(Verdict::Wrong)
    }
}

impl Approvers for AuthFile {
    fn may_move(&self, who: &str, _request: &ApprovalRequest) -> bool {
        self.state().entries.has_user(who)
    }
}

#[async_trait]
impl Authorize for AuthFile {
    async fn check(&self, request: &Parts) -> std::result::Result<Actor, Box<Response>> {
        let address = address(request);
        let verdict = match request.headers.get(header::AUTHORIZATION) {
            Some(value) => Some(self.judge(value, address).await),
            None => None,
        };
        admit(verdict, address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

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
                    Verdict::Right(actor) => {
                        assert!(is_right, "{password}");
                        assert_eq!(actor, Actor::user("ada"));
                    }
                    Verdict::Wrong => assert!(!is_right, "{password}"),
                    _ => panic!("{password} was not looked at"),
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
        before.remembered().add_right([1; 32], Actor::user("ada"));
        before.remembered().add_right([2; 32], Actor::user("bob"));
        before.remembered().add_right([3; 32], Actor::token("ci", "ci"));
        before.remembered().add_wrong([4; 32]);
        for (text, known) in [(&format!("{ada}\n{other}"), 1), (&ada, 1), (&bob, 2)] {
            let after = before.with(entries(text));
            for digest in 1..=4 {
                let known_as = after.remembered().of(&[digest; 32]);
                let is_known = matches!(known_as, Some(Verdict::Right(_)));
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
        assert!(matches!(ada, Verdict::Right(_)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::default();
        for number in 0..10_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_le_bytes());
            if number == 0 {
                remembered.add_right(digest, Actor::user("ada"));
            } else {
                remembered.add_wrong(digest);
            }
            let is_right = matches!(remembered.of(&digest), Some(Verdict::Right(_)));
            assert_eq!(is_right, number == 0);
        }
        assert!(remembered.wrong.len() <= REMEMBERED_MAX);
        let first = remembered.of(&[0; 32]);
        assert!(matches!(first, Some(Verdict::Right(_))), "wrong ones do not push right ones out");
        assert!(remembered.of(&[9; 32]).is_none());
    }
}
