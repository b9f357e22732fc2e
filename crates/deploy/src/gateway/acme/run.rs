//! Looks at the certificate as long as the gateway runs, and gets a new one when it is due.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::CertificateIdentifier;
use trainyard_base::file::{self, Access};

use super::attempts::Attempts;
use super::failure::Failure;
use super::files::Files;
use super::installed::{self, Installed};
use super::renewal_info::{self, Suggestion};
use super::seen::{Acme, AcmeSeen};
use super::settings::{AcmeSettings, Challenge};
use super::{account, order};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::state::folder::Folder;

/// Time between two looks at the clock, which may be put forward, or have stood still with the machine.
const LOOK: Duration = Duration::from_mins(1);

/// How long an attempt may take in all.
const ATTEMPT_MAX: Duration = Duration::from_mins(5);

/// How long an authority that did not say when it would like to be asked for renewals is let alone.
const ASK_AGAIN: Duration = Duration::from_hours(24);

/// How soon after a certificate the next one is asked for at the earliest, whatever a wrong clock says; half of
/// its time where that is less.
const SETTLED: Duration = Duration::from_hours(6);

/// Keeps a certificate for these names. It ends only where that cannot be done at all.
pub(crate) async fn run(settings: &AcmeSettings, service: &Folder, acme: &Arc<Acme>) {
    match Keeper::open(settings.clone(), service, Arc::clone(acme)) {
        Ok(mut keeper) => keeper.keep().await,
        Err(error) => tracing::error!(%error, "no certificate is asked for"),
    }
}

struct Keeper {
    settings: AcmeSettings,
    files: Files,
    acme: Arc<Acme>,
    installed: Option<Installed>,
    attempts: Attempts,
    suggestion: Option<Suggestion>,
    /// When the authority is asked for a suggestion, in milliseconds since 1970.
    ask_ms: u64,
}

impl Keeper {
    /// With what is on the disk.
    fn open(settings: AcmeSettings, service: &Folder, acme: Arc<Acme>) -> Result<Self> {
        let files = Files::of(service)?;
        let now = now_ms();
        let attempts = Attempts::read(&files, &settings, now);
        let installed = Installed::read(&files);
        let mut keeper =
            Self { settings, files, acme, installed, attempts, suggestion: None, ask_ms: 0 };
        if keeper.due_ms() > now {
            // Whoever wrote the certificate was killed before it could say so.
            keeper.attempts.succeeded();
        }
        keeper.tell(keeper.next_ms(now));
        Ok(keeper)
    }

    async fn keep(&mut self) {
        if self.settings.challenge == Challenge::Http01 {
            // An authority that finds nobody there counts it as a failure.
            self.listened(LOOK).await;
        }
        loop {
            let now = now_ms();
            let next = self.next_ms(now);
            self.tell(next);
            if next <= now {
                Box::pin(self.attempt()).await;
            } else if now >= self.ask_ms && self.installed.is_some() {
                Box::pin(self.ask()).await;
            } else {
                tokio::time::sleep(Duration::from_millis(next - now).min(LOOK)).await;
            }
        }
    }

    /// Resolves when challenges by HTTP are answered. Where that takes longer than this, it is told: the port may be
    /// another program's, or one for which this one has no right.
    async fn listened(&mut self, patience: Duration) {
        if tokio::time::timeout(patience, self.acme.listened()).await.is_ok() {
            return;
        }
        let address = self.settings.http_listen;
        let reason = format!("challenges cannot be answered at http_listen, {address}, yet");
        let before = self.attempts.last_error.replace(reason);
        self.tell(self.next_ms(now_ms()));
        self.acme.listened().await;
        self.attempts.last_error = before;
    }

    /// When the next certificate is wanted.
    fn due_ms(&self) -> u64 {
        match &self.installed {
            Some(installed) if installed.is_of(&self.settings) => {
                self.suggestion.map_or_else(|| installed.due_ms(), |suggestion| suggestion.at_ms)
            }
            _ => 0,
        }
    }

