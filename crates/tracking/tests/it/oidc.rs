//! Programs with tokens of sign-in providers: whom they let in, as what, and what providers cannot do to the server.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::access::{PASSWORD, Team, basic};
use crate::http::{Answer, Request, send};
use crate::oidc_provider::{Key, Mood, Provider};

const CURRENT: &str = "/api/2.0/mlflow/users/current";

/// People of a provider, with more lines of its own.
fn people(provider: &Provider, more: &str) -> Team {
    let settings = format!(
        "public_url = 'http://127.0.0.1:1'\n[[issuer]]\nname = 'company'\nurl = '{}'\n\
         client_id = 'trainyard'\n{more}\n",
        provider.url
    );
    Team::with_providers("127.0.0.1:0", &settings)
}

/// Who a token is of here.
fn current(team: &Team, token: &str) -> Answer {
    current_at(&team.server.url, token)
}

fn current_at(url: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = vec![("Authorization", bearer.as_str())];
    send(url, &Request { method: "GET", path: CURRENT, headers, body: None })
}

#[test]
fn a_token_lets_in_whom_it_is_of_with_the_roles_of_their_groups() {
    let provider = Provider::start();
    let team = people(&provider, "roles = { team = ['scientists'] }\nadmin_groups = ['ops']");
    let roles = || {
        let path = "/api/3.0/mlflow/users/roles/list?username=ada";
        team.admin("GET", path, &Value::Null).to_string().contains("scientists")
    };
    for (groups, is_scientist, is_admin) in
        [(json!(["team"]), true, false), (json!([]), false, false), (json!(["ops"]), false, true)]
    {
        let answer = current(&team, &provider.token(&json!({ "groups": groups })));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["user"]["username"], "ada");
        assert_eq!(answer.json()["user"]["is_admin"], is_admin, "{groups}");
        assert_eq!(roles(), is_scientist, "{groups}");
    }
    // An administrator's token changes no users: that takes somebody who signs in.
    let admin = provider.token(&json!({ "groups": ["ops"] }));
    let body = json!({ "username": "bob", "password": PASSWORD });
    let bearer = format!("Bearer {admin}");
    let create = team.ask(&bearer, "POST", "/api/2.0/mlflow/users/create", &body);
    assert_eq!(create.status, 403, "{}", create.text());
    // Whoever is removed is not somebody else of the same name.
    team.admin("DELETE", "/api/2.0/mlflow/users/delete", &json!({ "username": "ada" }));
    let other = current(&team, &provider.token(&json!({ "sub": "2" })));
    assert_eq!(other.json()["user"]["username"], "ada");
    let first = current(&team, &admin);
    assert_eq!(first.status, 401, "{}", first.text());
}

#[test]
fn an_older_token_gives_nobody_back_what_a_newer_one_took() {
    let provider = Provider::start();
    let team = people(&provider, "roles = { team = ['scientists'] }\nadmin_groups = ['ops']");
    let newer = provider.token(&json!({ "groups": [] }));
    let issued = provider.claims(&json!({}))["iat"].as_i64().unwrap() - 300;
    let older = provider.token(&json!({ "iat": issued, "groups": ["team", "ops"] }));
    for token in [&newer, &older] {
        let answer = current(&team, token);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["user"]["is_admin"], false);
    }
    let path = "/api/3.0/mlflow/users/roles/list?username=ada";
    let roles = team.admin("GET", path, &Value::Null).to_string();
    assert!(!roles.contains("scientists"), "{roles}");
}

