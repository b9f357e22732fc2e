//! When the authority itself would like a certificate to be renewed (RFC 9773): earlier than usual when it has to
//! revoke it, later when it has much to do.

use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, Error};

use super::failure::Failure;
use super::installed::Installed;

/// How often an authority is asked at most, and at least.
const ASK_MIN: Duration = Duration::from_hours(1);
const ASK_MAX: Duration = Duration::from_hours(24);

/// What the authority suggests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Suggestion {
    /// When to renew, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// When to ask again.
    pub(super) again: Duration,
}

/// The suggestion for a certificate; none where the authority makes no suggestions.
pub(super) async fn suggestion(
    account: &Account,
    installed: &Installed,
    id: &CertificateIdentifier<'static>,
) -> Result<Option<Suggestion>, Failure> {
    match account.renewal_info(id).await {
        Ok((info, again)) => {
            let window = info.suggested_window;
            let seconds = (window.start.unix_timestamp(), window.end.unix_timestamp());
            let at_ms = moment(seconds, installed);
            Ok(Some(Suggestion { at_ms, again: again.clamp(ASK_MIN, ASK_MAX) }))
        }
        Err(Error::Unsupported(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A moment of the window, the same each time; in any case before a tenth of the certificate's time is left.
fn moment((start, end): (i64, i64), installed: &Installed) -> u64 {
    let milliseconds = |seconds: i64| u64::try_from(seconds).unwrap_or_default() * 1000;
    let (start, end) = (milliseconds(start), milliseconds(end));
    let moment = start + installed.chance % (end.saturating_sub(start) + 1);
    moment.min(installed.ends_ms.saturating_sub(installed.lifetime_ms() / 10))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_suggestion_is_taken_within_its_window_and_before_the_end() {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 4, 11);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let pem = format!("{}{}", key.serialize_pem(), certificate.pem());
        let installed = Installed::parse(pem.as_bytes()).unwrap();
        let (day, ends) = (24 * 60 * 60, (installed.ends_ms / 1000) as i64);
        let at = |start: i64, end: i64| (moment((start, end), &installed) / 1000) as i64;
        let (start, end) = (ends - 40 * day, ends - 35 * day);
        assert!((start..=end).contains(&at(start, end)));
        assert_eq!(at(start, end), at(start, end), "the same each time");
        // Nonsense is no reason to let it expire.
        assert_eq!(at(ends + day, ends), ends - 10 * day);
        assert_eq!(at(-5, -7), 0);
    }
}
