//! Watches the bytes of an HTTP/1 connection for what its parser mends without a word: lines that end
//! with a bare line feed, a length beside an encoding, and the same length said twice. Each is harmless
//! to us, but a sign of somebody who wants two programs to read one request in two ways.
//!
//! What is refused is spoilt on its way, so that the parser refuses it at once as any other malformed head
//! or body. To find where heads begin, bodies are counted by the same rules; where they are malformed the
//! parser ends the connection, and there is nothing more to watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::marks::Marks;

/// A connection whose requests are watched.
#[derive(Debug)]
pub(crate) struct Strict<I> {
    io: I,
    watch: Watch,
}

impl<I> Strict<I> {
    pub(crate) fn new(io: I, marks: Arc<Marks>, is_strict: bool) -> Self {
        let place = if is_strict { Place::Head(Head::default()) } else { Place::Unwatched };
        Self { io, watch: Watch { place, part: Vec::new(), owes: false, marks } }
    }
}

#[derive(Debug)]
struct Watch {
    place: Place,
    /// The beginning of a line whose end has not come yet. The parser's limit on a head is its limit.
    part: Vec<u8>,
    /// What was spoilt had no room for all that the parser needs to refuse it: a byte is still to come.
    owes: bool,
    marks: Arc<Marks>,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Place {
    Head(Head),
    /// A body of which so much is left.
    Body(u64),
    /// The line with the size of a chunk.
    Size,
    /// A chunk of which so much is left.
    Chunk(u64),
    /// The line break after a chunk.
    ChunkEnd,
    Trailers,
    /// Refused; all that follows becomes this byte.
    Spoilt(u8),
    /// No requests, or none that the parser will still read.
    Unwatched,
}

/// What the lines of a head said so far.
#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// What a line means for what comes after it.
enum Next {
    Stay,
    Go(Place),
    Spoil,
}

impl Watch {
    fn see(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = match &mut self.place {
                Place::Unwatched => return,
                Place::Spoilt(with) => {
                    bytes.fill(*with);
                    return;
                }
                Place::Body(left) | Place::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u64;
                    if *left == 0 {
                        self.place = match self.place {
                            Place::Chunk(_) => Place::ChunkEnd,
                            _ => Place::Head(Head::default()),
                        };
                    }
                    taken
                }
                Place::Head(Head { has_begun: false, .. }) if self.marks.is_tunnel() => {
                    self.place = Place::Unwatched;
                    return;
                }
                _ => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        self.part.extend_from_slice(bytes);
                        return;
                    };
                    self.line(bytes, end + 1);
                    end + 1
                }
            };
            bytes = bytes.get_mut(taken..).unwrap_or_default();
        }
    }

    /// A line ends in these bytes.
    fn line(&mut self, bytes: &mut [u8], length: usize) {
        let Some(line) = bytes.get_mut(..length) else { return };
        let next = if self.part.is_empty() {
            self.place.read(line)
        } else {
            let mut whole = std::mem::take(&mut self.part);
            whole.extend_from_slice(line);
            self.place.read(&whole)
        };
        match next {
            Next::Stay => {}
            Next::Go(place) => self.place = place,
            Next::Spoil => {
                // In a head, the empty line lets the parser look at once. After a body it looks at each
                // byte, and a carriage return is never followed by another.
                let with = if matches!(self.place, Place::Trailers) { b'\r' } else { b'\n' };
                match line {
                    // Neither has a NUL.
                    [.., nul, first, second] => (*nul, *first, *second) = (0, with, with),
                    short if with == b'\r' => {
                        self.owes = short.len() == 1;
                        short.fill(with);
                    }
                    short => short.fill(0),
                }
                self.place = Place::Spoilt(with);
            }
        }
    }
}

impl Place {
    /// What a line means here. It ends with a line feed.
    fn read(&mut self, line: &[u8]) -> Next {
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return match self {
                Self::Head(_) | Self::Trailers => Next::Spoil,
                _ => Next::Go(Self::Unwatched),
            };
        };
        match self {
            Self::Head(head) => head.read(text),
            Self::Size => match size(text) {
                Some(0) => Next::Go(Self::Trailers),
                Some(size) => Next::Go(Self::Chunk(size)),
                None => Next::Go(Self::Unwatched),
            },
            Self::ChunkEnd if text.is_empty() => Next::Go(Self::Size),
            Self::Trailers if text.is_empty() => Next::Go(Self::Head(Head::default())),
            Self::Trailers => Next::Stay,
            _ => Next::Go(Self::Unwatched),
        }
    }
}

