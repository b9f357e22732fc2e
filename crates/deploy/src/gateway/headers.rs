//! Header hygiene of a proxy (RFC 9110 section 7.6): what belongs to one connection stays on it, and the
//! instance learns who asked.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// The request's identity across log files.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// A longer id is not one that a client made on purpose.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Removes headers that concern one connection only, also those that `Connection` names.
///
/// `Proxy-Authenticate` and `Proxy-Authorization` pass: this is a gateway, they are not for it.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    let trailers = headers.get_all(TE).iter().any(|value| value == "trailers");
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE]
    {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// The protocol a client wants to change to, when it asks for that.
///
/// One protocol only: in a list an instance could choose HTTP/2, and requests in a tunnel are seen by
/// nobody. `h2c` itself is offered with every first request; to stay at HTTP/1.1 is an answer to that.
pub(super) fn upgrade_wanted(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let mut offers = headers.get_all(UPGRADE).iter();
    let (Some(offer), None) = (offers.next(), offers.next()) else { return None };
    let is_one = |name: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._/".contains(byte);
        !name.is_empty() && name.iter().all(plain)
    };
    let is_http = |name: &[u8]| {
        ["h2c", "h2", "http"].iter().any(|http| {
            let name = name.split(|byte| *byte == b'/').next().unwrap_or_default();
            name.eq_ignore_ascii_case(http.as_bytes())
        })
    };
    let name = offer.as_bytes();
    (asked && is_one(name) && !is_http(name)).then(|| offer.clone())
}

/// Puts back what [`strip_hop_by_hop`] removed, for a wanted change of protocol.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Where a request came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) listen: SocketAddr,
    pub(super) is_encrypted: bool,
}

/// Tells the instance who asked and how. A client of HTTP/1.0 need not say whom it asks: it asks the
/// address where it was accepted.
pub(super) fn add_forwarded(
    headers: &mut HeaderMap,
    peer: SocketAddr,
    authority: Option<&str>,
    arrived: Arrived,
) {
    let before = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let mut chain: Vec<String> = before.map(str::to_owned).collect();
    chain.push(peer.ip().to_string());
    if let Ok(value) = HeaderValue::from_str(&chain.join(", ")) {
        headers.insert(FORWARDED_FOR, value);
    }
    if arrived.is_encrypted {
        // What a client says of a connection that ends here is no news.
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
    } else if !headers.contains_key(&FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    // HTTP/2 names the host in the request target; instances speak HTTP/1.1 and want the header.
    if !headers.contains_key(HOST) {
        let name = authority.map_or_else(|| arrived.listen.to_string(), str::to_owned);
        if let Ok(value) = HeaderValue::from_str(&name) {
            headers.insert(HOST, value);
        }
    }
    if !headers.contains_key(&FORWARDED_HOST)
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(FORWARDED_HOST, host);
    }
}

/// The request's id: the client's own when it is sane, a new one otherwise.
pub(super) fn request_id(headers: &mut HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(&REQUEST_ID)
        && !id.is_empty()
        && id.len() <= REQUEST_ID_BYTES_MAX
        && id.as_bytes().iter().all(u8::is_ascii_graphic)
    {
        return id.clone();
    }
    let id = new_id();
    headers.insert(REQUEST_ID, id.clone());
    id
}

/// An id that no other request has: this process's own random half, and a number. Random all through it
/// would cost each request a system call.
fn new_id() -> HeaderValue {
    static HALF: LazyLock<u64> = LazyLock::new(|| uuid::Uuid::new_v4().as_u64_pair().0);
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:016x}{:016x}", *HALF, NUMBER.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn connection_headers_stay() {
        let mut map = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ]);
        strip_hop_by_hop(&mut map);
        let mut names: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["te", "x-kept"]);
    }

    #[test]
    fn upgrades_need_both_headers() {
        assert!(upgrade_wanted(&headers(&[("upgrade", "websocket")])).is_none());
        let both = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(upgrade_wanted(&both).unwrap(), "websocket");
    }

    #[test]
    fn the_chain_of_clients_grows() {
        let (peer, listen) = (([10, 0, 0, 9], 1).into(), ([10, 0, 0, 1], 80).into());
        let arrived = Arrived { listen, is_encrypted: false };
        let mut map = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "5.6.7.8"),
            ("host", "a"),
        ]);
        add_forwarded(&mut map, peer, None, arrived);
        assert_eq!(map.get("x-forwarded-for").unwrap(), "1.2.3.4, 5.6.7.8, 10.0.0.9");
        assert_eq!(map.get_all("x-forwarded-for").iter().count(), 1);
        assert_eq!(map.get("x-forwarded-host").unwrap(), "a");
        let mut map = HeaderMap::new();
        add_forwarded(&mut map, peer, None, arrived);
        assert_eq!(map.get("host").unwrap(), "10.0.0.1:80");
        assert_eq!(map.get("x-forwarded-proto").unwrap(), "http");
        let arrived = Arrived { is_encrypted: true, ..arrived };
        add_forwarded(&mut map, peer, None, arrived);
        assert_eq!(map.get("x-forwarded-proto").unwrap(), "https");
    }

    #[test]
    fn an_offer_of_http2_is_no_upgrade() {
        let asked = |protocol| {
            upgrade_wanted(&headers(&[
                ("connection", "Upgrade, HTTP2-Settings"),
                ("upgrade", protocol),
            ]))
        };
        assert_eq!(asked("websocket").unwrap(), "websocket");
        for http in ["h2c", "H2C", "h2", "websocket, h2c", "h2c,websocket", "HTTP/2.0", "", " h2c"]
        {
            assert_eq!(asked(http), None, "{http}");
        }
        let two = headers(&[("connection", "upgrade"), ("upgrade", "a"), ("upgrade", "h2c")]);
        assert_eq!(upgrade_wanted(&two), None);
    }

    #[test]
    fn ids_are_kept_or_made() {
        let mut map = headers(&[("x-request-id", "abc-1")]);
        assert_eq!(request_id(&mut map), "abc-1");
        for bad in [String::new(), "x".repeat(200), "a b".to_owned()] {
            let mut map = headers(&[("x-request-id", &bad)]);
            assert_eq!(request_id(&mut map).len(), 32);
            assert_eq!(map.get("x-request-id").unwrap().len(), 32);
        }
        let made: Vec<HeaderValue> = (0..3).map(|_| request_id(&mut HeaderMap::new())).collect();
        assert!(made[0] != made[1] && made[1] != made[2] && made[2] != made[0], "{made:?}");
    }
}
