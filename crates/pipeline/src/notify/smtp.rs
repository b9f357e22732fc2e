//! A mail server is given messages: one connection for all, and each message once, for all who are to get it. An address
//! that is refused keeps nobody else from hearing.

use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, response::Severity};
use lettre::{Address, Message};
use tokio::sync::Mutex;

use super::credential::secret;
use super::deliver::{Failed, TIMEOUT, authorities, tries};
use super::email_config::{Email, Encryption};

/// A server may take its time over each command; over a connection, or a message, it may not take longer than this.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// The server goes: nothing is said of an address by that.
const CLOSING: u16 = 421;

/// Hands all messages over, and says why not for each of these addresses that did not get all of them. A server that does
/// not take one is not given the next.
pub(super) async fn send(
    project: &Path,
    config: &Email,
    messages: &[Message],
    to: &[Address],
) -> Vec<Result<(), String>> {
    let addressees = to.iter().map(|to| Addressee { to: to.clone(), refused: None }).collect();
    let handing = Mutex::new(Handing { addressees, done: 0 });
    let given = tries(|| async {
        let mut handing = handing.lock().await;
        Box::pin(handing.go_on(project, config, messages)).await
    });
    let given = given.await.map_err(|failed| failed.reason);
    let of = |one: Addressee| one.refused.map_or_else(|| given.clone(), Err);
    handing.into_inner().addressees.into_iter().map(of).collect()
}

/// Who is to get the messages.
struct Addressee {
    to: Address,
    /// Why the server does not take it.
    refused: Option<String>,
}

/// How far it is.
struct Handing {
    addressees: Vec<Addressee>,
    /// Messages that the server has.
    done: usize,
}

impl Handing {
    /// Hands over what the server does not have, by a new connection.
    async fn go_on(
        &mut self,
        project: &Path,
        config: &Email,
        messages: &[Message],
    ) -> Result<(), Failed> {
        let mut connection = within(connect(project, config)).await?;
        for message in messages.iter().skip(self.done) {
            within(self.hand_over(&mut connection, message)).await?;
            self.done += 1;
        }
        // It has everything.
        let _is_over = tokio::time::timeout(TIMEOUT, connection.quit()).await;
        Ok(())
    }

    async fn hand_over(
        &mut self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(), Failed> {
        let bytes = message.formatted();
        let server = connection.server_info();
        let (takes_bytes, takes_names) = (
            server.supports_feature(Extension::EightBitMime),
            server.supports_feature(Extension::SmtpUtfEight),
        );
        if !bytes.is_ascii() && !takes_bytes {
            let reason = "it takes ASCII only (8BITMIME is not offered)".to_owned();
            return Err(Failed { reason, may_pass: false });
        }
        let from = message.envelope().from().cloned();
        let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        for one in &mut self.addressees {
            if !takes_names && !is_ascii(&one.to) && one.refused.is_none() {
                let reason = "the mail server takes ASCII addresses only (no SMTPUTF8)";
                one.refused = Some(reason.to_owned());
            }
        }
        let wanted = || self.addressees.iter().filter(|one| one.refused.is_none());
        if wanted().next().is_none() {
            return Ok(());
        }
        let has_names = from.iter().chain(wanted().map(|one| &one.to)).any(|one| !is_ascii(one));
        let mut options = Vec::new();
        if has_names {
            options.push(MailParameter::SmtpUtfEight);
        }
        if !bytes.is_ascii() {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(Mail::new(from, options)).await.map_err(|error| failed(&error))?;
        let mut taken = 0;
        for one in self.addressees.iter_mut().filter(|one| one.refused.is_none()) {
            match connection.command(Rcpt::new(one.to.clone(), Vec::new())).await {
                Ok(_taken) => taken += 1,
                Err(error) if is_refusal(&error) => one.refused = Some(error.to_string()),
                Err(error) => return Err(failed(&error)),
            }
        }
        if taken == 0 {
            // For the next message, if there is one.
            connection.command(Rset).await.map_err(|error| failed(&error))?;
            return Ok(());
        }
        connection.command(Data).await.map_err(|error| failed(&error))?;
        connection.message(&bytes).await.map_err(|error| failed(&error))?;
        Ok(())
    }
}

/// Whether a server says that it does not take an address, now or ever.
fn is_refusal(error: &Error) -> bool {
    let is_answer = |code: lettre::transport::smtp::response::Code| {
        let is_no = matches!(
            code.severity,
            Severity::TransientNegativeCompletion | Severity::PermanentNegativeCompletion
        );
        is_no && u16::from(code) != CLOSING
    };
    error.status().is_some_and(is_answer)
}

fn failed(error: &Error) -> Failed {
    let may_pass = !error.is_permanent() && !error.is_client();
    Failed { reason: error.to_string(), may_pass }
}

/// No longer than is usual.
async fn within<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let late = |_elapsed| {
        let reason = format!("no message was taken within {} s", MESSAGE_TIMEOUT.as_secs());
        Err(Failed { reason, may_pass: true })
    };
    tokio::time::timeout(MESSAGE_TIMEOUT, work).await.unwrap_or_else(late)
}

/// A connection by which messages may be sent.
async fn connect(project: &Path, config: &Email) -> Result<AsyncSmtpConnection, Failed> {
    let never = |reason: String| Failed { reason, may_pass: false };
    let name = ClientId::default();
    let tls = || tls(project, config).map_err(never);
    let first = match config.encryption {
        Encryption::Tls => Some(tls()?),
        Encryption::Starttls | Encryption::None => None,
    };
    let server = (config.server.as_str(), config.port());
    let connected = AsyncSmtpConnection::connect_tokio1(server, Some(TIMEOUT), &name, first, None);
    let mut connection = connected.await.map_err(|error| failed(&error))?;
    if config.encryption == Encryption::Starttls {
        connection.starttls(tls()?, &name).await.map_err(|error| failed(&error))?;
    }
    let password = secret(project, config.password_env.as_ref(), config.password_file.as_ref());
    if let Some((user, password)) = config.user.clone().zip(password.map_err(never)?) {
        let credentials = Credentials::new(user, password);
        connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(|error| failed(&error))?;
    }
    Ok(connection)
}

fn tls(project: &Path, config: &Email) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(config.server.clone());
    if let Some(path) = &config.ca_file {
        let certificate = Certificate::from_pem(&authorities(project, path)?)
            .map_err(|error| format!("ca_file {}: {error}", path.display()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build().map_err(|error| error.to_string())
}
