//! MLflow's own web pages, from the build folder of an installed `mlflow` package
//! (`…/site-packages/mlflow/server/js/build`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as RoutePath, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use tokio_util::io::ReaderStream;
use trainyard_base::media_type;
use trainyard_mlflow::{Error, Result};

use crate::api::not_found;
use crate::artifacts::ArtifactPath;

/// The names of assets change with their content, so browsers may keep them for four weeks.
const ASSET_CACHE: &str = "max-age=2419200";
/// The page names the assets of its own version: it is asked for every time.
const PAGE_CACHE: &str = "no-cache";

/// Pages for [`super::serve()`]: `/` and `/static-files/…` from `directory`.
pub fn pages(directory: &Path) -> Result<Router> {
    let index = directory.join("index.html");
    let directory = directory.canonicalize().map_err(|error| Error::io(directory, error))?;
    std::fs::metadata(&index).map_err(|error| Error::io(&index, error))?;
    Ok(Router::new()
        .route("/", get(page))
        .route("/static-files/{*path}", get(asset))
        .with_state(Arc::new(directory)))
}

/// These pages, and pages of one's own below `/ui`, whose links begin with `prefix` and that.
pub fn beside(pages: Router, own: Router, prefix: &str) -> Router {
    let home = format!("{prefix}/ui");
    let to_home = move || std::future::ready(Redirect::permanent(&home));
    pages.nest("/ui", own).route("/ui/", get(to_home))
}

async fn page(State(directory): State<Arc<PathBuf>>) -> Response {
    file(&directory.join("index.html"), PAGE_CACHE).await
}

async fn asset(
    State(directory): State<Arc<PathBuf>>,
    RoutePath(raw): RoutePath<String>,
) -> Response {
    let Ok(path) = ArtifactPath::from_request(&raw) else { return not_found() };
    let path = directory.join(path.as_str());
    // A symlink must not lead out of the folder.
    match tokio::fs::canonicalize(&path).await {
        Ok(path) if path.starts_with(&*directory) => file(&path, ASSET_CACHE).await,
        _ => not_found(),
    }
}

async fn file(path: &Path, cache: &'static str) -> Response {
    let opened = match tokio::fs::File::open(path).await {
        Ok(file) => file.metadata().await.map(|metadata| (file, metadata)),
        Err(error) => Err(error),
    };
    let (file, metadata) = match opened {
        Ok((file, metadata)) if metadata.is_file() => (file, metadata),
        Ok(_directory) => return not_found(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return not_found(),
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "a page could not be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut response = Body::from_stream(ReaderStream::new(file)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(metadata.len()));
    response
}

/// Browsers run scripts and apply styles only under their own types.
fn content_type(name: &str) -> HeaderValue {
    let kind = media_type::of(name);
    let text = kind.starts_with("text/").then(|| format!("{kind}; charset=utf-8"));
    let with_charset = text.and_then(|kind| HeaderValue::try_from(kind).ok());
    with_charset.unwrap_or(HeaderValue::from_static(kind))
}
