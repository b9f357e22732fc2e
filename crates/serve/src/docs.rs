//! `/docs`: a page to try the model with, self-contained and filled from its input example.

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use serde_json::json;
use trainyard_signature::model::Schema;

use crate::endpoint::Endpoint;
use crate::http::response::{HTML, Response, response};
use crate::openapi;
use crate::served_model::{Engine, ServedModel};

const PAGE: &str = include_str!("docs/page.html");

/// Nothing is loaded from anywhere; the script in the page may only talk to this server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The page of the endpoint's model; `prefix` is where it answers.
pub(crate) fn page(endpoint: &Endpoint, served: &ServedModel, prefix: &str) -> Response {
    let signature = served.mlmodel.signature.as_ref();
    let inputs = signature.and_then(|signature| signature.inputs.as_ref());
    let columns: Vec<_> = inputs
        .and_then(Schema::columns)
        .unwrap_or_default()
        .iter()
        .filter_map(|column| {
            let name = column.name.as_ref()?;
            Some(json!({ "name": name, "type": column.data_type.to_string(), "required": column.required }))
        })
        .collect();
    let records = openapi::example_records(served);
    let scoring: Option<serde_json::Value> =
        served.example.as_deref().and_then(|example| serde_json::from_str(example).ok());
    let data = json!({
        "model": endpoint.name,
        "version": &*served.version,
        "alias": served.resolved.alias,
        "prefix": prefix,
        "columns": columns,
        "records": records,
        "scoring": scoring,
        "explains": matches!(served.engine, Engine::Native(_)),
    });
    // A `<` inside the script could end it.
    let data = data.to_string().replace('<', "\\u003c");
    let mut page = response(StatusCode::OK, HTML, PAGE.replace("\"TRAINYARD_DATA\"", &data));
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    page
}
