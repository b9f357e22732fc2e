//! A file of a bucket that clients transfer themselves, by requests that the server signs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, header};
use object_store::multipart::PartId;
use object_store::path::Path as StorePath;
use object_store::signer::SignedUrlOptions;
use trainyard_mlflow::artifacts::{DirectFile, SignedRequest};
use trainyard_mlflow::{Error, Result};
use trainyard_storage::Direct;

use super::error::storage;

/// How long the requests of an upload in parts are good for: as AWS' own tools sign them.
const PARTS_LIFETIME: Duration = Duration::from_hours(1);

/// One object.
pub(super) struct PresignedObject {
    pub(super) direct: Direct,
    pub(super) place: StorePath,
}

impl PresignedObject {
    async fn sign(
        &self,
        method: Method,
        lifetime: Duration,
        query: &[(&str, &str)],
        headers: HeaderMap,
    ) -> Result<SignedRequest> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut options = SignedUrlOptions::default();
        options.extra_query = query.iter().map(own).collect();
        options.signed_headers = headers.clone();
        let signed =
            self.direct.signer.signed_url_opts(method, &self.place, lifetime, &options).await;
        let named = |(name, value): (&header::HeaderName, &HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        Ok(SignedRequest {
            url: signed.map_err(|error| storage(&self.place, &error))?.into(),
            headers: headers.iter().filter_map(named).collect::<BTreeMap<_, _>>(),
        })
    }
}

#[async_trait]
impl DirectFile for PresignedObject {
    async fn sign_download(&self, lifetime: Duration) -> Result<(SignedRequest, u64)> {
        let found = object_store::ObjectStoreExt::head(&*self.direct.store, &self.place).await;
        let size = found.map_err(|error| storage(&self.place, &error))?.size;
        // A page that follows the URL saves the file; it must not run in the bucket's name.
        let query = [("response-content-disposition", "attachment")];
        let request = self.sign(Method::GET, lifetime, &query, HeaderMap::new()).await?;
        Ok((request, size))
    }

    async fn sign_upload(&self, lifetime: Duration, content_type: &str) -> Result<SignedRequest> {
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|error| Error::invalid(format!("content type {content_type:?}: {error}")))?;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        self.sign(Method::PUT, lifetime, &[], headers).await
    }

    async fn start_parts(&self, parts: u32) -> Result<(String, Vec<SignedRequest>)> {
        let started = self.direct.store.create_multipart(&self.place).await;
        let upload_id = started.map_err(|error| storage(&self.place, &error))?;
        let mut requests = Vec::with_capacity(parts as usize);
        for part in 1..=parts {
            let query = [("partNumber", &*part.to_string()), ("uploadId", &*upload_id)];
            requests.push(self.sign(Method::PUT, PARTS_LIFETIME, &query, HeaderMap::new()).await?);
        }
        Ok((upload_id, requests))
    }

    async fn complete_parts(&self, upload_id: &str, etags: Vec<String>) -> Result<()> {
        let parts = etags.into_iter().map(|content_id| PartId { content_id }).collect();
        let completed =
            self.direct.store.complete_multipart(&self.place, &upload_id.to_owned(), parts).await;
        completed.map(|_put| ()).map_err(|error| refused(&self.place, &error))
    }

    async fn abort_parts(&self, upload_id: &str) -> Result<()> {
        let aborted = self.direct.store.abort_multipart(&self.place, &upload_id.to_owned()).await;
        aborted.map_err(|error| refused(&self.place, &error))
    }
}

/// What a store says to an upload or to parts that it does not know is the client's mistake.
fn refused(place: &StorePath, error: &object_store::Error) -> Error {
    match s3_code(&error.to_string()) {
        Some(code @ ("NoSuchUpload" | "InvalidPart" | "EntityTooSmall" | "MalformedXML")) => {
            Error::invalid(format!("the upload in parts was refused: {code}"))
        }
        _ => storage(place, error),
    }
}

/// The code in the XML of S3's answer. The library keeps the answer to itself, except in its text.
fn s3_code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}
