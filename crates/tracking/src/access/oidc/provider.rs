//! One provider: its addresses and keys, remembered, renewed, and looked up again when a key is new.
//!
//! A provider that is slow or away holds up nobody for long: one request asks it, the others wait for that one, and
//! what failed is not asked again for a while. What was known goes on for a day without it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use trainyard_base::leaky_bucket::{Buckets, Rule};
use trainyard_mlflow::provider_url;
use url::Url;

use super::claims::{Expected, verified};
use super::fetch::Fetcher;
use super::jwk::{self, Algorithm, Jwk};
use super::jwt::Unverified;
use super::refused::Refused;
use super::settings::Issuer;
use crate::store::now_millis;

/// How long addresses are taken as they are.
const ADDRESSES_FOR: Duration = Duration::from_hours(1);
/// The same of keys: one that its provider took back counts for no longer.
const KEYS_FOR: Duration = Duration::from_mins(10);
/// How long they are after that while the provider cannot be asked.
const STALE_FOR: Duration = Duration::from_hours(24);
/// How long a provider that failed is not asked again.
const FAILED_FOR: Duration = Duration::from_secs(3);
/// How often keys are looked up because a token names one that is not known: anybody can write such tokens.
const NEW_KEYS: Rule = Rule { max: 10, period: Duration::from_secs(30) };

/// Where a provider is asked what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) authorization: Option<Url>,
    pub(super) token: Option<Url>,
    pub(super) userinfo: Option<Url>,
    pub(super) keys: Url,
    /// Whether a client's secret is wanted in the form, and not in a header.
    pub(super) takes_secret_in_form: bool,
}

impl Addresses {
    /// Those of a provider's document (OpenID Connect Discovery, 3), which is its own and leads nowhere unsafe.
    fn read(document: &Map<String, Value>, issuer: &str) -> Result<Self, String> {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let theirs = text("issuer").unwrap_or_default();
        if theirs != issuer {
            return Err(format!(
                "it says that it is {theirs:?}; write its url so if that is right"
            ));
        }
        let is_secure = issuer.starts_with("https://");
        let address = |name: &str| {
            let Some(text) = text(name) else { return Ok(None) };
            let url = provider_url(text).map_err(|error| format!("{name}: {error}"))?;
            if is_secure && url.scheme() != "https" {
                return Err(format!("{name} goes over http, where others read along"));
            }
            Ok(Some(url))
        };
        let Some(keys) = address("jwks_uri")? else { return Err("it has no jwks_uri".to_owned()) };
        let methods =
            document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let supports =
            |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        Ok(Self {
            authorization: address("authorization_endpoint")?,
            token: address("token_endpoint")?,
            userinfo: address("userinfo_endpoint")?,
            keys,
            takes_secret_in_form: supports("client_secret_post")
                && !supports("client_secret_basic"),
        })
    }
}

/// Something that a provider said, and when.
#[derive(Debug)]
struct Said<T> {
    what: Arc<T>,
    at: Instant,
}

impl<T> Said<T> {
    fn now(what: T) -> Self {
        Self { what: Arc::new(what), at: Instant::now() }
    }

    fn within(&self, time: Duration) -> Option<Arc<T>> {
        (self.at.elapsed() < time).then(|| Arc::clone(&self.what))
    }
}

/// What is known of a provider.
#[derive(Debug, Default)]
struct Known {
    addresses: Option<Said<Addresses>>,
    keys: Option<Said<Vec<Jwk>>>,
    failed: Option<(Refused, Instant)>,
}

/// One provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) issuer: Issuer,
    pub(super) fetcher: Arc<Fetcher>,
    known: Mutex<Known>,
    /// Held by whoever asks it; how often it was asked for keys because of a token.
    asking: tokio::sync::Mutex<Buckets<()>>,
}

