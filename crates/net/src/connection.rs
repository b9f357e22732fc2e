//! One connection, from its first byte to its last.
//!
//! A parser and its buffers take tens of KiB, and most connections say nothing most of the time. So they are made when
//! bytes come, and taken down again when an answer is a while ago: what stays is the stream.

use std::convert::Infallible;
use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::ahead::{Ahead, PART_MAX};
use crate::body::{Held, Pace, Paced};
use crate::limits::{Limits, Protocols};
use crate::marks::Marks;

/// What a client of HTTP/2 says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long after an answer a parser waits for the next request: who asks more often than this keeps it.
const REST_AFTER: Duration = Duration::from_secs(1);

/// The same while a head is there that is larger than most and not whole: each parser reads it from its beginning.
const REST_AFTER_LARGE: Duration = Duration::from_mins(1);

/// Requests on one connection of HTTP/2 at a time: it must not take all the room.
const STREAMS_MAX: u32 = 128;

/// Why a connection broke off.
pub(crate) type Broken = Box<dyn Error + Send + Sync>;

/// How connections are served.
#[derive(Debug)]
pub(crate) struct Parsers {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    protocols: Protocols,
    pace: Pace,
}

impl Parsers {
    pub(crate) fn new(limits: &Limits, protocols: Protocols) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            // The clock of the stream ends heads that do not come.
            .header_read_timeout(None)
            .max_buf_size(limits.head_bytes_max)
            .max_headers(limits.headers_max);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        Self { http1, http2, protocols, pace: Pace::of(limits) }
    }
}

