//! Numbers and texts of a status as people read them.

use anstyle::Style;
use trainyard_base::duration::of_micros;
use trainyard_deploy::gateway::Lately;

use crate::printer::RED;

/// The share of errors from which on a line is red: less is now and then.
const ALARM_SHARE: f64 = 0.01;

/// The last minute in a few words.
pub(super) fn traffic(lately: &Lately) -> String {
    if lately.requests == 0 {
        return "no requests in the last minute".to_owned();
    }
    let mut parts = vec![
        format!("{:.0} requests/min", lately.per_minute()),
        format!("{:.1} % errors", lately.error_share() * 100.0),
    ];
    if lately.client_faults > 0 {
        let refused = lately.client_faults as f64 / lately.requests as f64 * 100.0;
        parts.push(format!("{:.1} % clients' faults", refused.min(100.0)));
    }
    parts.extend(lately.p50_us.map(|micros| format!("p50 {}", of_micros(micros))));
    parts.extend(lately.p99_us.map(|micros| format!("p99 {}", of_micros(micros))));
    parts.join(", ")
}

/// How a minute with too many errors is shown.
pub(super) fn alarm(lately: &Lately) -> Option<Style> {
    (lately.error_share() > ALARM_SHARE).then_some(RED)
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
        assert!(alarm(&lately).is_some());
    }
}
