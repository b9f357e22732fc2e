//! A sign-in provider in the test's own process, which says whatever a test wants it to say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Honest,
    /// Never.
    Silent,
    /// Without end.
    Endless,
    /// That somebody else has it.
    Redirecting,
    /// With a page for people.
    Html,
}

/// A key of a provider, or of somebody who would like to be one.
pub(crate) struct Key {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { kid: kid.to_owned(), pair }
    }

    fn public(&self) -> Value {
        let point: &[u8] = self.pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig",
            "x": part(&point[1..33]), "y": part(&point[33..65]),
        })
    }

    /// A token of these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signed(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid }), claims)
    }

    /// The same with a header of somebody's choice.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

struct State {
    url: String,
    mood: Mood,
    keys: Vec<Key>,
    /// What its document says besides.
    document: Value,
    /// What it says of whoever comes with a code.
    claims: Value,
    /// What it was asked, and how often.
    asked: HashMap<String, usize>,
    /// Forms that were sent to it.
    forms: Vec<String>,
}

/// A running provider; it stops when this is dropped.
pub(crate) struct Provider {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            mood: Mood::Honest,
            keys: vec![Key::new("first")],
            document: json!({}),
            claims: json!({}),
            asked: HashMap::new(),
            forms: Vec::new(),
        }));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, state, runtime: Some(runtime) }
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// What its document is to say besides, or instead.
    pub(crate) fn set_document(&self, document: Value) {
        self.state.lock().unwrap().document = document;
    }

    /// What it says of whoever comes with a code.
    pub(crate) fn set_claims(&self, claims: Value) {
        self.state.lock().unwrap().claims = claims;
    }

    /// New keys in the place of those before.
    pub(crate) fn set_key(&self, key: Key) {
        self.state.lock().unwrap().keys = vec![key];
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// The form that was sent last.
    pub(crate) fn last_form(&self) -> HashMap<String, String> {
        let state = self.state.lock().unwrap();
        let form = state.forms.last().map(String::as_bytes).unwrap_or_default();
        url::form_urlencoded::parse(form).into_owned().collect()
    }

    /// The claims of somebody, good for a while, with what is given besides or instead.
    pub(crate) fn claims(&self, more: &Value) -> Value {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = now.as_secs();
        let mut claims = json!({
            "iss": self.url, "aud": "trainyard", "sub": "1", "iat": now, "exp": now + 300,
            "preferred_username": "ada",
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// A token of those, signed by its key.
    pub(crate) fn token(&self, more: &Value) -> String {
        let claims = self.claims(more);
        self.state.lock().unwrap().keys[0].token(&claims)
    }

    /// What everybody may know of its key.
    pub(crate) fn public_key(&self) -> Value {
        self.state.lock().unwrap().keys[0].public()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(Shared(state): Shared<Arc<Mutex<State>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let form = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mood = {
        let mut state = state.lock().unwrap();
        *state.asked.entry(path.clone()).or_default() += 1;
        if !form.is_empty() {
            state.forms.push(String::from_utf8_lossy(&form).into_owned());
        }
        state.mood
    };
    match mood {
        Mood::Honest => {}
        Mood::Silent => std::future::pending::<()>().await,
        Mood::Endless => {
            let endless =
                futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 16]));
            return Body::from_stream(endless).into_response();
        }
        Mood::Redirecting => {
            let elsewhere = [(header::LOCATION, "http://127.0.0.1:9/")];
            return (StatusCode::FOUND, elsewhere).into_response();
        }
        Mood::Html => return "<!doctype html><p>welcome".into_response(),
    }
    let state = state.lock().unwrap();
    let url = &state.url;
    match path.as_str() {
        "/.well-known/openid-configuration" => {
            let mut document = json!({
                "issuer": url, "jwks_uri": format!("{url}/keys"),
                "authorization_endpoint": format!("{url}/authorize"),
                "token_endpoint": format!("{url}/token"),
            });
            for (name, value) in state.document.as_object().unwrap() {
                document[name] = value.clone();
            }
            Json(document).into_response()
        }
        "/keys" => {
            let keys: Vec<Value> = state.keys.iter().map(Key::public).collect();
            Json(json!({ "keys": keys })).into_response()
        }
        "/token" => {
            let token = state.keys[0].token(&state.claims);
            Json(json!({ "id_token": token, "access_token": "a", "token_type": "Bearer" }))
                .into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
