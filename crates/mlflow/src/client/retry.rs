//! Which failures are worth another try, and when.
//!
//! Upstream's client repeats every request on 408, 429, 500, 502, 503, 504 and on broken
//! connections. So do we where repeating cannot do harm. A request that makes something new each
//! time (a run, a version) is repeated only if the server cannot have acted on it: the connection
//! was never made, or it said so itself (408, 429, 503).

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::settings::Settings;

/// Longest pause between two tries (urllib3's, which upstream uses).
const PAUSE_MAX: Duration = Duration::from_mins(2);
/// Tries of a server that has not answered yet at all: most likely the address is wrong, and the
/// user should hear of it at once.
const RETRIES_BEFORE_FIRST_CONTACT: u32 = 2;
const PAUSE_BEFORE_FIRST_CONTACT: Duration = Duration::from_millis(200);

/// Whether a request may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Reading, setting, deleting: the second time changes nothing.
    Harmless,
    /// Creating: the second time makes a second one.
    Harmful,
}

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection was made; nothing was sent.
    Connect,
    /// The connection broke or timed out; the server may have acted.
    Broken,
    /// The server answered with this status.
    Status(u16),
    /// Another try would end the same way.
    Final,
}

impl Failure {
    fn is_transient(self, repeat: Repeat) -> bool {
        match (self, repeat) {
            (Self::Connect | Self::Status(408 | 429 | 503), _) => true,
            (Self::Broken | Self::Status(500 | 502 | 504), repeat) => repeat == Repeat::Harmless,
            (Self::Status(_) | Self::Final, _) => false,
        }
    }
}

/// The pause before try number `tries + 1`, after `tries` failed ones; none to give up.
///
/// `known` is whether this server ever answered, `chance` a random number in 0..1.
pub(super) fn pause(
    settings: &Settings,
    repeat: Repeat,
    failure: Failure,
    tries: u32,
    known: bool,
    retry_after: Option<Duration>,
    chance: f64,
) -> Option<Duration> {
    let retries = if failure == Failure::Connect && !known {
        settings.retries.min(RETRIES_BEFORE_FIRST_CONTACT)
    } else {
        settings.retries
    };
    if tries > retries || !failure.is_transient(repeat) {
        return None;
    }
    if let Some(asked) = retry_after.filter(|_| settings.respect_retry_after) {
        return Some(asked.min(PAUSE_MAX));
    }
    if failure == Failure::Connect && !known {
        return Some(PAUSE_BEFORE_FIRST_CONTACT.min(settings.backoff_factor));
    }
    let jitter = settings.backoff_jitter.mul_f64(chance.clamp(0.0, 1.0));
    // The first repeat comes at once but for the jitter, then the pauses double.
    let doublings = tries.saturating_sub(1);
    let backoff = if doublings == 0 {
        Duration::ZERO
    } else {
        settings.backoff_factor.saturating_mul(2_u32.saturating_pow(doublings.min(16)))
    };
    Some(backoff.saturating_add(jitter).min(PAUSE_MAX))
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(header).ok()?;
    Some((at.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(repeat: Repeat, failure: Failure, tries: u32) -> Option<Duration> {
        pause(&Settings::default(), repeat, failure, tries, true, None, 0.5)
    }

    #[test]
    fn pauses_are_those_of_urllib3() {
        let pauses: Vec<f64> = (1..=8)
            .map_while(|tries| plan(Repeat::Harmless, Failure::Status(503), tries))
            .map(|pause| pause.as_secs_f64())
            .collect();
        assert_eq!(pauses, [0.5, 4.5, 8.5, 16.5, 32.5, 64.5, 120.0]);
    }

    #[test]
    fn only_what_cannot_do_harm_is_repeated() {
        for (failure, harmless, harmful) in [
            (Failure::Connect, true, true),
            (Failure::Broken, true, false),
            (Failure::Status(408), true, true),
            (Failure::Status(429), true, true),
            (Failure::Status(500), true, false),
            (Failure::Status(502), true, false),
            (Failure::Status(503), true, true),
            (Failure::Status(504), true, false),
            (Failure::Status(400), false, false),
            (Failure::Status(404), false, false),
            (Failure::Status(501), false, false),
        ] {
            assert_eq!(plan(Repeat::Harmless, failure, 1).is_some(), harmless, "{failure:?}");
            assert_eq!(plan(Repeat::Harmful, failure, 1).is_some(), harmful, "{failure:?}");
        }
    }

    #[test]
    fn a_server_that_never_answered_is_given_up_soon() {
        let settings = Settings::default();
        let total: Duration = (1..)
            .map_while(|tries| {
                pause(&settings, Repeat::Harmless, Failure::Connect, tries, false, None, 1.0)
            })
            .sum();
        assert!(total < Duration::from_secs(1), "{total:?}");
    }

    #[test]
    fn retry_after_is_read_and_limited() {
        let now = DateTime::parse_from_rfc2822("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        let now = now.with_timezone(&Utc);
        let read = |header| retry_after(header, now);
        assert_eq!(read(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        let asked = Some(Duration::from_secs(9_999));
        let mut settings = Settings::default();
        let repeat = Repeat::Harmful;
        let failure = Failure::Status(429);
        assert_eq!(pause(&settings, repeat, failure, 1, true, asked, 0.0), Some(PAUSE_MAX));
        settings.respect_retry_after = false;
        assert_eq!(pause(&settings, repeat, failure, 1, true, asked, 0.0), Some(Duration::ZERO));
    }
}
