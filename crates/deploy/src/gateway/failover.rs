//! A request on its way to an instance: which one, for how long, and whether once more.
//!
//! What may be tried again: a request of which no byte was sent, because the connection could not be
//! made (any method), by as many instances as there are; and a request without side effects and without
//! body that got no answer, once: what one instance died of, a second may, but no third one. Anything else
//! is answered with 502, because it may have been done.
//!
//! A canary's users get a little more: a small prediction that the candidate failed at is asked of the
//! version that all others have.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body::Body as _;

use super::budget::Reserved;
use super::candidate::Candidate;
use super::failure::{Failure, Fault};
use super::paths::is_prediction;
use super::replica::{Replica, Standing};
use super::request_body::RequestBody;
use super::shared::Shared;
use super::split::{Lot, Side};
use super::tap::Tap;
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
    /// The gateway has found out who asks, and vouches for it with the instance's own token.
    pub(super) is_admitted: bool,
}

impl Outgoing {
    fn request(&self, target: &Target) -> Request<RequestBody> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(self.path_and_query.clone());
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers_for(target);
        request
    }

    fn headers_for(&self, target: &Target) -> HeaderMap {
        let mut headers = self.headers.clone();
        if self.is_admitted {
            target.authorize(&mut headers);
        }
        headers
    }

    /// Whether what failed may be tried again, if it was `repeated` already or not.
    fn again(&self, failure: &Failure, repeated: bool) -> bool {
        if failure.fault() != Fault::Instance || matches!(failure, Failure::Timeout(_)) {
            return false;
        }
        if failure.is_unsent() { self.body.is_untouched() } else { self.repeatable && !repeated }
    }
}

/// What came of a request: the answer, who gave it and to what.
pub(super) struct Sent {
    pub(super) guard: InFlight,
    pub(super) response: Response<Answer>,
    pub(super) body: RequestBody,
    pub(super) tap: Option<Box<Tap>>,
}

/// A request of a canary: which side it fell to.
struct Drawn {
    candidate: Arc<Candidate>,
    lot: Lot,
}

/// Offers the request to the current target or a candidate, and to another where that is harmless.
pub(super) async fn send(shared: &Shared, outgoing: &Outgoing) -> Result<Sent, Failure> {
    let (mut guard, drawn) = enter(shared, outgoing).ok_or(Failure::NoInstance)?;
    let is_candidate = drawn.as_ref().is_some_and(|drawn| drawn.lot.side == Side::Green);
    let mut kept = Kept::of(shared, &guard, outgoing, is_candidate);
    let mut repeated = false;
    let outcome = send_to(shared, &mut guard, outgoing, &mut repeated).await;
    if let Some(Drawn { candidate, lot }) = &drawn {
        let status = outcome.as_ref().map(|(response, _waited)| response.status().as_u16());
        candidate.count(*lot, status);
    }
    // Users of a canary need not pay for its faults.
    let resent = if is_candidate { kept.resent(outgoing, &outcome) } else { None };
    let failure = match outcome {
        Ok((response, waited)) if resent.is_none() => {
            let mut tap = kept.tap.take();
            match &mut tap {
                Some(tap) => {
                    let status = response.status().as_u16();
                    tap.begin_answer(status, waited, &response.body().incoming.size_hint());
                }
                None => outgoing.body.forget(),
            }
            return Ok(Sent { guard, response, body: outgoing.body.clone(), tap });
        }
        Ok(_) => {
            shared.routes.doubted.notify_waiters();
            Failure::Broken("the candidate answered with an error".to_owned())
        }
        Err(failure) => failure,
    };
    if resent.is_none() && !outgoing.again(&failure, repeated) {
        return Err(failure);
    }
    let failed = Arc::clone(guard.target());
    drop(guard);
    let Some(mut guard) = another(shared, &failed) else { return Err(failure) };
    shared.metrics.failovers.fetch_add(1, Ordering::Relaxed);
    let again = resent.as_ref().unwrap_or(outgoing);
    repeated |= !failure.is_unsent();
    let (response, _waited) = send_to(shared, &mut guard, again, &mut repeated).await?;
    Ok(Sent { guard, response, body: again.body.clone(), tap: None })
}

/// The target for a request, counted in: the current one, or a candidate where the lot falls to it.
fn enter(shared: &Shared, outgoing: &Outgoing) -> Option<(InFlight, Option<Drawn>)> {
    let drawn = shared.routes.canary().and_then(|candidate| {
        let lot = candidate.draw(&outgoing.headers)?;
        Some(Drawn { candidate, lot })
    });
    if let Some(Drawn { candidate, lot }) = &drawn
        && lot.side == Side::Green
    {
        match candidate.target.enter() {
            Some(guard) => return Some((guard, drawn)),
            // Dropped between the two: this request is nobody's.
            None => return Some((shared.routes.enter()?, None)),
        }
    }
    Some((shared.routes.enter()?, drawn))
}

/// What is kept of a request as it passes: to be copied, or to be sent once more if a candidate fails.
struct Kept {
    /// Bytes of the body that are kept, if all of them are.
    bytes: Option<usize>,
    tap: Option<Box<Tap>>,
    /// Memory for that, where no tap has it.
    _memory: Option<Reserved>,
}

