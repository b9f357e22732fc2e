//! One order: the authority is asked for a certificate, is shown that the names lead here, and gives it.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier, NewOrder,
    Order, OrderStatus, RetryPolicy,
};

use super::failure::Failure;
use super::seen::Acme;
use super::settings::{AcmeSettings, Challenge};
use super::tls_challenge;

/// How long one step of the authority is waited for: it looks from several places, and may have a queue.
const STEP_MAX: Duration = Duration::from_secs(90);

const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(STEP_MAX);

/// A new key and the chain of its certificate, in PEM form. `replaces` is the certificate that this one follows,
/// where the authority wants to know.
pub(super) async fn order(
    account: &Account,
    settings: &AcmeSettings,
    acme: &Acme,
    replaces: Option<CertificateIdentifier<'static>>,
) -> Result<String, Failure> {
    let names: Vec<_> = settings.names().into_iter().map(Identifier::Dns).collect();
    let mut wanted = NewOrder::new(&names);
    if let Some(before) = replaces {
        wanted = wanted.replaces(before);
    }
    let mut order = account.new_order(&wanted).await?;
    // Whatever happens, and also when this is given up in the middle, nothing is shown afterwards.
    let shown = Shown(acme);
    show(&mut order, settings.challenge, acme).await?;
    let status = order.poll_ready(&PATIENCE).await;
    drop(shown);
    if !matches!(status, Ok(OrderStatus::Ready)) {
        // Which name, and what was seen there, says more than the order's own end.
        if let Some(unproved) = unproved(&mut order).await {
            return Err(unproved);
        }
        return Err(status.err().map_or(Failure::GivenUp, Failure::Authority));
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(format!("{}\n{}\n", key.trim_end(), chain.trim_end()))
}

/// Challenges that are shown until this is dropped.
struct Shown<'a>(&'a Acme);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.challenges.clear();
        self.0.tls_challenges.clear();
    }
}

/// Shows what the authority is to see, and tells it to look.
async fn show(order: &mut Order, challenge: Challenge, acme: &Acme) -> Result<(), Failure> {
    let kind = match challenge {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            // It remembers from an order before.
            continue;
        }
        let name = authorization.identifier().to_string();
        let Some(mut handle) = authorization.challenge(kind.clone()) else {
            return Err(Failure::NotOffered { name, challenge: challenge.name() });
        };
        let proof = handle.key_authorization();
        match challenge {
            Challenge::Http01 => acme.challenges.show(&handle.token, proof.as_str()),
            Challenge::TlsAlpn01 => {
                let digest = proof.digest();
                let (certificate, key) = tls_challenge::certificate(&name, digest.as_ref())?;
                acme.tls_challenges.show(&name, certificate, key)?;
            }
        }
        tracing::info!(name, challenge = challenge.name(), "the authority is told to look");
        handle.set_ready().await?;
    }
    Ok(())
}

/// The first name that the authority did not find proved, with what it says of it.
async fn unproved(order: &mut Order) -> Option<Failure> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            let name = state.identifier().to_string();
            return Some(Failure::Unproved { name, reason: problem.to_string() });
        }
    }
    None
}
