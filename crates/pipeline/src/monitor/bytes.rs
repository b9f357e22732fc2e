//! Sizes of memory: how users write them, and how much there is.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A number of bytes, written as `512MB`, `2GiB` or `1000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
];

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_lowercase();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)))
            .unwrap_or_else(|| (lower.strip_suffix('b').unwrap_or(&lower), 1));
        let wrong = || format!("{text:?} is no size; write 512MB, 2GiB or a number of bytes");
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let bytes = number * unit as f64;
        if !(1.0..1e18).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Self(bytes as u64))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Half of the memory that is free now, in this machine and in this container.
pub(super) fn half_of_free() -> u64 {
    /// Where nothing can be found out: what a small machine has to spare.
    const UNKNOWN: u64 = 1 << 30;
    trainyard_base::memory::available(None).unwrap_or(UNKNOWN) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("512MB", 512_000_000),
            ("2 GiB", 2 << 30),
            ("1.5k", 1536),
            ("100b", 100),
            ("4096", 4096),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "MB", "-1MB", "nanMB", "1e30", "12 parsecs"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        assert!(half_of_free() > 0);
    }
}
