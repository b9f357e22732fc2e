//! Whose fault it is that a request gets no good answer. Said once, here: what may be sent again, what
//! the metrics and the access log say, and what the judge of a new version counts all follow from it.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use http::StatusCode;

/// Who is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// Whoever asked: the request is malformed, too large, too slow, or was given up. It says nothing
    /// about any instance.
    Client,
    /// The gateway or its operator: no descriptors left, nothing deployed.
    Gateway,
    /// The instance: it was given a whole request and did not answer, or with a 5xx.
    Instance,
    /// Nobody: the gateway is paused or closed for maintenance, as somebody wished.
    Closed,
}

impl Fault {
    /// All of them, in the order of the metrics.
    pub(super) const ALL: [Self; 4] = [Self::Client, Self::Gateway, Self::Instance, Self::Closed];

    /// Its name in metrics and logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Instance => "instance",
            Self::Closed => "closed",
        }
    }

    /// Who is to blame for an instance's own answer, if anybody is.
    pub(super) fn of_status(status: u16) -> Option<Self> {
        match status {
            400..=499 => Some(Self::Client),
            500.. => Some(Self::Instance),
            _ => None,
        }
    }
}

/// Whether an answer says that what was asked does not fit: a 4xx that is not about who asks (401, 403), how often
/// (429), for what path or by which method (404, 405), or how slowly (408, and who gave up).
pub(super) fn is_refusal(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 401 | 403 | 404 | 405 | 408 | 429 | 499)
}

/// Why no instance's answer is passed on.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request is not one that is passed on.
    Refused(StatusCode, &'static str),
    /// Who asks does not say who it is, or is nobody who is known.
    Unauthorized(&'static str),
    /// Who asks does so too often; when it is worth to come back.
    TooOften { message: &'static str, retry_after_s: u64 },
    /// The body is larger than allowed.
    TooLarge,
    /// The body is malformed, or broke off.
    BodyBroken,
    /// The body came slower than allowed.
    BodyTooSlow,
    /// The client gave up before the answer was there.
    Abandoned,
    /// There are more connections than are served.
    Crowded,
    /// Nothing is deployed.
    NoInstance,
    /// This process has no descriptor or port for another connection.
    Exhausted(io::Error),
    /// The instance took no connection, so nothing was sent.
    Connect(String),
    /// The connection to the instance broke before an answer.
    Broken(String),
    /// The instance had the whole request for so long.
    Timeout(Duration),
    /// The instance answers nobody, so nothing was sent.
    Silent,
    /// The instance fell silent while it had the request.
    FellSilent,
}

impl Failure {
    /// Who is to blame, the status of the answer, and what the client reads: nothing of addresses, paths or
    /// the operating system's words.
    fn verdict(&self) -> (Fault, StatusCode, Cow<'static, str>) {
        use Fault::{Client, Gateway, Instance};
        let (fault, status, message) = match self {
            Self::Refused(status, reason) => (Client, *status, *reason),
            Self::Unauthorized(reason) => (Client, StatusCode::UNAUTHORIZED, *reason),
            Self::TooOften { message, .. } => (Client, StatusCode::TOO_MANY_REQUESTS, *message),
            Self::TooLarge => {
                (Client, StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large")
            }
            Self::BodyBroken => {
                (Client, StatusCode::BAD_REQUEST, "the request body is malformed or broke off")
            }
            Self::BodyTooSlow => {
                (Client, StatusCode::REQUEST_TIMEOUT, "the request body came too slowly")
            }
            Self::Abandoned => (Client, ABANDONED, "the client gave up"),
            Self::Crowded => (Gateway, StatusCode::SERVICE_UNAVAILABLE, "too many connections"),
            Self::NoInstance => {
                (Gateway, StatusCode::SERVICE_UNAVAILABLE, "no instance is deployed")
            }
            Self::Exhausted(_) => (
                Gateway,
                StatusCode::SERVICE_UNAVAILABLE,
                "the gateway has no room for another connection",
            ),
            Self::Connect(_) => {
                (Instance, StatusCode::BAD_GATEWAY, "the instance cannot be reached")
            }
            Self::Broken(_) => {
                (Instance, StatusCode::BAD_GATEWAY, "the instance broke off before it answered")
            }
            Self::Timeout(limit) => {
                let message = format!("the instance did not answer within {} s", limit.as_secs());
                return (Instance, StatusCode::GATEWAY_TIMEOUT, message.into());
            }
            Self::Silent => {
                (Instance, StatusCode::SERVICE_UNAVAILABLE, "the instance does not respond")
            }
            Self::FellSilent => {
                (Instance, StatusCode::GATEWAY_TIMEOUT, "the instance does not respond")
            }
        };
        (fault, status, message.into())
    }

    pub(super) fn fault(&self) -> Fault {
        self.verdict().0
    }

    pub(super) fn status(&self) -> StatusCode {
        self.verdict().1
    }

    pub(super) fn message(&self) -> Cow<'static, str> {
        self.verdict().2
    }

    /// What a failed connection means: where this side is out of something, the instance is not to blame.
    pub(super) fn of_connect(error: io::Error) -> Self {
        use rustix::io::Errno;
        let own = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
        if own.iter().any(|own| error.raw_os_error() == Some(own.raw_os_error())) {
            Self::Exhausted(error)
        } else {
            Self::Connect(error.to_string())
        }
    }

    /// Whether no byte of the request reached an instance.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Silent | Self::Exhausted(_))
    }

    /// What the operator reads beside it, in the log.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Connect(reason) | Self::Broken(reason) => Some(reason.clone()),
            Self::Exhausted(error) => Some(error.to_string()),
            _ => None,
        }
    }

    /// When it is worth to come back, in seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        if let Self::TooOften { retry_after_s, .. } = self {
            return Some(*retry_after_s);
        }
        match self.fault() {
            Fault::Client | Fault::Closed => None,
            Fault::Gateway => Some(1),
            // The next look at an instance that is silent is as far away.
            Fault::Instance => matches!(self, Self::Silent | Self::FellSilent).then_some(2),
        }
    }
}

/// nginx's number for a client that closed its connection before it had an answer; nobody gets it.
const ABANDONED: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_tell_a_client_nothing_of_this_machine() {
        let refused = io::Error::from_raw_os_error(111);
        let full = io::Error::from_raw_os_error(24);
        for (failure, fault) in [
            (Failure::of_connect(refused), Fault::Instance),
            (Failure::of_connect(full), Fault::Gateway),
            (Failure::Broken("127.0.0.1:4711 went away".to_owned()), Fault::Instance),
            (Failure::BodyBroken, Fault::Client),
        ] {
            assert_eq!(failure.fault(), fault, "{failure:?}");
            let message = failure.message();
            assert!(!message.contains("127.") && !message.contains("os error"), "{message}");
        }
        assert_eq!(Fault::of_status(404), Some(Fault::Client));
        assert_eq!(Fault::of_status(503), Some(Fault::Instance));
        assert_eq!(Fault::of_status(302), None);
        assert!([400, 413, 415, 422].into_iter().all(is_refusal));
        assert!(![200, 302, 401, 403, 404, 408, 429, 499, 500].into_iter().any(is_refusal));
    }
}
