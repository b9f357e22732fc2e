//! Credentials out of text that somebody will read: messages of other libraries repeat the URI they were
//! given, with the user info and the query that [`uri::without_credentials`](crate::uri) takes out.
//!
//! Whatever writes to a log, a terminal or an open page passes its text through [`hide`] last, so that no
//! message has to be trusted to have done it.

use std::borrow::Cow;

use crate::uri::without_credentials;

/// The text with every URI in it as [`without_credentials`] shows it.
pub fn hide(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.find(MARK) {
        let start = start_of_scheme(rest, mark);
        let (before, uri) = rest.split_at(start);
        let (uri, after) = uri.split_at(end_of_uri(uri));
        shown.push_str(before);
        shown.push_str(&without_credentials(uri));
        rest = after;
    }
    shown.push_str(rest);
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Where the scheme begins that ends at `mark`.
fn start_of_scheme(text: &str, mark: usize) -> usize {
    let bytes = text.as_bytes().get(..mark).unwrap_or_default();
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    mark - bytes.iter().rev().take_while(|byte| is_scheme(byte)).count()
}

/// Where a URI ends within a sentence: at what nobody writes into one unencoded. A quote that JSON or Rust
/// escapes ends it before the backslash.
fn end_of_uri(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"`<>".contains(c);
    let end = text.find(ends).unwrap_or(text.len());
    let uri = text.get(..end).unwrap_or_default();
    if text.get(end..).is_some_and(|after| after.starts_with('"')) {
        return uri.trim_end_matches('\\').len();
    }
    // The full stop and the bracket of a sentence are not the URI's.
    uri.trim_end_matches(['.', ',', ';', ':', ')', '\'']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_in_sentences_lose_their_credentials() {
        for (text, shown) in [
            ("nothing to hide: a@b c:/d", "nothing to hide: a@b c:/d"),
            ("cannot open 's3://key:SECRET@bucket/x'.", "cannot open 's3://***@bucket/x'."),
            (
                "at http://127.0.0.1:5000, Ctrl-C stops it",
                "at http://127.0.0.1:5000, Ctrl-C stops it",
            ),
            (
                "ftp://u:SECRET@a/b and (https://SECRET@c/d?sig=SECRET)",
                "ftp://***@a/b and (https://***@c/d?***)",
            ),
            (
                r#"{"error":"no \"postgresql://u:SECRET@h/db?p=SECRET\" here"}"#,
                r#"{"error":"no \"postgresql://***@h/db?***\" here"}"#,
            ),
            ("uri=\u{1b}[0mhttps://u:SECRET@h\u{1b}[0m", "uri=\u{1b}[0mhttps://***@h\u{1b}[0m"),
            ("line = \"s3://k:SECRET@b/ü\" # ://", "line = \"s3://***@b/ü\" # ://"),
            ("://", "://"),
        ] {
            assert_eq!(hide(text), shown);
        }
    }

    #[test]
    fn what_has_no_secret_is_not_copied() {
        assert!(matches!(hide("at http://127.0.0.1:5000"), Cow::Borrowed(_)));
    }
}
