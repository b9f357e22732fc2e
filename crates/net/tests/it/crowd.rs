//! More connections than there are places.

use trainyard_net::{Limits, Protocols};

use crate::support::{PATIENCE, Server, get, send};

/// A request whose body never ends.
const UNFINISHED: &str = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx";

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_when_all_places_are_taken() {
    for protocols in [Protocols::Http1, Protocols::Both] {
        let mut limits = Limits::new(20);
        limits.body_grace = PATIENCE;
        let server = Server::start(limits, protocols).await;
        // Ten have a place, as all come from one address; more than the crowd takes wait behind them.
        let mut busy = Vec::new();
        for _each in 0..200 {
            let mut stream = server.connect().await;
            send(&mut stream, UNFINISHED).await;
            busy.push(stream);
        }
        for _each in 0..20 {
            let answer = get(&server, "/health").await;
            assert!(answer.ends_with("healthy"), "{answer}");
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !get(&server, "/echo").await.starts_with("HTTP/1.1 503") {
            assert!(tokio::time::Instant::now() < deadline, "none of them is busy");
        }
        drop(busy);
        while !get(&server, "/echo").await.starts_with("HTTP/1.1 200") {
            assert!(tokio::time::Instant::now() < deadline, "places do not come back");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_makes_room_for_who_asks() {
    let mut limits = Limits::new(20);
    limits.silent_give_way = true;
    let server = Server::start(limits, Protocols::Both).await;
    let mut silent = Vec::new();
    for _each in 0..200 {
        silent.push(server.connect().await);
    }
    // They may keep their places for a minute, but not when others need them.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut served = 0;
    while served < 50 {
        served += usize::from(get(&server, "/echo").await.starts_with("HTTP/1.1 200"));
        assert!(tokio::time::Instant::now() < deadline, "the silent keep their places");
    }
    drop(silent);
}
