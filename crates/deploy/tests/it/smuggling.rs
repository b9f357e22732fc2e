//! Requests that two programs could read in two ways are answered before an instance hears of them.

use std::net::SocketAddr;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{ask, get, raw_head};
use crate::stage::Stage;

/// A stage whose instance writes down every path that it hears of.
struct Witness {
    stage: Stage,
}

impl Witness {
    async fn new() -> Self {
        let stage = Stage::new();
        let mut spec = Stage::spec("blue");
        let log = stage.folder.path().join("heard.log").display().to_string();
        spec.env.push(("LOG_FILE".to_owned(), log));
        stage.release(&spec).await.unwrap();
        Self { stage }
    }

    fn address(&self) -> SocketAddr {
        self.stage.address()
    }

    /// Whether the instance heard of anything but its probes and what is called `honest`.
    async fn heard(&self) -> Vec<String> {
        // Whatever was sent before is in the log when this has been answered.
        get(self.address(), "/honest").await.unwrap();
        let log = std::fs::read_to_string(self.stage.folder.path().join("heard.log")).unwrap();
        let usual = |line: &&str| {
            ["/health", "/predict", "/honest", "/count"].iter().any(|path| line.ends_with(path))
        };
        log.lines().filter(|line| !usual(line)).map(str::to_owned).collect()
    }
}

/// The status of an answer, of either version of HTTP/1.
fn status_of(head: &str) -> &str {
    head.get(9..12).unwrap_or_default()
}

