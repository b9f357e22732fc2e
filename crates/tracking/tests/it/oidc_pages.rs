//! Signing in on pages: at a provider and by a password, what comes of a session, and how it ends.

use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use trainyard_testkit::{KillOnDrop, browser, free_port, python, wait_for_port};

use crate::access::{PASSWORD, Team};
use crate::http::{Answer, Request, send};
use crate::oidc_provider::Provider;

const CURRENT: &str = "/api/2.0/mlflow/users/current";
const HTML: (&str, &str) = ("Accept", "text/html");

/// A browser with the cookies that it was given.
struct Browser<'a> {
    team: &'a Team,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(team: &'a Team) -> Self {
        Self { team, cookies: Vec::new() }
    }

    fn send(&mut self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![HTML];
        if !cookies.is_empty() {
            headers.push(("Cookie", cookies.as_str()));
        }
        headers.extend(more);
        let body = (method != "GET").then_some(body.as_bytes());
        let answer = send(&self.team.server.url, &Request { method, path, headers, body });
        for (name, value) in &answer.headers {
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            assert!(value.contains("; HttpOnly; SameSite=Lax"), "{value}");
            let (name, rest) = value.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !attributes.contains("Max-Age=0;") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &[form], &body)
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The value of a hidden field of a page.
fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("no {name} in {url}")).1.into_owned()
}

fn people(provider: &Provider) -> Team {
    let settings = format!(
        "public_url = 'https://mlflow.example.com'\n[[issuer]]\nname = 'company'\nurl = '{}'\n\
         client_id = 'trainyard'\nroles = {{ team = ['scientists'] }}\n",
        provider.url
    );
    Team::with_providers("127.0.0.1:0", &settings)
}

#[test]
fn a_form_of_somebody_who_was_signed_out_says_so_and_how_to_send_it_again() {
    let team = Team::start("READ");
    let mut ada = Browser::new(&team);
    let page = ada.get("/sign-in").text();
    let typed = [("csrf", hidden(&page, "csrf")), ("next", "/".to_owned())];
    let [csrf, next] = typed.each_ref().map(|(key, value)| (*key, value.as_str()));
    let wrong = ada.post("/sign-in", &[csrf, next, ("username", "a\"da"), ("password", "wr0ng")]);
    assert_eq!(wrong.status, 401, "{}", wrong.text());
    let page = wrong.text();
    assert!(page.contains("value=\"a&quot;da\"") && !page.contains("wr0ng"), "{page}");

    // The session has ended.
    ada.cookies.retain(|(name, _)| name != "trainyard_session");
    let fields = [("do", "describe"), ("description", "long <b>text</b>")];
    let answer = ada.post("/runs/a%20b", &fields);
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (401, Some("Bearer realm=\"trainyard\""))
    );
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    let page = answer.text();
    assert!(page.contains("You were signed out, so nothing was saved."), "{page}");
    assert!(page.contains("/sign-in?next=%2Fruns%2Fa%2520b\" target=\"_blank\""), "{page}");
    assert!(!page.contains("<b>text"), "{page}");
    // A program is told as ever.
    let answer = ada.post("/api/2.0/mlflow/runs/create", &fields);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"), "{}", answer.text());
    assert!(answer.text().contains("not authenticated"), "{}", answer.text());
}

/// Goes to the provider; the state and nonce that it is sent with, and the code's challenge.
fn leave(browser: &mut Browser<'_>, next: &str) -> (String, String, String) {
    let place = location(&browser.get(&format!("/sign-in/company?next={next}")));
    assert_eq!(
        parameter(&place, "redirect_uri"),
        "https://mlflow.example.com/sign-in/company/callback"
    );
    assert_eq!(parameter(&place, "code_challenge_method"), "S256");
    (parameter(&place, "state"), parameter(&place, "nonce"), parameter(&place, "code_challenge"))
}

