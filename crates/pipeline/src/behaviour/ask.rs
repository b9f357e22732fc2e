//! Requests to the two instances themselves, past the gateway. Each carries the id that its instance was told
//! by the deployer: by that it is neither logged nor monitored, and nobody else knows it.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use trainyard_base::json;
use trainyard_deploy::InstanceToken;

use super::requests::Request;
use crate::loopback::{client, quoted, with_token};

/// A prediction takes microseconds, in Python milliseconds; one that takes this long is a failure.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer to one row.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Characters of an error that are kept: it names the whole schema before what is wrong.
const ERROR_CHARACTERS_MAX: usize = 400;

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// An answer with 2xx.
    Said(Value),
    /// Status and the beginning of the body, or why there is none.
    Error(String),
}

impl Answer {
    /// The answer, unless it is an error.
    pub(super) fn said(&self) -> Option<&Value> {
        match self {
            Self::Said(value) => Some(value),
            Self::Error(_) => None,
        }
    }
}

/// An instance that can be asked without a trace.
#[derive(Debug)]
pub(super) struct Side {
    client: Client,
    address: SocketAddr,
    probe_id: String,
    token: Option<InstanceToken>,
}

impl Side {
    /// `probe_id` is the secret id; the instance logs requests with any other. `token` is what it asks for.
    pub(super) fn new(
        address: SocketAddr,
        probe_id: String,
        token: Option<InstanceToken>,
    ) -> reqwest::Result<Self> {
        Ok(Self { client: client(REQUEST_TIMEOUT)?, address, probe_id, token })
    }

    pub(super) async fn ask(&self, request: &Request) -> Answer {
        match self.send(request).await {
            Ok(answer) => answer,
            Err(error) => Answer::Error(quoted(&error.without_url().to_string())),
        }
    }

    async fn send(&self, request: &Request) -> reqwest::Result<Answer> {
        let asking = self
            .client
            .post(format!("http://{}{}", self.address, request.path))
            .header("content-type", "application/json")
            .header("x-request-id", &self.probe_id);
        let asking = with_token(asking, self.token.as_ref());
        let mut answer = asking.body(request.body.clone()).send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Ok(Answer::Error(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        let text = String::from_utf8_lossy(&body);
        if !answer.status().is_success() {
            let said: String = text.trim().chars().take(ERROR_CHARACTERS_MAX).collect();
            return Ok(Answer::Error(format!("{}: {said}", answer.status().as_u16())));
        }
        // MLflow's protocol has NaN, which JSON has not.
        Ok(match json::parse(&text) {
            Ok(value) => Answer::Said(value),
            Err(error) => Answer::Error(format!("no JSON: {error}")),
        })
    }
}
