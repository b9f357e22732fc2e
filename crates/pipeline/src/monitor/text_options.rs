//! Options of reading text, by the words that users write.

use std::str::FromStr;

/// What separates the fields of CSV: one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(pub u8);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Self(*byte)),
            _ => Err(format!("{text:?} is no separator: one character, or tab")),
        }
    }
}

/// What is done with rows that have fewer fields than the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortRows {
    /// What lacks is missing.
    Fill,
    /// The table is refused.
    Refuse,
}

impl FromStr for ShortRows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fill" => Ok(Self::Fill),
            "refuse" => Ok(Self::Refuse),
            _ => Err(format!("{text:?}: fill or refuse")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_one_byte() {
        let read = |text: &str| text.parse::<Delimiter>().ok().map(|delimiter| delimiter.0);
        assert_eq!(read(";"), Some(b';'));
        assert_eq!(read("tab"), Some(b'\t'));
        assert_eq!(read("\t"), Some(b'\t'));
        for wrong in ["", ";;", "\"", "\n", "é"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
