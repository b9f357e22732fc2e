//! CSV text that is not UTF-8, where it is said what it is.

use std::borrow::Cow;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::source::Text;

/// The text as UTF-8; it stays where it is when no encoding is given. Text in another encoding is in memory
/// as a whole.
///
/// What is said of several files need not hold for each: a byte order mark decides, and text that is UTF-8 is
/// never taken for UTF-16.
pub(crate) fn decoded(path: &Path, text: Text, options: &ReadOptions) -> Result<Text> {
    let Some(label) = &options.encoding else { return Ok(text) };
    let wrong = |reason: String| Error::Format { path: path.to_owned(), reason };
    let encoding = Encoding::for_label(label.as_bytes())
        .ok_or_else(|| wrong(format!("there is no encoding {label:?}; try windows-1252")))?;
    let stored = match &text {
        Text::Memory(bytes) => bytes.len() as u64,
        Text::File(_, length) => *length,
    };
    let input = text.input(path)?;
    let mut buffer = Vec::new();
    let bytes = input.get(0, input.len(), &mut buffer)?;
    // Its mark, which says UTF-8, was left off.
    let is_marked = (input.len() as u64) < stored;
    let is_wide = [UTF_16LE, UTF_16BE].contains(&encoding);
    // A line break in UTF-16 has a NUL.
    let is_narrow = || memchr::memchr(0, bytes).is_none() && std::str::from_utf8(bytes).is_ok();
    let encoding = if is_marked || is_wide && is_narrow() { UTF_8 } else { encoding };
    let (decoded, used, has_errors) = encoding.decode(bytes);
    if has_errors {
        return Err(wrong(format!(
            "its text is not {} (--encoding is said of all files)",
            used.name()
        )));
    }
    let decoded = match decoded {
        // It was UTF-8 all along.
        Cow::Borrowed(same) => same.as_bytes().to_vec(),
        Cow::Owned(other) => other.into_bytes(),
    };
    Ok(Text::Memory(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_the_encoding_that_is_said() {
        let read = |bytes: &[u8], label: &str| {
            let options =
                ReadOptions { encoding: Some(label.to_owned()), ..ReadOptions::default() };
            let text = decoded(Path::new("t.csv"), Text::Memory(bytes.to_vec()), &options)?;
            match text {
                Text::Memory(text) => Ok(String::from_utf8(text).unwrap_or_default()),
                Text::File(..) => Err(Error::EmptyFile { path: "t.csv".into() }),
            }
        };
        assert_eq!(read(b"caf\xe9", "latin1").unwrap(), "café");
        assert_eq!(read(b"\xff\xfea\0,\0b\0", "utf-16").unwrap(), "a,b");
        assert!(read(b"caf\xe9", "utf-8").is_err());
        // What the text itself says goes before what is said of it.
        assert_eq!(read(b"\xef\xbb\xbfcaf\xc3\xa9", "latin1").unwrap(), "café");
        assert_eq!(read(b"\xff\xfea\0", "latin1").unwrap(), "a");
        assert_eq!(read(b"caf\xc3\xa9,b\n", "utf-16").unwrap(), "café,b\n");
        assert!(read(b"a", "klingon").is_err());
    }
}
