//! Pages that change by themselves, over real connections and in a real browser.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::response::Html;
use axum::routing::get;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use trainyard_mlflow::client::{Credentials, RestClient, Settings};
use trainyard_mlflow::entities::{Metric, RunStatus};
use trainyard_mlflow::team::Thing;
use trainyard_mlflow::{CreateRun, Tracking, UpdateRun};
use trainyard_testkit::browser;
use trainyard_tracking::access::AccessControl;
use trainyard_tracking::server::actor::acting_as;
use trainyard_tracking::server::{Actor, Opened, ServerOptions, serve_once_opened};

use crate::changes::{ADA, PASSWORD, READER, access, token};
use crate::services::{now, record, service};
use crate::site::Site;

/// The end of every wait: what takes as long does not come.
const TOO_LONG: Duration = Duration::from_mins(2);

async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(TOO_LONG, wait).await.unwrap()
}

/// A whole server.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<trainyard_mlflow::Result<()>>,
}

impl Server {
    async fn start(opened: Opened, options: ServerOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = async {
            let _dropped = stopped.await;
        };
        let opened = std::future::ready(Ok::<_, trainyard_mlflow::Error>(opened));
        let serving = tokio::spawn(async move {
            Box::pin(serve_once_opened(listener, opened, options, ended)).await
        });
        Self { address, stop: Some(stop), serving }
    }

    async fn of(site: &Site) -> Self {
        Self::start(site.opened(&site.tracking), ServerOptions::default()).await
    }