#[test]
fn somebody_comes_back_from_a_provider_signed_in_and_nobody_in_their_place() {
    let provider = Provider::start();
    let team = people(&provider);
    let mut ada = Browser::new(&team);
    // Who looks at a page is sent to sign in, and from there to where they wanted to go.
    assert_eq!(location(&ada.get("/account?x=1")), "/sign-in?next=%2Faccount%3Fx%3D1");
    let page = ada.get("/sign-in?next=%2Faccount%3Fx%3D1").text();
    assert!(page.contains("/sign-in/company?next=%2Faccount%3Fx%3D1"), "{page}");
    assert!(page.contains("<main><h1>Sign in</h1>"), "a landmark to read from: {page}");
    let (state, nonce, challenge) = leave(&mut ada, "%2Faccount%3Fx%3D1");
    provider.set_claims(provider.claims(&json!({ "nonce": nonce, "groups": ["team"] })));
    let callback = format!("/sign-in/company/callback?code=c1&state={state}");

    // Another browser, another state, another provider, no code, a token for another sign-in.
    let mut mallory = Browser::new(&team);
    assert_eq!(mallory.get(&callback).status, 403);
    let (other_state, _, _) = leave(&mut mallory, "");
    for bad in [
        callback.clone(),
        format!("/sign-in/company/callback?code=c1&state={other_state}&iss=https://other"),
        format!("/sign-in/company/callback?state={other_state}"),
        format!("/sign-in/company/callback?error=access_denied&state={other_state}"),
        format!("/sign-in/company/callback?code=c1&state={other_state}"),
        "/sign-in/nobody/callback?code=c1".to_owned(),
    ] {
        let mut attempt = Browser { team: &team, cookies: mallory.cookies.clone() };
        let answer = attempt.get(&bad);
        assert_eq!(answer.status, 403, "{bad}: {}", answer.text());
        assert_eq!(attempt.cookie("trainyard_session"), None);
    }
    assert_eq!(provider.last_form()["grant_type"], "authorization_code");

    // A program beside them with a token of yesterday is sent away, and they are not.
    let stale = || team.ask("Bearer trainyard_0", "GET", CURRENT, &Value::Null).status;
    assert!((0..100).any(|_| stale() == 429), "a token is guessed without end");
    assert_eq!(location(&ada.get(&callback)), "/account?x=1");
    let form = provider.last_form();
    let verifier = form["code_verifier"].as_bytes();
    let of_verifier = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    assert_eq!(of_verifier, challenge, "the code is for who asked for it");
    let account = ada.get("/account").text();
    assert!(account.contains("ada") && account.contains("scientists"), "{account}");
    // The code was used, and the cookie of the way there is gone.
    assert_eq!(ada.get(&callback).status, 403);
}

/// Signs somebody in by the form.
fn enter(browser: &mut Browser<'_>, username: &str, password: &str) -> Answer {
    let page = browser.get("/sign-in?next=//evil.example.com").text();
    let csrf = hidden(&page, "csrf");
    let next = hidden(&page, "next");
    let fields = [
        ("csrf", csrf.as_str()),
        ("next", next.as_str()),
        ("username", username),
        ("password", password),
    ];
    browser.post("/sign-in", &fields)
}

