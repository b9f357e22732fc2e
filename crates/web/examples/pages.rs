//! Serves the pages alone, for looking at them while they are worked on:
//! `cargo run -p trainyard-web --example pages -- sqlite:///mlflow.db 127.0.0.1:5050`

use std::error::Error;

use trainyard_tracking::OpenOptions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let uri = arguments.next().unwrap_or_else(|| "sqlite:///mlflow.db".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5050".to_owned());
    let tracking = trainyard_tracking::open(&uri, OpenOptions::default())?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, trainyard_web::router(tracking)).await?;
    Ok(())
}
