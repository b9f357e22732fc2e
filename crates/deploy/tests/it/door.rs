//! The door of the gateway: TLS, tokens, certificates of clients, and settings that change while it is open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::Value;
use trainyard_deploy::gateway::{GatewaySettings, TlsFiles};
use trainyard_deploy::tokens::{self, Entry};
use trainyard_deploy::{reload, status, upgrade};
use trainyard_testkit::certificate::{certificate, client_certificate};

use crate::client::{Load, connect, get, request, text};
use crate::encrypted::Trusting;
use crate::stage::{Stage, in_time, signal};

/// Time between two looks at something that a test waits for.
const LOOK: Duration = Duration::from_millis(20);

/// Adds a token, with what a line says of it beside its name; its secret.
fn token(file: &Path, name: &str, more: &[(&str, &str)]) -> String {
    let secret = tokens::new_secret();
    let mut entry = Entry::new(name, &secret).unwrap();
    for (key, value) in more {
        entry.set(key, value).unwrap();
    }
    tokens::add(file, &entry).unwrap();
    secret
}

/// One request with a token, if there is one: the answer, and its head.
async fn ask_with(address: SocketAddr, path: &str, token: &str) -> (StatusCode, String, HeaderMap) {
    let mut sender = connect(address).await.unwrap();
    let mut asked = request(Method::POST, path, "[1]");
    if !token.is_empty() {
        asked.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    }
    let answer = sender.send_request(asked).await.unwrap();
    let head = answer.headers().clone();
    let (status, body) = text(answer).await.unwrap();
    (status, body, head)
}

