//! All providers of a server, and what they let people and programs do here.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use trainyard_mlflow::{Error, Result};

use super::claims::{end_millis, issued_millis};
use super::code_flow::{self, Begun, Returned};
use super::fetch::Fetcher;
use super::identity::{Person, account, person, says_enough, subject};
use super::jwt::Unverified;
use super::people::{enter, unchanged};
use super::provider::Provider;
use super::refused::Refused;
use super::settings::OidcConfig;
use crate::access::directory::Directory;
use crate::access::{password, users_sql};
use crate::origin::Origin;
use crate::server::actor::Actor;
use crate::store::now_millis;

/// Requests that wait for a provider, at most.
const WAITING_MAX: usize = 64;
/// Tokens that are remembered: each is used for some minutes.
const REMEMBERED_MAX: usize = 4096;
/// How often it is noted that somebody signed in: each time is a change that all servers read.
const NOTED_AGAIN_MILLIS: i64 = 60 * 60 * 1000;
/// The most that a person's token may do: with users and roles they sign in themselves.
const PERSONS_SCOPE: &str = "MANAGE";
/// Hours of a token that a person is given by `trainyard login`.
const PERSONS_HOURS: i64 = 12;
/// People of whom it is remembered when a provider last said something.
const SAID_MAX: usize = 100_000;
/// What clocks of one provider's machines may differ by.
const CLOCKS_MILLIS: i64 = 60 * 1000;
/// How old a token may be that is exchanged for a longer one: it was made for that.
const EXCHANGED_MILLIS_MAX: i64 = 5 * 60 * 1000;

/// Whom a provider's token lets in, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) username: String,
    /// The most that they may do.
    pub(crate) scope: String,
    /// How long a token of ours in its place lives.
    pub(crate) hours: i64,
    /// The provider and what it calls them, for logs.
    pub(crate) token: String,
}

/// A token that was looked at.
#[derive(Debug, Clone)]
struct Judged {
    actor: Actor,
    /// The provider and what it calls them; none of a service account.
    person: Option<(String, String)>,
    /// Milliseconds since the Unix epoch.
    end: i64,
}

/// A provider, for whoever wants to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer<'a> {
    pub(crate) name: &'a str,
    pub(crate) url: &'a str,
    /// Whether people sign in there on pages.
    pub(crate) has_pages: bool,
    /// What programs on a desk are there.
    pub(crate) device_client_id: Option<&'a str>,
    pub(crate) scopes: &'a [String],
    /// Whom a token of a program that is nobody's has to be for.
    pub(crate) audience: Option<&'a str>,
}

/// The providers.
pub(crate) struct Oidc {
    providers: Vec<Provider>,
    directory: Arc<Directory>,
    public_url: Option<String>,
    pub(crate) session_hours: i64,
    /// Days for which tokens of people go on after they last signed in.
    pub(crate) token_days: i64,
    judged: Mutex<HashMap<[u8; 32], Judged>>,
    /// When a provider last said something of somebody whom it calls so, by its own clock in milliseconds. What it said
    /// before is still true of who they are, and no longer of their groups.
    said: Mutex<HashMap<(String, String), i64>>,
    waiting: Semaphore,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("providers", &self.providers).finish_non_exhaustive()
    }
}

