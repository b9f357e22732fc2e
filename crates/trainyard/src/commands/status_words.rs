//! Numbers and texts of a status as people read them.

use std::time::Duration;

use anstyle::Style;
use trainyard_base::duration::of_micros;
use trainyard_base::service::Traffic;
use trainyard_deploy::gateway::Lately;

use crate::printer::{RED, YELLOW, span};

/// The share of errors from which on a line is red: less is now and then.
const ALARM_SHARE: f64 = 0.01;

/// A shorter time is told as it is: a handful of requests says nothing of a minute.
const MINUTE_MS: u64 = 60_000;

/// The last minute in a few words.
pub(super) fn traffic(lately: &Lately) -> String {
    if lately.requests == 0 {
        return "no requests in the last minute".to_owned();
    }
    let requests = if lately.span_ms < MINUTE_MS {
        let counted = if lately.requests == 1 { "request" } else { "requests" };
        format!("{} {counted} in {}", lately.requests, span(Duration::from_millis(lately.span_ms)))
    } else {
        format!("{:.0} requests/min", lately.per_minute())
    };
    let mut parts = vec![requests, format!("{:.1} % errors", lately.error_share() * 100.0)];
    if lately.client_faults > 0 {
        let refused = lately.client_faults as f64 / lately.requests as f64 * 100.0;
        parts.push(format!("{:.1} % clients' faults", refused.min(100.0)));
    }
    if lately.closed > 0 {
        let closed = lately.closed as f64 / lately.requests as f64 * 100.0;
        parts.push(format!("{:.1} % turned away on purpose", closed.min(100.0)));
    }
    parts.extend(lately.p50_us.map(|micros| format!("p50 {}", of_micros(micros))));
    parts.extend(lately.p99_us.map(|micros| format!("p99 {}", of_micros(micros))));
    parts.join(", ")
}

/// How a minute with too many errors is shown.
pub(super) fn alarm(lately: &Lately) -> Option<Style> {
    if lately.error_share() > ALARM_SHARE {
        return Some(RED);
    }
    much_refused(lately).map(|_share| YELLOW)
}

/// The share of requests, 0 to 1, whose content does not fit, where these are so many that somebody should look.
pub(super) fn much_refused(lately: &Lately) -> Option<f64> {
    let Lately { requests, refused, .. } = *lately;
    Traffic { requests, refused, ..Traffic::default() }.much_refused()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_in_a_few_words() {
        let mut lately = Lately { span_ms: 60_000, ..Lately::default() };
        assert_eq!(traffic(&lately), "no requests in the last minute");
        lately.requests = 1200;
        lately.instance_faults = 12;
        (lately.p50_us, lately.p99_us) = (Some(3_120), Some(1_240_000));
        assert_eq!(traffic(&lately), "1200 requests/min, 1.0 % errors, p50 3.1 ms, p99 1.2 s");
        assert_eq!(alarm(&lately), None);
        (lately.instance_faults, lately.client_faults) = (13, 600);
        assert!(traffic(&lately).contains("1.1 % errors, 50.0 % clients' faults, p50"));
        assert_eq!(alarm(&lately), Some(RED));
        let mut begun = Lately { span_ms: 3_400, requests: 34, client_faults: 34, ..lately };
        begun.instance_faults = 0;
        let told = traffic(&begun);
        assert!(told.starts_with("34 requests in 3 s, 0.0 % errors, 100.0 % clients'"), "{told}");
        assert_eq!(alarm(&begun), None, "who may not ask says nothing of the service");
        begun.refused = 7;
        assert_eq!(alarm(&begun), Some(YELLOW));
        begun.closed = 17;
        assert!(traffic(&begun).contains("50.0 % turned away on purpose"));
    }
}
