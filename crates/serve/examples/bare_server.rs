//! The least that a handler can do: read the same body, answer a constant. What the model server
//! is measured against. `cargo run --release -p trainyard-serve --example bare_server -- PORT`.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: bare_server PORT")?.parse()?;
    let answer = |body: Bytes| async move {
        // The body must have been read, not only awaited.
        std::hint::black_box(body.len());
        ([(CONTENT_TYPE, "application/json")], r#"{"predictions": [0]}"#)
    };
    let app = Router::new().route("/invocations", post(answer)).route("/predict", post(answer));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
