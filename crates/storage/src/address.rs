//! Which place a URI names, before anything there is asked: what a server compares with the roots it may
//! read and write, and what is shown of a URI, for it holds no keys.

use std::fmt;
use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use crate::error::{Error, Result};
use crate::{cloud, local};

/// A folder of this machine, or a path in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An absolute path without `.` and `..`; symbolic links in it are not resolved.
    Local(PathBuf),
    /// A path in a bucket or container.
    Bucket {
        /// `s3://name`, `gs://name`, `wasbs://container@account`: one spelling for each bucket.
        bucket: String,
        /// The path in it; empty for all of it.
        path: Path,
    },
}

impl Address {
    /// What `uri` names: a path (relative ones to the working directory) or a URI of one of the
    /// crate's schemes.
    pub fn parse(uri: &str) -> Result<Self> {
        match scheme(uri) {
            None => local::absolute(std::path::Path::new(uri)).map(Self::Local),
            Some("file") => local::absolute(&local::file_uri_path(uri)?).map(Self::Local),
            Some(scheme) if cloud::is_known(scheme) => {
                let url = Url::parse(uri).map_err(|error| Error::uri(uri, error.to_string()))?;
                let bucket = cloud::bucket_of(&url)?;
                let path = Path::parse(object_path(uri))
                    .map_err(|_error| Error::uri(uri, "its path is not that of an object"))?;
                Ok(Self::Bucket { bucket, path })
            }
            Some(scheme) => Err(Error::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }

    /// Whether `other` is this place or lies below it. Of folders, their names are compared.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(root), Self::Local(other)) => other.starts_with(root),
            (Self::Bucket { bucket, path }, Self::Bucket { bucket: other, path: below }) => {
                bucket == other && below.prefix_matches(path)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, path } if path.as_ref().is_empty() => f.write_str(bucket),
            Self::Bucket { bucket, path } => write!(f, "{bucket}/{path}"),
        }
    }
}

/// The path of `scheme://bucket/path`. As MLflow reads it, it stands for itself: `%20` is three
/// characters of a name.
fn object_path(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_scheme, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_bucket, path)| path);
    path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/')
}

/// `scheme` of `scheme:…`; none for a path, on which a colon may be anywhere after a slash.
pub fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _rest) = uri.split_once(':')?;
    let mut chars = scheme.chars();
    let named = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    named.then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str) -> Address {
        Address::parse(uri).unwrap()
    }

    #[test]
    fn schemes_are_told_from_paths() {
        assert_eq!(scheme("s3://bucket/x"), Some("s3"));
        assert_eq!(scheme("mlflow-artifacts:/1"), Some("mlflow-artifacts"));
        assert_eq!(scheme("/a/b:c"), None);
        assert_eq!(scheme("./mlartifacts"), None);
        assert_eq!(scheme("mlartifacts"), None);
    }

    #[test]
    fn places_have_one_spelling() {
        for (uri, expected) in [
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
            ("s3a://KEY:SECRET@bucket/a?versionId=1", "s3://bucket/a"),
            ("gs://bucket", "gs://bucket"),
            ("wasb://box@account.blob.core.windows.net/a", "wasbs://box@account/a"),
            ("abfss://box:SECRET@account.dfs.core.windows.net/a", "wasbs://box@account/a"),
            ("file:///data/a%20b", "/data/a b"),
            ("file:/data", "/data"),
            ("/data//x/./y/", "/data/x/y"),
        ] {
            assert_eq!(address(uri).to_string(), expected, "{uri}");
        }
    }

    #[test]
    fn what_climbs_or_is_elsewhere_is_refused() {
        for uri in [
            "/data/../etc",
            "file:///data/%2e%2e/etc",
            "file:///data/..",
            "../etc",
            "file://other/data",
            "file:///a%00b",
            "s3://bucket/../x",
            "s3://bucket/a//b",
            "s3:///a",
            "S3://bucket/a",
            "FILE:///etc",
            "ftp://user:SECRET@host/a",
            "https://user:SECRET@host/a",
            "mlflow-artifacts:/a",
            "runs:/a/b",
        ] {
            let error = Address::parse(uri).unwrap_err().to_string();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn containment_goes_by_whole_names() {
        for (root, uri, expected) in [
            ("/data", "/data/x", true),
            ("/data", "file:///data", true),
            ("/data", "/database", false),
            ("/data/x", "/data", false),
            ("s3://b/x", "s3a://b/x/y", true),
            ("s3://b", "s3://b/x", true),
            ("s3://b/x", "s3://b/xy", false),
            ("s3://b/x", "s3://c/x", false),
            ("s3://b", "gs://b", false),
            ("s3://b", "s3://b@c/x", false),
            ("wasbs://c@a.blob.core.windows.net", "abfss://c@a.dfs.core.windows.net/x", true),
            ("wasbs://c@a.blob.core.windows.net", "wasbs://d@a.blob.core.windows.net/x", false),
            ("wasbs://c@a.blob.core.windows.net", "wasbs://c@e.blob.core.windows.net/x", false),
            ("/", "s3://b", false),
        ] {
            assert_eq!(address(root).contains(&address(uri)), expected, "{root} {uri}");
        }
    }
}