#[test]
fn nobody_is_let_in_by_what_a_provider_did_not_sign_for_this_server() {
    let provider = Provider::start();
    let team = people(&provider, "");
    assert_eq!(current(&team, &provider.token(&json!({}))).status, 200);
    let good = provider.claims(&json!({}));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&good));
    let with_public_key = {
        let header = json!({ "alg": "HS256", "kid": "first" });
        let message = format!("{}.{}", part(&header), part(&good));
        let secret = provider.public_key().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    let impostor = Key::new("first");
    let stranger = Key::new("second");
    let with_its_own_key = stranger.signed(
        &json!({ "alg": "ES256", "jwk": provider.public_key(), "jku": "http://127.0.0.1:9/" }),
        &good,
    );
    let genuine = provider.token(&json!({}));
    let (message, _signature) = genuine.rsplit_once('.').unwrap();
    let forged = [
        unsigned,
        with_public_key,
        impostor.token(&good),
        stranger.token(&good),
        with_its_own_key,
        format!("{message}."),
        format!("{message}.AAAA"),
        provider.token(&json!({ "aud": "other" })),
        provider.token(&json!({ "iss": "https://other.example.com" })),
        provider.token(&json!({ "exp": 1_000_000_000 })),
        provider.token(&json!({ "exp": null })),
        provider.token(&json!({ "exp": "9999999999" })),
        provider.token(&json!({ "nbf": 9_999_999_999_u64 })),
        provider.token(&json!({ "sub": null })),
    ];
    for token in &forged {
        let answer = current(&team, token);
        assert_eq!(answer.status, 401, "{token}: {}", answer.text());
        assert!(!answer.text().contains(token.as_str()), "a token is nobody's to read");
        assert_eq!(answer.json()["error_code"], "UNAUTHENTICATED");
    }
    assert!(current(&team, &forged[9]).text().contains("expired"));
    assert_eq!(current(&team, &provider.token(&json!({}))).status, 200, "others go on");
}

#[test]
fn several_providers_speak_each_for_their_own_people() {
    let (one, two) = (Provider::start(), Provider::start());
    let more = format!(
        "[[issuer]]\nname = 'partner'\nurl = '{}'\nclient_id = 'trainyard'\n\
         allowed_groups = ['guests']\n",
        two.url
    );
    let team = people(&one, &more);
    assert_eq!(current(&team, &one.token(&json!({}))).json()["user"]["username"], "ada");
    // The same subject is somebody else there.
    let guest = json!({ "preferred_username": "bob", "groups": ["guests"] });
    assert_eq!(current(&team, &two.token(&guest)).json()["user"]["username"], "bob");
    let stranger = json!({ "sub": "2", "preferred_username": "eve", "groups": ["team"] });
    let refused = current(&team, &two.token(&stranger));
    assert_eq!(refused.status, 401);
    assert!(refused.text().contains("none of the groups"), "{}", refused.text());
    for speaks_for_another in
        [two.token(&json!({ "iss": one.url })), two.token(&json!({ "iss": one.url, "sub": "3" }))]
    {
        assert_eq!(current(&team, &speaks_for_another).status, 401);
    }
}

