//! The least that a handler on hyper itself can do: read the same body, answer a constant. The model
//! server stands on hyper without a router, so this is the floor below it; `bare_server` is the one
//! that people compare with. `cargo run --release -p trainyard-serve --example bare_hyper -- PORT`.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    // The body must have been read, not only awaited.
    std::hint::black_box(body.map_or(0, |body| body.len()));
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"predictions": [0]}"#)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: bare_hyper PORT")?.parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        let _only_slower = stream.set_nodelay(true);
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}
