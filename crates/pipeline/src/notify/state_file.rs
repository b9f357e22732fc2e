//! Files in a project's state folder that say who was told what. One that cannot be read keeps nobody from telling: that is
//! said, and it is begun anew.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What all of them say of themselves.
#[derive(Deserialize)]
struct Head {
    schema_version: u32,
}

/// What a file of this version holds; the default where there is none, and, after a warning that begins with `lost`, where
/// it is larger than so many bytes, damaged, or of another version.
pub(super) fn read<State>(path: &Path, version: u32, bytes_max: u64, lost: &str) -> State
where
    State: DeserializeOwned + Default,
{
    let read = || -> io::Result<State> {
        let length = std::fs::metadata(path)?.len();
        if length > bytes_max {
            return Err(io::Error::other(format!("{length} bytes; at most {bytes_max} are read")));
        }
        let bytes = std::fs::read(path)?;
        // What a later version has besides is not known to be right.
        let Head { schema_version } = serde_json::from_slice(&bytes)?;
        if schema_version != version {
            return Err(io::Error::other(format!(
                "it has version {schema_version}, not {version}"
            )));
        }
        Ok(serde_json::from_slice(&bytes)?)
    };
    match read() {
        Ok(state) => state,
        Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "{lost}");
            State::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct State {
        told: Vec<String>,
    }

    #[test]
    fn what_cannot_be_read_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let of = |text: &str| -> State {
            std::fs::write(&path, text).unwrap();
            read(&path, 1, 100, "it is not known")
        };
        let kept = of(r#"{"schema_version":1,"told":["a"]}"#);
        assert_eq!(kept.told, ["a"]);
        for text in [
            "",
            "{",
            r#"{"told":["a"]}"#,
            r#"{"schema_version":2,"told":["a"]}"#,
            r#"{"schema_version":1,"told":7}"#,
            &format!(r#"{{"schema_version":1,"told":["{}"]}}"#, "a".repeat(100)),
        ] {
            assert_eq!(of(text), State::default(), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read::<State>(&path, 1, 100, "it is not known"), State::default());
    }
}
