//! Far fewer or far more rows than the reference has.
//!
//! Between two deliveries of a table that is worth a look. A day of a log is smaller than a training set, though.

use crate::finding::{Finding, FindingKind, Severity};
use crate::options::Options;

/// Finding on the number of rows.
pub(super) fn on_volume(reference: u64, current: u64, options: &Options) -> Option<Finding> {
    if reference == 0 || current == 0 || options.volume_factor <= 0.0 {
        return None;
    }
    let times = current as f64 / reference as f64;
    if times.max(1.0 / times) < options.volume_factor.max(1.0) || current == reference {
        return None;
    }
    let how = if times > 1.0 {
        format!("{times:.0} times as many")
    } else {
        format!("one in {:.0}", 1.0 / times)
    };
    let message = format!("{current} rows in current, {reference} in the reference: {how}");
    let severity = if options.is_window { Severity::Note } else { Severity::Warning };
    Some(Finding::new(FindingKind::Volume, severity, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_and_ten_times_are_said() {
        let said = |reference, current| {
            on_volume(reference, current, &Options::default()).map(|finding| finding.message)
        };
        assert_eq!(said(500, 499), None);
        assert_eq!(said(500, 0), None);
        assert!(said(500, 20_000).unwrap().ends_with("40 times as many"));
        assert!(said(500, 3).unwrap().ends_with("one in 167"));
        let off = Options { volume_factor: 0.0, ..Options::default() };
        assert_eq!(on_volume(500, 3, &off), None);
    }

    #[test]
    fn a_window_is_smaller_than_a_training_set() {
        let severity = |is_window| {
            let options = Options { is_window, ..Options::default() };
            on_volume(500, 3, &options).unwrap().severity
        };
        assert_eq!((severity(false), severity(true)), (Severity::Warning, Severity::Note));
    }
}
