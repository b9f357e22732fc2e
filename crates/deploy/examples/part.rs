//! The programs that the tests of this crate start as processes of their own: `part backend` is a small
//! model server with bad habits on demand, `part gateway` the gateway, `part release` a deployer that can
//! be told to die.
//!
//! The backend obeys these variables: `NAME` (what it answers), `START_AFTER_MS` (time until it listens),
//! `HEALTHY_AFTER_MS` (time until `/health` is 200), `SICK` (`/health` is always 503), `DIE_AFTER_MS`,
//! `DIE_ON` (path that kills it), `CRASH` (ends at once), `LOG_FILE` (gets a line per request),
//! `WRONG` (`/predict` answers 500).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "output is what the tests look at")]

use std::convert::Infallible;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trainyard_deploy::gateway::{GatewayOptions, Limits};
use trainyard_deploy::{Probe, ReleaseEvent, ReleaseSpec, Service};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.split_first() {
        Some((part, rest)) if part == "backend" => backend(rest).await,
        Some((part, rest)) if part == "gateway" => gateway(rest).await,
        Some((part, rest)) if part == "release" => release(rest).await,
        _ => Err("usage: part backend|gateway|release …".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn option<'a>(arguments: &'a [String], name: &str) -> Fallible<&'a str> {
    let position = arguments.iter().position(|argument| argument == name);
    let value = position.and_then(|position| arguments.get(position + 1));
    Ok(value.ok_or_else(|| format!("{name} is missing"))?)
}

async fn gateway(arguments: &[String]) -> Fallible<()> {
    let limits = Limits { max_connections: 2000, max_body_bytes: 8 << 20, ..Limits::default() };
    let options = GatewayOptions {
        state_dir: option(arguments, "--state-dir")?.into(),
        listen: option(arguments, "--listen")?.parse()?,
        limits,
    };
    Ok(trainyard_deploy::gateway::run(options, terminated()).await?)
}

async fn terminated() {
    if let Ok(mut signal) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        signal.recv().await;
    }
}

/// `part release --state-dir D --listen A --name N [--die-at STEP]`: releases this program's backend,
/// and kills itself with SIGKILL at the given step.
async fn release(arguments: &[String]) -> Fallible<()> {
    let program = std::env::current_exe()?;
    let mut service = Service::new(
        "test",
        option(arguments, "--state-dir")?,
        option(arguments, "--listen")?.parse()?,
    );
    service.gateway_command = Some(vec![program.clone().into(), "gateway".into()]);
    let mut spec = ReleaseSpec::new(program);
    spec.args = vec!["backend".to_owned(), "--port".to_owned(), "{port}".to_owned()];
    spec.env = vec![("NAME".to_owned(), option(arguments, "--name")?.to_owned())];
    spec.prediction = Some(Probe::post_json("/predict", "[1]"));
    spec.bake = Duration::from_millis(200);
    spec.deadline = Duration::from_secs(30);
    let die_at = option(arguments, "--die-at").unwrap_or("nothing");
    let progress = |event: ReleaseEvent| {
        println!("{}: {event}", event.step());
        if event.step() == die_at {
            let me = rustix::process::getpid();
            let _never_returns = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        }
    };
    let released = trainyard_deploy::release(&service, &spec, &progress).await?;
    println!("released {}", released.instance);
    Ok(())
}

struct Habits {
    name: String,
    started: Instant,
    healthy_after: Duration,
    sick: bool,
    wrong: bool,
    die_on: Option<String>,
    log_file: Option<String>,
}

fn milliseconds(variable: &str) -> Fallible<Option<Duration>> {
    let Ok(value) = std::env::var(variable) else { return Ok(None) };
    Ok(Some(Duration::from_millis(value.parse()?)))
}

async fn backend(arguments: &[String]) -> Fallible<()> {
    if std::env::var_os("CRASH").is_some() {
        eprintln!("model file not found: model.onnx");
        return Err("cannot load the model".into());
    }
    let port: u16 = option(arguments, "--port")?.parse()?;
    if let Some(delay) = milliseconds("START_AFTER_MS")? {
        tokio::time::sleep(delay).await;
    }
    if let Some(delay) = milliseconds("DIE_AFTER_MS")? {
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            die();
        });
    }
    let habits = Arc::new(Habits {
        name: std::env::var("NAME").unwrap_or_default(),
        started: Instant::now(),
        healthy_after: milliseconds("HEALTHY_AFTER_MS")?.unwrap_or_default(),
        sick: std::env::var_os("SICK").is_some(),
        wrong: std::env::var_os("WRONG").is_some(),
        die_on: std::env::var("DIE_ON").ok(),
        log_file: std::env::var("LOG_FILE").ok(),
    });
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    println!("{} listens on {port}", habits.name);
    let accept = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let habits = Arc::clone(&habits);
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
        () = terminated() => println!("{} terminated", habits.name),
    }
    Ok(())
}

fn die() {
    let me = rustix::process::getpid();
    let _never_returns = rustix::process::kill_process(me, rustix::process::Signal::KILL);
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = status;
    response
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
    if habits.die_on.as_ref() == Some(&path) {
        die();
    }
    Ok(match path.as_str() {
        "/health" if habits.sick || habits.started.elapsed() < habits.healthy_after => {
            text(StatusCode::SERVICE_UNAVAILABLE, "model is loading".to_owned())
        }
        "/health" => text(StatusCode::OK, "ok".to_owned()),
        "/predict" if habits.wrong => {
            text(StatusCode::INTERNAL_SERVER_ERROR, "ValueError: no such column".to_owned())
        }
        "/slow" => {
            let wait = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(2000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            text(StatusCode::OK, habits.name.clone())
        }
        "/headers" => text(StatusCode::OK, format!("{:#?}", request.headers())),
        "/drip" => {
            let name = habits.name.clone();
            let lines = futures::stream::unfold(0, move |number| {
                let line = format!("{name} {number}\n");
                async move {
                    if number == 10 {
                        return None;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Some((Ok(Frame::data(Bytes::from(line))), number + 1))
                }
            });
            Response::new(StreamBody::new(lines.boxed()).boxed_unsync())
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
