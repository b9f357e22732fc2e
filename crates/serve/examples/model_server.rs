//! Serves a model folder: `cargo run --release -p trainyard-serve --example model_server -- FOLDER PORT`.
//!
//! `LOG_DIR` logs predictions there; `MLFLOW_TRACKING_URI` lets the model be a registry URI.

use std::sync::Arc;

use trainyard_mlflow::Tracking;
use trainyard_serve::{LogOptions, ModelSource, ServeOptions, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: model_server MODEL_URI PORT".into());
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    let mut options = ServeOptions::new(ModelSource::Uri(model.parse()?));
    options.log = std::env::var_os("LOG_DIR").map(LogOptions::new);
    let tracking: Option<Arc<dyn Tracking>> = match std::env::var("MLFLOW_TRACKING_URI") {
        Ok(uri) => {
            Some(trainyard_tracking::open(&uri, trainyard_tracking::OpenOptions::default())?)
        }
        Err(_) => None,
    };
    serve(listener, tracking, options, async {
        // Without a signal handler the server runs until it is killed, which is as good here.
        let _stopped = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}
