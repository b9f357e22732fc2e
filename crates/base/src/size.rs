//! Numbers of bytes as users write them: on command lines, in `trainyard.toml`, everywhere with one meaning.
//!
//! | written | is |
//! |---|---|
//! | `4096`, `4096B` | 4096 |
//! | `512kB`, `512MB`, `2GB`, `1TB` | powers of 1000 |
//! | `512KiB`, `512MiB`, `1.5GiB`, `1TiB`, also without the B | powers of 1024 |
//! | `512k`, `512m`, `2g`, `1t` | powers of 1024, as container engines and Java read a single letter |
//!
//! Capitals do not matter, and there may be a space before the unit.

use std::str::FromStr;

use serde::Deserialize;

/// No size is larger: databases and configuration files hold 63 bits.
const BYTES_MAX: u64 = i64::MAX as u64;

/// A number of bytes, one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Written")]
pub struct Bytes(pub u64);

/// A text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size; write 512MB, 1.5GiB or a number of bytes")]
pub struct NoSize(String);

/// The bytes that a text means: [`Bytes`] for those who hold a plain number.
pub fn parse(text: &str) -> Result<u64, NoSize> {
    bytes(text).ok_or_else(|| NoSize(text.to_owned()))
}

/// The same where none is a choice: `0` and `off` are 0.
pub fn parse_or_off(text: &str) -> Result<u64, NoSize> {
    if matches!(text.trim(), "0" | "off") { Ok(0) } else { parse(text) }
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let (number, unit) = text.split_at(text.find(|c| !is_of_number(c)).unwrap_or(text.len()));
    let unit = factor(unit.trim_start())?;
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(unit)?,
        // A double holds the product to the byte as far as anyone writes a fraction.
        Err(_) => (number.parse::<f64>().ok()? * unit as f64) as u64,
    };
    (1..=BYTES_MAX).contains(&bytes).then_some(bytes)
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let mut letters = unit.chars();
    let power = match letters.next() {
        None => return Some(1),
        Some('b') if letters.as_str().is_empty() => return Some(1),
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return None,
    };
    match letters.as_str() {
        "b" => Some(1000_u64.pow(power)),
        "" | "i" | "ib" => Some(1024_u64.pow(power)),
        _ => None,
    }
}

impl FromStr for Bytes {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        parse(text).map(Self)
    }
}

/// How files hold a size.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a size is a text such as \"512MB\", or a number of bytes")]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Bytes {
    type Error = NoSize;

    fn try_from(written: Written) -> Result<Self, NoSize> {
        match written {
            Written::Number(bytes) => bytes.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_a_size_where_it_is_a_choice() {
        let read = |text: &str| parse_or_off(text).ok();
        assert_eq!(
            ["0", " off", "1k", "", "-1"].map(read),
            [Some(0), Some(0), Some(1024), None, None]
        );
    }

    #[test]
    fn every_way_to_write_a_size_means_one_thing() {
        for (text, bytes) in [
            ("4096", 4096),
            ("7B", 7),
            ("100b", 100),
            ("2kB", 2000),
            ("512MB", 512_000_000),
            ("512mb", 512_000_000),
            ("1GB", 1_000_000_000),
            ("1TB", 1_000_000_000_000),
            ("512MiB", 512 << 20),
            ("512 MiB", 512 << 20),
            ("512Mi", 512 << 20),
            ("512m", 512 << 20),
            ("2G", 2 << 30),
            ("1.5k", 1536),
            ("1.5GiB", 3 << 29),
            ("0.1GB", 100_000_000),
            (" 1TiB ", 1 << 40),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_named() {
        for text in [
            "",
            "MB",
            "-1MB",
            "+1",
            "0",
            "0.1",
            "nanMB",
            "inf",
            "1e6",
            "1e30",
            "1.2.3MB",
            "12 parsecs",
            "2x",
            "1kbb",
            "1bb",
            "99999999999GiB",
            "9223372036854775808",
            "4 apples",
            "512 M B",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn files_hold_texts_and_numbers() {
        let read = |json: &str| serde_json::from_str::<Bytes>(json).map_err(|e| e.to_string());
        assert_eq!(read("\"1.5GiB\""), Ok(Bytes(3 << 29)));
        assert_eq!(read("4096"), Ok(Bytes(4096)));
        for wrong in ["-1", "0", "1.5", "\"much\"", "[1]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
