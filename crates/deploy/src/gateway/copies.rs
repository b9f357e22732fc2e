//! Asks copies of requests of the other version, a few at a time, and compares what it says. Users wait for
//! none of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use http::{HeaderValue, Request, Uri, Version};
use tokio::sync::mpsc;

use super::budget::BODY_BYTES_MAX;
use super::failure::{Failure, Fault};
use super::headers::REQUEST_ID;
use super::mirror::{Mirror, Said};
use super::request_body::RequestBody;
use super::shared::Shared;
use super::split::Side;
use super::tap::Copy;
use super::upstream::{Answer, Upstream};

/// Copies that wait. At the rates at which they are made that is a second and more of a version that hangs.
pub(super) const WAITING_MAX: usize = 256;

/// Copies asked at a time: a version may share its processors with the one that users have.
const AT_A_TIME: usize = 4;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks copies until the gateway ends.
pub(super) async fn serve(mut waiting: mpsc::Receiver<Copy>, shared: Arc<Shared>) {
    futures::stream::poll_fn(move |cx| waiting.poll_recv(cx))
        .for_each_concurrent(AT_A_TIME, |copy| {
            let shared = Arc::clone(&shared);
            async move {
                let mirror = Arc::clone(&copy.mirror);
                // The release is a step further already.
                if shared.routes.mirrors(&mirror) {
                    ask(&mirror, copy).await;
                }
            }
        })
        .await;
}

async fn ask(mirror: &Mirror, copy: Copy) {
    let Copy { method, path_and_query, mut headers, body, live, memory, .. } = copy;
    // By this the version knows that it is a copy, and does not log it.
    let id = &mirror.to.spec.copy_id;
    if !id.is_empty()
        && let Ok(id) = HeaderValue::from_str(id)
    {
        headers.insert(REQUEST_ID, id);
    }
    let mut request = Request::new(RequestBody::of(body));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(path_and_query);
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    let start = Instant::now();
    let replicas = &mirror.to.replicas;
    let upstream = &replicas.get(replicas.choose()).upstream;
    let outcome = tokio::time::timeout(PATIENCE, answer(upstream, request, start)).await;
    match outcome.unwrap_or(Err(Failure::Timeout(PATIENCE))) {
        Ok(copied) => mirror.compare(live, copied),
        // A standby that is stopped has nothing to say, and what this side lacks is nobody's fault there.
        Err(failure) if failure.fault() != Fault::Instance || mirror.copied_to == Side::Blue => {
            mirror.drop_one();
        }
        Err(_) => {
            let copied = Said { status: None, body: None, waited: start.elapsed() };
            mirror.compare(live, copied);
        }
    }
    drop(memory);
}

async fn answer(
    upstream: &Upstream,
    request: Request<RequestBody>,
    start: Instant,
) -> Result<Said, Failure> {
    let response = upstream.send(request).await?;
    let (waited, status) = (start.elapsed(), Some(response.status().as_u16()));
    let body = collect(response.into_body(), upstream).await?;
    Ok(Said { status, body, waited })
}

/// The body of an answer, unless it is too long to look at.
async fn collect(mut answer: Answer, home: &Upstream) -> Result<Option<Vec<u8>>, Failure> {
    let mut body = Vec::new();
    loop {
        match poll_fn(|cx| answer.poll_frame(cx, home)).await {
            None => return Ok(Some(body)),
            Some(Err(error)) => return Err(Failure::Broken(error.to_string())),
            Some(Ok(frame)) => {
                let data: &[u8] = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
                if body.len() + data.len() > BODY_BYTES_MAX {
                    return Ok(None);
                }
                body.extend_from_slice(data);
            }
        }
    }
}
