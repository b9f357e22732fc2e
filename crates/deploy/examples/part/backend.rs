//! A small model server with bad habits on demand.
//!
//! It obeys these variables: `NAME` (what it answers), `START_AFTER_MS` (time until it listens),
//! `HEALTHY_AFTER_MS` (time until `/health` is 200), `SICK` (`/health` is always 503), `HOPELESS` (and says
//! that this will not change), `UNHEALTHY` (for `part health` alone), `CRASH` (ends at once; `CRASH_AT`: the
//! instance of this id), `LOG_FILE` (gets a line per request), `WRONG` (`/predict` answers 500). From the first
//! request that comes through a gateway count `DIE_AFTER_MS`, `SICK_AFTER_MS`, `UNHEALTHY_AFTER_MS`,
//! `FAIL_AFTER_MS` (as `WRONG`) and `REFUSE_AFTER_MS` (`/predict` answers 400). `TRAINYARD_TOKEN` (who does not send
//! it gets 401, for whatever). `CLASSES` (`yes,no`: `/predict` answers one of them, by the number in its body, and 400 where
//! there is none). `IDS_FILE` (gets the id of each request that comes through a gateway). `EAT` (bytes of memory
//! that it takes), `FILL` (file that it writes to until there is no more room), `HOST` (address it listens on).
//! When it is told to end it says how many requests it served and when the last one came.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{AUTHORIZATION, CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Collected, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Fallible, option, terminated};

/// The health check inside a container: asks the port that the program was given.
pub(crate) async fn health() -> Fallible<()> {
    let port = std::env::var("PORT")?;
    let mut stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await?;
    stream.write_all(b"GET /health?own HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("{}", answer.lines().next().unwrap_or_default());
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err("not healthy".into()) }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
struct Habits {
    name: String,
    started: Instant,
    healthy_after: Duration,
    sick: bool,
    hopeless: bool,
    unhealthy: bool,
    wrong: bool,
    log_file: Option<String>,
    die_after: Option<Duration>,
    sick_after: Option<Duration>,
    fail_after: Option<Duration>,
    refuse_after: Option<Duration>,
    classes: Vec<String>,
    ids_file: Option<String>,
    token: Option<String>,
    unhealthy_after: Option<Duration>,
    /// When the first request came through a gateway.
    traffic_since: OnceLock<Instant>,
    served: AtomicU64,
    last_ms: AtomicU64,
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn milliseconds(variable: &str) -> Fallible<Option<Duration>> {
    let Ok(value) = std::env::var(variable) else { return Ok(None) };
    Ok(Some(Duration::from_millis(value.parse()?)))
}

pub(crate) async fn backend(arguments: &[String]) -> Fallible<()> {
    let crash_at = std::env::var_os("CRASH_AT");
    let is_it = crash_at.is_some() && crash_at == std::env::var_os("TRAINYARD_INSTANCE");
    if is_it || std::env::var_os("CRASH").is_some() {
        eprintln!("model file not found: model.onnx");
        return Err("cannot load the model".into());
    }
    let port: u16 = option(arguments, "--port")?.parse()?;
    if let Some(delay) = milliseconds("START_AFTER_MS")? {
        tokio::time::sleep(delay).await;
    }
    let habits = Arc::new(Habits {
        name: std::env::var("NAME").unwrap_or_default(),
        started: Instant::now(),
        healthy_after: milliseconds("HEALTHY_AFTER_MS")?.unwrap_or_default(),
        sick: std::env::var_os("SICK").is_some(),
        hopeless: std::env::var_os("HOPELESS").is_some(),
        unhealthy: std::env::var_os("UNHEALTHY").is_some(),
        wrong: std::env::var_os("WRONG").is_some(),
        log_file: std::env::var("LOG_FILE").ok(),
        die_after: milliseconds("DIE_AFTER_MS")?,
        sick_after: milliseconds("SICK_AFTER_MS")?,
        fail_after: milliseconds("FAIL_AFTER_MS")?,
        refuse_after: milliseconds("REFUSE_AFTER_MS")?,
        classes: std::env::var("CLASSES")
            .map(|classes| classes.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        ids_file: std::env::var("IDS_FILE").ok(),
        token: std::env::var("TRAINYARD_TOKEN").ok(),
        unhealthy_after: milliseconds("UNHEALTHY_AFTER_MS")?,
        traffic_since: OnceLock::new(),
        served: AtomicU64::new(0),
        last_ms: AtomicU64::new(0),
    });
    if let Ok(path) = std::env::var("FILL") {
        fill(&path).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    let eaten: usize = std::env::var("EAT").map_or(Ok(0), |bytes| bytes.parse())?;
    // Written to, or the kernel would not give the memory.
    let eaten = vec![1_u8; eaten];
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let listener = tokio::net::TcpListener::bind(SocketAddr::new(host.parse()?, port)).await?;
    if !eaten.is_empty() {
        println!("{} holds {} bytes", habits.name, eaten.len());
    }
    println!("{} listens on {port}", habits.name);
    let all = Arc::clone(&habits);
    let accept = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let habits = Arc::clone(&all);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&habits), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                if let Err(error) = connection.await {
                    println!("connection: {error}");
                }
            });
        }
    };
    tokio::select! {
        () = accept => {}
        // Rude on purpose: whoever stops it must have drained it before.
        () = terminated() => println!(
            "{} terminated, served {} last {}",
            habits.name,
            habits.served.load(Ordering::SeqCst),
            habits.last_ms.load(Ordering::SeqCst)
        ),
    }
    Ok(())
}

