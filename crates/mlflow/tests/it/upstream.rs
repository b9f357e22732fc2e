//! The client against a real, unmodified `mlflow server`.

use std::sync::{Arc, Mutex, Weak};

use trainyard_mlflow::Tracking;
use trainyard_mlflow::client::{Credentials, RestClient};
use trainyard_testkit::tracking_suite;
use trainyard_testkit::upstream::UpstreamServer;

/// One server for all tests that run at the same time; it ends with the last of them.
pub(crate) fn server() -> Arc<UpstreamServer> {
    static SHARED: Mutex<Weak<UpstreamServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(UpstreamServer::start(&[]));
    *shared = Arc::downgrade(&server);
    server
}

macro_rules! steps {
    ($($step:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $step() {
            let server = server();
            let client = RestClient::new(&server.url(), Credentials::None).unwrap();
            tracking_suite::$step(&Tracking::from(client)).await;
        }
    )*};
}

steps!(
    experiments,
    experiment_search,
    runs,
    run_search,
    datasets,
    metrics,
    metric_history,
    metric_extremes,
    logged_models,
    registered_models,
    model_versions,
    registry_search,
    artifacts,
    artifacts_in_bulk,
);

#[tokio::test]
async fn the_version_is_asked_for() {
    let server = server();
    let client = RestClient::new(&server.url(), Credentials::None).unwrap();
    assert_eq!(client.server_version().await.unwrap(), "3.17.2");
}
