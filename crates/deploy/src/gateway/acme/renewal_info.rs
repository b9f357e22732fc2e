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