/// `(request, status)`. `…` stands for `Host: a` and the end of its line.
const ATTACKS: &[(&str, u16)] = &[
    // Whom it is for.
    ("GET /x HTTP/1.1\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Host: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Host: a\r\n\r\n", 400),
    ("GET /x HTTP/1.0\r\n…Host: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost: me@a\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    ("GET http://b/x HTTP/1.1\r\n…\r\n", 400),
    ("GET http://me@a/x HTTP/1.1\r\n…\r\n", 400),
    ("GET ftp://a/x HTTP/1.1\r\n…\r\n", 400),
    ("GET http://a/x HTTP/1.1\r\n\r\n", 400),
    // What it asks for.
    ("TRACE /x HTTP/1.1\r\n…\r\n", 405),
    ("TRACK /x HTTP/1.1\r\n…\r\n", 405),
    ("CONNECT a:80 HTTP/1.1\r\n…\r\n", 405),
    ("CONNECT /x HTTP/1.1\r\n…\r\n", 405),
    ("GET * HTTP/1.1\r\n…\r\n", 400),
    ("GET x HTTP/1.1\r\n…\r\n", 400),
    ("GET /x /y HTTP/1.1\r\n…\r\n", 400),
    ("GET /x\tHTTP/1.1\r\n…\r\n", 400),
    ("GET /x HTTP/1.1 \r\n…\r\n", 400),
    ("GET /x HTTP/3.0\r\n…\r\n", 400),
    ("GET /x\r\n\r\n", 400),
    ("G\u{e9}T /x HTTP/1.1\r\n…\r\n", 400),
    ("GET /a/../x HTTP/1.1\r\n…\r\n", 400),
    ("GET //x HTTP/1.1\r\n…\r\n", 400),
    ("GET /%78 HTTP/1.1\r\n…\r\n", 400),
    ("GET /x;y HTTP/1.1\r\n…\r\n", 400),
    ("GET /x%00 HTTP/1.1\r\n…\r\n", 400),
    ("GET /x\\y HTTP/1.1\r\n…\r\n", 400),
    // Where it ends.
    ("POST /x HTTP/1.1\r\n…Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 1, 1\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: +1\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: -1\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 0x1\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 1 1\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 01\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 1e0\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length:\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Content-Length: 99999999999999999999999\r\n\r\na", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: identity\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n… Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST /x HTTP/1.0\r\n…Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    // How its lines end.
    ("GET /x HTTP/1.1\nHost: a\n\n", 400),
    ("GET /x HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X-A: b\rX-B: c\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X-A: b\u{0}c\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X-A: b\u{1}c\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X-A: b\r\n c\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n X-A: b\r\n…\r\n", 400),
    // What its headers are called.
    ("GET /x HTTP/1.1\r\n…: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X A: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X(A): b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X\u{0}A: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X!A: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X$: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…no colon\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Content_Length: 5\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Transfer_Encoding: chunked\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X_Forwarded_For: 10.0.0.1\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…X-Request_Id: 1\r\n\r\n", 400),
    // What it takes away from others.
    ("GET /x HTTP/1.1\r\n…Connection: Host\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Connection: close, hOsT\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\n…Connection: Content-Length\r\nContent-Length: 1\r\n\r\na", 400),
    ("GET /x HTTP/1.1\r\n…Connection: x\r\nConnection: Authorization\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Connection: X-Forwarded-For\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\n…Connection: a b\r\n\r\n", 400),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_odd_head_reaches_an_instance() {
    let witness = Witness::new().await;
    for (attack, status) in ATTACKS {
        let attack = attack.replace('…', "Host: a\r\n");
        // By itself, and behind a request that is fine.
        let behind = format!("GET /honest HTTP/1.1\r\nHost: a\r\n\r\n{attack}");
        let head = raw_head(witness.address(), attack.as_bytes()).await;
        assert_eq!(status_of(&head), status.to_string(), "{attack:?}:\n{head}");
        let head = raw_head(witness.address(), behind.as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{behind:?}:\n{head}");
    }
    assert_eq!(witness.heard().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_hides_no_request() {
    let witness = Witness::new().await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    // Answered when the whole body is there.
    let chunked = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "0\r\n\r\n0\r\n\r\n",
        "-1\r\n",
        "0x0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
        "1\na\n0\n\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1;\n\r\na\r\n0\r\n\r\n",
        "0;\r\n\rX\r\n",
        "\r\n0\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX\r\n",
        "zz\r\n",
    ] {
        let attack = format!("{chunked}{body}{hidden}");
        let head = raw_head(witness.address(), attack.as_bytes()).await;
        // A body that is whole before the garbage is answered; the garbage is not.
        let is_fine = body.starts_with("0\r\n\r\n");
        // At once, also of trailers that do not end.
        let wanted = if is_fine { "200" } else { "400" };
        assert_eq!(status_of(&head), wanted, "{body:?}:\n{head}");
    }
    // Nor does it wait for more where the bare line feed is the last byte of all.
    for end in ["0\r\n\n", "0\r\nX: y\r\n\n", "0\r\nX: y\n", "1\r\na\r\n0\r\n\n"] {
        let head = raw_head(witness.address(), format!("{chunked}{end}").as_bytes()).await;
        assert_eq!(status_of(&head), "400", "{end:?}:\n{head}");
    }
    assert_eq!(witness.heard().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_reaches_an_instance() {
    let witness = Witness::new().await;
    for request in [
        "GET /honest HTTP/1.0\r\n\r\n",
        "GET http://a/honest HTTP/1.1\r\nHost: A\r\n\r\n",
        "\r\nGET /honest?a=/../b;c HTTP/1.1\r\nHost: a:80\r\nX_B3: 1\r\nConnection: x\r\n\r\n",
        "POST /honest HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\nx\r\n0\r\nT: u\r\n\r\n",
        "POST /honest HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let head = raw_head(witness.address(), request.as_bytes()).await;
        assert!(["200", "100"].contains(&status_of(&head)), "{request:?}:\n{head}");
    }
    let (_, seen) = ask(witness.address(), Method::POST, "/headers", "x").await.unwrap();
    assert_eq!(seen.matches("\"host\"").count(), 1, "{seen}");
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header that is neither compressed nor remembered (RFC 7541, section 6.2.2).
fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let text = |text: &[u8]| [&[u8::try_from(text.len()).unwrap()], text].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Whether a request of HTTP/2 with these headers is answered with 200; otherwise its stream or its
/// connection is ended, or it is answered with something else.
async fn is_served(address: SocketAddr, fields: &[(&str, &str)], body: &[u8]) -> bool {
    let block: Vec<u8> =
        fields.iter().flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes())).collect();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, if body.is_empty() { 5 } else { 4 }, 1, &block));
    if !body.is_empty() {
        bytes.extend(frame(0, 1, 1, body));
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return false;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut payload).await.is_err() {
            return false;
        }
        match head[3] {
            // HEADERS: `:status 200` is entry 8 of the static table.
            1 => return payload[0] == 0x88,
            // RST_STREAM, GOAWAY.
            3 | 7 => return false,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_odd_request_of_http2_reaches_an_instance() {
    let witness = Witness::new().await;
    let usual =
        |path| vec![(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")];
    assert!(is_served(witness.address(), &usual("/honest"), &[]).await);
    let with = |more: &[(&'static str, &'static str)]| [usual("/x").as_slice(), more].concat();
    let replaced = |name: &str, value: &'static str| {
        let mut fields = usual("/x");
        fields.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value);
        fields
    };
    let without = |name: &str| {
        let mut fields = usual("/x");
        fields.retain(|field| field.0 != name);
        fields
    };
    let attacks = [
        with(&[("host", "b")]),
        with(&[("host", "a"), ("host", "a")]),
        with(&[("connection", "close")]),
        with(&[("connection", "host")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("upgrade", "h2c")]),
        with(&[("te", "gzip")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "0"), ("content-length", "0")]),
        with(&[("X-Upper", "1")]),
        with(&[("x-a", "b\r\nx-b: c")]),
        with(&[("x-a", "b\nc")]),
        with(&[("x-a", "b\u{0}c")]),
        with(&[("x a", "b")]),
        with(&[("x:a", "b")]),
        with(&[("x!", "b")]),
        with(&[("content_length", "5")]),
        with(&[("", "b")]),
        with(&[(":path", "/y")]),
        with(&[(":unknown", "1")]),
        with(&[("x-a", "b"), (":method", "POST")]),
        replaced(":method", "TRACE"),
        replaced(":method", "CONNECT"),
        replaced(":method", "G T"),
        replaced(":path", ""),
        replaced(":path", "*"),
        replaced(":path", "x"),
        replaced(":path", "/a/../x"),
        replaced(":path", "/x HTTP/1.1\r\nHost: b"),
        replaced(":path", "//b/x"),
        replaced(":path", "http://b/x"),
        replaced(":scheme", "ftp"),
        replaced(":authority", "me@a"),
        replaced(":authority", "a b"),
        replaced(":authority", ""),
        without(":method"),
        without(":path"),
        without(":scheme"),
        without(":authority"),
    ];
    for attack in attacks {
        assert!(!is_served(witness.address(), &attack, &[]).await, "{attack:?}");
    }
    // A length that is not that of the body.
    let lies = [("content-length", "1")];
    let mut attack = [usual("/honest").as_slice(), &lies].concat();
    attack[0].1 = "POST";
    assert!(!is_served(witness.address(), &attack, b"two").await);
    assert_eq!(witness.heard().await, Vec::<String>::new());
}
