//! Request smuggling: what a request must be like to be passed on. Whatever two programs could read in two
//! ways is refused here, by rules stricter than those of the parser, and before an instance hears of it.
//!
//! RFC 9112 sections 3.2 and 6.3, RFC 9110 section 7.6.1, RFC 9113 section 8.3.1. What the parser itself
//! refuses (control characters, folded lines, blanks before a colon, lengths that are no numbers) never
//! gets here; what it mends without a word never gets here either (`is_strict` of the connections' limits).

use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE,
    EXPECT, FORWARDED, HOST, HeaderName, TRANSFER_ENCODING,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use super::failure::Failure;

/// Headers that an instance relies on: none is taken away because a client calls it a matter of the
/// connection, nor comes under a name that only looks like it.
static RELIED_ON: [HeaderName; 15] = [
    ACCEPT,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    FORWARDED,
    HOST,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-id"),
    // Not one to rely on, but one to hide.
    TRANSFER_ENCODING,
];

/// Refuses what is not passed on.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Failure> {
    method(request.method())?;
    host(request)?;
    let headers = request.headers();
    length(headers)?;
    connection(headers)?;
    headers.keys().try_for_each(name)
}

/// Whether a request would be passed on: for the fuzz target of heads.
#[cfg(fuzzing)]
pub fn passes_on<B>(request: &Request<B>) -> bool {
    check(request).is_ok()
}

fn bad(reason: &'static str) -> Failure {
    Failure::Refused(StatusCode::BAD_REQUEST, reason)
}

/// Tunnels are not made, and headers are not shown to whoever can make a browser ask.
fn method(method: &Method) -> Result<(), Failure> {
    let refused = |reason| Err(Failure::Refused(StatusCode::METHOD_NOT_ALLOWED, reason));
    match method.as_str() {
        "CONNECT" => refused("this is not a forward proxy"),
        "TRACE" | "TRACK" => refused("requests are not traced"),
        _ => Ok(()),
    }
}

/// One host, said once, or twice alike.
fn host<B>(request: &Request<B>) -> Result<(), Failure> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("more than one Host"));
    }
    if host.is_some_and(|host| !is_authority(host)) {
        return Err(bad("Host is not the name of a host"));
    }
    let target = request.uri().authority();
    if let Some(target) = target {
        if !matches!(request.uri().scheme_str(), Some("http" | "https")) {
            return Err(bad("the request target is not one of this service"));
        }
        if target.as_str().contains('@') {
            return Err(bad("the request target names a user"));
        }
        let differs =
            |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes());
        if host.is_some_and(differs) {
            return Err(bad("the request target and Host differ"));
        }
    }
    // HTTP/2 may name the host in the target alone; HTTP/1.0 knows none.
    let may_lack = match request.version() {
        Version::HTTP_2 => target.is_some(),
        version => version < Version::HTTP_11,
    };
    if host.is_none() && !may_lack { Err(bad("Host is missing")) } else { Ok(()) }
}

/// A name or an address, and a port. No user, no list.
fn is_authority(host: &HeaderValue) -> bool {
    let Ok(text) = host.to_str() else { return false };
    let is_name = |name: Authority| {
        let port_is_number = name.host() == name.as_str() || name.port_u16().is_some();
        !name.host().is_empty() && port_is_number
    };
    !text.contains('@') && text.parse().is_ok_and(is_name)
}

/// One way to know where the body ends.
fn length(headers: &HeaderMap) -> Result<(), Failure> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let (length, encoding) = (lengths.next(), encodings.next());
    if lengths.next().is_some() {
        return Err(bad("more than one Content-Length"));
    }
    if encodings.next().is_some() || (length.is_some() && encoding.is_some()) {
        return Err(bad("more than one way to know the length of the body"));
    }
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(bad("Transfer-Encoding is not chunked"));
    }
    let is_odd = |length: &HeaderValue| {
        let digits = length.as_bytes();
        digits.is_empty()
            || !digits.iter().all(u8::is_ascii_digit)
            || (digits.len() > 1 && digits.starts_with(b"0"))
    };
    if length.is_some_and(is_odd) {
        return Err(bad("Content-Length is not a plain number"));
    }
    Ok(())
}

