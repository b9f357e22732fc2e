//! A tracking server to try things with: `cargo run -p trainyard-tracking --example server -- 5000 ./data`.

use std::sync::Arc;

use tokio::net::TcpListener;
use trainyard_mlflow::Tracking;
use trainyard_tracking::artifacts::ArtifactStorage;
use trainyard_tracking::server::{ServerOptions, serve};
use trainyard_tracking::store::{SqlStore, StoreOptions};

/// The allocator of the program itself: it gives memory back after large answers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().unwrap_or_else(|| "5000".to_owned()).parse()?;
    let directory = std::path::absolute(arguments.next().unwrap_or_else(|| ".".to_owned()))?;
    let destination = directory.join("mlartifacts");
    let artifacts = ArtifactStorage::open(&destination.to_string_lossy())?;
    let options =
        StoreOptions { artifact_root: "mlflow-artifacts:/".to_owned(), truncate_long_values: true };
    let store = SqlStore::open_sqlite(&directory.join("mlflow.db"), Arc::new(artifacts), options)?;
    let tracking: Arc<dyn Tracking> = Arc::new(store);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let interrupted = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot wait for Ctrl-C");
        }
    };
    serve(listener, tracking, ServerOptions::default(), axum::Router::new(), interrupted).await?;
    Ok(())
}