    /// Sends a request; the head and the body of the answer.
    async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> (String, String) {
        let mut stream = self.begin(line, headers, body).await;
        let mut answer = Vec::new();
        soon(stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// By HTTP/1.0, whose answers have no chunks and end with their connection.
    async fn begin(&self, line: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let length = body.len().to_string();
        let mut request = format!("{line} HTTP/1.0\r\n");
        let own = [("host", "localhost"), ("content-length", length.as_str())];
        for &(name, value) in own.iter().chain(headers) {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["\r\n", body]);
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// A page that is watched as its script does.
struct Watch {
    head: String,
    lines: BufReader<TcpStream>,
}

impl Watch {
    /// `more` are headers beside those of every stream.
    async fn open(server: &Server, path: &str, known: &str, more: &[(&str, &str)]) -> Self {
        let mut headers = vec![
            ("accept", "text/event-stream"),
            ("accept-encoding", "gzip"),
            ("trainyard-parts", known),
        ];
        headers.extend(more);
        let stream = server.begin(&format!("GET {path}"), &headers, "").await;
        let (mut head, mut lines) = (String::new(), BufReader::new(stream));
        while !head.ends_with("\r\n\r\n") {
            let read = soon(lines.read_line(&mut head)).await.unwrap();
            assert_ne!(read, 0, "{head}");
        }
        Self { head: head.to_lowercase(), lines }
    }

    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// The next event; none at the end of the stream.
    async fn event(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            match soon(self.lines.read_line(&mut line)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            if let Some(json) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(json).unwrap());
            }
        }
    }

    /// Waits until a part has a text; what all events until then have said, and the part's digest.
    async fn until(&mut self, part: &str, text: &str) -> (String, String) {
        let mut said = String::new();
        loop {
            let event = self.event().await.unwrap_or_else(|| panic!("no {text} in {said}"));
            let html = event["html"].as_str().unwrap();
            said.push_str(html);
            if event["part"] == part && html.contains(text) {
                return (said, event["digest"].as_str().unwrap().to_owned());
            }
        }
    }
}

async fn log(tracking: &Tracking, run_id: &str, value: f64) {
    tracking.runs.log_metric(run_id, Metric::new("loss", value, 1, 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_sent_to_whoever_looks_and_nothing_else() {
    let site = Site::empty();
    let run = site.plain_run("first").await;
    let server = Server::of(&site).await;
    let list = "/experiments/0?order=attributes.start_time%20DESC";
    let mut runs = Watch::open(&server, list, "", &[]).await;
    assert_eq!(runs.status(), "200", "{}", runs.head);
    for header in [
        "content-type: text/event-stream\r",
        "cache-control: no-store, no-transform\r",
        "x-accel-buffering: no\r",
    ] {
        assert!(runs.head.contains(header), "{header}: {}", runs.head);
    }
    assert!(!runs.head.contains("content-encoding"), "{}", runs.head);
    // What is not there yet is sent at once.
    let (said, digest) = runs.until("runs", &run).await;
    assert!(!said.contains("<html") && !said.contains("live-part"), "{said}");
    let mut page = Watch::open(&server, &format!("/runs/{run}"), "", &[]).await;
    page.until("metrics", "None were logged.").await;
    // Who has it is sent what comes after it.
    let mut again = Watch::open(&server, list, &format!("runs={digest},other=1"), &[]).await;
    log(&site.tracking, &run, 0.4375).await;
    for watch in [&mut runs, &mut again] {
        let (said, _digest) = watch.until("runs", "0.4375").await;
        assert_eq!(said.matches("data-compare").count(), 1, "one event: {said}");
    }
    page.until("metrics", "0.4375").await;
    let end_time = Some(1_900_000_000_000);
    let status = Some(RunStatus::Finished);
    let done = UpdateRun { run_id: run.clone(), status, end_time, run_name: None };
    site.tracking.runs.update(done).await.unwrap();
    page.until("head", "finished").await;
    runs.until("runs", "finished").await;
    // A run that is gone is on no page; that of the run says so from then on.
    site.tracking.runs.delete(&run).await.unwrap();
    runs.until("runs", "No runs here.").await;
    page.until("head", "deleted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_live_page_has_its_parts_and_others_stay_as_they_are() {
    let site = Site::empty();
    let run = site.nasty_run().await;
    site.nasty_model(&run, "Iris").await;
    let service = service(&site, "/Iris_service", &record(now())).await;
    let server = Server::of(&site).await;
    let experiment = site.tracking.runs.get(&run).await.unwrap().info.experiment_id;
    for (path, parts) in [
        ("/".to_owned(), vec!["home"]),
        ("/experiments".to_owned(), vec!["experiments"]),
        ("/models".to_owned(), vec!["models"]),
        (format!("/experiments/{experiment}"), vec!["runs"]),
        (format!("/experiments/{experiment}/curves"), vec!["curves"]),
        (format!("/runs/{run}"), vec!["head", "pictures", "about", "metrics", "artifacts"]),
        (format!("/runs/{run}/metrics/loss/a%20b"), vec!["values"]),
        ("/models/Iris".to_owned(), vec!["state", "release", "history"]),
        ("/models/Iris/monitoring".to_owned(), vec!["windows"]),
        // What was green a while ago is not to look so for as long as the page is open.
        ("/services".to_owned(), vec!["services"]),
        (format!("/services/{service}"), vec!["service"]),
    ] {
        let whole = site.get(&path).await.text;
        assert_eq!(whole.matches("<live-part ").count(), parts.len(), "{path}: {whole}");
        let mut watch = Watch::open(&server, &path, "", &[]).await;
        assert_eq!(watch.status(), "200", "{path}: {}", watch.head);
        for part in parts {
            let event = watch.event().await.unwrap();
            assert_eq!(event["part"], part, "{path}");
            assert!(!event["html"].as_str().unwrap().contains("<script"), "{event}");
        }
    }
    // What was drawn just now is not drawn again for its stream: it begins with the next change.
    let page = ("accept", "text/html");
    let (_head, whole) = server.ask("GET /models", &[page], "").await;
    let drawn = whole.split("data-drawn=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut watch =
        Watch::open(&server, "/models", "", &[("trainyard-drawn", drawn.as_str())]).await;
    assert_eq!(watch.status(), "200");
    site.tracking.registered_models.create("Another", &[], None).await.unwrap();
    let event = watch.event().await.unwrap();
    assert!(
        event["html"].as_str().unwrap().contains("Another"),
        "the first that is sent is new: {event}"
    );
    // What was drawn before that is.
    let mut late =
        Watch::open(&server, "/models", "", &[("trainyard-drawn", drawn.as_str())]).await;
    assert_eq!(late.event().await.unwrap()["part"], "models");
    let file = format!("/runs/{run}/raw/notes/a.txt");
    let missing = format!("/runs/{run}/metrics/none");
    for (path, status) in [
        ("/compare", "204"),
        ("/assets/trainyard.css", "307"),
        (file.as_str(), "204"),
        (missing.as_str(), "404"),
        ("/experiments/0?q=metrics.a+%3E+%27x%27", "400"),
    ] {
        assert_eq!(Watch::open(&server, path, "", &[]).await.status(), status, "{path}");
    }
    // A page of another site can ask for the kind of answer, and gets none that goes on.
    let accept = ("accept", "text/event-stream");
    let (head, _body) = server.ask("GET /experiments/0", &[accept], "").await;
    assert!(head.to_lowercase().contains("content-type: text/html"), "{head}");
}

/// A server with `ada`, an administrator, and `reader`, who may see one experiment of two.
struct Guarded {
    site: Site,
    server: Server,
    control: AccessControl,
    shared: String,
    secret: String,
    _users: tempfile::TempDir,
}

impl Guarded {
    async fn start() -> Self {
        let site = Site::empty();
        let (control, users) = Box::pin(access("NO_PERMISSIONS")).await;
        let options = ServerOptions {
            authorize: Some(control.authorize()),
            more_routes: control.routes(),
            ..ServerOptions::default()
        };
        let opened = site.opened(&control.guard(site.tracking.clone()));
        let server = Server::start(opened, options).await;
        let shared = site.tracking.experiments.create("shared", None, &[]).await.unwrap();
        let secret = site.tracking.experiments.create("secret", None, &[]).await.unwrap();
        let guarded = Self { site, server, control, shared, secret, _users: users };
        guarded.let_reader_in(true).await;
        guarded
    }

    /// As `ada` does it.
    async fn let_reader_in(&self, is_in: bool) {
        let team = self.control.team();
        let thing = Thing { kind: "experiment", id: &self.shared };
        let ada = Actor::user("ada");
        if is_in {
            acting_as(ada, team.grant("reader", thing, "READ")).await.unwrap();
        } else {
            acting_as(ada, team.revoke("reader", thing)).await.unwrap();
        }
    }

    async fn run(&self, experiment_id: &str, name: &str) -> String {
        let run = CreateRun {
            experiment_id: experiment_id.to_owned(),
            run_name: Some(name.to_owned()),
            ..CreateRun::default()
        };
        self.site.tracking.runs.create(run).await.unwrap().info.run_id
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_what_they_may_not_see() {
    let guarded = Guarded::start().await;
    let shared = guarded.run(&guarded.shared, "open-1").await;
    let of = |name: &'static str| [("authorization", name)];
    let server = &guarded.server;
    let list = format!("/experiments/{}", guarded.shared);
    let mut reader = Watch::open(server, &list, "", &of(READER)).await;
    reader.until("runs", "open-1").await;
    let mut home = Watch::open(server, "/", "", &of(READER)).await;
    home.until("home", "open-1").await;
    let mut ada = Watch::open(server, "/", "", &of(ADA)).await;
    ada.until("home", "open-1").await;
    let hidden = format!("/experiments/{}", guarded.secret);
    assert_eq!(Watch::open(server, &hidden, "", &of(READER)).await.status(), "403");
    assert_eq!(Watch::open(server, &list, "", &[]).await.status(), "401");

    let secret = guarded.run(&guarded.secret, "classified").await;
    ada.until("home", "classified").await;
    guarded.run(&guarded.shared, "open-2").await;
    for (watch, part) in [(&mut reader, "runs"), (&mut home, "home")] {
        let (said, _digest) = watch.until(part, "open-2").await;
        assert!(!said.contains("classified") && !said.contains(&secret), "{said}");
    }

    // What is taken away ends the stream, and nothing is sent before.
    guarded.let_reader_in(false).await;
    log(&guarded.site.tracking, &shared, 0.4375).await;
    assert_eq!(reader.event().await, None);
    assert_eq!(Watch::open(server, &list, "", &of(READER)).await.status(), "403");
    let run = format!("/runs/{shared}");
    Watch::open(server, &run, "", &of(ADA)).await.until("metrics", "0.4375").await;
}

/// The value of a cookie that an answer sets.
fn cookie(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| line.split_once(&format!("{name}=")));
    let (_, rest) = found.unwrap_or_else(|| panic!("no {name} in {head}"));
    format!("{name}={}", rest.split(';').next().unwrap())
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_session_that_opened_it() {
    let guarded = Guarded::start().await;
    let run = guarded.run(&guarded.shared, "open-1").await;
    let server = &guarded.server;
    let list = format!("/experiments/{}", guarded.shared);
    let kind = ("content-type", "application/x-www-form-urlencoded");
    for end in ["signed out", "ended"] {
        let (head, page) = server.ask("GET /sign-in", &[], "").await;
        let form = cookie(&head, "trainyard_form");
        let csrf = token(&page);
        let fields = [("csrf", csrf.as_str()), ("username", "reader"), ("password", PASSWORD)];
        let headers = [kind, ("cookie", form.as_str())];
        let (head, body) = server.ask("POST /sign-in", &headers, &encoded(&fields)).await;
        assert!(head.contains("303"), "{head}: {body}");
        let session = cookie(&head, "trainyard_session");
        let own = ("cookie", session.as_str());
        let mut watch = Watch::open(server, &list, "", &[own]).await;
        watch.until("runs", "open-1").await;

        if end == "signed out" {
            let (_, page) = server.ask("GET /account", &[own], "").await;
            let fields = encoded(&[("csrf", token(&page).as_str())]);
            let (head, body) = server.ask("POST /sign-out", &[kind, own], &fields).await;
            assert!(head.contains("303"), "{head}: {body}");
        } else {
            guarded.control.end_sessions("reader").await.unwrap();
        }
        log(&guarded.site.tracking, &run, if end == "ended" { 0.25 } else { 0.5 }).await;
        assert_eq!(watch.event().await, None, "{end}");
        let again = Watch::open(server, &list, "", &[own]).await;
        assert_eq!(again.status(), "401", "{end}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_one_address_are_few_and_one_that_is_left_makes_room() {
    let site = Site::empty();
    site.plain_run("first").await;
    let server = Server::of(&site).await;
    let mut open = Vec::new();
    let crowded = loop {
        let watch = Watch::open(&server, "/experiments/0", "", &[]).await;
        if watch.status() != "200" {
            break watch;
        }
        open.push(watch);
    };
    assert_eq!((open.len(), crowded.status()), (32, "503"));
    assert!(crowded.head.contains("retry-after: 60\r"), "{}", crowded.head);
    let mut told = String::new();
    let mut lines = crowded.lines;
    soon(lines.read_to_string(&mut told)).await.unwrap();
    assert_eq!(told, "too many pages that change by themselves are open, in all or of yours\n");
    // The page itself is there all the same.
    let (head, page) = server.ask("GET /experiments/0", &[], "").await;
    assert!(head.contains("200") && page.contains("first"), "{head}");
    let (_, metrics) = server.ask("GET /metrics", &[], "").await;
    assert!(metrics.contains("\ntrainyard_tracking_live_pages "), "{metrics}");
    drop(open.pop());
    let retried = async {
        while Watch::open(&server, "/experiments/0", "", &[]).await.status() != "200" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(retried).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_waits_for_no_stream() {
    let site = Site::empty();
    site.plain_run("first").await;
    let options = ServerOptions { shutdown_grace: 100 * TOO_LONG, ..ServerOptions::default() };
    let mut server = Server::start(site.opened(&site.tracking), options).await;
    let mut watch = Watch::open(&server, "/experiments/0", "", &[]).await;
    watch.until("runs", "first").await;
    drop(server.stop.take());
    assert_eq!(watch.event().await, None);
    soon(&mut server.serving).await.unwrap().unwrap();
}

/// A page of the test around the page under test, which does what a person does. It is loaded when `/hold` answers.
const AROUND: &str = r#"<!DOCTYPE html><title>around</title>
<iframe src="/experiments/0" width="1200" height="700"></iframe><img src="/hold" alt="">
<script>
const frame = document.querySelector("iframe");
const until = (check) => new Promise((done) => {
  const look = () => { check() ? done() : setTimeout(look, 20); };
  look();
});
frame.onload = async () => {
  const page = frame.contentDocument;
  frame.contentWindow.before = "before";
  const boxes = page.querySelectorAll("input[name=run]");
  boxes.forEach((box) => box.click());
  page.querySelector("details").open = true;
  boxes[1].focus();
  await until(() => page.querySelector("p.live")?.textContent === "This page changes by itself.");
  await fetch("/ready");
  await until(() => page.querySelector("table.runs").textContent.includes("0.4375"));
  const told = {
    loaded: frame.contentWindow.before || "anew",
    rows: page.querySelectorAll("table.runs tbody").length,
    ticked: [...page.querySelectorAll("input[name=run]:checked")].length,
    same: [...boxes].every((box) => box.isConnected && box.checked),
    unfolded: page.querySelector("details").open,
    focus: page.activeElement === boxes[1],
    button: page.querySelector("form[data-compare] button").textContent,
  };
  await fetch("/told?" + encodeURIComponent(JSON.stringify(told)));
};
</script>"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metric_appears_without_a_reload_and_ticks_stay() {
    let site = Site::empty();
    let runs = [site.plain_run("first").await, site.plain_run("second").await];
    log(&site.tracking, &runs[0], 0.75).await;
    let (ready, mut is_ready) = mpsc::unbounded_channel();
    let (tell, mut told) = mpsc::unbounded_channel();
    let seen = Arc::new(Notify::new());
    let hold = Arc::clone(&seen);
    let routes = Router::new()
        .route("/around", get(async || Html(AROUND)))
        .route("/ready", get(async move || ready.send(()).unwrap()))
        .route("/told", get(async move |RawQuery(text): RawQuery| tell.send(text).unwrap()))
        .route("/hold", get(async move || hold.notified().await));
    let options = ServerOptions { more_routes: routes, ..ServerOptions::default() };
    let server = Server::start(site.opened(&site.tracking), options).await;
    let url = format!("http://{}", server.address);
    let around = format!("{url}/around");
    let dom = tokio::task::spawn_blocking(move || browser::dom(&around));
    soon(is_ready.recv()).await.unwrap();
    // By the API, as a training does, and a run that comes above the others.
    let client = RestClient::with_settings(&url, Credentials::None, &Settings::default()).unwrap();
    let training = Tracking::from(client);
    let third = CreateRun {
        experiment_id: "0".to_owned(),
        run_name: Some("third".to_owned()),
        start_time: 1_900_000_000_000,
        ..CreateRun::default()
    };
    training.runs.create(third).await.unwrap();
    log(&training, &runs[1], 0.4375).await;
    let told = soon(told.recv()).await.unwrap().unwrap();
    let (told, _none) = url::form_urlencoded::parse(told.as_bytes()).next().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&told).unwrap(),
        serde_json::json!({
            "loaded": "before", "rows": 3, "ticked": 2, "same": true, "unfolded": true, "focus": true,
            "button": "Compare 2 runs",
        })
    );
    seen.notify_one();
    soon(dom).await.unwrap();
}

/// Pictures that nobody can read values off are no reason to leave a page as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_with_charts_changes_by_itself_in_a_browser() {
    let site = Site::empty();
    let run_id = service(&site, "/Iris_service", &record(now())).await;
    let server = Server::of(&site).await;
    let page = format!("http://{}/services/{run_id}", server.address);
    let dom = tokio::task::spawn_blocking(move || browser::dom(&page));
    let dom = soon(dom).await.unwrap();
    assert!(dom.contains("chart lines") && dom.contains("class=\"soft live\""), "{dom}");
}
