//! Certificates of a real authority (Pebble), which looks at the challenges for real.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use trainyard_deploy::gateway::{AcmeSeen, AcmeSettings, Challenge};
use trainyard_deploy::status;
use trainyard_testkit::pebble::Pebble;
use trainyard_testkit::{free_port, run_python};

use crate::client::get;
use crate::stage::{Stage, in_time};

const NAME: &str = "api.example.test";

/// Time between two looks at something that a test waits for.
const LOOK: Duration = Duration::from_millis(20);

/// Asks by HTTPS; prints the digest of the certificate, and the answer. Without a root any certificate will do.
const ASK: &str = r#"
import hashlib, socket, ssl, sys
port, root, name, path = sys.argv[1:]
context = ssl.create_default_context(cafile=root) if root else ssl._create_unverified_context()
try:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=300) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            tls.sendall(f"GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
            answer = b""
            while part := tls.recv(65536):
                answer += part
            print(hashlib.sha256(tls.getpeercert(True)).hexdigest())
            print(answer.decode())
except (ssl.SSLError, ConnectionResetError) as error:
    print("refused")
    print(error)
"#;

/// An answer by HTTPS: which certificate was shown (`refused` without one), and the text.
fn ask(address: SocketAddr, root: Option<&Path>, path: &str) -> (String, String) {
    let root = root.map(|root| root.display().to_string()).unwrap_or_default();
    let told = run_python(ASK, &[&address.port().to_string(), &root, NAME, path], &[]);
    let (certificate, answer) = told.split_once('\n').unwrap();
    (certificate.to_owned(), answer.to_owned())
}

/// A service that gets its certificate from this authority.
fn stage(pebble: &Pebble, challenge: Challenge, http_port: u16, listen: SocketAddr) -> Stage {
    let mut stage = Stage::new();
    stage.service.listen = listen;
    stage.service.gateway.acme = Some(AcmeSettings {
        domains: vec![NAME.to_owned()],
        email: Some("ops@example.test".to_owned()),
        directory: pebble.directory.clone(),
        ca_file: Some(pebble.ca_file.clone()),
        challenge,
        http_listen: SocketAddr::from(([127, 0, 0, 1], http_port)),
        agree_terms: true,
    });
    stage
}

fn local_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// Waits until the certificate stands so.
async fn wait(stage: &Stage, is_so: impl Fn(&AcmeSeen) -> bool) -> AcmeSeen {
    let so = async {
        loop {
            let gateway = status(&stage.service).await.unwrap().gateway;
            if let Some(seen) = gateway.and_then(|gateway| gateway.acme).filter(|seen| is_so(seen))
            {
                return seen;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("what the certificate was to be", so).await
}

/// Ends the gateway as a crash would, and starts another one.
async fn crash(stage: &Stage, name: &str) {
    for gateway in stage.gateways() {
        stage.kill(gateway).await;
    }
    stage.release(&Stage::spec(name)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_had_by_http_and_outlives_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let (http_port, listen) = (free_port(), local_port());
    let pebble = Pebble::start(folder.path(), http_port, free_port(), None);
    let stage = stage(&pebble, Challenge::Http01, http_port, listen);
    stage.release(&Stage::spec("blue")).await.unwrap();
    let seen = wait(&stage, |seen| seen.expires_ms.is_some()).await;
    assert_eq!((seen.failures, seen.last_error.as_ref()), (0, None), "{seen:?}");

    let root = pebble.root(folder.path());
    let (first, answer) = ask(stage.address(), Some(&root), "/name");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("blue"), "{first} {answer}");
    assert_eq!(stage.metric("trainyard_gateway_certificate_failures").await, 0);
    // No challenge is answered any more; clients are told to come back with TLS.
    let plain = SocketAddr::from(([127, 0, 0, 1], http_port));
    let (answer, _) = get(plain, "/.well-known/acme-challenge/anything").await.unwrap();
    assert_eq!(answer, StatusCode::NOT_FOUND);
    let (answer, _) = get(plain, "/name").await.unwrap();
    assert_eq!(answer, StatusCode::PERMANENT_REDIRECT);

    for file in ["acme.pem", "account.json", "acme.json"] {
        let mode = std::fs::metadata(stage.root().join("tls").join(file)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o077, 0, "{file} is the owner's alone");
    }
    crash(&stage, "green").await;
    let again = wait(&stage, |seen| seen.expires_ms.is_some()).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(u128::from(again.next_ms) > now + 24 * 60 * 60 * 1000, "not due: {again:?}");
    let (second, answer) = ask(stage.address(), Some(&root), "/name");
    assert!(first == second && answer.contains("green"), "{first} {second} {answer}");
    assert_eq!(pebble.orders(), 1, "what is on the disk is not ordered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_within_tls_and_goes_on_when_the_authority_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let listen = local_port();
    // Renewed when a third of it is left: soon. Whether it has expired since is not this gateway's matter.
    let mut pebble = Pebble::start(folder.path(), free_port(), listen.port(), Some(6));
    let stage = stage(&pebble, Challenge::TlsAlpn01, free_port(), listen);
    stage.release(&Stage::spec("blue")).await.unwrap();
    wait(&stage, |seen| seen.expires_ms.is_some()).await;
    let (first, answer) = ask(stage.address(), None, "/name");
    assert!(answer.contains("blue"), "{first} {answer}");
    // A new one is shown to new connections, by the same process.
    let gateways = stage.gateways();
    let renewed = async {
        loop {
            let (shown, answer) = ask(stage.address(), None, "/name");
            assert!(answer.contains("blue"), "{shown} {answer}");
            if shown != first {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    in_time("another certificate", renewed).await;
    assert_eq!(stage.gateways(), gateways);

    pebble.kill();
    let seen = wait(&stage, |seen| seen.last_error.is_some()).await;
    let error = seen.last_error.as_ref().unwrap();
    assert!(error.contains("onnect"), "{error}");
    assert!(seen.trouble(0).unwrap().contains(NAME), "{seen:?}");
    let (_, answer) = ask(stage.address(), None, "/name");
    assert!(answer.contains("blue"), "the old one goes on: {answer}");
    // A gateway that is started again does not ask again at once.
    crash(&stage, "green").await;
    let after = wait(&stage, |_| true).await;
    assert!(after.failures >= seen.failures, "{after:?}");
    assert!(after.next_ms >= seen.last_failure_ms.unwrap() + 60_000, "{seen:?} {after:?}");
    let (_, answer) = ask(stage.address(), None, "/name");
    assert!(answer.contains("green"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_elsewhere_get_no_certificate_and_nobody_is_served_a_wrong_one() {
    let folder = tempfile::tempdir().unwrap();
    // The authority looks where nobody answers.
    let pebble = Pebble::start(folder.path(), free_port(), free_port(), None);
    let mut stage = stage(&pebble, Challenge::Http01, free_port(), local_port());
    let operators = local_port();
    stage.service.gateway.operator_listen = Some(operators);
    stage.release(&Stage::spec("blue")).await.unwrap();
    let seen = wait(&stage, |seen| seen.last_error.is_some()).await;
    let error = seen.last_error.as_ref().unwrap();
    assert!(error.contains(NAME) && error.contains("leads here"), "{error}");
    assert_eq!((seen.failures, pebble.orders()), (1, 1));
    assert!(seen.outage(0).unwrap().contains("no certificate yet"), "{seen:?}");
    let (shown, _) = ask(stage.address(), None, "/name");
    assert_eq!(shown, "refused");
    // Operators are no clients of the public address, and are told how it is.
    let (answer, _) = get(operators, "/health").await.unwrap();
    assert_eq!(answer, StatusCode::OK);
    let status = status(&stage.service).await.unwrap();
    assert!(status.outage().unwrap().contains(NAME), "{:?}", status.outage());
}