/// `Connection` names what goes no further, and nothing that must.
fn connection(headers: &HeaderMap) -> Result<(), Failure> {
    for value in headers.get_all(CONNECTION) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() {
                continue;
            }
            let Ok(name) = HeaderName::from_bytes(name) else {
                return Err(bad("Connection is not a list of names"));
            };
            if RELIED_ON.contains(&name) {
                return Err(bad("Connection names a header that is not the connection's"));
            }
        }
    }
    Ok(())
}

/// Letters, digits, `-`, `_` and `.`; and not a second name for a header that is relied on: where headers
/// become variables, `content_length` is `content-length`.
fn name(name: &HeaderName) -> Result<(), Failure> {
    let text = name.as_str();
    let odd = text.bytes().find(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    let Some(odd) = odd else { return Ok(()) };
    let is_alias = || {
        let plain = text.replace(['_', '.'], "-");
        RELIED_ON.iter().any(|relied_on| plain == relied_on.as_str())
    };
    let all_known = || text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !b"_.".contains(&odd) || !all_known() || is_alias() {
        return Err(bad("a header has a name that programs read in more than one way"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: http::request::Builder) -> Option<u16> {
        let request = request.body(()).unwrap();
        check(&request).err().map(|failure| failure.status().as_u16())
    }

    #[test]
    fn what_is_usual_passes() {
        let get = || Request::get("/predict").header("host", "model.example:8080");
        for request in [
            get(),
            get().header("connection", "keep-alive, x-private, Upgrade").header("x_b3.trace", "1"),
            Request::post("/").header("host", "[::1]:80").header("content-length", "0"),
            Request::get("http://a/").header("host", "A"),
            Request::get("http://a/").version(Version::HTTP_2),
            Request::get("/").version(Version::HTTP_10),
            get().header("transfer-encoding", "Chunked"),
        ] {
            assert_eq!(status(request), None);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_does_not() {
        let get = || Request::get("/").header("host", "a");
        let bad = [
            Request::get("/"),
            get().header("host", "b"),
            get().header("host", "a"),
            Request::get("/").header("host", ""),
            Request::get("/").header("host", "a, b"),
            Request::get("/").header("host", "me@a"),
            Request::get("/").header("host", "a/b"),
            Request::get("http://b/").header("host", "a"),
            Request::get("http://me@a/").version(Version::HTTP_2),
            Request::get("http://b/").version(Version::HTTP_2).header("host", "a"),
            Request::get("/").version(Version::HTTP_2),
            Request::get("ftp://a/").header("host", "a"),
            get().header("content-length", "1").header("content-length", "1"),
            get().header("content-length", "1").header("transfer-encoding", "chunked"),
            get().header("transfer-encoding", "chunked").header("transfer-encoding", "chunked"),
            get().header("transfer-encoding", "gzip, chunked"),
            get().header("content-length", "+1"),
            get().header("content-length", "01"),
            get().header("content-length", "1, 1"),
            get().header("connection", "close, Host"),
            get().header("connection", "x").header("connection", "content-length"),
            get().header("connection", "x-request-id"),
            get().header("connection", "a b"),
            get().header("content_length", "1"),
            get().header("x_forwarded-for", "1"),
            get().header("transfer.encoding", "1"),
            get().header("x!", "1"),
            get().header("_x$", "1"),
        ];
        for request in bad {
            let said = format!("{request:?}");
            assert_eq!(status(request), Some(400), "{said}");
        }
        for method in ["CONNECT", "TRACE", "TRACK"] {
            assert_eq!(status(get().method(method)), Some(405));
        }
    }
}
