//! Why a text is not JSON: the parser says so in words alone, so it is looked up where it gave up.

use serde::de::IgnoredAny;

/// Bytes of a number that are repeated.
const SHOWN_BYTES_MAX: usize = 20;

/// What the parser stopped at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A number that no double holds; this is its beginning.
    TooLarge(String),
    /// An escape that is half a character.
    HalfCharacter,
    /// Anything else.
    Malformed,
}

impl Cause {
    /// Why `text` could not be parsed.
    pub(super) fn of(text: &[u8], error: &serde_json::Error) -> Self {
        if !error.is_syntax() {
            return Self::Malformed;
        }
        let before = text.split_inclusive(|byte| *byte == b'\n').take(error.line().max(1) - 1);
        let end = before.map(<[u8]>::len).sum::<usize>() + error.column();
        let end = end.min(text.len());
        if let Some(number) = too_large(text, end) {
            return Self::TooLarge(number);
        }
        if has_half_character(text, end) { Self::HalfCharacter } else { Self::Malformed }
    }
}

/// The beginning of the number at `end`, if it is one and no double holds it.
fn too_large(text: &[u8], end: usize) -> Option<String> {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let before = text.get(..end)?;
    let start = before.iter().rposition(|byte| !is_of_number(byte)).map_or(0, |place| place + 1);
    let rest = text.get(start..)?;
    let length = rest.iter().take_while(|byte| is_of_number(byte)).count();
    let number = std::str::from_utf8(rest.get(..length)?).ok()?;
    let is_json = serde_json::from_str::<IgnoredAny>(number).is_ok();
    if !is_json || !number.parse::<f64>().is_ok_and(f64::is_infinite) {
        return None;
    }
    Some(match number.get(..SHOWN_BYTES_MAX) {
        Some(shown) if number.len() > SHOWN_BYTES_MAX => format!("{shown}…"),
        _ => number.to_owned(),
    })
}

/// Whether one of the escapes that begin before `end` is a surrogate without its other half.
fn has_half_character(text: &[u8], end: usize) -> bool {
    let mut at = 0;
    while at < end {
        if text.get(at) != Some(&b'\\') {
            at += 1;
            continue;
        }
        match unit(text, at) {
            Some(0xdc00..=0xdfff) => return true,
            Some(0xd800..=0xdbff) => match (text.get(at + 6..), unit(text, at + 6)) {
                (_, Some(0xdc00..=0xdfff)) => at += 12,
                // Not hexadecimal: malformed.
                (Some([b'\\', b'u', ..]), None) => return false,
                _ => return true,
            },
            _ => at += 2,
        }
    }
    false
}

/// The UTF-16 unit of the escape at `at`, if it is one.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = text.get(at..at + 6)? else { return None };
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn cause(text: &str) -> Cause {
        let error = serde_json::from_str::<Value>(text).unwrap_err();
        Cause::of(text.as_bytes(), &error)
    }

    #[test]
    fn causes_are_told_apart() {
        for text in
            [r#""\ud800""#, r#"["\n\ud83d\ude00", "\udc00"]"#, r#""\ud800\u0041""#, "\"\\ud800\n"]
        {
            assert_eq!(cause(text), Cause::HalfCharacter, "{text}");
        }
        for text in [
            "{",
            "[1 2]",
            r#"["\ud83d\ude00" 1]"#,
            r#""\ud800\u00zz""#,
            r#""\ud800"#,
            "01e999",
            "+1e999",
            "1.e999",
        ] {
            assert_eq!(cause(text), Cause::Malformed, "{text}");
        }
        assert_eq!(cause("[1,\n -1e999]"), Cause::TooLarge("-1e999".to_owned()));
    }
}
