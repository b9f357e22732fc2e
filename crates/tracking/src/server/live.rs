//! Pages that change by themselves: the same address, asked for as a stream of events.
//!
//! A stream is the page asked for again and again on this side: after each change that is stored, and each minute, its
//! own handler draws it for the same person, with the cookies that they came with, and what differs of its live parts is
//! sent. So nobody is sent anything that they would not get by a reload, and who is not let in any more gets nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream::unfold;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use trainyard_base::words::live_parts;
use trainyard_base::{Budget, Share};
use uuid::Uuid;

use super::actor::{Actor, acting_as};
use super::live_page::{LivePage, Unseen};
use super::live_places::{Person, Place, Places};
use super::options::{Authorize, ServerOptions};
use super::verdict::address;
use crate::changes::Changes;
use crate::origin::Origin;

/// What a stream is.
const MEDIA_TYPE: &str = "text/event-stream";
/// A line without a meaning.
const NOTHING: &str = ":\n\n";
/// How often it is asked whether something was written.
const PERIOD: Duration = Duration::from_millis(500);
/// The least time between two looks at a page.
const PACE: Duration = Duration::from_secs(1);
/// The most that a page that takes long to draw is left alone for.
const PACE_MAX: Duration = Duration::from_secs(30);
/// A page is drawn anew after so long also where nothing was written: it may say how long ago something was, and what fell
/// silent writes nothing.
const ANEW: Duration = Duration::from_mins(1);
/// The end of a stream whose page could not be drawn for so long: whoever looks at it is not to take it for one of now.
const UNSEEN_MAX: Duration = Duration::from_mins(2);
/// A page is left alone for so many times as long as a look at it took, waiting for a turn included: whoever watches
/// takes what is left over.
const REST: u32 = 20;
/// Pages that are drawn anew at a time, for all who watch.
const AT_ONCE: usize = 2;
/// How long nothing is sent: then a line without a meaning, by which a connection that is dead is noticed, and proxies
/// keep one that is not. Whether somebody is still let in is asked at least as often.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// A request as it was let in, to be checked again while its answer goes on.
#[derive(Clone)]
pub(super) struct Checked(Arc<Parts>);

/// The request itself, if it is one for a stream.
pub(super) fn checked(parts: &Parts) -> Option<Checked> {
    let accepted = parts.headers.get(header::ACCEPT);
    let is_stream = parts.method == Method::GET
        && accepted.is_some_and(|accepted| accepted == MEDIA_TYPE)
        // No page of another site can send it.
        && parts.headers.contains_key(live_parts::HEADER);
    is_stream.then(|| Checked(Arc::new(parts.clone())))
}

/// The streams of a server.
pub(super) struct Live {
    changes: Changes,
    /// This process: changes are counted anew in each.
    process: String,
    began: Instant,
    authorize: Option<Arc<dyn Authorize>>,
    memory: Arc<Budget>,
    places: Places,
    turns: Semaphore,
    /// The server stops: nobody waits for a stream to end.
    stop: CancellationToken,
}

impl Live {
    pub(super) fn new(changes: Changes, options: &ServerOptions, stop: CancellationToken) -> Self {
        Self {
            changes,
            process: Uuid::new_v4().simple().to_string(),
            began: Instant::now(),
            authorize: options.authorize.clone(),
            memory: Arc::clone(&options.memory),
            places: Places::default(),
            turns: Semaphore::new(AT_ONCE),
            stop,
        }
    }

    /// Has a page say up to which change it was drawn, and when.
    pub(super) async fn mark(&self, request: &mut Request) {
        let accepted = request.headers().get_all(header::ACCEPT).iter();
        let mut accepted = accepted.filter_map(|kinds| kinds.to_str().ok());
        // Files wait for no database.
        if !accepted.any(|kinds| kinds.contains("text/html")) {
            return;
        }
        let drawn = self.drawn(self.changes.count().await);
        let drawn = format!("{drawn}.{}", self.began.elapsed().as_secs());
        // Letters, digits and dots.
        if let Ok(drawn) = HeaderValue::from_str(&drawn) {
            request.headers_mut().insert(live_parts::DRAWN, drawn);
        }
    }

    fn drawn(&self, count: u64) -> String {
        format!("{}.{count}", self.process)
    }

