//! Requests byte by byte, as no client library would send some of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// One request.
#[derive(Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// `Host` is added if it is not here, `Content-Length` unless the body is chunked.
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: Option<&'a [u8]>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// Sends one request to `http://host:port` and reads the answer to its end.
pub(crate) fn send(url: &str, request: &Request<'_>) -> Answer {
    let address = url.strip_prefix("http://").expect("an http URL");
    let mut lines = vec![
        format!("{} {} HTTP/1.1", request.method, request.path),
        "Connection: close".to_owned(),
    ];
    let given =
        |name: &str| request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    if !given("host") {
        lines.push(format!("Host: {address}"));
    }
    if let Some(body) = request.body.filter(|_| !given("transfer-encoding")) {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let head = lines.join("\r\n") + "\r\n\r\n";
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
    stream.write_all(head.as_bytes()).expect("the head is sent");
    // A server that has seen enough may close before the whole body is there.
    let _refused_early = stream.write_all(request.body.unwrap_or_default());
    let mut raw = Vec::new();
    let _reset_after_the_answer = stream.read_to_end(&mut raw);
    parse(&raw)
}

/// A GET without anything.
pub(crate) fn get(url: &str, path: &str) -> Answer {
    send(url, &Request { method: "GET", path, ..Request::default() })
}

/// A POST of JSON.
pub(crate) fn post(url: &str, path: &str, body: &serde_json::Value) -> Answer {
    let body = body.to_string();
    let headers = vec![("Content-Type", "application/json")];
    send(url, &Request { method: "POST", path, headers, body: Some(body.as_bytes()) })
}

fn parse(raw: &[u8]) -> Answer {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(raw)));
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect::<Vec<_>>();
    let mut body = raw[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = unchunk(&body);
    }
    Answer { status: status.parse().expect("a number"), headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}