#[test]
fn keys_change_while_the_server_runs_and_strangers_do_not_make_it_ask() {
    let began = Instant::now();
    let provider = Provider::start();
    let team = people(&provider, "");
    assert_eq!(current(&team, &provider.token(&json!({}))).status, 200);
    let before = provider.token(&json!({ "jti": "of the key before" }));
    provider.set_key(Key::new("second"));
    let answer = current(&team, &provider.token(&json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(current(&team, &before).status, 401, "a key that was taken back");
    let stranger = Key::new("of nobody");
    for number in 0..40 {
        let claims = provider.claims(&json!({ "jti": number }));
        let status = current(&team, &stranger.token(&claims)).status;
        assert!([401, 429].contains(&status), "{status}");
    }
    // Ten at once and then one in 30 s, besides those that were in their place.
    let most = 13 + usize::try_from(began.elapsed().as_secs() / 30).unwrap();
    assert!(provider.asked("/keys") <= most, "{} of {most}", provider.asked("/keys"));
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1);
}

#[test]
fn a_name_is_not_taken_over_by_whoever_claims_it() {
    let provider = Provider::start();
    let token = provider.token(&json!({}));
    let team = people(&provider, "");
    team.create_user("ada");
    let refused = current(&team, &token);
    assert_eq!(refused.status, 401);
    assert!(refused.text().contains("trainyard user link ada"), "{}", refused.text());
    let admin = provider.token(&json!({ "sub": "2", "preferred_username": "admin" }));
    assert_eq!(current(&team, &admin).status, 401);
    team.runtime.block_on(team.control.link("ada", &provider.url, "1")).unwrap();
    assert_eq!(current(&team, &token).json()["user"]["username"], "ada");

    let trusting = people(&provider, "link_users = true");
    trusting.create_user("ada");
    assert_eq!(current(&trusting, &token).json()["user"]["username"], "ada");
    assert_eq!(current(&trusting, &admin).status, 401, "an administrator is nobody by a name");
}

#[test]
fn a_workflow_is_a_service_account_by_its_claims() {
    let provider = Provider::start();
    let settings = format!(
        "[[issuer]]\nname = 'actions'\nurl = '{}'\naudiences = ['https://mlflow.example.com']\n\
         [[issuer.account]]\nuser = 'release'\nscope = 'MANAGE'\nhours = 2\n\
         claims = {{ repository = 'example/iris', environment = 'production' }}\n\
         [[issuer.account]]\nuser = 'ci'\nscope = 'READ'\n\
         claims = {{ repository = 'example/iris', ref = 'refs/heads/*' }}\n",
        provider.url
    );
    let team = Team::with_providers("127.0.0.1:0", &settings);
    let job = |more: Value| {
        let mut claims = json!({
            "aud": "https://mlflow.example.com", "sub": "repo:example/iris:ref:refs/heads/main",
            "repository": "example/iris", "ref": "refs/heads/main",
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        provider.token(&claims)
    };
    let make = |token: &str| {
        let body = json!({ "name": format!("by {}", token.len()) });
        team.ask(&format!("Bearer {token}"), "POST", "/api/2.0/mlflow/experiments/create", &body)
            .status
    };
    let ci = job(json!({}));
    assert_eq!(current(&team, &ci).json()["user"]["username"], "ci");
    assert_eq!(make(&ci), 403, "its scope is to read");
    let release = job(json!({ "environment": "production" }));
    assert_eq!(current(&team, &release).json()["user"]["username"], "release");
    assert_eq!(make(&release), 200);
    for other in [
        json!({ "repository": "example/iris-fork" }),
        json!({ "ref": "refs/pull/7/merge" }),
        json!({ "aud": "trainyard" }),
    ] {
        let answer = current(&team, &job(other.clone()));
        assert_eq!(answer.status, 401, "{other}");
    }
    // A job outlives such a token, so it is given one of ours for it, which may no more.
    let exchange = |token: &str| {
        let path = "/api/3.0/trainyard/sign-in/token";
        team.ask(&format!("Bearer {token}"), "POST", path, &json!({ "token": token }))
    };
    let answer = exchange(&ci);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let secret = answer.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(current(&team, &secret).json()["user"]["username"], "ci");
    assert_eq!(make(&secret), 403);
    let life = answer.json()["token"]["expires_at"].as_i64().unwrap()
        - answer.json()["token"]["created_at"].as_i64().unwrap();
    assert_eq!(life, 60 * 60 * 1000);
    // One that was made long ago may have been found somewhere.
    assert_eq!(exchange(&job(json!({ "iat": 1_700_000_000 }))).status, 401);
}

#[test]
fn a_providers_groups_are_groups_here_as_long_as_it_says_so() {
    let provider = Provider::start();
    let team =
        people(&provider, "groups = { team = ['scientists', 'readers'], guests = ['readers'] }");
    let grant = json!({
        "name": "scientists", "resource_type": "experiment", "resource_id": "0", "permission": "MANAGE",
    });
    for (groups, of_ada) in [
        (json!(["team"]), vec!["readers", "scientists"]),
        (json!(["guests"]), vec!["readers"]),
        (json!([]), vec![]),
    ] {
        let token = provider.token(&json!({ "groups": groups }));
        assert_eq!(current(&team, &token).status, 200);
        let bearer = format!("Bearer {token}");
        let found = team.ask(&bearer, "GET", "/api/3.0/trainyard/groups/list", &Value::Null).json();
        let names = found["groups"].as_array().unwrap().iter().map(|group| group["name"].clone());
        assert_eq!(names.collect::<Vec<_>>(), of_ada, "{groups}");
        if of_ada.len() == 2 {
            team.admin("POST", "/api/3.0/trainyard/groups/permissions/grant", &grant);
        }
        let body = json!({ "experiment_id": "0" });
        let status = team.ask(&bearer, "POST", "/api/2.0/mlflow/runs/create", &body).status;
        assert_eq!(status, if of_ada.len() == 2 { 200 } else { 403 }, "{groups}");
    }
}

#[test]
fn nobody_is_given_tokens_without_end() {
    let provider = Provider::start();
    let settings = format!(
        "[[issuer]]\nname = 'actions'\nurl = '{}'\naudiences = ['https://mlflow.example.com']\n\
         [[issuer.account]]\nuser = 'ci'\nscope = 'READ'\nclaims = {{ repository = 'example/iris' }}\n",
        provider.url
    );
    let team = Team::with_providers("127.0.0.1:0", &settings);
    let exchange = |token: &str| {
        let body = json!({ "token": token }).to_string();
        let headers = vec![("Content-Type", "application/json")];
        let path = "/api/3.0/trainyard/sign-in/token";
        let body = Some(body.as_bytes());
        send(&team.server.url, &Request { method: "POST", path, headers, body })
    };
    // One account has some hundreds at once, whatever its jobs' tokens are, and then waits for the next.
    let claims = json!({ "aud": "https://mlflow.example.com", "repository": "example/iris" });
    let mut given = 0;
    let refused = loop {
        let answer = exchange(&provider.token(&claims));
        if answer.status != 200 {
            break answer;
        }
        given += 1;
        assert!(given < 3_000, "tokens are given without end");
    };
    assert_eq!((refused.status, given >= 300), (429, true), "{given}: {}", refused.text());
    assert!(refused.text().contains("too many tokens were made for ci"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    // What is no token of a provider's is refused, and soon not even looked at.
    let mut statuses = Vec::new();
    for number in 0..200 {
        let status = exchange(&format!("no.token.{number}")).status;
        statuses.push(status);
        if status == 429 {
            break;
        }
    }
    assert_eq!((statuses.first(), statuses.last()), (Some(&401), Some(&429)), "{statuses:?}");
}

#[test]
fn a_provider_that_is_away_slow_or_hostile_holds_up_nobody_else() {
    for (mood, document) in [
        (Mood::Silent, json!({})),
        (Mood::Endless, json!({})),
        (Mood::Redirecting, json!({})),
        (Mood::Html, json!({})),
        (Mood::Honest, json!({ "jwks_uri": "http://keys.example.com/" })),
        (Mood::Honest, json!({ "issuer": "https://other.example.com" })),
    ] {
        let provider = Provider::start();
        provider.set_mood(mood);
        provider.set_document(document.clone());
        let team = people(&provider, "");
        let token = provider.token(&json!({}));
        let url = team.server.url.clone();
        let waiting = std::thread::spawn(move || current_at(&url, &token));
        let admin = team.ask(&basic("admin", PASSWORD), "GET", CURRENT, &Value::Null);
        assert_eq!(admin.status, 200, "{mood:?}");
        let answer = waiting.join().unwrap();
        assert_eq!(answer.status, 503, "{mood:?} {document}: {}", answer.text());
        assert!(answer.text().contains("provider"), "{}", answer.text());
        assert!(!answer.text().contains(&provider.url), "what there is inside is for the log");
        // Others are not kept waiting for what just failed.
        assert_eq!(current(&team, &provider.token(&json!({ "sub": "2" }))).status, 503);
        assert!(provider.asked("/.well-known/openid-configuration") <= 2, "{mood:?}");
    }
}

#[test]
fn what_is_known_of_a_provider_goes_on_without_it() {
    let provider = Provider::start();
    let team = people(&provider, "");
    assert_eq!(current(&team, &provider.token(&json!({}))).status, 200);
    let later = provider.token(&json!({ "sub": "2", "preferred_username": "bob" }));
    drop(provider);
    assert_eq!(current(&team, &later).json()["user"]["username"], "bob");
}

#[test]
fn tokens_of_whom_a_provider_let_go_end() {
    let provider = Provider::start();
    let team = people(&provider, "");
    assert_eq!(current(&team, &provider.token(&json!({}))).status, 200);
    let made = team.control.create_token("of-ada", "ada", "READ", None);
    let secret = team.runtime.block_on(made).unwrap().secret;
    let of_admin = team.control.create_token("of-admin", "admin", "READ", None);
    let of_admin = team.runtime.block_on(of_admin).unwrap().secret;
    assert_eq!(current(&team, &secret).status, 200);
    // A month without her goes by, and the server reads the tables again.
    let month = "UPDATE trainyard_sign_ins SET at = at - 31 * 24 * 60 * 60 * CAST(1000 AS BIGINT); \
                 UPDATE trainyard_access SET version = version + 1";
    team.users_database().execute_batch(month).unwrap();
    let end = Instant::now() + Duration::from_mins(2);
    while current(&team, &secret).status != 401 {
        assert!(Instant::now() < end, "the token goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(current(&team, &of_admin).status, 200, "who has a password is nobody's to let go");
    // The provider knows her still, and says so.
    assert_eq!(current(&team, &provider.token(&json!({ "jti": "again" }))).status, 200);
    assert_eq!(current(&team, &secret).status, 200);
}
