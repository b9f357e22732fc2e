//! What an `Authorization` header says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::auth_file::{Kind, SECRET_BYTES_MAX};

/// A name and a password, or a token.
pub(crate) struct Presented {
    pub(crate) kind: Kind,
    /// Empty for a token.
    pub(crate) name: String,
    pub(crate) secret: String,
}

impl Presented {
    /// None of a header that is not as clients write it.
    pub(crate) fn read(value: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = rest.trim();
        if rest.len() > 2 * SECRET_BYTES_MAX {
            return None;
        }
        let presented = if scheme.eq_ignore_ascii_case("bearer") {
            Self { kind: Kind::Token, name: String::new(), secret: rest.to_owned() }
        } else if scheme.eq_ignore_ascii_case("basic") {
            let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (name, secret) = text.split_once(':')?;
            Self { kind: Kind::User, name: name.to_owned(), secret: secret.to_owned() }
        } else {
            return None;
        };
        (presented.secret.len() <= SECRET_BYTES_MAX).then_some(presented)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_clients_write_them() {
        let read = |text: &str| {
            Presented::read(&HeaderValue::from_str(text).unwrap())
                .map(|given| (given.kind, given.name, given.secret))
        };
        let basic = format!("Basic {}", STANDARD.encode("alice:a:b"));
        assert_eq!(read(&basic), Some((Kind::User, "alice".to_owned(), "a:b".to_owned())));
        assert_eq!(read("bearer t0k"), Some((Kind::Token, String::new(), "t0k".to_owned())));
        for bad in ["Basic", "Basic !!!", "Digest x", "Basic YQ==", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("Bearer {}", "x".repeat(1025))), None);
    }
}