    /// Whether a page that says this of itself is one of now, at this count of changes. One that a browser kept for long is
    /// not, although nothing was written: what fell silent meanwhile is not known any more.
    fn is_of_now(&self, drawn: &HeaderValue, count: u64) -> bool {
        let drawn = drawn.to_str().unwrap_or_default();
        let Some((drawn, at)) = drawn.rsplit_once('.') else { return false };
        let is_young = |at: u64| self.began.elapsed().as_secs().saturating_sub(at) < ANEW.as_secs();
        drawn == self.drawn(count) && at.parse::<u64>().is_ok_and(is_young)
    }

    /// The stream of one of `pages`; or the page's own answer where there is nothing to see, 204 for a page that stays
    /// as it is, and 503 where too many streams are open.
    pub(super) async fn answer(
        self: Arc<Self>,
        pages: Router,
        request: Request,
        checked: Checked,
    ) -> Response {
        let actor = request.extensions().get::<Actor>().cloned();
        let actor = actor.unwrap_or_else(Actor::anonymous);
        let Some(place) = self.places.take(Person::of(&actor, address(&checked.0))) else {
            return crowded();
        };
        let now = Instant::now();
        let mut stream = Stream {
            live: self,
            checked,
            actor,
            origin: Origin::current(),
            page: LivePage::of(pages, &request),
            seen: 0,
            looked: now,
            spoke: now,
            wake: now,
            next: now,
            first: None,
            share: None,
            _place: place,
        };
        let count = stream.live.changes.count().await;
        let drawn = request.headers().get(live_parts::DRAWN);
        if drawn.is_some_and(|drawn| stream.live.is_of_now(drawn, count)) {
            // Its parts are those of now.
            stream.seen = count;
            stream.first = Some(NOTHING.to_owned());
            return stream.begin();
        }
        match stream.look(count).await {
            // The beginning says that it goes on, whether there is something new or not.
            Ok(events) => stream.first = Some(format!("{NOTHING}{events}")),
            Err(Unseen::NotNow(answer) | Unseen::Over(answer)) => return *answer,
        }
        stream.begin()
    }
}

/// What those are told for whom there is no room. Their pages are whole without a stream.
fn crowded() -> Response {
    let headers = [(header::RETRY_AFTER, "60"), (header::CACHE_CONTROL, "no-store")];
    let message = "too many pages that change by themselves are open, in all or of yours\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, message).into_response()
}

/// One stream, as long as somebody reads it.
struct Stream {
    live: Arc<Live>,
    checked: Checked,
    actor: Actor,
    origin: Origin,
    page: LivePage,
    /// The count of changes before the last look.
    seen: u64,
    /// When the page was seen last.
    looked: Instant,
    /// When something was sent last.
    spoke: Instant,
    /// Until when the page is left alone.
    wake: Instant,
    /// When to ask for changes next, whether one is told of or not.
    next: Instant,
    /// What is to be sent at once.
    first: Option<String>,
    /// The memory of what is being sent.
    share: Option<Share>,
    _place: Place,
}

