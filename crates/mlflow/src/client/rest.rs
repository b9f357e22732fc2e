//! One MLflow server, as everything that [`Tracking`] is of.

use std::fmt;
use std::sync::Arc;

use super::credentials::Credentials;
use super::http::Http;
use super::settings::Settings;
use crate::uri::TrackingUri;
use crate::{Result, Tracking};

/// A client of one MLflow server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RestClient {
    pub(super) http: Http,
}

impl RestClient {
    /// A client of the server at `base_url` (`http(s)://host:port`, with a path if it is mounted
    /// below one) with MLflow's default settings. Credentials in the URL go before `credentials`,
    /// as upstream. Nothing is sent yet.
    pub fn new(base_url: &str, credentials: Credentials) -> Result<Self> {
        Self::with_settings(base_url, credentials, &Settings::default())
    }

    /// The same with settings of one's own.
    pub fn with_settings(
        base_url: &str,
        credentials: Credentials,
        settings: &Settings,
    ) -> Result<Self> {
        Ok(Self { http: Http::new(base_url, credentials, settings)? })
    }

    /// A client with credentials and settings from MLflow's environment variables.
    pub fn from_env(uri: &TrackingUri) -> Result<Self> {
        Self::with_settings(&uri.connection_url(), Credentials::from_env()?, &Settings::from_env()?)
    }

    /// Base URL, without credentials.
    pub fn base_url(&self) -> &str {
        self.http.base_url()
    }

    /// The server's version as it reports it (`3.17.2`).
    pub async fn server_version(&self) -> Result<String> {
        self.http.get_text("/version").await
    }
}

/// Everything of the server.
impl From<RestClient> for Tracking {
    fn from(client: RestClient) -> Self {
        let home = Arc::new(client);
        Self::new(Arc::clone(&home), home)
    }
}

/// Without credentials.
impl fmt::Debug for RestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestClient").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}
