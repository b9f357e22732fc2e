//! A server of this crate's, and clients that write and read bytes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trainyard_net::{Arrival, Limits, Listener, Open, Paced, Protocols, accept};

/// For what must happen: long, because a test must not fail for want of time.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// For what ends a connection: short, because tests wait for it.
pub(crate) const IDLE: Duration = Duration::from_millis(300);

/// Bytes of the answer of `/large`: more than sockets buffer.
pub(crate) const LARGE: usize = 64 << 20;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Open>,
}

impl Server {
    pub(crate) async fn start(limits: Limits, protocols: Protocols) -> Self {
        Self::start_on(Listener::from, limits, protocols).await
    }

    /// The same on what `listener` makes of a socket.
    pub(crate) async fn start_on(
        listener: impl FnOnce(TcpListener) -> Listener,
        limits: Limits,
        protocols: Protocols,
    ) -> Self {
        let listener = listener(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let service = |arrival: Arrival| move |request| answer(arrival.is_crowded, request);
            let stopped = async {
                let _dropped = stopped.await;
            };
            accept(listener, &limits, protocols, service, stopped).await
        });
        Self { address, stop, task }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Stops accepting; what is still open.
    pub(crate) async fn stop(self) -> Open {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

async fn answer(is_crowded: bool, request: Request<Paced>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let (status, body) = match path.as_str() {
        "/health" => (StatusCode::OK, Bytes::from_static(b"healthy")),
        _ if is_crowded => (StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"crowded")),
        "/large" => (StatusCode::OK, Bytes::from(vec![b'x'; LARGE])),
        _ => match request.into_body().collect().await {
            Ok(body) => (StatusCode::OK, body.to_bytes()),
            Err(error) => (StatusCode::REQUEST_TIMEOUT, error.to_string().into()),
        },
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

/// Sends bytes, without minding whether the other side has gone.
pub(crate) async fn send(stream: &mut TcpStream, bytes: &str) {
    let _gone = stream.write_all(bytes.as_bytes()).await;
}

/// All that comes until the other side closes.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _reset = read.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A GET of its own connection.
pub(crate) async fn get(server: &Server, path: &str) -> String {
    let mut stream = server.connect().await;
    send(&mut stream, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
        .await;
    rest(&mut stream).await
}