impl Provider {
    pub(super) fn new(issuer: Issuer, fetcher: Arc<Fetcher>) -> Self {
        let asking = tokio::sync::Mutex::new(Buckets::new(NEW_KEYS));
        Self { issuer, fetcher, known: Mutex::default(), asking }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is known is whole between any two operations, so a panic elsewhere is no harm.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What failed a moment ago.
    fn failure(&self) -> Option<Refused> {
        let known = self.known();
        let (refused, at) = known.failed.as_ref()?;
        (at.elapsed() < FAILED_FOR).then(|| refused.clone())
    }

    /// Notes a failure.
    fn failed(&self, refused: Refused) -> Refused {
        self.known().failed = Some((refused.clone(), Instant::now()));
        refused
    }

    fn addresses_within(&self, time: Duration) -> Option<Arc<Addresses>> {
        self.known().addresses.as_ref()?.within(time)
    }

    fn keys_within(&self, time: Duration) -> Option<Arc<Vec<Jwk>>> {
        self.known().keys.as_ref()?.within(time)
    }

    async fn ask_addresses(&self) -> Result<Arc<Addresses>, Refused> {
        let url = self.issuer.discovery_url().map_err(Refused::provider)?;
        let document = self.fetcher.get(&url).await?;
        let addresses = Addresses::read(&document, &self.issuer.url)
            .map_err(|reason| Refused::provider(format!("{url}: {reason}")))?;
        let said = Said::now(addresses);
        let addresses = Arc::clone(&said.what);
        self.known().addresses = Some(said);
        Ok(addresses)
    }

    /// Where it is asked what.
    pub(super) async fn addresses(&self) -> Result<Arc<Addresses>, Refused> {
        if let Some(addresses) = self.addresses_within(ADDRESSES_FOR) {
            return Ok(addresses);
        }
        let _asking = self.asking.lock().await;
        self.addresses_asking().await
    }

    /// The same for whoever is asking.
    async fn addresses_asking(&self) -> Result<Arc<Addresses>, Refused> {
        if let Some(addresses) = self.addresses_within(ADDRESSES_FOR) {
            return Ok(addresses);
        }
        let asked = match self.failure() {
            Some(refused) => Err(refused),
            None => self.ask_addresses().await.map_err(|refused| self.failed(refused)),
        };
        asked.or_else(|refused| self.addresses_within(STALE_FOR).ok_or(refused))
    }

    async fn ask_keys(&self) -> Result<Arc<Vec<Jwk>>, Refused> {
        let addresses = self.addresses_asking().await?;
        let url = &addresses.keys;
        let document = self.fetcher.get(url).await?;
        let keys = jwk::keys(&document).ok_or_else(|| {
            Refused::provider(format!("{url} has no list of keys, or too long a one"))
        })?;
        let said = Said::now(keys);
        let keys = Arc::clone(&said.what);
        self.known().keys = Some(said);
        Ok(keys)
    }

    /// The claims of a token of its own that is for one of `audiences` and, if there is a `nonce`, answers that.
    pub(super) async fn verified(
        &self,
        token: &str,
        audiences: &[String],
        nonce: Option<&str>,
    ) -> Result<Map<String, Value>, Refused> {
        let token = Unverified::read(token)?;
        let keys = self.keys(token.kid.as_deref(), token.algorithm).await?;
        let now = now_millis() as f64 / 1000.0;
        let expected = Expected { issuer: &self.issuer.url, audiences, nonce, now };
        verified(token, &keys, &expected)
    }

    /// Its keys, asked for anew if they are old, or if none is the one that a token names.
    pub(super) async fn keys(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<Vec<Jwk>>, Refused> {
        let has_it = |keys: &Arc<Vec<Jwk>>| keys.iter().any(|key| key.fits(kid, algorithm));
        if let Some(keys) = self.keys_within(KEYS_FOR).filter(has_it) {
            return Ok(keys);
        }
        let mut asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            // Somebody asks, and what was known goes on meanwhile.
            Err(_taken) => match self.keys_within(STALE_FOR).filter(has_it) {
                Some(keys) => return Ok(keys),
                None => self.asking.lock().await,
            },
        };
        // Who asked before may have found it.
        let fresh = self.keys_within(KEYS_FOR);
        if let Some(keys) = fresh.clone().filter(has_it) {
            return Ok(keys);
        }
        if let Some(keys) = fresh {
            let now = Instant::now();
            if asking.check(&(), now).is_err() {
                return Ok(keys);
            }
            asking.add((), now);
        }
        let asked = match self.failure() {
            Some(refused) => Err(refused),
            None => self.ask_keys().await.map_err(|refused| self.failed(refused)),
        };
        asked.or_else(|refused| self.keys_within(STALE_FOR).ok_or(refused))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value, issuer: &str) -> Result<Addresses, String> {
        Addresses::read(document.as_object().unwrap(), issuer)
    }

    #[test]
    fn a_document_is_its_own_and_leads_nowhere_unsafe() {
        let good = json!({
            "issuer": "https://i", "jwks_uri": "https://i/keys", "token_endpoint": "https://i/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        let addresses = read(&good, "https://i").unwrap();
        assert_eq!(addresses.token.unwrap().as_str(), "https://i/token");
        assert!(addresses.takes_secret_in_form && addresses.authorization.is_none());
        for (name, value) in [
            ("issuer", json!("https://j")),
            ("issuer", json!(null)),
            ("jwks_uri", json!(null)),
            ("jwks_uri", json!("http://i/keys")),
            ("jwks_uri", json!("http://127.0.0.1/keys")),
            ("token_endpoint", json!("http://localhost/token")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("userinfo_endpoint", json!("/userinfo")),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            assert!(read(&bad, "https://i").is_err(), "{bad}");
        }
    }
}
