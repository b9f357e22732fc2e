//! Who sent a request: somebody with a password, a token of somebody, of ours or of a provider of sign-ins, or a
//! browser that is signed in.
//!
//! A password's hash is dear on purpose, also when a stranger asks for it: few are computed at a time, few
//! requests wait for one, those that present the same share it, an address has few wrong answers, and what was
//! right is remembered for as long as the password stays the same. Tokens are found by their digest.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use trainyard_base::leaky_bucket::Rule;
use trainyard_mlflow::Result;

use super::directory::Directory;
use super::members::User;
use super::oidc::{Oidc, Refused, TOKEN_DAYS, is_jwt};
use super::open_routes::is_guarded;
use super::per_user::PerUser;
use super::sessions::Sessions;
use super::{browser, cookies, pages, password, token, users_sql};
use crate::api::error_answer;
use crate::server::Authorize;
use crate::server::actor::{Actor, acting_as};
use crate::server::auth::Kind;
use crate::server::keyed_lock::KeyedLock;
use crate::server::login_limit::{LoginLimit, Try};
use crate::server::presented::Presented;
use crate::server::verdict::{Verdict, address, admit};
use crate::store::now_millis;

const MILLIS_OF_DAY: i64 = 24 * 60 * 60 * 1000;
/// Passwords checked at a time: each takes a core and, of those that an upstream server kept, 32 MiB for a while.
const CHECKS_MAX: usize = 2;
/// Requests that wait for a check, at most.
const WAITING_MAX: usize = 64;
/// Credentials remembered, right ones and wrong ones.
const REMEMBERED_MAX: usize = 16_384;
/// How long what was wrong is remembered: a tool with an old password asks again and again.
const WRONG_FOR: Duration = Duration::from_secs(10);
/// The names under which tokens and sign-ins on pages are counted: no user has one of them. A program with a token that
/// has ended keeps no people out who share its address.
pub(crate) const OF_TOKENS: &str = "";
pub(crate) const OF_PAGES: &str = ":pages";
/// Tokens that one user is given for a provider's: each is kept until it ends, a line of the audit log, and a change that
/// all servers read. A CI begins with all jobs of a matrix at once, and goes on with some 900 an hour.
const EXCHANGED: Rule = Rule { max: 300, period: Duration::from_secs(4) };
/// What an older MLflow gave its administrators, and everybody knows.
const WELL_KNOWN: &str = "password1234";

/// What came of a check. It holds for as long as the same is kept of the password.
enum Outcome {
    /// It was the password of which this is kept.
    Right {
        /// What is kept.
        kept: Arc<str>,
    },
    /// It was not, or there was no such user.
    Wrong {
        /// What was kept.
        kept: Option<Arc<str>>,
        at: Instant,
    },
}

/// What is asked of a password when it is compared.
struct Question {
    name: String,
    secret: String,
    /// None if there is no such user.
    user: Option<Known>,
}

/// A user as they were when they were asked for.
struct Known {
    id: i64,
    kept: Arc<str>,
    is_admin: bool,
}

/// Lets those in who are in the directory.
pub(crate) struct SignIn {
    directory: Arc<Directory>,
    pub(crate) sessions: Sessions,
    pub(crate) oidc: Option<Oidc>,
    /// The path below which the server is.
    pub(crate) prefix: String,
    remembered: Mutex<HashMap<[u8; 32], Outcome>>,
    login_limit: Arc<LoginLimit>,
    /// Tokens given for a provider's.
    pub(crate) exchanged: PerUser,
    turns: KeyedLock,
    waiting: Semaphore,
    checks: Arc<Semaphore>,
    /// What is compared for names that are not there.
    decoy: Arc<str>,
    /// Key of the digests.
    key: [u8; 32],
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl SignIn {
    /// Takes the time of one hash.
    pub(crate) fn new(
        directory: Arc<Directory>,
        oidc: Option<Oidc>,
        prefix: String,
    ) -> Result<Self> {
        Ok(Self {
            sessions: Sessions::new(Arc::clone(&directory)),
            directory,
            oidc,
            prefix,
            remembered: Mutex::default(),
            login_limit: Arc::default(),
            exchanged: PerUser::new(EXCHANGED),
            turns: KeyedLock::default(),
            waiting: Semaphore::new(WAITING_MAX),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            decoy: password::hash(&token::secret())?.into(),
            key: rand::random(),
        })
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<[u8; 32], Outcome>> {
        // The list is whole between any two operations, so a panic elsewhere is no harm.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, digest: [u8; 32], outcome: Outcome) {
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, outcome| matches!(outcome, Outcome::Right { .. }));
        }
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(digest, outcome);
    }

    fn digest(&self, name: &str, secret: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update(name.len().to_le_bytes());
        digest.update(name.as_bytes());
        digest.update(secret.as_bytes());
        digest.finalize().into()
    }

