//! More connections than there are places.

use trainyard_net::{Limits, Protocols};

use crate::support::{PATIENCE, Server, get};

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_when_all_places_are_taken() {
    for protocols in [Protocols::Http1, Protocols::Both] {
        let server = Server::start(Limits::new(20), protocols).await;
        // Ten have a place, as all come from one address; more than the crowd takes wait behind them.
        let mut silent = Vec::new();
        for _each in 0..200 {
            silent.push(server.connect().await);
        }
        for _each in 0..20 {
            let answer = get(&server, "/health").await;
            assert!(answer.ends_with("healthy"), "{answer}");
        }
        let answer = get(&server, "/echo").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        drop(silent);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !get(&server, "/echo").await.starts_with("HTTP/1.1 200") {
            assert!(tokio::time::Instant::now() < deadline, "places do not come back");
        }
    }
}