#[test]
fn nobody_signs_in_without_end() {
    let team = people(&Provider::start());
    team.create_user("bob");
    team.create_user("eve");
    let mut eve = Browser::new(&team);
    let statuses: Vec<u16> = (0..100).map(|_| enter(&mut eve, "eve", PASSWORD).status).collect();
    assert!(statuses.iter().take(60).all(|status| *status == 303), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    // Others are not kept out, and what eve has goes on.
    assert_eq!(enter(&mut Browser::new(&team), "bob", PASSWORD).status, 303);
    assert_eq!(eve.get(CURRENT).json()["user"]["username"], "eve");
}

#[test]
fn a_session_is_its_browsers_alone_until_it_is_ended() {
    let team = people(&Provider::start());
    team.create_user("bob");
    let sign_in = |browser: &mut Browser<'_>, password: &str| enter(browser, "bob", password);
    let mut bob = Browser::new(&team);
    let fields = [("csrf", "x"), ("username", "bob"), ("password", PASSWORD)];
    assert_eq!(bob.post("/sign-in", &fields).status, 403, "a form of another site");
    let wrong = sign_in(&mut bob, "wrong password");
    assert_eq!(wrong.status, 401, "{}", wrong.text());
    let answer = sign_in(&mut bob, PASSWORD);
    assert_eq!(location(&answer), "/", "nobody is sent to another site");
    let cookie = answer.headers.iter().find(|(_, value)| value.starts_with("trainyard_session="));
    assert!(cookie.unwrap().1.ends_with("; Secure"), "{cookie:?}");
    assert_eq!(bob.get(CURRENT).json()["user"]["username"], "bob");

    // What changes something comes from a page of this server.
    let json = ("Content-Type", "application/json");
    let create = "/api/2.0/mlflow/experiments/create";
    let mut number = 0;
    let mut post = |bob: &mut Browser<'_>, more: &[(&str, &str)]| {
        number += 1;
        let mut headers = vec![json];
        headers.extend(more);
        bob.send("POST", create, &headers, &format!("{{\"name\": \"e{number}\"}}")).status
    };
    assert_eq!(post(&mut bob, &[]), 403);
    assert_eq!(post(&mut bob, &[("Origin", "https://evil.example.com")]), 403);
    assert_eq!(post(&mut bob, &[("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(post(&mut bob, &[("Sec-Fetch-Site", "same-origin")]), 200);
    let csrf = hidden(&bob.get("/account").text(), "csrf");
    assert_eq!(post(&mut bob, &[("X-CSRF-Token", csrf.as_str())]), 200);

    // It ends by signing out, which needs the form, and everywhere when somebody says so.
    let before = Browser { team: &team, cookies: bob.cookies.clone() };
    assert_eq!(bob.post("/sign-out", &[("csrf", "x")]).status, 403);
    assert_eq!(bob.get(CURRENT).status, 200);
    assert_eq!(location(&bob.post("/sign-out", &[("csrf", csrf.as_str())])), "/sign-in");
    let mut stolen = before;
    assert_eq!(stolen.get(CURRENT).status, 401, "a copy of the cookie is worth nothing");
    // One more than there may be ends the oldest.
    for _ in 0..22 {
        assert_eq!(sign_in(&mut bob, PASSWORD).status, 303);
    }
    let listed = team.admin("GET", "/api/3.0/trainyard/sessions/list?username=bob", &Value::Null);
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 20);
    for end in ["delete", "password", "remove"] {
        assert_eq!(sign_in(&mut bob, PASSWORD).status, 303, "{end}");
        assert_eq!(bob.get(CURRENT).status, 200);
        let name = json!({ "username": "bob" });
        match end {
            "delete" => {
                team.admin("DELETE", "/api/3.0/trainyard/sessions/delete", &name);
            }
            "password" => {
                let body = json!({ "username": "bob", "password": PASSWORD });
                team.admin("PATCH", "/api/2.0/mlflow/users/update-password", &body);
            }
            _ => {
                team.admin("DELETE", "/api/2.0/mlflow/users/delete", &name);
            }
        }
        assert_eq!(bob.get(CURRENT).status, 401, "{end}");
    }
    let listed = team.admin("GET", "/api/3.0/trainyard/sessions/list", &Value::Null);
    assert_eq!(listed, json!({ "sessions": [] }));
}

/// `oidc-provider-mock` as it is, with somebody at it who agrees to everything.
const MOCK: &str = r#"
import sys
from flask import request
from oidc_provider_mock import User, app
from werkzeug.serving import run_simple

ada = User(sub="1", claims={"preferred_username": "ada", "groups": ["team"]})
provider = app(user_claims=[ada])

@provider.after_request
def agree(answer):
    if request.path == "/oauth2/authorize" and request.method == "GET":
        click = "<script>document.querySelector('button[name=sub]').click()</script>"
        answer.set_data(answer.get_data(as_text=True) + click)
    return answer

run_simple("127.0.0.1", int(sys.argv[1]), provider, threaded=True)
"#;

#[test]
fn a_browser_signs_in_at_a_real_provider() {
    let (of_provider, of_server) = (free_port(), free_port());
    let mut command = Command::new(python());
    command.args(["-c", MOCK, &of_provider.to_string()]);
    let _provider = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_for_port(of_provider, Duration::from_mins(1));
    let settings = format!(
        "public_url = 'http://127.0.0.1:{of_server}'\n[[issuer]]\nname = 'mock'\n\
         url = 'http://127.0.0.1:{of_provider}'\nclient_id = 'trainyard'\n\
         client_secret_file = 'client-secret'\nroles = {{ team = ['scientists'] }}\n"
    );
    let team = Team::with_providers(&format!("127.0.0.1:{of_server}"), &settings);
    let address = format!("{}/sign-in/mock?next=/account", team.server.url);
    let page = browser::dom_after(&address, 5000);
    assert!(page.contains("signed in as <strong>ada</strong>"), "{page}");
    assert!(page.contains("<li>scientists</li>"), "{page}");
}