impl Head {
    fn read(&mut self, line: &[u8]) -> Next {
        if !self.has_begun {
            if line == b"PRI * HTTP/2.0" {
                return Next::Go(Place::Unwatched);
            }
            // Empty lines before a request are overlooked.
            self.has_begun = !line.is_empty();
            return Next::Stay;
        }
        if line.is_empty() {
            return Next::Go(match (self.is_chunked, self.length) {
                (true, _) => Place::Size,
                (false, Some(length @ 1..)) => Place::Body(length),
                (false, _) => Place::Head(Self::default()),
            });
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let is_twice = self.is_chunked || self.length.is_some();
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
            self.length = digits.parse().ok();
            if is_twice || self.length.is_none() {
                return Next::Spoil;
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
            if is_twice {
                return Next::Spoil;
            }
        }
        Next::Stay
    }
}

/// The size of a chunk, before its extensions.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl<I: AsyncRead + Unpin> AsyncRead for Strict<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.watch.owes && buffer.remaining() > 0 {
            // Nobody waits for a client that may have said all it has to say.
            self.watch.owes = false;
            buffer.put_slice(b"\r");
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.watch.see(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Strict<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What the parser sees of these bytes, however they are cut.
    fn seen(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for size in 1..=bytes.len() {
            let mut copy = bytes.to_vec();
            let mut strict = Strict::new((), Arc::default(), true);
            copy.chunks_mut(size).for_each(|chunk| strict.watch.see(chunk));
            all.push(copy);
        }
        let spoilt = all.iter().filter(|copy| copy.as_slice() != bytes).count();
        assert!(spoilt == 0 || spoilt == all.len(), "it depends on how they are cut");
        all.pop().filter(|_| spoilt > 0)
    }

    #[test]
    fn requests_one_after_the_other_pass_as_they_are() {
        let bytes = b"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\
            POST / HTTP/1.1\r\ncontent-length: 7\r\n\r\nx\ny: z\nPOST / HTTP/1.1\r\n\
            Transfer-Encoding: chunked\r\n\r\n5;a=b\r\n\n\r\n\nx\r\n0\r\na: b\r\n\r\n\
            GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(seen(bytes), None);
        assert_eq!(seen(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n\n"), None);
    }

    #[test]
    fn what_the_parser_would_mend_is_spoilt() {
        for head in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b\n\r\n",
        ] {
            for before in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
                let bytes = format!("{before}{head}");
                let spoilt = seen(bytes.as_bytes()).unwrap_or_else(|| panic!("{bytes:?} passed"));
                assert!(spoilt.contains(&0), "{spoilt:?}");
            }
        }
    }

    #[test]
    fn trailers_are_spoilt_so_that_nobody_waits_for_their_end() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        // A line that is empty has no room for both carriage returns: whatever comes next is the second.
        for trailers in ["a: b\n", "a: b\n\r\n", "a: b\r\n\n\r\n"] {
            let spoilt = seen(format!("{head}{trailers}").as_bytes()).unwrap();
            let tail = spoilt.strip_prefix(head.as_bytes()).unwrap();
            assert!(tail.ends_with(b"\r\r"), "{tail:?}");
        }
    }

    #[tokio::test]
    async fn a_bare_line_feed_that_ends_a_request_is_refused_without_another_byte() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        // The line at once, and its end by itself.
        for parts in [["", "\n"], ["a: b", "\n"], ["a: b\r\n", "\n"]] {
            let (mut client, server) = tokio::io::duplex(1024);
            let mut strict = Strict::new(server, Arc::default(), true);
            let mut seen = Vec::with_capacity(256);
            for part in [head, parts[0], parts[1]].into_iter().filter(|part| !part.is_empty()) {
                client.write_all(part.as_bytes()).await.unwrap();
                strict.read_buf(&mut seen).await.unwrap();
            }
            assert_eq!(strict.read_buf(&mut seen).await.unwrap(), 1);
            assert!(seen.ends_with(b"\r\r"), "{:?}", String::from_utf8_lossy(&seen));
        }
    }

    #[test]
    fn another_protocol_is_not_watched() {
        let marks = Arc::new(Marks::default());
        let mut strict = Strict::new((), Arc::clone(&marks), true);
        let mut head = b"GET / HTTP/1.1\r\nUpgrade: echo\r\n\r\n".to_vec();
        strict.watch.see(&mut head);
        let _tunnel = marks.tunnel();
        let mut raw = b"a\nb\n\n".to_vec();
        strict.watch.see(&mut raw);
        assert_eq!(raw, b"a\nb\n\n");
    }
}
