//! Deliveries that are tried again, a few times, and given up.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Client, redirect};

/// Each delivery is tried this often.
const TRIES_MAX: u32 = 3;

/// Pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// A receiver that takes longer is treated as down.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Certificates of authorities that a file may have.
const CA_BYTES_MAX: u64 = 1 << 20;

/// Why a try failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) reason: String,
    /// Whether it may be better the next time.
    pub(super) may_pass: bool,
}

/// Tries until it is done, or is of no use any more; then why not.
pub(super) async fn tries<F>(mut once: impl FnMut() -> F) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>>,
{
    let mut pause = PAUSE;
    let mut attempt = 1;
    loop {
        match once().await {
            Ok(()) => return Ok(()),
            Err(failed) if attempt == TRIES_MAX || !failed.may_pass => return Err(failed),
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

/// A client for receivers. It follows nobody elsewhere: what is told, and the secrets beside it, are for the address that
/// the project names.
pub(super) fn client(authorities: Vec<Certificate>) -> Result<Client, String> {
    let builder = Client::builder()
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("trainyard/", env!("CARGO_PKG_VERSION")));
    let builder =
        if authorities.is_empty() { builder } else { builder.tls_certs_merge(authorities) };
    builder.build().map_err(|error| error.without_url().to_string())
}

/// The text of a file of certificates, relative to the project's folder.
pub(super) fn authorities(project: &Path, path: &Path) -> Result<Vec<u8>, String> {
    let path = project.join(path);
    let wrong = |error: &dyn std::fmt::Display| format!("ca_file {}: {error}", path.display());
    let file = File::open(&path).map_err(|error| wrong(&error))?;
    let mut bytes = Vec::new();
    file.take(CA_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > CA_BYTES_MAX {
        return Err(wrong(&"it is too large"));
    }
    Ok(bytes)
}

/// Posts JSON until somebody takes it; the URL may be a secret and is in no message.
pub(super) async fn post(
    client: &Client,
    url: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<(), String> {
    tries(|| async {
        let request = client
            .post(url)
            .headers(headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        let failed = |reason: String, may_pass| Err(Failed { reason, may_pass });
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let may_pass = status.is_server_error() || status == 429;
                failed(format!("answered {status}"), may_pass)
            }
            Err(error) => failed(error.without_url().to_string(), true),
        }
    })
    .await
    .map_err(|failed| failed.reason)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_three_times_and_what_will_not_once() {
        for (may_pass, expected) in [(true, 3), (false, 1)] {
            let tried = Cell::new(0);
            let told = tries(|| {
                tried.set(tried.get() + 1);
                async move { Err(Failed { reason: "away".to_owned(), may_pass }) }
            })
            .await;
            assert_eq!((told.unwrap_err().reason.as_str(), tried.get()), ("away", expected));
        }
        tries(|| async { Ok(()) }).await.unwrap();
    }
}
