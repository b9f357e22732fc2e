//! Cookies of the pages: read as browsers send them, and written so that scripts, other sites and plain connections
//! get none of them.

use http::{HeaderMap, HeaderValue, header};

/// Who is signed in.
pub(crate) const SESSION: &str = "trainyard_session";
/// A sign-in at a provider that is under way.
pub(crate) const FLOW: &str = "trainyard_sign_in";
/// A form for a name and a password that was shown.
pub(crate) const FORM: &str = "trainyard_form";

/// The value of a cookie.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The header that sets one for so many seconds; one of 0 seconds is taken away. The value is of letters, digits, `-`
/// and `_`.
pub(crate) fn set(name: &str, value: &str, seconds: i64, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    // It is text of ours.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xtrainyard_session=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("trainyard_session=3;b"));
        assert_eq!(value(&headers, SESSION), Some("3"));
        assert_eq!(value(&headers, "a"), Some("1"));
        assert_eq!(value(&headers, "b"), None);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_other_sites_and_plain_connections() {
        let line = set(SESSION, "x", 60, true);
        assert_eq!(line, "trainyard_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        assert!(!set(SESSION, "x", 60, false).to_str().unwrap().contains("Secure"));
    }
}