/// Lines of the access log, when there are so many.
async fn logged(log: &Path, lines: usize) -> Vec<Value> {
    let written = async {
        loop {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let whole: Vec<Value> =
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if whole.len() >= lines {
                return whole;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("lines of the access log", written).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_who_may_do_what() {
    let mut stage = Stage::new();
    let file = stage.folder.path().join("tokens");
    let shop = token(&file, "shop", &[]);
    let oncall = token(&file, "oncall", &[("scope", "operate")]);
    let slow = token(&file, "slow", &[("rate", "2/h")]);
    let operators = SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port()));
    stage.service.gateway.exposed = vec!["/headers".to_owned()];
    stage.service.gateway.operator_listen = Some(operators);
    stage.service.gateway.tokens_file = Some(file.clone());
    stage.service.gateway.access_log = true;
    stage.release(&Stage::spec("blue")).await.unwrap();
    let public = stage.address();

    let (status, body, head) = ask_with(public, "/predict", "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(head[WWW_AUTHENTICATE], "Bearer");
    assert!(body.contains("Authorization: Bearer"), "{body}");
    assert_eq!(get(public, "/health").await.unwrap().0, StatusCode::OK);
    for (address, path, secret, expect) in [
        (public, "/predict", "nobody", 401),
        (public, "/predict", shop.as_str(), 200),
        (public, "/reload", "", 401),
        (public, "/reload", shop.as_str(), 403),
        (public, "/reload", oncall.as_str(), 200),
        (operators, "/reload", "", 401),
        (operators, "/reload", shop.as_str(), 403),
        (operators, "/metrics", oncall.as_str(), 200),
        (public, "/predict", slow.as_str(), 200),
        (public, "/predict", slow.as_str(), 200),
    ] {
        let (status, body, _) = ask_with(address, path, secret).await;
        assert_eq!(status.as_u16(), expect, "{path}: {body}");
    }
    let (status, _, head) = ask_with(public, "/predict", &slow).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(head[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() > 0);
    // It was for the gateway: the instance does not see it.
    let (_, seen, _) = ask_with(public, "/headers", &shop).await;
    assert!(!seen.contains("authorization") && !seen.contains(&shop), "{seen}");

    let metrics = trainyard_deploy::metrics(&stage.service).await.unwrap();
    for line in [
        "trainyard_gateway_token_requests_total{token=\"shop\"} 2",
        "trainyard_gateway_door_refused_total{why=\"scope\"} 2",
        "trainyard_gateway_door_refused_total{why=\"rate\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let lines = logged(&stage.root().join("access.log"), 14).await;
    let named = |name: &str| lines.iter().filter(|line| line["token"] == name).count();
    assert_eq!((named("shop"), named("oncall"), named("slow")), (2, 2, 2));
    for text in [
        metrics,
        std::fs::read_to_string(stage.root().join("access.log")).unwrap(),
        std::fs::read_to_string(stage.root().join("gateway.log")).unwrap(),
        std::fs::read_to_string(stage.root().join("gateway-settings.json")).unwrap(),
        format!("{:?}", stage.processes()),
    ] {
        assert!(![&shop, &oncall, &slow].iter().any(|secret| text.contains(*secret)), "{text}");
    }

    // Nobody has to tell the gateway.
    tokens::revoke(&file, "shop").unwrap();
    let revoked = async {
        while ask_with(public, "/predict", &shop).await.0 != StatusCode::UNAUTHORIZED {
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("the end of a token", revoked).await;
    assert_eq!(ask_with(public, "/predict", &oncall).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_a_token_of_its_own_is_deployed_and_asked() {
    let mut stage = Stage::new();
    let file = stage.folder.path().join("tokens");
    let shop = token(&file, "shop", &[]);
    stage.service.gateway.tokens_file = Some(file);
    let mut spec = Stage::spec("blue");
    spec.env.push(("TRAINYARD_TOKEN".to_owned(), "its-own".to_owned()));
    // Health and prediction are asked with it.
    stage.release(&spec).await.unwrap();
    let now = status(&stage.service).await.unwrap();
    assert_eq!(now.outage(), None);
    assert!(!format!("{now:?}").contains("its-own"), "{now:?}");
    let (code, seen, _) = ask_with(stage.address(), "/headers", &shop).await;
    assert_eq!(code, StatusCode::OK);
    assert!(seen.contains("Bearer its-own") && !seen.contains(&shop), "{seen}");
    // An open path is asked with it as well.
    assert_eq!(get(stage.address(), "/health").await.unwrap().0, StatusCode::OK);
    // It is remembered by the next gateway.
    upgrade(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(ask_with(stage.address(), "/predict", &shop).await.0, StatusCode::OK);

    // A gateway that asks for nothing vouches for nobody: clients know the instance's token, or do not.
    stage.service.gateway.tokens_file = None;
    reload(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(ask_with(stage.address(), "/predict", "").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask_with(stage.address(), "/predict", "its-own").await.0, StatusCode::OK);
}

/// Writes settings as a deployer does, and has the gateway read them; what it says to that.
async fn told(root: &Path, settings: &[u8]) -> (StatusCode, String) {
    std::fs::write(root.join("gateway-settings.json"), settings).unwrap();
    let stream = tokio::net::UnixStream::connect(root.join("gateway.sock")).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    text(sender.send_request(request(Method::POST, "/reload", "null")).await.unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_changes_of_settings_under_load_drop_nothing() {
    let mut stage = Stage::new();
    stage.service.gateway.exposed = vec!["/teapot".to_owned()];
    stage.release(&Stage::spec("blue")).await.unwrap();
    let (root, gateways) = (stage.root(), stage.gateways());
    let usual = serde_json::to_vec(&stage.service.gateway).unwrap();
    // Other limits begin the listener anew; another path does not.
    let mut other: GatewaySettings = stage.service.gateway.clone();
    other.exposed = vec!["/stuck".to_owned()];
    other.limits.max_connections = 1999;
    let other = serde_json::to_vec(&other).unwrap();
    let mut kept = connect(stage.address()).await.unwrap();
    let load = Load::start(stage.address(), 4);
    for _twice in 0..500 {
        for (settings, public, private) in
            [(&other, "/stuck", "/teapot"), (&usual, "/teapot", "/stuck")]
        {
            assert_eq!(told(&root, settings).await.0, StatusCode::OK);
            let mut status = async |path: &'static str| {
                kept.ready().await.unwrap();
                let answer = kept.send_request(request(Method::GET, path, "")).await.unwrap();
                text(answer).await.unwrap().0
            };
            assert_ne!(status(public).await, StatusCode::NOT_FOUND);
            assert_eq!(status(private).await, StatusCode::NOT_FOUND);
        }
    }
    // A file that is wrong changes nothing, whoever asks for it to be read.
    for wrong in [b"{".as_slice(), b"{\"redirect_http\": \"127.0.0.1:80\"}"] {
        let (code, reason) = told(&root, wrong).await;
        assert_eq!(code, StatusCode::INTERNAL_SERVER_ERROR, "{reason}");
    }
    signal(gateways[0], Signal::HUP);
    assert_eq!(get(stage.address(), "/teapot").await.unwrap().0, StatusCode::IM_A_TEAPOT);
    assert_eq!(told(&root, &usual).await.0, StatusCode::OK);
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert!(seen.answers["blue"] > 0);
    assert_eq!(stage.gateways(), gateways);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_a_reload_take_up_new_settings() {
    let mut stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let [first, second] =
        [0, 1].map(|_| SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port())));
    stage.service.gateway.metrics_listen = Some(first);
    stage.release(&Stage::spec("green")).await.unwrap();
    let answers = async |address| matches!(get(address, "/metrics").await, Ok((StatusCode::OK, page)) if page.contains("_total"));
    let listens = async {
        while !answers(first).await {
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("metrics at the first address", listens).await;
    stage.service.gateway.metrics_listen = Some(second);
    reload(&stage.service, &|_| {}).await.unwrap();
    let listens = async {
        while !answers(second).await || answers(first).await {
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("metrics at the second address alone", listens).await;
    // What a gateway could not start with is refused before it is written.
    stage.service.gateway.tokens_file = Some(PathBuf::from("/nowhere/tokens"));
    let error = reload(&stage.service, &|_| {}).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/tokens"), "{error}");
    stage.rollback(None).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, "blue".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_and_handed_over_while_clients_are_served() {
    let mut stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let (first, first_key) = certificate(folder.path(), "first");
    let (second, second_key) = certificate(folder.path(), "second");
    let files = TlsFiles {
        certificate: folder.path().join("shown.crt"),
        key: folder.path().join("shown.key"),
    };
    let show = |certificate: &Path, key: &Path| {
        std::fs::copy(key, &files.key).unwrap();
        std::fs::copy(certificate, &files.certificate).unwrap();
    };
    show(&first, &first_key);
    let plain = SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port()));
    stage.service.gateway.tls = Some(files.clone());
    stage.service.gateway.redirect_http = Some(plain);
    let released = stage.release(&Stage::spec("blue")).await.unwrap();
    assert_eq!(released.url, format!("https://{}", stage.address()));
    let address = stage.address();
    let (of_first, of_second) = (Trusting::new(&first, None), Trusting::new(&second, None));
    let (_, seen) = of_first.get(address, "/headers").await.unwrap();
    assert!(seen.contains(r#""x-forwarded-proto": "https""#), "{seen}");
    let blue = (StatusCode::OK, "blue".to_owned());
    assert_eq!(of_first.get_http2(address, "/").await.unwrap(), blue);
    of_second.get(address, "/").await.unwrap_err();
    // No word without TLS.
    get(address, "/").await.unwrap_err();

    let mut kept = of_first.connect(address).await.unwrap();
    show(&second, &second_key);
    let renewed = async {
        while of_second.get(address, "/").await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("the second certificate", renewed).await;
    // Somebody new: who was there before goes on with the session that it has.
    Trusting::new(&first, None).get(address, "/").await.unwrap_err();
    kept.ready().await.unwrap();
    let again = kept.send_request(request(Method::GET, "/", "")).await.unwrap();
    assert_eq!(text(again).await.unwrap(), blue);

    upgrade(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(of_second.get(address, "/").await.unwrap(), blue);
    assert_eq!(status(&stage.service).await.unwrap().url.as_deref(), Some(released.url.as_str()));

    // Who comes without TLS is sent on, when the successor has the address.
    let listens = async {
        loop {
            if let Ok(sender) = connect(plain).await {
                return sender;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let mut sender = in_time("the way to TLS", listens).await;
    let answer = sender.send_request(request(Method::POST, "/predict?a=1", "[1]")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    let expected = format!("https://model.example:{}/predict?a=1", address.port());
    assert_eq!(answer.headers()[LOCATION], expected.as_str());
    let challenges = stage.root().join("acme-challenges");
    std::fs::create_dir(&challenges).unwrap();
    std::fs::write(challenges.join("question"), "question.answer").unwrap();
    let asked = get(plain, "/.well-known/acme-challenge/question").await.unwrap();
    assert_eq!(asked, (StatusCode::OK, "question.answer".to_owned()));

    // And back again, without a gap for those who are connected.
    let mut kept = of_second.connect(address).await.unwrap();
    stage.service.gateway.tls = None;
    stage.service.gateway.redirect_http = None;
    reload(&stage.service, &|_| {}).await.unwrap();
    let plain_again = async {
        while get(address, "/").await != Ok(blue.clone()) {
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("answers without TLS", plain_again).await;
    kept.ready().await.unwrap();
    let again = kept.send_request(request(Method::GET, "/", "")).await.unwrap();
    assert_eq!(text(again).await.unwrap(), blue);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_client_is_enough() {
    let mut stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let (shown, key) = certificate(folder.path(), "gateway");
    let shop = client_certificate(folder.path(), "shop");
    let stranger = client_certificate(folder.path(), "stranger");
    let file = folder.path().join("tokens");
    let secret = token(&file, "ci", &[]);
    stage.service.gateway.exposed = Vec::new();
    stage.service.gateway.access_log = true;
    stage.service.gateway.tls = Some(TlsFiles { certificate: shown.clone(), key });
    stage.service.gateway.client_ca = Some(shop.authority.clone());
    stage.service.gateway.tokens_file = Some(file);
    stage.release(&Stage::spec("blue")).await.unwrap();
    let address = stage.address();
    let [with, without] = [Some(&shop), None].map(|own| Trusting::new(&shown, own));
    assert_eq!(with.get(address, "/version").await.unwrap().0, StatusCode::OK);
    assert_eq!(with.get(address, "/reload").await.unwrap().0, StatusCode::FORBIDDEN);
    assert_eq!(without.get(address, "/version").await.unwrap().0, StatusCode::UNAUTHORIZED);
    assert_eq!(without.get(address, "/health").await.unwrap().0, StatusCode::OK);
    Trusting::new(&shown, Some(&stranger)).get(address, "/health").await.unwrap_err();
    let mut sender = without.connect(address).await.unwrap();
    let mut asked = request(Method::GET, "/version", "");
    asked.headers_mut().insert(AUTHORIZATION, format!("Bearer {secret}").parse().unwrap());
    assert_eq!(sender.send_request(asked).await.unwrap().status(), StatusCode::OK);
    let lines = logged(&stage.root().join("access.log"), 5).await;
    let whom: Vec<_> = lines.iter().map(|line| (&line["certificate"], &line["token"])).collect();
    assert_eq!(whom[0], (&"CN=shop".into(), &Value::Null));
    assert_eq!(whom[4], (&Value::Null, &"ci".into()));

    // Who is not trusted any more is not let in on the connection that it has, either.
    let mut kept = with.connect(address).await.unwrap();
    let mut version = async || {
        kept.ready().await.unwrap();
        let answer = kept.send_request(request(Method::GET, "/version", "")).await.unwrap();
        text(answer).await.unwrap().0
    };
    assert_eq!(version().await, StatusCode::OK);
    stage.service.gateway.client_ca = Some(stranger.authority.clone());
    reload(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(version().await, StatusCode::UNAUTHORIZED);
}