/// Serves a connection until it ends, or `ending` changes and its requests are answered.
pub(crate) async fn serve<I, S, F, B>(
    io: I,
    service: S,
    parsers: Arc<Parsers>,
    marks: Arc<Marks>,
    mut ending: watch::Receiver<()>,
) -> Result<(), Broken>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Fn(Request<Paced>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Broken>,
{
    let pace = parsers.pace;
    let mut service = {
        let marks = Arc::clone(&marks);
        service_fn(move |request: Request<Incoming>| {
            let busy = marks.hold();
            let answered = service(request.map(|body| Paced::new(body, pace, &marks)));
            async move { Ok::<_, Infallible>(answered.await.map(|body| Held::new(body, busy))) }
        })
    };
    let mut io = Ahead::new(io);
    let mut ended = pin!(async {
        // That its sender is gone is an end as well.
        let _gone = ending.changed().await;
    });
    let mut is_http1 = parsers.protocols == Protocols::Http1;
    loop {
        let more = tokio::select! {
            biased;
            more = io.more() => more?,
            () = ended.as_mut() => false,
        };
        if !more {
            return Ok(io.shutdown().await?);
        }
        if !is_http1 {
            match is_http2(io.bytes()) {
                None => continue,
                Some(true) => {
                    let connection = parsers.http2.serve_connection(TokioIo::new(io), service);
                    return Ok(http2(Box::pin(connection), ended).await?);
                }
                Some(false) => is_http1 = true,
            }
        }
        let rest_after = if io.bytes().len() > PART_MAX { REST_AFTER_LARGE } else { REST_AFTER };
        let connection = parsers.http1.serve_connection(TokioIo::new(io), service);
        let connection = Box::new(connection.with_upgrades());
        let rested = http1(connection, &marks, rest_after, ended.as_mut()).await?;
        let Some(rested) = rested else { return Ok(()) };
        (io, service) = rested;
    }
}

/// Whether these first bytes are HTTP/2; none as long as there are too few.
fn is_http2(bytes: &[u8]) -> Option<bool> {
    if bytes.starts_with(PREFACE) {
        return Some(true);
    }
    (!PREFACE.starts_with(bytes)).then_some(false)
}

/// Serves requests until the connection ends, or rests: then what it needs to be served again.
async fn http1<I, S, B>(
    mut connection: Box<http1::UpgradeableConnection<TokioIo<Ahead<I>>, S>>,
    marks: &Marks,
    rest_after: Duration,
    mut ended: Pin<&mut impl Future<Output = ()>>,
) -> hyper::Result<Option<(Ahead<I>, S)>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Broken>,
{
    let mut look = pin!(sleep(rest_after));
    let mut is_ending = false;
    loop {
        tokio::select! {
            biased;
            done = &mut *connection => return done.map(|()| None),
            () = ended.as_mut(), if !is_ending => {
                is_ending = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            () = look.as_mut(), if !is_ending => {
                let rest = marks.rest().unwrap_or_default();
                if rest >= rest_after {
                    // None would be a connection that has changed its protocol, and that one has ended.
                    let Some(parts) = connection.into_parts() else { return Ok(None) };
                    let mut io = parts.io.into_inner();
                    // The beginning of a head: who sends it slowly needs no parser either.
                    io.give_back(&parts.read_buf);
                    return Ok(Some((io, parts.service)));
                }
                look.as_mut().reset(Instant::now() + rest_after.saturating_sub(rest));
            }
        }
    }
}

type Http2<I, S> = Pin<Box<http2::Connection<TokioIo<Ahead<I>>, S, TokioExecutor>>>;

/// Serves streams until the connection ends. What it has said of its headers is part of it, so it never rests.
async fn http2<I, S, B>(
    mut connection: Http2<I, S>,
    mut ended: Pin<&mut impl Future<Output = ()>>,
) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Broken>,
{
    let mut is_ending = false;
    loop {
        tokio::select! {
            biased;
            done = connection.as_mut() => return done,
            () = ended.as_mut(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};
    use tokio::io::{AsyncReadExt as _, DuplexStream, ReadBuf, duplex};

    use super::*;
    #[test]
    fn http_2_is_told_by_its_preface() {
        for length in 0..PREFACE.len() {
            assert_eq!(is_http2(&PREFACE[..length]), None, "{length} bytes");
        }
        assert_eq!(is_http2(PREFACE), Some(true));
        assert_eq!(is_http2(&[PREFACE, b"\0\0"].concat()), Some(true));
        assert_eq!(is_http2(b"PRI * HTTP/1.1\r\n"), Some(false));
        assert_eq!(is_http2(b"PUT"), Some(false));
    }

    /// A stream that tells how much whoever reads it has room for: parsers have more than who waits for bytes.
    struct Gauge {
        io: DuplexStream,
        room: Arc<AtomicUsize>,
    }

    impl AsyncRead for Gauge {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.room.store(buffer.remaining(), Ordering::SeqCst);
            Pin::new(&mut self.io).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Gauge {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.io).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_shutdown(cx)
        }
    }

    /// A client of a server.
    struct Client {
        io: DuplexStream,
        room: Arc<AtomicUsize>,
        ending: watch::Sender<()>,
    }

    impl Client {
        /// Of one that answers with the request's body.
        fn connect(protocols: Protocols) -> Self {
            let service = |request: Request<Paced>| async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Response::new(Full::new(body))
            };
            Self::connect_to(protocols, service)
        }

        fn connect_to<S, F>(protocols: Protocols, service: S) -> Self
        where
            S: Fn(Request<Paced>) -> F + Send + Sync + 'static,
            F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
        {
            let (io, server) = duplex(1 << 20);
            let (room, ending) = (Arc::<AtomicUsize>::default(), watch::Sender::new(()));
            let gauge = Gauge { io: server, room: Arc::clone(&room) };
            let parsers = Arc::new(Parsers::new(&Limits::new(1), protocols));
            let serving = serve(gauge, service, parsers, Arc::default(), ending.subscribe());
            tokio::spawn(serving);
            Self { io, room, ending }
        }

        async fn say(&mut self, bytes: &str) {
            self.io.write_all(bytes.as_bytes()).await.unwrap();
        }

        /// Reads until there are so many answers that end with this.
        async fn hear(&mut self, answers: usize, end: &str) {
            let mut heard = String::new();
            while heard.matches("HTTP/1.1 200 OK").count() < answers || !heard.ends_with(end) {
                let mut part = [0; 1024];
                let length = self.io.read(&mut part).await.unwrap();
                assert!(length > 0, "it ended after {heard:?}");
                heard.push_str(str::from_utf8(&part[..length]).unwrap());
            }
        }

        /// Whether it waits without a parser after a while.
        async fn rests(&self) -> bool {
            sleep(2 * REST_AFTER).await;
            self.room.load(Ordering::SeqCst) == PART_MAX
        }
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    fn post(length: usize, body: &str) -> String {
        format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_keeps_no_parser_and_loses_nothing() {
        for protocols in [Protocols::Http1, Protocols::Both] {
            let mut client = Client::connect(protocols);
            assert!(client.rests().await, "nothing was said");
            for _ in 0..3 {
                client.say(GET).await;
                client.hear(1, "\r\n\r\n").await;
                sleep(REST_AFTER / 2).await;
                assert!(client.room.load(Ordering::SeqCst) > PART_MAX, "it may ask again soon");
                assert!(client.rests().await, "it was answered");
            }
            // A head that comes in pieces, however slowly.
            for piece in ["\r\n", "PO", "ST / HTTP/1.1\r\nhost: x\r\ncontent-", "length: 4\r\n"] {
                client.say(piece).await;
                assert!(client.rests().await, "after {piece:?}");
            }
            client.say("\r\nfo").await;
            assert!(!client.rests().await, "half a body is there");
            client.say("ur").await;
            client.hear(1, "four").await;
            assert!(client.rests().await, "it was answered");
            // The beginning of a head behind a request, in one piece.
            client.say(&format!("{}{}", post(3, "one"), "GET / HTTP")).await;
            client.hear(1, "one").await;
            assert!(client.rests().await, "what comes next is a head");
            client.say("/1.1\r\nhost: x\r\n\r\n").await;
            client.hear(1, "\r\n\r\n").await;
            // Many requests at once, after a rest.
            assert!(client.rests().await, "it was answered");
            client.say(&post(2, "ab").repeat(200)).await;
            client.hear(200, "ab").await;
            // A head that is larger than what is taken at once is read from its beginning once only.
            assert!(client.rests().await, "it was answered");
            let long = "x".repeat(3 * PART_MAX);
            client.say(&format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {long}")).await;
            assert!(client.rests().await, "the head is not whole");
            client.say("\r\n").await;
            assert!(!client.rests().await, "a large head is there");
            client.say("\r\n").await;
            client.hear(1, "\r\n\r\n").await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_read_after_its_answer_is_no_head() {
        let service = |request: Request<Paced>| async move {
            tokio::spawn(async move {
                sleep(REST_AFTER / 2).await;
                request.into_body().collect().await
            });
            Response::new(Full::new(Bytes::new()))
        };
        let mut client = Client::connect_to(Protocols::Http1, service);
        // The end of the first body is read when the second request is there.
        client.say(&format!("{}{}", post(3, "one"), post(GET.len(), ""))).await;
        client.hear(2, "\r\n\r\n").await;
        assert!(!client.rests().await, "the second body is owed");
        client.say(GET).await;
        assert!(client.rests().await, "all bodies are read");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_rests_is_let_go_at_the_end_and_whoever_asks_is_answered() {
        let mut resting = Client::connect(Protocols::Both);
        assert!(resting.rests().await);
        let mut asking = Client::connect(Protocols::Both);
        asking.say(&post(4, "fo")).await;
        assert!(!asking.rests().await);
        for client in [&resting, &asking] {
            client.ending.send_replace(());
        }
        assert_eq!(resting.io.read(&mut [0; 16]).await.unwrap(), 0);
        resting.ending.closed().await;
        asking.say("ur").await;
        asking.hear(1, "four").await;
        assert_eq!(asking.io.read(&mut [0; 16]).await.unwrap(), 0);
        asking.ending.closed().await;
    }
}
