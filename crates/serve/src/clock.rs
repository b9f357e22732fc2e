//! The time. chrono's own `Utc::now` panics where the clock stands before 1970, as that of a board without
//! a battery does until it is set.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

/// Now, whenever that is.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_clock_before_1970_is_no_panic() {
        let before = UNIX_EPOCH.checked_sub(Duration::from_millis(1500)).unwrap();
        let time: DateTime<Utc> = before.into();
        assert_eq!(time.timestamp_millis(), -1500);
        assert!(now().timestamp_millis() > 0);
    }
}
