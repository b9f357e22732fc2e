//! The settings that are in force, in the form that requests are held against. They are replaced as a whole: a
//! request sees those of before or those of after, and what cannot be used changes nothing.

use std::sync::Arc;

use super::access_log::AccessLog;
use super::acme::{AcmeSettings, Challenge};
use super::door::{Door, Tokens};
use super::limits::Limits;
use super::paths::Paths;
use super::settings::GatewaySettings;
use super::transport::Transport;
use crate::error::{Error, Result};
use crate::state::file::{read_json, replace_json};
use crate::state::folder::Folder;

/// Settings and what was made of them.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) settings: GatewaySettings,
    /// What the descriptors of this process allow of those in the settings.
    pub(super) limits: Limits,
    pub(super) paths: Paths,
    pub(super) access: Option<Arc<AccessLog>>,
    pub(super) door: Door,
    pub(super) transport: Arc<Transport>,
}

impl InForce {
    /// By what the deployer wrote. What has not changed since `before` goes on: connections, counts, the log.
    pub(super) fn open(folder: &Folder, before: Option<&Self>) -> Result<Self> {
        let path = folder.gateway_settings();
        let read: Option<GatewaySettings> = read_json(&path)?;
        let usual = GatewaySettings::default();
        if read.is_none() && before.is_some_and(|before| before.settings != usual) {
            // The usual ones ask nobody for anything: no door opens because a file was taken away.
            return Err(Error::io("cannot read", &path, std::io::ErrorKind::NotFound.into()));
        }
        let settings = read.unwrap_or(usual);
        fitting(&settings)?;
        let paths = Paths::new(&settings.exposed, &settings.open)?;
        let was = before.map(|before| (&before.settings, &before.transport));
        // Said once that they are more than there are descriptors for.
        let limits = match before.filter(|before| before.settings.limits == settings.limits) {
            Some(before) => before.limits.clone(),
            None => settings.limits.clone().possible(),
        };
        let transport = Transport::open(&settings, &limits, Some(folder), was)?;
        let known = before.and_then(|before| before.door.tokens());
        let tokens = settings.tokens_file.as_deref().map(|path| Tokens::open(path, known));
        let seen = before.map(|before| before.door.seen()).unwrap_or_default();
        let door = Door::new(tokens.transpose()?, settings.client_ca.is_some(), seen);
        let access = match before.and_then(|before| before.access.clone()) {
            _ if !settings.access_log => None,
            Some(log) => Some(log),
            None => Some(Arc::new(AccessLog::open(&folder.access_log())?)),
        };
        Ok(Self { settings, limits, paths, access, door, transport })
    }
}

/// Writes settings for the gateway of a service, for the owner alone, after it has opened all files that they name as
/// the gateway would.
///
/// # Errors
///
/// What a gateway could not start with; nothing is written then.
pub(crate) fn write(settings: &GatewaySettings, folder: &Folder) -> Result<()> {
    fitting(settings)?;
    Paths::new(&settings.exposed, &settings.open)?;
    Transport::open(settings, &settings.limits, None, None)?;
    settings.tokens_file.as_deref().map(crate::tokens::read).transpose()?;
    // Not what a gateway would fail by: with a certificate that is there it serves without this file.
    settings.acme.as_ref().map(AcmeSettings::check_file).transpose()?;
    replace_json(&folder.gateway_settings(), settings)
}

/// Rules that span settings.
fn fitting(settings: &GatewaySettings) -> Result<()> {
    let needs_tls = [
        ("client_ca", settings.client_ca.is_some()),
        ("redirect_http", settings.redirect_http.is_some()),
    ];
    let is_encrypted = settings.is_encrypted();
    if let Some((setting, _)) = needs_tls.into_iter().find(|(_, is_set)| *is_set && !is_encrypted) {
        return Err(Error::NeedsTls { setting });
    }
    let Some(acme) = &settings.acme else { return Ok(()) };
    acme.check()?;
    if settings.tls.is_some() {
        return Err(Error::Acme {
            reason: "certificates are to be had by ACME, and there are files of one".to_owned(),
            hint: "leave out [deploy.acme], or deploy.tls_cert and deploy.tls_key",
        });
    }
    match settings.redirect_http {
        Some(redirect) if acme.challenge == Challenge::Http01 && redirect != acme.http_listen => {
            Err(Error::Acme {
                reason: format!("redirect_http is {redirect} and http_listen {}", acme.http_listen),
                hint: "leave out redirect_http: what is no challenge is redirected at http_listen",
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_taken_away_opens_no_door() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path()).unwrap();
        let usual = InForce::open(&folder, None).unwrap();
        let usual = InForce::open(&folder, Some(&usual)).unwrap();
        let tokens_file = root.path().join("tokens");
        let entry = crate::tokens::Entry::new("shop", "secret").unwrap();
        crate::tokens::add(&tokens_file, &entry).unwrap();
        let asking =
            GatewaySettings { tokens_file: Some(tokens_file), ..GatewaySettings::default() };
        write(&asking, &folder).unwrap();
        let before = InForce::open(&folder, Some(&usual)).unwrap();
        assert!(before.door.asks());
        let path = folder.gateway_settings();
        std::fs::remove_file(&path).unwrap();
        let error = InForce::open(&folder, Some(&before)).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
