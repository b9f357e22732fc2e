//! Keeps the certificate that the settings in force want to be had by ACME, as long as there is a gateway.

use std::sync::Arc;

use super::acme;
use super::in_force::InForce;
use super::shared::Shared;

/// Begins anew with each change of what is wanted; other changes leave it alone.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        let now = shared.in_force();
        let same = |next: &InForce| next.settings.acme == now.settings.acme;
        let Some(settings) = &now.settings.acme else {
            shared.acme.forget();
            shared.change(same).await;
            continue;
        };
        let keeping = async {
            acme::run(settings, &shared.folder, &shared.acme).await;
            // It has said why it cannot, which other settings may change.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = keeping => {}
            () = shared.change(same) => {}
        }
    }
}