impl Kept {
    fn of(shared: &Shared, guard: &InFlight, outgoing: &Outgoing, is_candidate: bool) -> Self {
        let nothing = Self { bytes: None, tap: None, _memory: None };
        let Outgoing { method, path_and_query, body, .. } = outgoing;
        let is_copyable = || *method == Method::POST && is_prediction(path_and_query.path());
        let mirror = shared.routes.mirror_of(guard.target(), is_copyable);
        if mirror.is_none() && !(is_candidate && is_copyable()) {
            return nothing;
        }
        let room = shared.copies.budget.reserve(body.size_hint().exact());
        let Some(memory) = room else {
            if let Some(mirror) = mirror {
                mirror.drop_one();
            }
            return nothing;
        };
        let bytes = memory.bytes();
        body.keep(bytes);
        match mirror {
            Some(mirror) if shared.copies.has_room() => {
                let headers = outgoing.headers_for(&mirror.to);
                let head = (method.clone(), path_and_query.clone(), headers);
                let tap = Tap::new(&shared.copies, mirror, head, body.clone(), memory);
                Self { bytes: Some(bytes), tap: Some(Box::new(tap)), _memory: None }
            }
            mirror => {
                if let Some(mirror) = mirror {
                    mirror.drop_one();
                }
                Self { bytes: Some(bytes), tap: None, _memory: Some(memory) }
            }
        }
    }

    /// The request once more, if it failed and is there as a whole.
    fn resent(
        &self,
        outgoing: &Outgoing,
        outcome: &Result<(Response<Answer>, Duration), Failure>,
    ) -> Option<Outgoing> {
        let has_failed = match outcome {
            Ok((response, _waited)) => response.status().is_server_error(),
            // One that takes too long has taken all the time there is.
            Err(Failure::Timeout(_)) => false,
            Err(failure) => failure.fault() == Fault::Instance,
        };
        if !has_failed {
            return None;
        }
        let bytes = self.bytes?;
        let body = if outgoing.body.is_untouched() {
            outgoing.body.clone()
        } else {
            RequestBody::of(outgoing.body.kept(bytes)?)
        };
        Some(Outgoing {
            method: outgoing.method.clone(),
            path_and_query: outgoing.path_and_query.clone(),
            headers: outgoing.headers.clone(),
            body,
            repeatable: false,
            is_upgrade: false,
            is_admitted: outgoing.is_admitted,
        })
    }
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

/// Offers the request to one target, and counts what that says about it; the answer, and how long it took to
/// begin. What one of its instances could not take is offered to another.
async fn send_to(
    shared: &Shared,
    guard: &mut InFlight,
    outgoing: &Outgoing,
    repeated: &mut bool,
) -> Result<(Response<Answer>, Duration), Failure> {
    loop {
        let failure = match ask(shared, guard, outgoing).await {
            Ok((response, waited)) => {
                guard.target().answered(response.status().as_u16(), waited);
                return Ok((response, waited));
            }
            Err(failure) => failure,
        };
        note(shared, &failure);
        if outgoing.again(&failure, *repeated) && guard.go_over() {
            *repeated |= !failure.is_unsent();
            shared.metrics.failovers.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let target = guard.target();
        // One that is known to answer nobody was not asked.
        if !matches!(failure, Failure::Silent) {
            target.failed(failure.fault());
        }
        // Of several that are all down it is known, whichever was the last to be tried.
        let none_is_up = target.replicas.only().is_none() && target.is_silent();
        return Err(if failure.is_unsent() && none_is_up { Failure::Silent } else { failure });
    }
}

/// What follows from a failure for those who look after instances.
fn note(shared: &Shared, failure: &Failure) {
    match failure {
        Failure::Connect(_) => {
            shared.metrics.connect_failures.fetch_add(1, Ordering::Relaxed);
            // The health checks look at once instead of at their next turn.
            shared.routes.doubted.notify_waiters();
        }
        Failure::Broken(_) => shared.routes.doubted.notify_waiters(),
        _ => {}
    }
}

/// Sends the request to one instance.
async fn ask(
    shared: &Shared,
    guard: &InFlight,
    outgoing: &Outgoing,
) -> Result<(Response<Answer>, Duration), Failure> {
    let (target, replica) = (guard.target(), guard.replica());
    if replica.is_down() {
        return Err(Failure::Silent);
    }
    replica.sent.fetch_add(1, Ordering::Relaxed);
    let mut asked =
        Asked { target, replica, body: &outgoing.body, at: Instant::now(), is_over: false };
    let outcome = asked.answer(outgoing, shared.response_timeout()).await;
    asked.is_over = true;
    match outcome {
        Ok(response) => {
            let (status, waited) = (response.status().as_u16(), asked.waited());
            replica.answered(status);
            replica.window.count(Some(status), Fault::of_status(status), waited);
            Ok((response, waited))
        }
        Err(failure) => {
            // A connection to an instance also breaks because the client's body did.
            let failure = outgoing.body.failure().unwrap_or(failure);
            replica.failed(&failure);
            replica.window.count(None, Some(failure.fault()), asked.waited());
            Err(failure)
        }
    }
}

/// A request that an instance has.
struct Asked<'a> {
    target: &'a Target,
    replica: &'a Replica,
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
        let request = outgoing.request(self.target);
        let upstream = &self.replica.upstream;
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
            if self.replica.standing() == Standing::Silent && !waited.is_zero() {
                return Err(Failure::FellSilent);
            }
        }
    }
}

/// A client that gives up drops the request where it is.
impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let waited = self.waited();
            self.target.abandoned(waited);
            self.replica.window.count(None, Some(Fault::Client), waited);
        }
    }
}
