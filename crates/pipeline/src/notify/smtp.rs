//! A mail server is given messages.

use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::credential::secret;
use super::deliver::{Failed, TIMEOUT, authorities, tries};
use super::email_config::{Email, Encryption};

/// A server may take its time over each command; over a message it may not take longer than this.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Hands all messages over. A server that does not take one is not given the next.
pub(super) async fn send(
    project: &Path,
    config: &Email,
    messages: &[Message],
) -> Result<(), String> {
    let transport = transport(project, config)?;
    for message in messages {
        let formatted = message.formatted();
        tries(|| async {
            let sent = transport.send_raw(message.envelope(), &formatted);
            match tokio::time::timeout(MESSAGE_TIMEOUT, sent).await {
                Ok(Ok(_taken)) => Ok(()),
                Ok(Err(error)) => {
                    let may_pass = !error.is_permanent() && !error.is_client();
                    Err(Failed { reason: error.to_string(), may_pass })
                }
                Err(_elapsed) => {
                    let reason =
                        format!("no message was taken within {} s", MESSAGE_TIMEOUT.as_secs());
                    Err(Failed { reason, may_pass: true })
                }
            }
        })
        .await?;
    }
    Ok(())
}

fn transport(project: &Path, config: &Email) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = || -> Result<TlsParameters, String> {
        let mut parameters = TlsParameters::builder(config.server.clone());
        if let Some(path) = &config.ca_file {
            let certificate = Certificate::from_pem(&authorities(project, path)?)
                .map_err(|error| format!("ca_file {}: {error}", path.display()))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        parameters.build().map_err(|error| error.to_string())
    };
    let tls = match config.encryption {
        Encryption::Starttls => Tls::Required(tls()?),
        Encryption::Tls => Tls::Wrapper(tls()?),
        Encryption::None => Tls::None,
    };
    // Nothing is dangerous about the builder: it is told all that the others assume.
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
        .port(config.port())
        .timeout(Some(TIMEOUT))
        .tls(tls);
    let password = secret(project, config.password_env.as_ref(), config.password_file.as_ref())?;
    if let Some((user, password)) = config.user.clone().zip(password) {
        builder = builder.credentials(Credentials::new(user, password));
    }
    Ok(builder.build())
}
