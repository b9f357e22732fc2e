//! The listener on which an authority fetches the answers to HTTP-01 challenges. Nothing else is there.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use trainyard_net::{Limits, Paced, Protocols};

use super::challenges::Challenges;

/// Connections at a time: an authority asks from some places at once, and port 80 is scanned all the time.
const CONNECTIONS_MAX: usize = 64;

/// Answers until the gateway ends.
pub(super) async fn serve(listener: TcpListener, challenges: &Arc<Challenges>) {
    let mut limits = Limits::new(CONNECTIONS_MAX);
    // Between those who say nothing and an authority that asks, the authority is served.
    limits.silent_give_way = true;
    let service = |_arrival| {
        let challenges = Arc::clone(challenges);
        move |request: Request<Paced>| std::future::ready(answer(&challenges, &request))
    };
    let never = std::future::pending();
    trainyard_net::accept(listener, &limits, Protocols::Http1, service, never).await;
}

fn answer(challenges: &Challenges, request: &Request<Paced>) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let authorization = challenges.answer(request.uri().path()).filter(|_| is_read);
    let (status, kind, text) = match authorization {
        Some(text) => (StatusCode::OK, "application/octet-stream", text),
        None => (
            StatusCode::NOT_FOUND,
            "text/plain; charset=utf-8",
            "only a certificate authority finds something here; the service is at https\n"
                .to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