impl Stream {
    fn begin(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, MEDIA_TYPE),
            (header::CACHE_CONTROL, "no-store, no-transform"),
            // Of nginx: what is sent is passed on at once.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        (headers, Body::from_stream(unfold(self, Self::next))).into_response()
    }

    /// What is sent next. None at the end.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first.into()), self));
        }
        // More is asked for once what was sent is on its way.
        self.share = None;
        let stop = self.live.stop.clone();
        let text = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            text = self.wait() => text,
        };
        text.map(|text| (Ok(text.into()), self))
    }

    /// Waits for something to send. None if there will be nothing more.
    async fn wait(&mut self) -> Option<String> {
        loop {
            sleep_until(self.wake).await;
            tokio::select! {
                () = sleep_until(self.next) => {}
                () = self.live.changes.told() => {}
            }
            self.next = Instant::now() + PERIOD;
            let count = self.live.changes.count().await;
            let is_due = count != self.seen || self.looked.elapsed() >= ANEW;
            let is_silent = self.spoke.elapsed() >= SILENCE_MAX;
            if !is_due && !is_silent {
                continue;
            }
            if !self.is_let_in().await {
                return None;
            }
            if is_due {
                match self.look(count).await {
                    Ok(events) if events.is_empty() => {}
                    Ok(events) => return Some(events),
                    Err(Unseen::NotNow(_answer)) if self.looked.elapsed() < UNSEEN_MAX => {}
                    Err(Unseen::NotNow(_answer) | Unseen::Over(_answer)) => return None,
                }
            }
            if is_silent {
                self.spoke = Instant::now();
                return Some(NOTHING.to_owned());
            }
        }
    }

    /// Whether whoever opened the stream would be let in now, and as the same.
    async fn is_let_in(&self) -> bool {
        let Some(authorize) = &self.live.authorize else { return true };
        authorize.check(&self.checked.0).await.is_ok_and(|actor| actor == self.actor)
    }

    /// What changed on the page since the last look, as events; `count` is that of changes before this one.
    async fn look(&mut self, count: u64) -> Result<String, Unseen> {
        let began = Instant::now();
        let drawn = {
            // It is never closed.
            let _turn = self.live.turns.acquire().await;
            let drawn = self.page.look(&self.live.memory);
            self.origin.clone().scope(acting_as(self.actor.clone(), drawn)).await
        };
        let now = Instant::now();
        let rest = now.duration_since(began).saturating_mul(REST);
        self.wake = now + rest.clamp(PACE, PACE_MAX);
        self.next = self.wake;
        let (events, share) = drawn?;
        (self.seen, self.looked) = (count, now);
        if !events.is_empty() {
            self.spoke = now;
            self.share = Some(share);
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use futures::{Stream, StreamExt as _};

    use super::*;

    /// What is sent of a page to somebody who has all of it, where nothing is written; `answer` is the page's at each
    /// look.
    async fn sent(answer: fn(usize) -> (StatusCode, String)) -> impl Stream<Item = String> {
        let looks = Arc::new(AtomicUsize::new(0));
        let draw = move || {
            let (status, page) = answer(looks.fetch_add(1, Ordering::Relaxed));
            std::future::ready((status, [(header::CONTENT_TYPE, "text/html")], page))
        };
        let pages = Router::new().route("/", get(draw));
        let options = ServerOptions::default();
        let changes = Changes::of(Vec::new());
        let live = Arc::new(Live::new(changes, &options, CancellationToken::new()));
        let request = Request::get("/")
            .header(header::ACCEPT, MEDIA_TYPE)
            .header(live_parts::HEADER, "state=0")
            .body(Body::empty())
            .unwrap();
        let (parts, body) = request.into_parts();
        let checked = checked(&parts).unwrap();
        let answer = live.answer(pages, Request::from_parts(parts, body), checked).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let text =
            |bytes: Result<Bytes, axum::Error>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        answer.into_body().into_data_stream().map(text)
    }

    fn page(state: usize) -> String {
        format!("<live-part data-part=\"state\" data-digest=\"{state}\">{state}</live-part>")
    }

    /// Of frames that come, more than enough for some minutes.
    const FRAMES_MAX: usize = 100;

    #[tokio::test(start_paused = true)]
    async fn a_page_is_one_of_now_for_a_while_and_while_nothing_is_written() {
        let changes = Changes::of(Vec::new());
        let live = Live::new(changes, &ServerOptions::default(), CancellationToken::new());
        let request = Request::get("/").header(header::ACCEPT, "text/html");
        let mut request = request.body(Body::empty()).unwrap();
        live.mark(&mut request).await;
        let drawn = request.headers()[live_parts::DRAWN].clone();
        let count = live.changes.count().await;
        assert!(live.is_of_now(&drawn, count) && !live.is_of_now(&drawn, count + 1));
        tokio::time::advance(ANEW).await;
        assert!(!live.is_of_now(&drawn, count), "an hour in a hidden tab");
        for odd in ["", "of a stranger", "a.1.0"] {
            assert!(!live.is_of_now(&HeaderValue::from_static(odd), count), "{odd}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fell_silent_is_seen_although_nothing_is_written() {
        let sent = sent(|look| (StatusCode::OK, page(look))).await;
        let told = sent.take(FRAMES_MAX).any(|frame| std::future::ready(frame.contains("data: ")));
        assert!(told.await, "the page is drawn anew by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_cannot_be_drawn_is_not_taken_for_one_of_now() {
        let sent = sent(|look| match look {
            0 => (StatusCode::OK, page(0)),
            _ => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
        });
        let frames = sent.await.take(FRAMES_MAX).count().await;
        assert!(frames < FRAMES_MAX, "the stream ends");
    }
}
