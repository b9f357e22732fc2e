//! Where a new experiment may keep its files: in no folder of what its maker may not change.
//!
//! Files of its runs would be among those of another run, which are read, listed and removed as that one's.

use trainyard_mlflow::entities::ViewType;
use trainyard_mlflow::{Result, SearchExperiments};

use super::guard::Guarded;
use crate::access::permission::Action;
use crate::artifacts::percent_decoded;

/// Experiments of one look at where they are.
const PAGE: i64 = 10_000;

/// Schemes whose URLs may have a host that does not matter.
const HOSTED: [&str; 2] = ["file", "mlflow-artifacts"];

/// The path of a URL, without the host.
fn behind_host(path: &str) -> &str {
    let rest = path.strip_prefix("//");
    rest.and_then(|rest| rest.get(rest.find('/')?..)).unwrap_or(path)
}

/// A location in one spelling, by which those of files and buckets are compared.
fn plain(location: &str) -> String {
    let decoded = percent_decoded(location).unwrap_or_else(|| location.to_owned());
    // URLs are read without these.
    let decoded = decoded.replace(['\t', '\n', '\r'], "").replace('\\', "/");
    let path = decoded.split(['?', '#']).next().unwrap_or_default();
    let (scheme, path) = match path.split_once(':') {
        Some((scheme, path)) if !scheme.contains('/') => (scheme.to_ascii_lowercase(), path),
        _ => (String::new(), path),
    };
    // Their host is a server, and this one is as good as any.
    let path = if HOSTED.contains(&scheme.as_str()) { behind_host(path) } else { path };
    let local;
    let (scheme, path) = match scheme.as_str() {
        // The store keeps paths as they are from here.
        "" | "file" => {
            local = std::path::absolute(path)
                .map_or_else(|_error| path.to_owned(), |path| path.display().to_string());
            ("", local.as_str())
        }
        scheme => (scheme, path),
    };
    let mut names: Vec<&str> = vec![scheme];
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.len() > 1 => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

/// Whether one plain location is another one, or below it.
fn is_within(location: &str, folder: &str) -> bool {
    location.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Guarded {
    /// Requires that a location is in no folder of an experiment, run, logged model or trace that is not theirs to
    /// change.
    pub(super) async fn may_keep_files_in(&self, location: &str) -> Result<()> {
        if location.is_empty() || self.sees_everything()? {
            return Ok(());
        }
        self.things_named_in(location, Action::Update).await?;
        let wanted = plain(location);
        let mut search = SearchExperiments {
            view_type: ViewType::All,
            max_results: Some(PAGE),
            ..SearchExperiments::default()
        };
        loop {
            let page = self.inner.experiments.search(search.clone()).await?;
            for experiment in &page.items {
                if is_within(&wanted, &plain(&experiment.artifact_location)) {
                    self.experiment(&experiment.experiment_id, Action::Update)?;
                }
            }
            search.page_token = page.next_page_token;
            if search.page_token.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_however_it_is_written() {
        for (folder, inside) in [
            ("s3://b/ada", "s3://b/ada"),
            ("s3://b/ada", "S3://b/ada/x"),
            ("s3://b/ada/", "s3://b//ada/./x"),
            ("s3://b/ada", "s3://b/bob/../ada/x"),
            ("s3://b/ada", "s3://b/%61da/x"),
            ("s3://b/ada", "s3://b/ada/x?versions=1"),
            ("/data/ada", "file:///data/ada/x"),
            ("file:///data/ada", "/data/ada"),
            ("/data/ada", "file://localhost/data/ada/x"),
            ("mlflow-artifacts:/7", "mlflow-artifacts:/7/x"),
            ("mlflow-artifacts:/7", "mlflow-artifacts://host:5000/7/x"),
            ("mlflow-artifacts:/7", "mlflow-artifacts:///7/x"),
        ] {
            assert!(is_within(&plain(inside), &plain(folder)), "{inside} in {folder}");
        }
        let here = std::path::absolute("mlruns/7").unwrap().display().to_string();
        for inside in ["mlruns/7", "./mlruns/7/x", "x/../mlruns/7/x", "file:mlruns/7/x"] {
            assert!(is_within(&plain(inside), &plain(&here)), "{inside} in {here}");
        }
        for (folder, outside) in [
            ("s3://b/ada", "s3://b/ada2"),
            ("s3://b/ada", "s3://b"),
            ("s3://b/ada", "s3://c/ada"),
            ("s3://b/ada", "gs://b/ada"),
            ("s3://b/ada", "/b/ada"),
            ("mlflow-artifacts:/7", "mlflow-artifacts:/70"),
        ] {
            assert!(!is_within(&plain(outside), &plain(folder)), "{outside} in {folder}");
        }
    }
}
