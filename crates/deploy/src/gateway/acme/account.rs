//! The account with the authority: made once, kept with its key, and used for every order.

use instant_acme::{Account, AccountCredentials, NewAccount};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::files::Files;
use super::settings::AcmeSettings;
use crate::error::Error;
use crate::state::file::{read_json, replace_json};

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The authority that it is with.
    directory: String,
    /// What the authority knows of the user.
    email: Option<String>,
    /// Its address and key.
    credentials: AccountCredentials,
}

/// The account that is kept, or a new one.
pub(super) async fn account(settings: &AcmeSettings, files: &Files) -> Result<Account, Failure> {
    let builder = match &settings.ca_file {
        Some(file) => Account::builder_with_root(file)?,
        None => Account::builder()?,
    };
    let contact = settings.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let kept: Option<Kept> = match read_json(&files.account()) {
        Err(error @ Error::State { .. }) => {
            tracing::warn!(%error, "the account with the certificate authority is not known any more");
            None
        }
        read => read?,
    };
    if let Some(kept) = kept.filter(|kept| kept.directory == settings.directory) {
        // Read twice because credentials are given away whole, and are to be kept with the new address.
        let account = builder.from_credentials(kept.credentials).await?;
        if kept.email != settings.email {
            account.update_contacts(&contact).await?;
            if let Some(kept) = read_json::<Kept>(&files.account())? {
                let email = settings.email.clone();
                replace_json(&files.account(), &Kept { email, ..kept })?;
            }
        }
        return Ok(account);
    }
    let wanted = NewAccount {
        contact: &contact,
        terms_of_service_agreed: settings.agree_terms,
        only_return_existing: false,
    };
    let (account, credentials) = builder.create(&wanted, settings.directory.clone(), None).await?;
    let (directory, email) = (settings.directory.clone(), settings.email.clone());
    replace_json(&files.account(), &Kept { directory, email, credentials })?;
    tracing::info!(
        directory = settings.directory,
        "an account with the certificate authority was made"
    );
    Ok(account)
}

/// Forgets an account that the authority does not know any more.
pub(super) fn forget(files: &Files) {
    let _already_gone = std::fs::remove_file(files.account());
}
