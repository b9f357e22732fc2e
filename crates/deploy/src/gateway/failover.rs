//! A request on its way to an instance: which one, for how long, and whether once more.
//!
//! What may be tried again: a request of which no byte was sent, because the connection could not be
//! made (any method), and a request without side effects and without body that got no answer. Anything
//! else is answered with 502, because it may have been done.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, Uri, Version};

use super::failure::{Failure, Fault};
use super::request_body::RequestBody;
use super::shared::Shared;
use super::target::{InFlight, Target};
use super::upstream::Answer;

/// How often a request that waits looks at its clocks: no answer that matters comes later for it.
const LOOK: Duration = Duration::from_secs(1);

/// What is sent to whichever target takes the request.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) path_and_query: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    /// Nothing is done by asking twice, and there is nothing to send twice.
    pub(super) repeatable: bool,
    /// The instance is asked to change the protocol.
    pub(super) is_upgrade: bool,
}

impl Outgoing {
    fn request(&self) -> Request<RequestBody> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(self.path_and_query.clone());
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Whether what failed may be tried again.
    fn again(&self, failure: &Failure) -> bool {
        if failure.fault() != Fault::Instance || matches!(failure, Failure::Timeout(_)) {
            return false;
        }
        if failure.is_unsent() { self.body.is_untouched() } else { self.repeatable }
    }
}

/// Offers the request to the current target, and once more where that is harmless.
pub(super) async fn send(
    shared: &Shared,
    outgoing: &Outgoing,
) -> Result<(InFlight, Response<Answer>), Failure> {
    let guard = shared.routes.enter().ok_or(Failure::NoInstance)?;
    let failure = match send_to(shared, &guard, outgoing).await {
        Ok(response) => return Ok((guard, response)),
        Err(failure) => failure,
    };
    match &failure {
        Failure::Connect(_) => {
            shared.metrics.connect_failures.fetch_add(1, Ordering::Relaxed);
            // The health checks look at once instead of at their next turn.
            shared.routes.doubted.notify_waiters();
        }
        Failure::Broken(_) => shared.routes.doubted.notify_waiters(),
        _ => {}
    }
    if !outgoing.again(&failure) {
        return Err(failure);
    }
    let failed = Arc::clone(guard.target());
    drop(guard);
    let Some(guard) = another(shared, &failed) else { return Err(failure) };
    shared.metrics.failovers.fetch_add(1, Ordering::Relaxed);
    let response = send_to(shared, &guard, outgoing).await?;
    Ok((guard, response))
}

/// Who may do what one target did not: the route has changed already, the standby is still warm, or a
/// connection was closed just now and the same target will do.
fn another(shared: &Shared, failed: &Arc<Target>) -> Option<InFlight> {
    let route = shared.routes.load();
    match (&route.current, &route.standby) {
        (Some(current), _) if !Arc::ptr_eq(current, failed) => shared.routes.enter(),
        (_, Some(standby)) => Some(standby.enter_standby()),
        (Some(_), None) if !failed.is_silent() => shared.routes.enter(),
        _ => None,
    }
}

/// Sends the request to one target, and counts what that says about it.
async fn send_to(
    shared: &Shared,
    guard: &InFlight,
    outgoing: &Outgoing,
) -> Result<Response<Answer>, Failure> {
    let target = guard.target();
    if target.is_silent() {
        return Err(Failure::Silent);
    }
    target.sent.fetch_add(1, Ordering::Relaxed);
    let mut asked = Asked { target, body: &outgoing.body, at: Instant::now(), is_over: false };
    let outcome = asked.answer(outgoing, shared.limits.response_timeout).await;
    asked.is_over = true;
    match outcome {
        Ok(response) => {
            target.answered(response.status().as_u16(), asked.waited());
            Ok(response)
        }
        Err(failure) => {
            // A connection to an instance also breaks because the client's body did.
            let failure = outgoing.body.failure().unwrap_or(failure);
            target.failed(failure.fault());
            Err(failure)
        }
    }
}

/// A request that an instance has.
struct Asked<'a> {
    target: &'a Target,
    body: &'a RequestBody,
    at: Instant,
    is_over: bool,
}

impl Asked<'_> {
    /// How long the instance has had all bytes that there are.
    fn waited(&self) -> Duration {
        self.body.waited(self.at)
    }

    async fn answer(
        &self,
        outgoing: &Outgoing,
        limit: Duration,
    ) -> Result<Response<Answer>, Failure> {
        let request = outgoing.request();
        let upstream = &self.target.upstream;
        let mut sent = pin!(async {
            if outgoing.is_upgrade {
                return upstream.send_upgrade(request).await;
            }
            upstream.send(request).await
        });
        loop {
            if let Ok(outcome) = tokio::time::timeout(LOOK.min(limit), sent.as_mut()).await {
                return outcome;
            }
            let waited = self.waited();
            if waited >= limit {
                return Err(Failure::Timeout(limit));
            }
            if self.target.is_silent() && !waited.is_zero() {
                return Err(Failure::FellSilent);
            }
        }
    }
}

/// A client that gives up drops the request where it is.
impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.target.abandoned(self.waited());
        }
    }
}
