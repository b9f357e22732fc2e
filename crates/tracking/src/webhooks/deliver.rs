//! The task that delivers: what is due is claimed, sent, and due again after a pause until somebody takes it.
//!
//! Of one webhook one delivery is under way at a time, the oldest that is due first, so that events come in their
//! order as long as they are taken. A receiver that is slow or gone holds back nobody else's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::sender::Parcel;
use super::service::Service;
use crate::store::webhook_deliveries::{Attempt, Claimed};

/// Longest time until the table is looked at: others write to it, too.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Time between two looks at what is too old or too much.
const SWEEP: Duration = Duration::from_mins(1);
/// What an attempt may take beside its request; then whoever claimed it is taken for dead.
const LEASE_BEYOND: Duration = Duration::from_secs(5);
/// First and longest pause after a failure; it doubles, and half of it is random, so that a receiver that comes
/// back is not met by all at once.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));
/// An event that nobody took for so long is given up: receivers look at the registry when they come back.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(24);

/// Delivers until `stop`, and then waits for what is under way.
pub(crate) async fn deliver(service: Arc<Service>, stop: CancellationToken) {
    service.report().await;
    let lease = service.options.timeout + LEASE_BEYOND;
    let mut running = JoinSet::new();
    let mut swept: Option<Instant> = None;
    let mut failing = false;
    while !stop.is_cancelled() {
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            if let Err(error) = service.store.sweep_deliveries().await {
                tracing::debug!(%error, "old deliveries to webhooks stay");
            }
        }
        let mut pause = LOOK_AGAIN;
        let free = service.options.workers.saturating_sub(running.len());
        if free > 0 {
            match service.store.claim_deliveries(free, lease).await {
                Ok(claims) => {
                    failing = false;
                    let any = !claims.deliveries.is_empty();
                    for claimed in claims.deliveries {
                        let service = Arc::clone(&service);
                        running.spawn(async move { service.attempt(&claimed).await });
                    }
                    if any {
                        continue;
                    }
                    pause = claims.next_in.map_or(pause, |next_in| next_in.min(pause));
                }
                Err(error) => {
                    // Said once: an outage of the database has lines of its own.
                    if !failing {
                        tracing::warn!(%error, "webhooks are not told of changes for now");
                    }
                    failing = true;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = service.store.deliveries_added() => {}
            Some(_ended) = running.join_next() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

impl Service {
    /// Says what cannot be delivered as it is, which nobody would see before an event.
    async fn report(&self) {
        let mut token = None;
        let (mut active, mut locked) = (0_usize, 0_usize);
        loop {
            let page = match self.list(None, token.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(%error, "webhooks cannot be counted");
                    return;
                }
            };
            for webhook in page.items.iter().filter(|webhook| webhook.is_active) {
                active += 1;
                locked += usize::from(self.opened(webhook.secret.as_deref()).is_err());
            }
            token = page.next_page_token;
            if token.is_none() {
                break;
            }
        }
        if active > 0 {
            tracing::info!(active, "webhooks are told of changes of the registry");
        }
        if locked > 0 {
            tracing::warn!(
                webhooks = locked,
                "webhooks have a secret that MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY does not open; they are told \
                 nothing until the server has the key that they were made with"
            );
        }
    }

    async fn attempt(&self, claimed: &Claimed) {
        let how = self.attempt_once(claimed).await;
        if let Attempt::GivenUp { error, .. } = &how {
            tracing::warn!(
                webhook = claimed.webhook_id,
                delivery = claimed.delivery_id,
                error,
                "a webhook was not told of a change, and is not told any more"
            );
        }
        if let Err(error) = self.store.attempted(claimed, how).await {
            // It is due again when the claim ends.
            tracing::debug!(%error, "the end of a delivery to a webhook is not stored");
        }
    }

    async fn attempt_once(&self, claimed: &Claimed) -> Attempt {
        let checked = self.options.destinations.check(&claimed.url);
        let (url, secret) = match (checked, self.opened(claimed.secret.as_deref())) {
            (Err(error), _) => return again(claimed, None, None, error.to_string()),
            (_, Err(error)) => return again(claimed, None, None, error.to_owned()),
            (Ok(url), Ok(secret)) => (url, secret),
        };
        let parcel = Parcel {
            url: &url,
            delivery_id: &claimed.delivery_id,
            body: &claimed.body,
            secret: secret.as_deref(),
        };
        match self.sender.send(&parcel).await {
            Ok(answer) if answer.is_taken() => Attempt::Delivered { status: answer.status },
            Ok(answer) => {
                let error = if answer.is_redirect() {
                    "the receiver redirects, which is not followed".to_owned()
                } else {
                    format!("the receiver answered {}", answer.status)
                };
                again(claimed, Some(answer.status), answer.retry_after, error)
            }
            Err(error) => again(claimed, None, None, error.to_string()),
        }
    }
}

/// What follows a failure.
fn again(
    claimed: &Claimed,
    status: Option<u16>,
    asked: Option<Duration>,
    error: String,
) -> Attempt {
    let age = chrono::Utc::now().timestamp_millis().saturating_sub(claimed.created_at);
    if u128::try_from(age).is_ok_and(|age| age >= GIVEN_UP_AFTER.as_millis()) {
        return Attempt::GivenUp { status, error };
    }
    let after = pause(claimed.attempts).mul_f64(rand::random_range(0.5..1.0));
    Attempt::Again { after: after.max(asked.unwrap_or_default()), status, error }
}

/// The longest pause after so many attempts.
fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    PAUSES.0.saturating_mul(1 << doublings).min(PAUSES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(age: Duration) -> Claimed {
        let now = chrono::Utc::now().timestamp_millis();
        Claimed {
            number: 1,
            delivery_id: "d".to_owned(),
            webhook_id: "w".to_owned(),
            url: "https://example.com/".to_owned(),
            secret: None,
            body: "{}".to_owned(),
            attempts: 3,
            created_at: now - age.as_millis() as i64,
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds: Vec<u64> = (1..=4).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8]);
        assert_eq!(pause(50), PAUSES.1);
    }

    #[test]
    fn a_receiver_may_ask_for_more_and_nobody_is_told_of_yesterday() {
        let told = |age, asked| again(&claimed(age), Some(503), asked, "e".to_owned());
        let Attempt::Again { after, .. } = told(Duration::ZERO, None) else { panic!("given up") };
        assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&after), "{after:?}");
        let minute = Duration::from_mins(1);
        let Attempt::Again { after, .. } = told(Duration::ZERO, Some(minute)) else {
            panic!("given up")
        };
        assert_eq!(after, minute);
        let old = GIVEN_UP_AFTER + minute;
        assert!(matches!(told(old, None), Attempt::GivenUp { status: Some(503), .. }));
    }
}
