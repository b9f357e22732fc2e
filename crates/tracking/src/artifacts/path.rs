//! Artifact paths from outside: checked once, then safe to join to a root.

use std::fmt::{self, Write as _};

use percent_encoding::percent_decode_str;
use trainyard_mlflow::{Error, Result};

/// Longest path accepted, in bytes: PATH_MAX of Linux.
const PATH_BYTES_MAX: usize = 4096;
/// How often a text is percent-decoded before it counts as an attempt to hide something.
const DECODE_ROUNDS_MAX: usize = 10;

/// A relative path with `/` that cannot leave the root it is joined to.
///
/// Segments are never empty, `.` or `..`, also where a `\` separates them, and hold no control character or `#`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Reads a path as it is on the storage: `%2e` is three characters, not a dot. A tab, which keys of buckets
    /// cannot have, is kept as `%09`.
    pub fn parse(raw: &str) -> Result<Self> {
        let hostile = raw.len() > PATH_BYTES_MAX
            || raw.starts_with(['/', '\\'])
            || starts_with_drive(raw)
            || raw.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
            || raw.chars().any(|c| c == '#' || c == '\0' || (c.is_control() && !c.is_ascii()))
            // Clients on Windows read a `\` as a separator.
            || raw.split(['/', '\\']).any(|segment| segment == "..");
        if hostile {
            return Err(invalid_path());
        }
        // `a//b`, `./a` and `a/` mean what they mean on a disk.
        let segments = raw.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
        let mut path = String::with_capacity(raw.len());
        for segment in segments {
            if !path.is_empty() {
                path.push('/');
            }
            push_escaped(&mut path, segment);
        }
        Ok(Self(path))
    }

    /// Reads a path of an HTTP request. As upstream, it is percent-decoded until nothing changes,
    /// so that `%252e%252e` hides nothing.
    pub fn from_request(raw: &str) -> Result<Self> {
        Self::parse(&percent_decoded(raw).ok_or_else(invalid_path)?)
    }

    /// The path, without leading or trailing `/`; "" is the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last segment; "" for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// This path, then `below`.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, below.0)),
        }
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text without any layer of percent-encoding; none if that does not end, or is not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for _round in 0..DECODE_ROUNDS_MAX {
        let next = percent_decode_str(&text).decode_utf8().ok()?.into_owned();
        if next == text {
            return Some(text);
        }
        text = next;
    }
    None
}

/// Adds a segment to a path, its control characters as `%09`.
fn push_escaped(path: &mut String, segment: &str) {
    for character in segment.chars() {
        if character.is_ascii_control() {
            // Writing to a string cannot fail.
            let _infallible = write!(path, "%{:02x}", u32::from(character));
        } else {
            path.push(character);
        }
    }
}

/// A path of the storage as clients wrote it: with control characters.
pub(super) fn with_controls(path: &str) -> String {
    let mut parts = path.split('%');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).filter(|code| !code.starts_with('+'));
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match (code, part.get(2..)) {
            (Some(code), Some(rest)) if code.is_ascii_control() && code != 0 => {
                shown.push(char::from(code));
                shown.push_str(rest);
            }
            _ => {
                shown.push('%');
                shown.push_str(part);
            }
        }
    }
    shown
}

/// Upstream's words for every path that could leave its root.
fn invalid_path() -> Error {
    Error::invalid("Invalid path")
}

/// `C:/…` is absolute on Windows, and upstream refuses it everywhere.
fn starts_with_drive(raw: &str) -> bool {
    matches!(raw.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expect: Option<&str>) {
        let read = ArtifactPath::from_request(raw).ok();
        assert_eq!(read.as_ref().map(ArtifactPath::as_str), expect, "{raw:?}");
    }

    #[test]
    fn plain_paths_are_kept_and_tidied() {
        check("", Some(""));
        check("model/MLmodel", Some("model/MLmodel"));
        check("a//b/./c/", Some("a/b/c"));
        check("a b%20c", Some("a b c"));
        check("~model~/[1]*.txt", Some("~model~/[1]*.txt"));
        check("..a/b..", Some("..a/b.."));
        check("modèle/данные", Some("modèle/данные"));
        check("a%5cb..", Some("a\\b.."));
        check("a%09b\nc", Some("a%09b%0ac"));
        check("a%2509b%250ac", Some("a%09b%0ac"));
    }

    #[test]
    fn control_characters_come_back_as_they_were() {
        for name in ["a\tb\\c\n.txt", "100% %", "a%20b%zz%", "é%é"] {
            let kept = ArtifactPath::parse(name).unwrap();
            assert!(!kept.as_str().chars().any(char::is_control), "{kept}");
            assert_eq!(with_controls(kept.as_str()), name);
        }
    }

    #[test]
    fn whatever_could_leave_the_root_is_refused() {
        for raw in [
            "..",
            "../x",
            "a/../b",
            "a/..",
            "%2e%2e/x",
            "%252e%252e%252fx",
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "C:/x",
            "file:///etc/passwd",
            "FILE:etc",
            "a\\..\\b",
            "..%5cb",
            "a/..%5cb",
            "%5ca",
            "C:\\x",
            "a%00b",
            "a#1",
            "%ff",
        ] {
            check(raw, None);
        }
        check(&"x/".repeat(3000), None);
    }

    proptest::proptest! {
        #[test]
        fn no_accepted_path_climbs(raw in "[a./%25e2fE\\\\]{0,24}") {
            if let Ok(path) = ArtifactPath::from_request(&raw) {
                let plain = std::path::Path::new(path.as_str())
                    .components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)));
                proptest::prop_assert!(plain, "{}", path);
            }
        }
    }
}
