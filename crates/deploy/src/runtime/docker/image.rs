//! Images: which to pull, and with whose credentials.

use bollard::Docker;
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt as _;
use http::HeaderValue;

use super::auth;
use super::engine::{Engine, reason};
use crate::error::{Error, Result};
use crate::workload::{ContainerSpec, Pull};

/// Makes sure that the image is there; what was done, for a person.
pub(super) async fn provide(engine: &Engine, container: &ContainerSpec) -> Result<Option<String>> {
    let image = reference(&container.image);
    match container.pull {
        Pull::Always => pull(engine, &image).await.map(Some),
        Pull::Missing if !exists(engine, &image).await? => pull(engine, &image).await.map(Some),
        Pull::Never if !exists(engine, &image).await? => Err(Error::Docker {
            doing: format!("cannot use image {image}"),
            reason: "it is not on this machine".to_owned(),
            hint: "build or pull it first, or deploy with pull = \"missing\"".to_owned(),
        }),
        Pull::Missing | Pull::Never => Ok(None),
    }
}

async fn exists(engine: &Engine, image: &str) -> Result<bool> {
    let request = || engine.docker.inspect_image(image);
    let doing = || format!("cannot look for image {image}");
    let found = engine.call_unless(&[404], doing, request).await?;
    Ok(found.is_some())
}

/// The digest of an image in its registry.
pub(super) async fn digest(engine: &Engine, image: &str) -> Result<String> {
    let image = reference(image);
    let docker = authorized(engine, &image).await?;
    let failed = |reason: String| unavailable("find", &image, reason);
    let request = || docker.inspect_registry_image(&image, None);
    let found = engine.ask(request).await.map_err(|refusal| failed(reason(&refusal)))?;
    found.descriptor.digest.ok_or_else(|| failed("its registry says no digest".to_owned()))
}

fn unavailable(wanted: &str, image: &str, reason: String) -> Error {
    Error::Docker {
        doing: format!("cannot {wanted} image {image}"),
        reason,
        hint: "check the name; `docker login` gives credentials for a private registry".to_owned(),
    }
}

/// The engine with the credentials for the registry of an image, where `docker login` left some.
pub(super) async fn authorized(engine: &Engine, image: &str) -> Result<Docker> {
    let failed = |reason: String| unavailable("pull", image, reason);
    let credentials = auth::credentials(image).await.map_err(failed)?;
    let header = match credentials {
        Some(credentials) => {
            let header = credentials.header().map_err(failed)?;
            let mut value =
                HeaderValue::from_str(&header).map_err(|error| failed(error.to_string()))?;
            value.set_sensitive(true);
            Some(value)
        }
        None => None,
    };
    // The engine wants the URL-safe alphabet here, which the client library does not use.
    Ok(engine.docker.clone().with_request_modifier(move |mut request| {
        if let Some(value) = &header {
            request.headers_mut().insert("x-registry-auth", value.clone());
        }
        request
    }))
}

async fn pull(engine: &Engine, image: &str) -> Result<String> {
    let failed = |reason: String| unavailable("pull", image, reason);
    let docker = authorized(engine, image).await?;
    let options =
        CreateImageOptions { from_image: Some(image.to_owned()), ..CreateImageOptions::default() };
    let mut progress = Box::pin(docker.create_image(Some(options), None, None));
    let mut last = String::new();
    while let Some(step) = progress.next().await {
        let step = step.map_err(|refusal| failed(reason(&refusal)))?;
        if let Some(status) = step.status {
            last = status;
        }
    }
    tracing::debug!(image, last, "pulled");
    Ok(format!("pulled {image}"))
}

/// The image with a tag: without one an engine would pull all of them.
fn reference(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_tag() {
        for (image, expected) in [
            ("iris", "iris:latest"),
            ("127.0.0.1:5055/iris", "127.0.0.1:5055/iris:latest"),
            ("iris:3", "iris:3"),
            ("a/iris@sha256:00", "a/iris@sha256:00"),
        ] {
            assert_eq!(reference(image), expected);
        }
    }
}
