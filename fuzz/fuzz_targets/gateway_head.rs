//! Any bytes as what a client sends to the gateway: the requests that are read from them, and which of them
//! would be passed on, do not depend on how the bytes are cut on their way.

#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::{Builder, Runtime};

/// What is seen of a request: method, target, headers, body, and whether it is passed on.
type Seen = (String, String, Vec<(String, Vec<u8>)>, Option<Bytes>, bool);

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// Sends the bytes in pieces of `length` and reads requests until they end.
fn read(runtime: &Runtime, bytes: &[u8], length: usize) -> Vec<Seen> {
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(bytes.len() + 1);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = service_fn(|request: Request<Incoming>| {
            let seen = Arc::clone(&seen);
            async move {
                let is_passed = trainyard_deploy::gateway::passes_on(&request);
                let (head, body) = request.into_parts();
                let headers = head.headers.iter();
                let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
                let (method, target) = (head.method.to_string(), head.uri.to_string());
                let headers = headers.collect();
                let body = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
                seen.lock().expect("one thread").push((method, target, headers, body, is_passed));
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        let served = hyper::server::conn::http1::Builder::new()
            // What was sent is read, though nothing comes after it.
            .half_close(true)
            .serve_connection(TokioIo::new(trainyard_net::strict(server)), service);
        let sent = async {
            for part in bytes.chunks(length) {
                if client.write_all(part).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _closed = client.shutdown().await;
            // Answers are read, so that nobody waits for room.
            let _end = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        };
        let (_served, ()) = tokio::join!(served, sent);
        let seen = std::mem::take(&mut *seen.lock().expect("one thread"));
        seen
    })
}

fuzz_target!(|data: &[u8]| {
    if data.is_empty() || data.len() > 4096 {
        return;
    }
    let runtime = runtime();
    let whole = read(&runtime, data, data.len());
    for length in [1, 7] {
        assert_eq!(read(&runtime, data, length), whole);
    }
});