    fn user(&self, name: &str) -> Option<Known> {
        let index = self.directory.index();
        let row = &index.users.get(name)?.row;
        let kept = Arc::from(row.password_hash.as_str());
        Some(Known { id: row.id, kept, is_admin: row.is_admin })
    }

    /// What is remembered, if it still holds.
    fn known(&self, digest: &[u8; 32], user: Option<&Known>) -> Option<bool> {
        match (self.remembered().get(digest)?, user) {
            (Outcome::Right { kept }, Some(user)) if *kept == user.kept => Some(true),
            (Outcome::Wrong { kept, at }, user)
                if at.elapsed() < WRONG_FOR && kept.as_ref() == user.map(|user| &user.kept) =>
            {
                Some(false)
            }
            _ => None,
        }
    }

    /// Whose token it is; none if it is nobody's, or has ended.
    fn owner_of(&self, secret: &str) -> Option<Actor> {
        let index = self.directory.index();
        let token = index.token(&token::digest(secret))?;
        let now = now_millis();
        let is_over = token.expires_at.is_some_and(|end| end <= now);
        // Who has a password here is not the provider's alone.
        let has_none = |user: &User| user.row.password_hash == password::NONE;
        let is_of_provider = index.users.get(&token.username).is_some_and(has_none);
        let days = self.oidc.as_ref().map_or(TOKEN_DAYS, |oidc| oidc.token_days);
        let is_let_go = is_of_provider
            && index
                .signed_in_at(&token.username)
                .is_some_and(|at| at.saturating_add(days * MILLIS_OF_DAY) < now);
        (!is_over && !is_let_go).then(|| Actor::token(token.username.as_str(), token.name.as_str()))
    }

    /// What is thought of a token of a provider.
    async fn judge_jwt(&self, oidc: &Oidc, token: &str, address: IpAddr) -> Verdict {
        match oidc.judge(token).await {
            Ok(actor) => Verdict::Right(actor),
            Err(refused) => self.refusal(refused, address, OF_TOKENS),
        }
    }

    /// One try of a browser that comes back from a provider, or of a program with its token; `Err` is how long to wait.
    pub(crate) fn attempt(
        &self,
        address: IpAddr,
        name: &str,
    ) -> std::result::Result<Try, Duration> {
        self.login_limit.take(address, name)
    }

    /// The same of whoever a provider's word does not let in. Who presents what is no word of one has few tries, which
    /// are counted under `name`.
    pub(crate) fn refusal(&self, refused: Refused, address: IpAddr, name: &str) -> Verdict {
        match refused {
            Refused::Token(reason) => match self.login_limit.take(address, name) {
                Ok(attempt) => {
                    attempt.was_wrong();
                    tracing::warn!(kind = "token", %address, reason, "refused wrong credentials");
                    Verdict::Refused(reason)
                }
                Err(wait) => Verdict::Wait(wait),
            },
            Refused::Person(reason) => {
                tracing::warn!(%address, reason, "somebody may not sign in");
                Verdict::Refused(reason)
            }
            Refused::Provider(reason) => {
                tracing::warn!(reason, "a sign-in needs a provider");
                let told = "the sign-in provider cannot be asked now; the server's log says why";
                Verdict::Unavailable(told.to_owned())
            }
            Refused::Busy => Verdict::Unavailable(refused.to_string()),
        }
    }

    /// Who is signed in in a browser; none if nobody is. What a page of another site asks for is refused.
    async fn of_session(
        &self,
        request: &Parts,
    ) -> std::result::Result<Option<Verdict>, Box<Response>> {
        let Some(secret) = cookies::value(&request.headers, cookies::SESSION) else {
            return Ok(None);
        };
        let found = self.sessions.of(secret).await;
        let found = found.map_err(|error| Box::new(error_answer(error)))?;
        let Some(session) = found else { return Ok(None) };
        let is_own = browser::is_open(&self.prefix, request.uri.path())
            || browser::is_own(request, secret, self.oidc.as_ref());
        if !is_own {
            return Err(Box::new(error_answer(browser::foreign())));
        }
        Ok(Some(Verdict::Right(Actor::user(session.username))))
    }

