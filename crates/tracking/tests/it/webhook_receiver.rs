//! A receiver of webhooks, which answers as it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn event(&self) -> String {
        let body = self.json();
        format!("{}.{}", body["entity"].as_str().unwrap(), body["action"].as_str().unwrap())
    }
}

/// Listens until the test is over.
pub(crate) struct Hook {
    pub(crate) url: String,
    received: Receiver<Received>,
}

impl Hook {
    /// Takes everything.
    pub(crate) fn start() -> Self {
        Self::answering(|_number| "204 No Content".to_owned())
    }

    /// Answers with the status and headers that are given for the number of the request.
    pub(crate) fn answering(answer: impl Fn(usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, received) = channel();
        // Ends with the tests' process.
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { continue };
                take(stream, &answer(number), &sender);
            }
        });
        Self { url, received }
    }

    /// The next request, in the order in which they came.
    pub(crate) fn next(&self) -> Received {
        self.received.recv_timeout(Duration::from_mins(1)).expect("a webhook is told")
    }

    /// What came and nobody has asked for yet.
    pub(crate) fn rest(&self) -> Vec<Received> {
        self.received.try_iter().collect()
    }
}

fn take(mut stream: TcpStream, answer: &str, sender: &Sender<Received>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut headers = Vec::new();
    let mut line = String::new();
    // The request line is not among them.
    if reader.read_line(&mut line).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut received = Received { headers, body: String::new() };
    let mut body = vec![0; received.header("content-length").parse().unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    received.body = String::from_utf8(body).unwrap();
    let _nobody_waits = sender.send(received);
    let head = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _gone = stream.write_all(head.as_bytes());
}
