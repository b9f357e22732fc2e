//! MLflow's REST API over [`trainyard_mlflow::Tracking`]: one file per resource.
//!
//! A handler is given its message, which has read itself out of the request ([`message`], checked by its
//! [`fields`]), calls the trait and writes the answer ([`wire`]); whatever goes wrong becomes an answer in
//! [`error`]. Nothing here knows how things are stored.

mod absent;
mod approvals;
mod artifact_location;
mod artifacts;
mod assessment_wire;
mod assessments;
mod audit;
mod body;
mod enums;
mod error;
mod evaluation_datasets;
mod experiments;
mod fast_path;
mod fields;
mod files;
mod graphql;
mod host_policy;
mod json;
mod json_error;
mod logged_models;
mod members;
mod message;
mod metrics;
mod model_versions;
mod otlp;
mod presigned;
mod registered_models;
mod request;
mod routes;
mod runs;
mod sample;
mod scorers;
mod server_info;
mod source_policy;
mod state;
mod trace_metrics;
mod trace_wire;
mod traces;
mod traces_v2;
mod truncation;
mod webhooks;
mod wire;

pub(crate) use error::{error_answer, json_text};
pub use host_policy::HostPolicy;
pub use routes::{artifact_router, no_endpoint, not_found, router};
pub use state::{ApiOptions, ApiState, JSON_BYTES_MAX};