    async fn judge(&self, value: &HeaderValue, address: IpAddr) -> Verdict {
        if let Some(oidc) = &self.oidc
            && let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' '))
            && scheme.eq_ignore_ascii_case("bearer")
            && is_jwt(token.trim())
        {
            return self.judge_jwt(oidc, token.trim(), address).await;
        }
        let Some(presented) = Presented::read(value) else { return Verdict::Wrong };
        if presented.kind == Kind::Token || presented.secret.starts_with(token::MARK) {
            // Clients that know no tokens send one as the password of its owner.
            let owner = self.owner_of(&presented.secret);
            let owner =
                owner.filter(|owner| presented.kind == Kind::Token || owner.name == presented.name);
            if let Some(owner) = owner {
                return Verdict::Right(owner);
            }
            return match self.login_limit.take(address, &presented.name) {
                Ok(attempt) => {
                    attempt.was_wrong();
                    tracing::warn!(kind = "token", %address, "refused wrong credentials");
                    Verdict::Wrong
                }
                Err(wait) => Verdict::Wait(wait),
            };
        }
        self.password(presented.name, presented.secret, address).await
    }

    /// Whether somebody's password is this.
    pub(crate) async fn password(&self, name: String, secret: String, address: IpAddr) -> Verdict {
        let digest = self.digest(&name, &secret);
        let verdict = |is_right, name: String| {
            if is_right { Verdict::Right(Actor::user(name)) } else { Verdict::Wrong }
        };
        let user = self.user(&name);
        if let Some(is_right) = self.known(&digest, user.as_ref()) {
            return verdict(is_right, name);
        }
        let _turn = self.turns.lock(digest).await;
        // Who had the turn before may have found out.
        let user = self.user(&name);
        if let Some(is_right) = self.known(&digest, user.as_ref()) {
            return verdict(is_right, name);
        }
        let attempt = match self.login_limit.take(address, &name) {
            Ok(attempt) => attempt,
            Err(wait) => return Verdict::Wait(wait),
        };
        let Ok(_waiting) = self.waiting.try_acquire() else { return Verdict::Busy };
        let kept = user.as_ref().map(|user| Arc::clone(&user.kept));
        let question = Question { name: name.clone(), secret, user };
        let Some(is_right) = self.compare(question).await else { return Verdict::Busy };
        match kept {
            Some(kept) if is_right => self.remember(digest, Outcome::Right { kept }),
            kept => {
                self.remember(digest, Outcome::Wrong { kept, at: Instant::now() });
                attempt.was_wrong();
                tracing::warn!(kind = "user", %address, "refused wrong credentials");
            }
        }
        verdict(is_right, name)
    }

    /// Computes a hash: of somebody also where nobody has the name, so that how long a refusal takes tells
    /// nobody which names there are. None if it could not.
    async fn compare(&self, question: Question) -> Option<bool> {
        let permit = Arc::clone(&self.checks).acquire_owned().await.ok()?;
        let decoy = Arc::clone(&self.decoy);
        let compared = tokio::task::spawn_blocking(move || {
            let Question { name, secret, user } = question;
            let _permit = permit;
            let Some(user) = user else {
                password::verify(&decoy, &secret);
                return (false, None);
            };
            if &*user.kept == password::NONE {
                password::verify(&decoy, &secret);
                return (false, None);
            }
            if !password::verify(&user.kept, &secret) {
                return (false, None);
            }
            if user.is_admin && secret == WELL_KNOWN {
                tracing::warn!(
                    user = name,
                    "refused an administrator with the password that older MLflow versions came with; \
                     set another one with `trainyard user password`"
                );
                return (false, None);
            }
            let anew = password::is_outdated(&user.kept).then(|| password::hash(&secret).ok());
            (true, anew.flatten().map(|anew| (user, anew)))
        });
        let (is_right, anew) = compared.await.ok()?;
        if let Some((user, anew)) = anew {
            self.keep_anew(user, anew).await;
        }
        Some(is_right)
    }

    /// Keeps a better hash of a password that was just right. Not to keep it is no reason to refuse anybody.
    async fn keep_anew(&self, user: Known, anew: String) {
        let kept = self.directory.rewrite(move |connection| {
            users_sql::replace_password(connection, user.id, &user.kept, &anew)
        });
        if let Err(error) = kept.await {
            tracing::warn!(%error, "a password's hash could not be renewed");
        }
    }
}

#[async_trait]
impl Authorize for SignIn {
    async fn check(&self, request: &Parts) -> std::result::Result<Actor, Box<Response>> {
        self.directory.refresh().await;
        let address = address(request);
        let verdict = match request.headers.get(header::AUTHORIZATION) {
            Some(value) => Some(self.judge(value, address).await),
            None => self.of_session(request).await?,
        };
        if matches!(verdict, Some(Verdict::Wrong | Verdict::Wait(_) | Verdict::Refused(_))) {
            self.directory.refusals.count(address);
        }
        if verdict.is_none() && browser::is_open(&self.prefix, request.uri.path()) {
            return Ok(Actor::anonymous());
        }
        if verdict.is_none() && browser::wants_page(&self.prefix, request) {
            return Err(Box::new(browser::to_sign_in(&self.prefix, &request.uri)));
        }
        if verdict.is_none() && browser::sends_form(&self.prefix, request) {
            return Err(Box::new(pages::signed_out(&self.prefix, request.uri.path())));
        }
        let actor = admit(verdict, address)?;
        if !is_guarded(&self.prefix, request.uri.path()) {
            let look = async { self.directory.for_administrators() };
            acting_as(actor.clone(), look).await.map_err(|error| Box::new(error_answer(error)))?;
        }
        Ok(actor)
    }
}
