//! A mail server for tests, without encryption, and a project that mails to it.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::Project;

/// The end of a wait for a mail: what takes as long does not come.
const TOO_LONG: Duration = Duration::from_mins(2);

/// The next mail that was sent.
pub(crate) async fn next_mail(mails: &mut UnboundedReceiver<String>) -> String {
    tokio::time::timeout(TOO_LONG, mails.recv()).await.unwrap().unwrap()
}

/// How a server answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MailServer {
    /// How it greets, one after the other, and well from then on. `421` is that it may be better later, `554` that it will
    /// not.
    pub(crate) greetings: &'static [&'static str],
    /// Addresses that it does not take.
    pub(crate) refused: &'static [&'static str],
}

/// A project in this folder, and the mails that it sends to such a server.
pub(crate) async fn mailing(
    folder: &Path,
    server: MailServer,
) -> (Project, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!(
        "[model]\nname = \"Iris\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n[notify.email]\nserver = \"127.0.0.1\"\n\
         port = {port}\nencryption = \"none\"\nfrom = \"ty@example.org\"\nto = [\"me@example.org\"]\n"
    );
    std::fs::write(folder.join(crate::FILE_NAME), text).unwrap();
    let project = Project::open(folder, None).unwrap();
    let (sender, mails) = unbounded_channel();
    tokio::spawn(async move {
        let mut greetings = server.greetings.iter();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut answer = *greetings.next().unwrap_or(&"220 here");
            let mut mail: Option<String> = None;
            loop {
                // Who goes without a word has got the answer, too.
                let _is_there = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
                let mut line = String::new();
                while let Some(text) = &mut mail {
                    line.clear();
                    if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line == ".\r\n" {
                        break;
                    }
                    text.push_str(&line);
                }
                if let Some(text) = mail.take() {
                    // Whoever tests may have seen enough.
                    let _is_read = sender.send(text);
                    answer = "250 taken";
                    continue;
                }
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    break;
                }
                let is_mail = line.starts_with("DATA");
                mail = is_mail.then(String::new);
                let is_refused = server.refused.iter().any(|address| line.contains(address));
                answer = match (is_mail, is_refused && line.starts_with("RCPT")) {
                    (true, _) => "354 go on",
                    (false, true) => "550 nobody of that name",
                    (false, false) => "250 well",
                };
            }
        }
    });
    (project, mails)
}
