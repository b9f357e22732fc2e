//! What the gateway's other parts see of it: challenges to answer, and how the certificate stands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use trainyard_base::prometheus::Kind::Gauge;
use trainyard_base::prometheus::Page;
use trainyard_net::TlsChallenges;

use super::challenges::Challenges;
use crate::clock::now_ms;

/// How the certificate of a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeSeen {
    /// Names that it is for, or is to be for.
    pub domains: Vec<String>,
    /// Directory of the authority.
    pub directory: String,
    /// When the one that is shown ends, in milliseconds since 1970; none while there is none.
    pub expires_ms: Option<u64>,
    /// When the next one is asked for, in milliseconds since 1970.
    pub next_ms: u64,
    /// Attempts that came to nothing since the last certificate, the one under way among them.
    pub failures: u32,
    /// When one failed for the last time, in milliseconds since 1970.
    pub last_failure_ms: Option<u64>,
    /// Why, unless there has been a certificate since.
    pub last_error: Option<String>,
}

impl AcmeSeen {
    /// Why no client gets through by HTTPS; none while there is a certificate that is good.
    pub fn outage(&self, now_ms: u64) -> Option<String> {
        let why = match self.expires_ms {
            None => "there is no certificate yet",
            Some(expires) if expires <= now_ms => "the certificate has expired",
            Some(_) => return None,
        };
        let names = self.domains.join(", ");
        let reason = self.last_error.as_deref().unwrap_or("it is being asked for");
        Some(format!("{why} for {names}: {reason}"))
    }

    /// What whoever is responsible should know before it is an outage; none while all is well.
    pub fn trouble(&self, now_ms: u64) -> Option<String> {
        let error = self.last_error.as_ref()?;
        let left = self.expires_ms.unwrap_or_default().saturating_sub(now_ms);
        let names = self.domains.join(", ");
        let (failures, hours) = (self.failures, left / (60 * 60 * 1000));
        let end = format!("the one that is shown ends in {hours} h");
        Some(format!("no new certificate for {names} after {failures} attempts ({error}); {end}"))
    }

    /// How it stands now, in words.
    pub fn sentence(&self) -> String {
        let now = now_ms();
        let (names, ends) = (self.domains.join(", "), self.expires_ms.unwrap_or_default());
        let days = ends.saturating_sub(now) / (24 * 60 * 60 * 1000);
        let well = || format!("certificate for {names}, good for {days} days more");
        self.outage(now).or_else(|| self.trouble(now)).unwrap_or_else(well)
    }

    fn page(&self, now_ms: u64) -> String {
        let mut page = Page::new("trainyard_gateway_");
        if let Some(expires) = self.expires_ms {
            let left = (expires as f64 - now_ms as f64) / 1000.0;
            let help = "Seconds until the certificate ends.";
            page.single("certificate_seconds_left", Gauge, help, left);
        }
        let help = "Attempts to get a certificate that came to nothing, in a row.";
        page.single("certificate_failures", Gauge, help, self.failures);
        if let Some(failure) = self.last_failure_ms {
            let help = "When an attempt failed for the last time, in seconds since 1970.";
            page.single("certificate_last_failure_seconds", Gauge, help, failure / 1000);
        }
        page.into_text()
    }
}

/// What is shared with the gateway.
#[derive(Debug, Default)]
pub(crate) struct Acme {
    /// What is answered by HTTP.
    pub(crate) challenges: Arc<Challenges>,
    /// What is answered within TLS.
    pub(crate) tls_challenges: Arc<TlsChallenges>,
    /// Whether somebody answers by HTTP now.
    listens: watch::Sender<bool>,
    seen: Mutex<Option<AcmeSeen>>,
}

impl Acme {
    /// Says whether challenges by HTTP are answered from now on.
    pub(crate) fn set_listens(&self, listens: bool) {
        self.listens.send_replace(listens);
    }

    /// Resolves when challenges by HTTP are answered.
    pub(super) async fn listened(&self) {
        // An error would be that nobody can say so any more, but that is this one's own.
        let mut listens = self.listens.subscribe();
        let _listens = listens.wait_for(|listens| *listens).await;
    }

    /// There is to be no certificate by ACME any more.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    /// How the certificate stands; none where it is not had by ACME.
    pub(crate) fn seen(&self) -> Option<AcmeSeen> {
        self.lock().clone()
    }

    /// Gauges, in Prometheus' text format; empty where there is no certificate by ACME.
    pub(crate) fn metrics(&self, now_ms: u64) -> String {
        self.lock().as_ref().map(|seen| seen.page(now_ms)).unwrap_or_default()
    }

    pub(super) fn tell(&self, seen: AcmeSeen) {
        *self.lock() = Some(seen);
    }

    fn lock(&self) -> MutexGuard<'_, Option<AcmeSeen>> {
        // Replaced as a whole, so a panic elsewhere is no harm.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_before_it_is_an_outage() {
        let mut seen = AcmeSeen {
            domains: vec!["a.example".to_owned()],
            directory: "https://ca.example/dir".to_owned(),
            expires_ms: Some(7_200_000),
            next_ms: 0,
            failures: 0,
            last_failure_ms: None,
            last_error: None,
        };
        assert_eq!((seen.outage(0), seen.trouble(0)), (None, None));
        let page = seen.page(200_000);
        assert!(page.contains("\ntrainyard_gateway_certificate_seconds_left 7000\n"), "{page}");
        seen.failures = 2;
        seen.last_error = Some("no route".to_owned());
        let trouble = seen.trouble(0).unwrap();
        assert!(trouble.contains("2 attempts (no route)") && trouble.contains("2 h"), "{trouble}");
        assert_eq!(seen.outage(0), None);
        assert!(seen.outage(7_200_000).unwrap().contains("has expired for a.example: no route"));
        seen.expires_ms = None;
        assert!(seen.outage(0).unwrap().starts_with("there is no certificate yet"));
    }
}