/// Writes until that fails.
fn fill(path: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let block = vec![7; 64 << 10];
    loop {
        file.write_all(&block)?;
    }
}

fn die() {
    let me = rustix::process::getpid();
    let _never_returns = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    // The first process of a container is deaf to signals of its own.
    std::process::abort()
}

fn passed(limit: Option<Duration>, habits: &Habits) -> bool {
    let traffic = habits.traffic_since.get();
    limit.is_some_and(|limit| traffic.is_some_and(|since| since.elapsed() > limit))
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// What is wrong with it, if anything is; its own health check knows more.
fn illness(habits: &Habits, is_own: bool) -> Option<&'static str> {
    if habits.hopeless {
        return Some(r#"{"status": "failed", "reason": "no such operator"}"#);
    }
    let is_young = habits.started.elapsed() < habits.healthy_after;
    if habits.sick || is_young || passed(habits.sick_after, habits) {
        return Some("model is loading");
    }
    let is_unhealthy = habits.unhealthy || passed(habits.unhealthy_after, habits);
    (is_own && is_unhealthy).then_some("the model forgot its columns")
}

/// Writes the id of a request down, where that is wanted.
fn note_id(habits: &Habits, id: Option<&HeaderValue>) {
    if let (Some(file), Some(id)) = (&habits.ids_file, id)
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(file)
    {
        let _best_effort = writeln!(file, "{}", id.to_str().unwrap_or_default());
    }
}

/// The class of a number, as a model server says it.
fn classified(habits: &Habits, body: &[u8]) -> Response<Body> {
    let number = String::from_utf8_lossy(body).trim_matches(['[', ']']).parse::<usize>().ok();
    let place = number.and_then(|number| number.checked_rem(habits.classes.len()));
    match place.and_then(|place| habits.classes.get(place)) {
        Some(class) => text(StatusCode::OK, format!("{{\"predictions\": [\"{class}\"]}}")),
        None => text(StatusCode::BAD_REQUEST, "no number".to_owned()),
    }
}

async fn answer(
    habits: Arc<Habits>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if let Some(file) = &habits.log_file
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(file)
    {
        let _best_effort = writeln!(file, "{} {path}", habits.name);
    }
    if let Some(token) = &habits.token
        && request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes)
            != Some(format!("Bearer {token}").as_bytes())
    {
        return Ok(text(StatusCode::UNAUTHORIZED, "whose is this?".to_owned()));
    }
    if path != "/health" {
        habits.served.fetch_add(1, Ordering::SeqCst);
        habits.last_ms.store(now_ms(), Ordering::SeqCst);
    }
    if request.headers().contains_key("x-forwarded-for") {
        habits.traffic_since.get_or_init(Instant::now);
        note_id(&habits, request.headers().get("x-request-id"));
    }
    if passed(habits.die_after, &habits) {
        die();
    }
    Ok(match path.as_str() {
        "/health" => match illness(&habits, request.uri().query() == Some("own")) {
            Some(illness) => text(StatusCode::SERVICE_UNAVAILABLE, illness.to_owned()),
            None => text(StatusCode::OK, "ok".to_owned()),
        },
        "/predict" if habits.wrong || passed(habits.fail_after, &habits) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, "ValueError: no such column".to_owned())
        }
        "/predict" if passed(habits.refuse_after, &habits) => {
            text(StatusCode::BAD_REQUEST, "column age is missing".to_owned())
        }
        "/predict" if !habits.classes.is_empty() => {
            let body = request.into_body().collect().await.map(Collected::to_bytes);
            classified(&habits, &body.unwrap_or_default())
        }
        "/slow" => {
            let wait = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(2000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            text(StatusCode::OK, habits.name.clone())
        }
        "/teapot" => text(StatusCode::IM_A_TEAPOT, habits.name.clone()),
        "/headers" => text(StatusCode::OK, format!("{:#?}", request.headers())),
        // Never answers where it is told to.
        "/stuck" => {
            if request.uri().query() == Some(habits.name.as_str()) {
                std::future::pending::<()>().await;
            }
            text(StatusCode::OK, habits.name.clone())
        }
        // What comes goes back at once.
        "/mirror" => {
            let frames = futures::stream::unfold(request.into_body(), |mut body| async {
                let frame = body.frame().await?.ok()?;
                Some((Ok(frame), body))
            });
            Response::new(StreamBody::new(frames.boxed()).boxed_unsync())
        }
        // Answers before it has read the body, which it reads all the same.
        "/early" => {
            tokio::spawn(request.into_body().collect());
            text(StatusCode::OK, "early".to_owned())
        }
        "/count" => {
            let mut bytes = 0;
            while let Some(Ok(frame)) = request.body_mut().frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
            }
            text(StatusCode::OK, format!("{} {bytes}", habits.name))
        }
        "/echo" => {
            let mut response = text(StatusCode::SWITCHING_PROTOCOLS, String::new());
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
            tokio::spawn(async move {
                let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
                let mut stream = TokioIo::new(upgraded);
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(buffer.get(..count).unwrap_or_default()).await.is_err() {
                        return;
                    }
                }
            });
            response
        }
        _ => text(StatusCode::OK, habits.name.clone()),
    })
}
