//! The REST client: [`Tracking`](crate::Tracking) on any MLflow server, ours or upstream's.
//!
//! One file a resource, as in MLflow's REST API; [`http`] sends, limits and repeats requests,
//! [`retry`] decides what may be repeated and when.

mod approvals;
mod artifacts;
mod audit;
mod credentials;
mod experiments;
mod http;
mod logged_models;
mod login;
mod model_versions;
mod refusal;
mod registered_models;
mod registry;
mod resolver;
mod rest;
mod retry;
mod runs;
mod settings;

pub use credentials::Credentials;
pub use login::{DeviceCode, Login, LoginToken, LoginTokenInfo, ProviderToken, SignInProvider};
pub use rest::RestClient;
pub use settings::{Settings, workspace};
