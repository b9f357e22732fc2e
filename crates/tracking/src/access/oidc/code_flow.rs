//! Sign-in on pages: the authorisation code flow with PKCE (RFC 7636), `state` and `nonce`.
//!
//! What has to be known when the browser comes back travels in a cookie of the browser that left: no other browser can
//! finish the sign-in, no memory of the server is taken by those who never come back, and any server of several can
//! go on with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::fetch::shown;
use super::identity::{says_enough, subject};
use super::provider::Provider;
use super::refused::Refused;

/// Longest code or state that is looked at.
const PART_BYTES_MAX: usize = 4096;

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) location: String,
    /// What it brings back.
    pub(crate) cookie: String,
}

/// What a browser comes back with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Returned {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    /// Why the provider let nobody in.
    pub(crate) error: Option<String>,
    /// Who the provider says that it is (RFC 9207).
    pub(crate) iss: Option<String>,
}

/// What has to be known then.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Flow {
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    /// Where somebody wanted to go.
    pub(super) next: String,
}

fn random() -> String {
    let bytes: [u8; 32] = rand::random();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The address at which a provider lets people in, and the cookie of whoever is sent there.
pub(super) async fn begin(
    provider: &Provider,
    redirect_uri: &str,
    next: &str,
) -> Result<Begun, Refused> {
    let issuer = &provider.issuer;
    let addresses = provider.addresses().await?;
    let (Some(authorization), Some(client_id)) = (&addresses.authorization, &issuer.client_id)
    else {
        return Err(Refused::provider(format!("'{}' has no sign-in on pages", issuer.name)));
    };
    let flow = Flow {
        issuer: issuer.name.clone(),
        state: random(),
        nonce: random(),
        verifier: random(),
        next: next.to_owned(),
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(flow.verifier.as_bytes()));
    let mut location = authorization.clone();
    location
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", &issuer.scopes.join(" "))
        .append_pair("state", &flow.state)
        .append_pair("nonce", &flow.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let flow = serde_json::to_vec(&flow)
        .map_err(|error| Refused::provider(format!("a sign-in could not be noted: {error}")))?;
    Ok(Begun { location: location.into(), cookie: URL_SAFE_NO_PAD.encode(flow) })
}

/// The sign-in that a cookie is of, if what came back belongs to it.
pub(super) fn resumed(
    provider: &Provider,
    cookie: Option<&str>,
    returned: &Returned,
) -> Result<Flow, Refused> {
    let flow = cookie.and_then(|cookie| URL_SAFE_NO_PAD.decode(cookie).ok());
    let flow: Option<Flow> = flow.and_then(|flow| serde_json::from_slice(&flow).ok());
    let Some(flow) = flow.filter(|flow| flow.issuer == provider.issuer.name) else {
        return Err(Refused::token(
            "this browser has no sign-in that is under way, or it took too long; begin again",
        ));
    };
    let state = returned.state.as_deref().unwrap_or_default();
    if !bool::from(state.as_bytes().ct_eq(flow.state.as_bytes())) {
        return Err(Refused::token("the answer is to another sign-in (state); begin again"));
    }
    if returned.iss.as_ref().is_some_and(|iss| *iss != provider.issuer.url) {
        return Err(Refused::token("the answer is of another provider (iss); begin again"));
    }
    if let Some(error) = &returned.error {
        return Err(Refused::person(format!("the provider lets nobody in: {}", shown(error))));
    }
    Ok(flow)
}

/// The verified claims of whoever came back.
pub(super) async fn claims(
    provider: &Provider,
    flow: &Flow,
    code: Option<&str>,
    redirect_uri: &str,
) -> Result<Map<String, Value>, Refused> {
    let issuer = &provider.issuer;
    let Some(code) = code.filter(|code| !code.is_empty() && code.len() <= PART_BYTES_MAX) else {
        return Err(Refused::token("the provider sent no code; begin again"));
    };
    let addresses = provider.addresses().await?;
    let (Some(address), Some(client_id)) = (&addresses.token, &issuer.client_id) else {
        return Err(Refused::provider(format!("'{}' has no sign-in on pages", issuer.name)));
    };
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", flow.verifier.as_str()),
    ];
    let secret = issuer.client_secret.as_deref();
    let basic = secret.filter(|_secret| !addresses.takes_secret_in_form);
    let basic = basic.map(|secret| (client_id.as_str(), secret));
    if basic.is_none() {
        form.push(("client_id", client_id.as_str()));
        form.extend(secret.map(|secret| ("client_secret", secret)));
    }
    let answer = provider.fetcher.post(address, &form, basic).await?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let Some(token) = text("id_token") else {
        return Err(Refused::provider(format!("{address} answers without an id_token")));
    };
    let ours = std::slice::from_ref(client_id);
    let claims = provider.verified(token, ours, Some(&flow.nonce)).await?;
    completed(provider, claims, text("access_token")).await
}

/// Claims, and what the provider says of the same person where it is asked with a token of theirs: many put little into
/// what they sign.
pub(super) async fn completed(
    provider: &Provider,
    mut claims: Map<String, Value>,
    access_token: Option<&str>,
) -> Result<Map<String, Value>, Refused> {
    if says_enough(&claims, &provider.issuer) {
        return Ok(claims);
    }
    let addresses = provider.addresses().await?;
    let (Some(address), Some(access_token)) = (&addresses.userinfo, access_token) else {
        return Ok(claims);
    };
    let more = provider.fetcher.get_as(address, access_token).await?;
    // OpenID Connect Core, 5.3.4: it may be somebody else's.
    if subject(&more)? != subject(&claims)? {
        return Err(Refused::provider(format!("{address} tells of somebody else")));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(claims)
}
