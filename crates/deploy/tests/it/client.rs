//! An HTTP client that keeps its connection and counts what goes wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// A connection with its driver in the background.
pub(crate) async fn connect(address: SocketAddr) -> Result<Sender, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

pub(crate) fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "model.example")
        .body(Full::new(body.into()))
        .unwrap()
}

pub(crate) async fn text(response: Response<Incoming>) -> Result<(StatusCode, String), String> {
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

/// One request on a connection of its own.
pub(crate) async fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<(StatusCode, String), String> {
    let mut sender = connect(address).await?;
    let response = sender
        .send_request(request(method, path, body))
        .await
        .map_err(|error| error.to_string())?;
    text(response).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, String), String> {
    ask(address, Method::GET, path, Bytes::new()).await
}

/// The head of the first answer to raw bytes; empty when the other side closes without one.
pub(crate) async fn raw_head(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let read = async {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match reader.read_buf(&mut head).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        String::from_utf8_lossy(&head).into_owned()
    };
    // Whoever refuses may close before it has read everything.
    let (_sent, head) = tokio::join!(writer.write_all(bytes), read);
    head
}

/// Asks for predictions of other rows again and again, one after the other, and counts answers by their
/// status and text.
pub(crate) async fn predict_on(address: SocketAddr, seen: &Mutex<BTreeMap<String, usize>>) {
    for number in 0_u64.. {
        let answer = ask(address, Method::POST, "/predict", format!("[{number}]")).await;
        let told = match answer {
            Ok((status, text)) => format!("{} {text}", status.as_u16()),
            Err(error) => error,
        };
        *seen.lock().unwrap().entry(told).or_default() += 1;
    }
}

/// What a load saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Good answers by the name of the instance that gave them.
    pub(crate) answers: BTreeMap<String, usize>,
    /// Everything else.
    pub(crate) failures: Vec<String>,
}

/// Requests without pause from several clients, until stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Seen>>,
}

impl Load {
    /// Half of the clients keep their connection, half make a new one for each request; all POST, so
    /// nothing may be sent twice behind their back.
    pub(crate) fn start(address: SocketAddr, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|number| {
                let stop = Arc::clone(&stop);
                tokio::spawn(async move { run(address, number % 2 == 0, &stop).await })
            })
            .collect();
        Self { stop, clients }
    }

    pub(crate) async fn finish(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Seen::default();
        for client in self.clients {
            let seen = client.await.unwrap();
            for (name, count) in seen.answers {
                *all.answers.entry(name).or_default() += count;
            }
            all.failures.extend(seen.failures);
        }
        all
    }
}

async fn run(address: SocketAddr, keep: bool, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut sender: Option<Sender> = None;
    while !stop.load(Ordering::SeqCst) {
        let mut connection = match sender.take() {
            Some(sender) => sender,
            None => match connect(address).await {
                Ok(sender) => sender,
                Err(error) => {
                    seen.failures.push(format!("connect: {error}"));
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
            },
        };
        let answer = connection.send_request(request(Method::POST, "/predict", "[1]")).await;
        let mut is_last = false;
        let answer = match answer {
            Ok(response) => {
                let told = response.headers().get("connection");
                is_last = told.is_some_and(|told| told == "close");
                text(response).await
            }
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok((StatusCode::OK, name)) => {
                *seen.answers.entry(name).or_default() += 1;
                if keep && !is_last {
                    sender = Some(connection);
                }
            }
            Ok((status, body)) => seen.failures.push(format!("{status} {body}")),
            Err(error) => seen.failures.push(error),
        }
    }
    seen
}