impl Oidc {
    /// Asks nobody yet.
    pub(crate) fn new(config: &OidcConfig, directory: Arc<Directory>) -> Result<Self> {
        let fetcher = Arc::new(Fetcher::new()?);
        let issuers = config.issuers.iter().cloned();
        Ok(Self {
            providers: issuers.map(|issuer| Provider::new(issuer, Arc::clone(&fetcher))).collect(),
            directory,
            public_url: config.public_url().map(str::to_owned),
            session_hours: config.session_hours,
            token_days: config.token_days,
            judged: Mutex::default(),
            said: Mutex::default(),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    /// Makes the service accounts that are not there yet. A person is none.
    pub(crate) async fn make_accounts(&self) -> Result<()> {
        let accounts = self.providers.iter().flat_map(|provider| &provider.issuer.accounts);
        let mut missing: Vec<String> = Vec::new();
        for account in accounts {
            match self.directory.index().users.get(&account.user) {
                Some(user) if user.row.is_admin || user.row.password_hash != password::NONE => {
                    return Err(Error::invalid(format!(
                        "'{}' is a person with a password or an administrator, and no [[issuer.account]] acts as \
                         one",
                        account.user
                    )));
                }
                Some(_) => {}
                None => missing.push(account.user.clone()),
            }
        }
        missing.sort();
        missing.dedup();
        for name in missing {
            let made = self.directory.change(move |connection| {
                users_sql::create_service_account(connection, &name).map(|_user| ())
            });
            made.await?;
        }
        Ok(())
    }

    /// Where to sign in.
    pub(crate) fn offers(&self) -> impl Iterator<Item = Offer<'_>> {
        self.providers.iter().map(|provider| {
            let issuer = &provider.issuer;
            let is_of_programs = !issuer.accounts.is_empty();
            Offer {
                name: &issuer.name,
                url: &issuer.url,
                has_pages: issuer.has_pages(),
                device_client_id: issuer.device_client_id.as_deref(),
                scopes: &issuer.scopes,
                audience: issuer.audiences.first().map(String::as_str).filter(|_| is_of_programs),
            }
        })
    }

    /// Whether a page of this origin (`https://host`) is this server's own.
    pub(crate) fn is_own_origin(&self, origin: &str) -> bool {
        let own = self.public_url.as_deref().and_then(|url| url::Url::parse(url).ok());
        own.is_some_and(|own| own.origin().ascii_serialization() == origin)
    }

    /// Whether browsers find this server by https; none if nobody said where they do.
    pub(crate) fn is_secure(&self) -> Option<bool> {
        self.public_url.as_ref().map(|url| url.starts_with("https://"))
    }

    fn judged(&self) -> MutexGuard<'_, HashMap<[u8; 32], Judged>> {
        // The list is whole between any two operations, so a panic elsewhere is no harm.
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self) -> MutexGuard<'_, HashMap<(String, String), i64>> {
        // As above.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a token that was right still is: whoever was removed may have been followed by another of the name.
    fn still_holds(&self, judged: &Judged) -> bool {
        let index = self.directory.index();
        let name = judged.actor.name.as_str();
        judged.end > now_millis()
            && match &judged.person {
                Some((issuer, subject)) => index.username_of(issuer, subject) == Some(name),
                None => index.users.contains_key(name),
            }
    }

    /// Whom a token lets in.
    pub(crate) async fn judge(&self, token: &str) -> Result<Actor, Refused> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.judged().get(&digest).cloned();
        if let Some(known) = known
            && self.still_holds(&known)
        {
            return Ok(known.actor);
        }
        let (provider, claims) = self.verified(token).await?;
        let end = end_millis(&claims);
        let is_person = provider.issuer.accounts.is_empty();
        let called = subject(&claims)?.to_owned();
        let person = is_person.then(|| (provider.issuer.url.clone(), called));
        // A token for access is one to ask with, too; one that is not leaves its claims as they are.
        let admitted = self.admitted(provider, claims, Some(token)).await?;
        if !self.directory.index().users.contains_key(&admitted.username) {
            return Err(Refused::person(format!(
                "there is no user '{}' any more",
                admitted.username
            )));
        }
        let actor = Actor::bearer(admitted.username, admitted.token, admitted.scope);
        self.remember(digest, Judged { actor: actor.clone(), person, end });
        Ok(actor)
    }

    fn remember(&self, digest: [u8; 32], judged: Judged) {
        let mut remembered = self.judged();
        if remembered.len() >= REMEMBERED_MAX {
            let now = now_millis();
            remembered.retain(|_, judged| judged.end > now);
        }
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(digest, judged);
    }

    /// Whom a token lets in that was just made, for a token of ours in its place. With another one, for access, the
    /// provider is asked for more of them if need be.
    pub(crate) async fn exchange(
        &self,
        token: &str,
        access_token: Option<&str>,
    ) -> Result<Admitted, Refused> {
        let (provider, claims) = self.verified(token).await?;
        if now_millis() - issued_millis(&claims) > EXCHANGED_MILLIS_MAX {
            return Err(Refused::token("the token was made some time ago; sign in again"));
        }
        self.admitted(provider, claims, access_token).await
    }

