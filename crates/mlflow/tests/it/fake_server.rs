//! A server that answers what a test scripted, byte for byte, and keeps what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends this head, then zeros until the client goes away.
    Endless(&'static str),
    /// Says nothing for a while, then closes the connection.
    Silence(Duration),
}

/// A plain answer with a JSON body.
pub(crate) fn json(status: &str, body: &str) -> Answer {
    with_headers(status, "content-type: application/json\r\n", body)
}

pub(crate) fn with_headers(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(
        format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// One request as it came: head and body.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) struct FakeServer {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeServer {
    /// Answers the requests with `answers` in order; the last one stands for all that follow.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        // Ends with the test process: it waits for connections for ever.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = seen.lock().unwrap().len();
                let answer = answers[number.min(answers.len() - 1)].clone();
                // A client that has gone away is what some tests want.
                let _gone = serve(stream, &answer, &seen);
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let mut request = Request { head, body: Vec::new() };
    if let Some(length) = request.header("content-length").and_then(|text| text.parse().ok()) {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
    }
    seen.lock().unwrap().push(request);
    let mut stream = reader.into_inner();
    match answer {
        Answer::Bytes(bytes) => stream.write_all(bytes)?,
        Answer::Endless(head) => {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(&[b' '; 8192])?;
            }
        }
        Answer::Silence(time) => std::thread::sleep(*time),
    }
    stream.shutdown(Shutdown::Both)
}