    /// When the next attempt is made: when a certificate is wanted, but not too soon after the last one.
    fn next_ms(&self, now_ms: u64) -> u64 {
        let wait = match &self.installed {
            Some(installed) if self.attempts.failures == 0 && installed.is_of(&self.settings) => {
                let least = SETTLED.min(Duration::from_millis(installed.lifetime_ms() / 2));
                let last = self.attempts.last_ms.and_then(|last| now_ms.checked_sub(last));
                last.map_or(Duration::ZERO, |passed| {
                    least.saturating_sub(Duration::from_millis(passed))
                })
            }
            _ => self.attempts.wait(now_ms),
        };
        self.due_ms()
            .max(now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    fn tell(&self, next_ms: u64) {
        let Attempts { failures, last_failure_ms, .. } = self.attempts;
        self.acme.tell(AcmeSeen {
            domains: self.settings.names(),
            directory: self.settings.directory.clone(),
            expires_ms: self.installed.as_ref().map(|installed| installed.ends_ms),
            next_ms,
            failures,
            last_failure_ms,
            last_error: self.attempts.last_error.clone(),
        });
    }

    /// Tries to get a certificate.
    async fn attempt(&mut self) {
        self.attempts.begin(now_ms());
        let obtained = match self.attempts.write(&self.files) {
            Ok(()) => tokio::time::timeout(ATTEMPT_MAX, Box::pin(self.obtain()))
                .await
                .unwrap_or(Err(Failure::Late(ATTEMPT_MAX))),
            Err(error) => Err(error.into()),
        };
        let now = now_ms();
        match obtained {
            Ok(installed) => {
                let days = installed.ends_ms.saturating_sub(now) / (24 * 60 * 60 * 1000);
                tracing::info!(domains = ?self.settings.names(), days, "a certificate was issued");
                self.attempts.succeeded();
                self.installed = Some(installed);
                self.suggestion = None;
                self.ask_ms = 0;
            }
            Err(failure) => {
                self.attempts.failed(now, &failure);
                let again = self.attempts.wait(now).as_secs();
                let (failures, reason) = (self.attempts.failures, failure.reason());
                let ends = self.installed.as_ref().map_or(0, |installed| installed.ends_ms);
                let hours_left = ends.saturating_sub(now) / (60 * 60 * 1000);
                tracing::warn!(
                    reason,
                    failures,
                    hours_left,
                    seconds_until_next = again,
                    "no certificate could be had; the one before is still shown"
                );
            }
        }
        if let Err(error) = self.attempts.write(&self.files) {
            tracing::warn!(%error, "attempts to get a certificate cannot be written down");
        }
    }

    /// A new certificate, on the disk.
    async fn obtain(&self) -> Result<Installed, Failure> {
        let pem = match self.order().await {
            Err(failure) if failure.is_unknown_account() => {
                tracing::warn!(
                    "the authority does not know the account any more; a new one is made"
                );
                account::forget(&self.files);
                self.order().await?
            }
            ordered => ordered?,
        };
        let text = installed::text(&self.settings.directory, &pem);
        let installed = Installed::parse(text.as_bytes()).map_err(Failure::Unusable)?;
        if !installed.is_of(&self.settings) {
            return Err(Failure::Unusable(
                "it is not for all names that it should be for".to_owned(),
            ));
        }
        let path = self.files.pem();
        file::replace(&path, text.as_bytes(), Access::Private)
            .map_err(|source| Error::io("cannot write", &path, source))?;
        Ok(installed)
    }

    async fn order(&self) -> Result<String, Failure> {
        let account = account::account(&self.settings, &self.files).await?;
        // Said once: an order that failed may have used the right to replace up.
        let replaces =
            self.id().filter(|_| self.suggestion.is_some() && self.attempts.failures == 1);
        Box::pin(order::order(&account, &self.settings, &self.acme, replaces)).await
    }

    /// By what the authority of the settings knows the certificate.
    fn id(&self) -> Option<CertificateIdentifier<'static>> {
        let installed = self.installed.as_ref()?;
        installed.id.clone().filter(|_| installed.is_of(&self.settings))
    }

    /// Asks the authority when it would like the certificate to be renewed.
    async fn ask(&mut self) {
        let mut again = ASK_AGAIN;
        if let (Some(installed), Some(id)) = (&self.installed, self.id()) {
            let asked = async {
                let account = account::account(&self.settings, &self.files).await?;
                renewal_info::suggestion(&account, installed, &id).await
            };
            let asked = tokio::time::timeout(ATTEMPT_MAX, Box::pin(asked))
                .await
                .unwrap_or(Err(Failure::Late(ATTEMPT_MAX)));
            match asked {
                Ok(suggestion) => {
                    again = suggestion.map_or(again, |suggestion| suggestion.again);
                    self.suggestion = suggestion;
                }
                // The usual time holds.
                Err(failure) => tracing::debug!(reason = failure.reason(), "nothing is suggested"),
            }
        }
        self.ask_ms = now_ms().saturating_add(u64::try_from(again.as_millis()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_had_is_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path()).unwrap();
        let settings = AcmeSettings {
            domains: vec!["a.example".to_owned()],
            http_listen: ([127, 0, 0, 1], 80).into(),
            ..AcmeSettings::default()
        };
        let acme = Arc::<Acme>::default();
        let mut keeper = Keeper::open(settings, &folder, Arc::clone(&acme)).unwrap();
        let outage = || acme.seen().and_then(|seen| seen.outage(0)).unwrap();
        assert!(outage().contains("it is being asked for"), "{}", outage());
        let listening = async {
            while !outage().contains("127.0.0.1:80") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            acme.set_listens(true);
        };
        let both = async { tokio::join!(keeper.listened(Duration::ZERO), listening) };
        tokio::time::timeout(Duration::from_mins(5), both).await.expect("nothing was told");
        assert_eq!(keeper.attempts.last_error, None);
    }
}
