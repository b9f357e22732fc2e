//! What is remembered of a request and its answer while both pass, so that the request can be asked again of
//! the other version. The client's bytes pass as they do without it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use http_body::SizeHint;
use tokio::sync::mpsc;

use super::budget::{Budget, Reserved};
use super::mirror::{Mirror, Said};
use super::request_body::RequestBody;

/// A request to ask again, and what users got for it.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) mirror: Arc<Mirror>,
    pub(super) method: Method,
    pub(super) path_and_query: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) live: Said,
    /// The memory that all of it takes.
    pub(super) memory: (Reserved, Option<Reserved>),
}

/// The way of copies to whoever asks them: as long as it has room, and no longer.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    queue: mpsc::Sender<Copy>,
    pub(super) budget: Budget,
}

impl Copies {
    pub(super) fn new(queue: mpsc::Sender<Copy>) -> Self {
        Self { queue, budget: Budget::default() }
    }

    /// Whether one more would be asked. What would be dropped need not be collected.
    pub(super) fn has_room(&self) -> bool {
        self.queue.capacity() > 0
    }
}

/// A request of which a copy is to be made when its answer has passed.
#[derive(Debug)]
pub(super) struct Tap {
    copies: Copies,
    mirror: Arc<Mirror>,
    head: Option<(Method, PathAndQuery, HeaderMap)>,
    request: RequestBody,
    reserved: Option<Reserved>,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    /// It has not come, or not as a whole.
    None,
    /// Its body is not kept.
    Head { status: u16, waited: Duration },
    /// Its body is kept as it passes.
    Kept { status: u16, waited: Duration, body: Vec<u8>, reserved: Reserved },
}

impl Tap {
    /// `request` keeps its body, in memory that is `reserved`.
    pub(super) fn new(
        copies: &Copies,
        mirror: Arc<Mirror>,
        head: (Method, PathAndQuery, HeaderMap),
        request: RequestBody,
        reserved: Reserved,
    ) -> Self {
        Self {
            copies: copies.clone(),
            mirror,
            head: Some(head),
            request,
            reserved: Some(reserved),
            answer: Answer::None,
        }
    }

    /// The answer begins.
    pub(super) fn begin_answer(&mut self, status: u16, waited: Duration, size: &SizeHint) {
        self.answer = match self.copies.budget.reserve(size.exact()) {
            None => Answer::Head { status, waited },
            Some(reserved) => {
                let body = Vec::with_capacity(reserved.bytes());
                Answer::Kept { status, waited, body, reserved }
            }
        };
    }

    /// A part of the answer passes.
    pub(super) fn pass(&mut self, data: &[u8]) {
        if let Answer::Kept { body, reserved, .. } = &mut self.answer
            && body.len() + data.len() <= reserved.bytes()
        {
            body.extend_from_slice(data);
        }
    }

    /// The answer broke off.
    pub(super) fn break_off(&mut self) {
        self.answer = Answer::None;
    }
}

/// The answer is over, or its client is gone: what came whole is a copy.
impl Drop for Tap {
    fn drop(&mut self) {
        let (live, of_answer) = match std::mem::replace(&mut self.answer, Answer::None) {
            Answer::None => return,
            Answer::Head { status, waited } => {
                (Said { status: Some(status), body: None, waited }, None)
            }
            Answer::Kept { body, reserved, .. } if body.len() < reserved.bytes() => return,
            Answer::Kept { status, waited, body, reserved } => {
                (Said { status: Some(status), body: Some(body), waited }, Some(reserved))
            }
        };
        let (Some((method, path_and_query, headers)), Some(reserved)) =
            (self.head.take(), self.reserved.take())
        else {
            return;
        };
        let Some(body) = self.request.kept(reserved.bytes()) else { return };
        let mirror = Arc::clone(&self.mirror);
        let memory = (reserved, of_answer);
        let copy = Copy { mirror, method, path_and_query, headers, body, live, memory };
        if self.copies.queue.try_send(copy).is_err() {
            self.mirror.drop_one();
        }
    }
}
