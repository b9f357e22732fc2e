//! CSV text that is not UTF-8, where it is said what it is.

use std::borrow::Cow;
use std::path::Path;

use encoding_rs::Encoding;

use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::source::Text;

/// The text as UTF-8; it stays where it is when no encoding is given. Text in another encoding is in memory
/// as a whole.
pub(crate) fn decoded(path: &Path, text: Text, options: &ReadOptions) -> Result<Text> {
    let Some(label) = &options.encoding else { return Ok(text) };
    let wrong = |reason: String| Error::Format { path: path.to_owned(), reason };
    let encoding = Encoding::for_label(label.as_bytes())
        .ok_or_else(|| wrong(format!("there is no encoding {label:?}; try windows-1252")))?;
    let input = text.input(path)?;
    let mut buffer = Vec::new();
    let bytes = input.get(0, input.len(), &mut buffer)?;
    let (decoded, used, has_errors) = encoding.decode(bytes);
    if has_errors {
        return Err(wrong(format!("its text is not {}", used.name())));
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
        assert!(read(b"a", "klingon").is_err());
    }
}
