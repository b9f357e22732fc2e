//! Paths with doubled slashes: clients that are given a URI with a slash at its end (R's among them) write
//! `http://host:5000//api/2.0/…`. They mean what they would mean with one slash, before anything is decided by a path.

use http::uri::PathAndQuery;
use http::{Request, Uri};

/// Mends the path of a request.
pub(super) fn mend<B>(request: &mut Request<B>) {
    let Some(path) = single(request.uri().path()) else { return };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("{path}{query}").parse::<PathAndQuery>().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// The path with single slashes, if it has others. What follows where files are is the client's own, and is
/// looked at there.
fn single(path: &str) -> Option<String> {
    if !path.contains("//") {
        return None;
    }
    let path = format!("/{}", path.trim_start_matches('/'));
    if path.contains("/mlflow-artifacts/") {
        return Some(path);
    }
    let mut mended = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !mended.ends_with('/') {
            mended.push(character);
        }
    }
    Some(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_single_outside_of_files() {
        for (written, meant) in [
            ("//api/2.0/mlflow/runs/get?run_id=a//b", "/api/2.0/mlflow/runs/get?run_id=a//b"),
            ("/api//2.0/mlflow///runs/get", "/api/2.0/mlflow/runs/get"),
            (
                "///api/2.0/mlflow-artifacts/artifacts/a//b",
                "/api/2.0/mlflow-artifacts/artifacts/a//b",
            ),
            ("/health", "/health"),
            ("//", "/"),
        ] {
            let mut request = Request::new(());
            *request.uri_mut() = written.parse().unwrap();
            mend(&mut request);
            assert_eq!(request.uri().to_string(), meant, "{written}");
        }
    }
}