    async fn verified(&self, token: &str) -> Result<(&Provider, Map<String, Value>), Refused> {
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(Refused::Busy) };
        let unverified = Unverified::read(token)?;
        let issuer = unverified.issuer().unwrap_or_default();
        let Some(provider) = self.providers.iter().find(|known| known.issuer.url == issuer) else {
            return Err(Refused::token("the token is of no provider that this server knows"));
        };
        let claims = provider.verified(token, &provider.issuer.audiences, None).await?;
        Ok((provider, claims))
    }

    async fn admitted(
        &self,
        provider: &Provider,
        claims: Map<String, Value>,
        access_token: Option<&str>,
    ) -> Result<Admitted, Refused> {
        let issuer = &provider.issuer;
        let token = format!("{}:{}", issuer.name, subject(&claims)?);
        if !issuer.accounts.is_empty() {
            let account = account(&claims, issuer)?;
            let (username, scope) = (account.user.clone(), account.scope.clone());
            return Ok(Admitted { username, scope, hours: account.hours, token });
        }
        let completed = match access_token {
            Some(_) if !says_enough(&claims, issuer) => {
                code_flow::completed(provider, claims.clone(), access_token).await.unwrap_or(claims)
            }
            _ => claims,
        };
        let username = self.entered(person(&completed, issuer)?, issued_millis(&completed)).await?;
        Ok(Admitted { username, scope: PERSONS_SCOPE.to_owned(), hours: PERSONS_HOURS, token })
    }

    /// The name here of somebody of a provider, once the tables say what the provider says. `issued` is when it said
    /// so: an older token gives nobody back what a newer one took.
    async fn entered(&self, person: Person, issued: i64) -> Result<String, Refused> {
        let key = (person.issuer.clone(), person.subject.clone());
        let last = self.said().get(&key).copied();
        let is_old = last.is_some_and(|last| issued.saturating_add(CLOCKS_MILLIS) < last);
        let known = {
            let index = self.directory.index();
            let username = index.username_of(&person.issuer, &person.subject);
            let old = username.filter(|_username| is_old).map(str::to_owned);
            old.or_else(|| unchanged(&index, &person))
        };
        let username = if let Some(username) = known {
            username
        } else {
            // Whoever asks, it is the provider's word that is written down.
            let said = format!("{} {}", person.issuer, person.subject);
            let origin = Origin::current().of_actor(Actor::token(person.username.as_str(), said));
            let entered = self.directory.change(move |connection| enter(connection, &person));
            Box::pin(origin.scope(entered)).await?
        };
        let now = now_millis();
        let at = if issued > 0 { issued.min(now) } else { now };
        let last = self.directory.index().signed_in_at(&username);
        if last.is_none_or(|last| at - last > NOTED_AGAIN_MILLIS) {
            let name = username.clone();
            let noted = self
                .directory
                .rewrite(move |connection| users_sql::note_sign_in(connection, &name, at));
            Box::pin(noted).await?;
        }
        let mut said = self.said();
        if said.len() >= SAID_MAX {
            said.clear();
        }
        let latest = said.entry(key).or_insert(issued);
        *latest = issued.max(*latest);
        Ok(username)
    }

    fn provider(&self, name: &str) -> Result<&Provider, Refused> {
        let mut with_pages = self.providers.iter().filter(|known| known.issuer.has_pages());
        with_pages
            .find(|known| known.issuer.name == name)
            .ok_or_else(|| Refused::token("there is no sign-in provider of this name"))
    }

    fn redirect_uri(&self, provider: &Provider) -> String {
        let public_url = self.public_url.as_deref().unwrap_or_default();
        format!("{public_url}/sign-in/{}/callback", provider.issuer.name)
    }

    /// Sends a browser to a provider; `next` is where somebody wanted to go.
    pub(crate) async fn begin(&self, issuer: &str, next: &str) -> Result<Begun, Refused> {
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(Refused::Busy) };
        let provider = self.provider(issuer)?;
        code_flow::begin(provider, &self.redirect_uri(provider), next).await
    }

    /// Who came back, and where they wanted to go.
    pub(crate) async fn finish(
        &self,
        issuer: &str,
        cookie: Option<&str>,
        returned: &Returned,
    ) -> Result<(String, String), Refused> {
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(Refused::Busy) };
        let provider = self.provider(issuer)?;
        let flow = code_flow::resumed(provider, cookie, returned)?;
        let redirect_uri = self.redirect_uri(provider);
        let code = returned.code.as_deref();
        let claims = code_flow::claims(provider, &flow, code, &redirect_uri).await?;
        let person = person(&claims, &provider.issuer)?;
        let username = self.entered(person, issued_millis(&claims)).await?;
        Ok((username, flow.next))
    }
}
