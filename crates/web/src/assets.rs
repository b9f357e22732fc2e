//! The style sheet, the script and the icon, at addresses with a digest of their content: a browser keeps them for good,
//! and a new version of the program is seen at once.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use sha2::{Digest as _, Sha256};

use crate::gzip;

/// Bytes of a digest in a name: enough to tell the versions of a file apart.
const DIGEST_BYTES: usize = 8;
/// What has another content has another name: a year, the longest that the word `immutable` is commonly used with.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    const TEXT: &str = concat!(
        include_str!("assets/style.css"),
        include_str!("assets/experiment.css"),
        include_str!("assets/monitoring.css"),
        include_str!("assets/run.css"),
        include_str!("assets/services.css"),
    );
    Asset::new("trainyard", "css", "text/css; charset=utf-8", TEXT)
});

pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    const TEXT: &str = concat!(
        include_str!("assets/script.js"),
        include_str!("assets/chart.js"),
        include_str!("assets/live.js"),
    );
    Asset::new("trainyard", "js", "text/javascript; charset=utf-8", TEXT)
});

pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// A file that pages need.
#[derive(Debug)]
pub(crate) struct Asset {
    /// `trainyard-0123456789abcdef.css`.
    pub(crate) name: String,
    stem: &'static str,
    ending: &'static str,
    content_type: &'static str,
    text: &'static str,
    /// The text as gzip, packed as small as it gets: once, not at each request.
    packed: Option<Vec<u8>>,
}

impl Asset {
    fn new(
        stem: &'static str,
        ending: &'static str,
        content_type: &'static str,
        text: &'static str,
    ) -> Self {
        let digest = Sha256::digest(text);
        let digest = hex::encode(digest.get(..DIGEST_BYTES).unwrap_or(&digest));
        let packed = gzip::gzip(text.as_bytes(), Compression::best()).ok();
        let packed = packed.filter(|packed| packed.len() < text.len());
        Self { name: format!("{stem}-{digest}.{ending}"), stem, ending, content_type, text, packed }
    }

    /// Whether `name` is this file's, of this version or another, or as it was without a digest.
    fn is_other_version(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.stem).and_then(|rest| rest.strip_suffix(self.ending));
        let Some(digest) = rest.and_then(|rest| rest.strip_suffix('.')) else { return false };
        digest.is_empty()
            || digest.strip_prefix('-').is_some_and(|digest| {
                digest.len() == 2 * DIGEST_BYTES
                    && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    }

    pub(crate) fn answer(&self, takes_gzip: bool) -> Response {
        let packed = self.packed.as_deref().filter(|_packed| takes_gzip);
        let mut headers = HeaderMap::new();
        let mut set =
            |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, self.content_type);
        set(header::CACHE_CONTROL, FOR_GOOD);
        if packed.is_some() {
            set(header::CONTENT_ENCODING, "gzip");
        }
        match packed {
            Some(packed) => (headers, packed.to_vec()).into_response(),
            None => (headers, self.text).into_response(),
        }
    }
}

/// The file of a name, and whether it is of this version.
pub(crate) fn find(name: &str) -> Option<(&'static Asset, bool)> {
    let all = [&*STYLE, &*SCRIPT, &*ICON];
    let found = all.into_iter().find(|asset| asset.name == name).map(|asset| (asset, true));
    let other = || all.into_iter().find(|asset| asset.is_other_version(name));
    found.or_else(|| other().map(|asset| (asset, false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_known_by_their_names() {
        let asset = Asset::new("trainyard", "css", "text/css", "a{}");
        assert_eq!(asset.name, "trainyard-5f546eb4606b5c2b.css");
        for (name, is_known) in [
            (asset.name.as_str(), true),
            ("trainyard.css", true),
            ("trainyard-0123456789abcdef.css", true),
            ("trainyard-0123456789abcdeg.css", false),
            ("trainyard-0123.css", false),
            ("trainyard-0123456789abcdef.js", false),
            ("trainyardcss", false),
            ("icon.svg", false),
            ("", false),
        ] {
            assert_eq!(asset.is_other_version(name), is_known, "{name}");
        }
    }

    #[test]
    fn what_gets_no_smaller_is_not_packed() {
        assert!(Asset::new("a", "css", "text/css", "a{}").packed.is_none());
        assert!(STYLE.packed.as_ref().is_some_and(|packed| packed.len() * 2 < STYLE.text.len()));
    }
}
