//! E-mail: a message for each cause, as plain text and as small HTML. What follows on it (further measures, and that it
//! is over) is an answer to the first one, so that programs for mail show one thread.

use std::error::Error as StdError;

use chrono::Utc;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{MessageBuilder, MultiPart};
use lettre::{Address, Message};
use sha2::{Digest as _, Sha256};
use trainyard_drift::CauseNews;
use trainyard_mlflow::secrets::hide;

use super::config::Occasion;
use super::email_config::{Email, mailbox};
use super::happened::{Alert, Happened};
use super::link::link;
use super::markup;
use super::smtp::send;
use crate::Project;

/// Messages of one look: where more columns are beyond there is one cause, and the last message names them all.
const MESSAGES_MAX: usize = 10;

/// Characters of a subject, and of a text: programs for mail show a hundred of the former.
const SUBJECT_CHARS_MAX: usize = 150;
const TEXT_CHARS_MAX: usize = 20_000;

/// Characters of a message's id: of a hash of what it is about.
const ID_CHARS: usize = 32;

/// What a message says, without what it is wrapped in.
#[derive(Debug, PartialEq, Eq)]
struct Mail {
    subject: String,
    text: String,
    /// What it is about, if something may follow on it or it follows on something; and whether it is the first.
    thread: Option<(String, bool)>,
}

/// Tells those whom `to` of the project names so; why not, for each of them that did not get all of it.
pub(super) async fn tell(
    project: &Project,
    happened: &Happened,
    to: &[&str],
) -> Vec<Result<(), String>> {
    let Some(config) = project.config.notify.email.as_ref().filter(|_| !to.is_empty()) else {
        return to.iter().map(|_nobody| Ok(())).collect();
    };
    let link = link(project);
    let messages = mails(&project.config.model.name, happened)
        .iter()
        .map(|mail| message(config, mail, link.as_deref()))
        .collect::<Result<Vec<Message>, String>>();
    let addresses = to.iter().map(|to| Ok(mailbox(to)?.email)).collect::<Result<_, String>>();
    match messages.and_then(|messages| Ok((messages, addresses?))) {
        Ok((messages, addresses)) => {
            let addresses: Vec<Address> = addresses;
            send(&project.folder, config, &messages, &addresses).await
        }
        Err(reason) => to.iter().map(|_all| Err(reason.clone())).collect(),
    }
}

/// What is to be said.
fn mails(model: &str, happened: &Happened) -> Vec<Mail> {
    let text = happened.text(model);
    let of = |from: Occasion, since: &str, is_first: bool| {
        let subject = match from {
            Occasion::Outage => format!("{model} does not serve"),
            _ => format!("{model}: drift could not be looked for"),
        };
        let thread = Some((format!("{model}\n{from:?}\n{since}"), is_first));
        vec![Mail { subject, text: text.clone(), thread }]
    };
    match happened {
        Happened::Alert(alert) => of_causes(model, alert),
        Happened::Outage(trouble) => of(Occasion::Outage, &trouble.since, !trouble.is_known),
        Happened::MonitorFailed(trouble) => {
            of(Occasion::MonitorFailed, &trouble.since, !trouble.is_known)
        }
        Happened::Recovered { from, since } => of(*from, since, false),
        _ => vec![Mail { subject: text.clone(), text, thread: None }],
    }
}

fn of_causes(model: &str, alert: &Alert) -> Vec<Mail> {
    let mail = |cause: &CauseNews| {
        let what = match &cause.column {
            Some(column) => format!("column {column}"),
            None => "the data as a whole".to_owned(),
        };
        let key = format!("{model}\n{}\n{:?}\n{}", alert.length, cause.column, cause.began.begins);
        Mail {
            subject: format!("{model}: alert on {what}"),
            text: format!("{model}: {}", cause.text),
            thread: Some((key, cause.is_first)),
        }
    };
    if alert.causes.len() <= MESSAGES_MAX {
        return alert.causes.iter().map(mail).collect();
    }
    let (own, further) = alert.causes.split_at(MESSAGES_MAX - 1);
    let mut mails: Vec<Mail> = own.iter().map(mail).collect();
    let lines: Vec<&str> = further.iter().map(|cause| cause.text.as_str()).collect();
    mails.push(Mail {
        subject: format!("{model}: alerts on {} more columns", further.len()),
        text: lines.join("\n"),
        thread: None,
    });
    mails
}

/// A message as it goes out.
fn message(config: &Email, mail: &Mail, link: Option<&str>) -> Result<Message, String> {
    let from = mailbox(&config.from)?;
    let id = |about: &str| {
        let mut hash = hex::encode(Sha256::digest(about));
        hash.truncate(ID_CHARS);
        format!("<{hash}@{}>", from.email.domain())
    };
    let text = hide(&mail.text);
    let text = shortened(&text, TEXT_CHARS_MAX);
    let now = Utc::now();
    // The same for each time that one is sent which nobody may have had.
    let own = |about: &str| id(&format!("{about}\n{text}\n{}", now.timestamp_micros()));
    let mut subject = shortened(&one_line(&hide(&mail.subject)), SUBJECT_CHARS_MAX);
    let mut builder: MessageBuilder = Message::builder().date(now.into());
    builder = match &mail.thread {
        Some((about, true)) => builder.message_id(Some(id(about))),
        Some((about, false)) => {
            subject = format!("Re: {subject}");
            let first = id(about);
            builder.message_id(Some(own(about))).in_reply_to(first.clone()).references(first)
        }
        None => builder.message_id(Some(own(&mail.subject))),
    };
    for to in &config.to {
        builder = builder.to(mailbox(to)?);
    }
    let link_line = link.map_or_else(String::new, |link| format!("\n\n{link}"));
    builder
        .from(from.clone())
        .subject(subject)
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(
            format!("{text}{link_line}\n"),
            html(&text, link),
        ))
        .map_err(|error| error.to_string())
}

/// A paragraph a line.
fn html(text: &str, link: Option<&str>) -> String {
    let mut page = String::from("<!DOCTYPE html><html><body>");
    page.extend(text.lines().map(|line| format!("<p>{}</p>", markup::text(line))));
    let link = link.map(markup::attribute);
    page.extend(link.map(|link| format!("<p><a href=\"{link}\">{link}</a></p>")));
    page.push_str("</body></html>\n");
    page
}

/// A header is one line, whatever is in the name of a column.
fn one_line(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Nobody's absence is to be answered to a program (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_value: &str) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{Window, WindowLength};

    use super::super::happened::Trouble;
    use super::*;

    fn config() -> Email {
        toml::from_str(
            "server = \"mail.example.org\"\nfrom = \"Trainyard <ty@example.org>\"\n\
             to = [\"a@example.org\", \"B <b@example.org>\"]\n",
        )
        .unwrap()
    }

    fn cause(column: &str, is_first: bool) -> CauseNews {
        CauseNews {
            column: Some(column.to_owned()),
            began: Window { begins: 0, ends: 1 },
            is_first,
            text: format!("drift_score of {column} is 0.5, above 0.3"),
        }
    }

    fn alert(causes: Vec<CauseNews>) -> Happened {
        let length: WindowLength = "1d".parse().unwrap();
        let text = "all".to_owned();
        let (began, over, firing) = (Vec::new(), Vec::new(), Vec::new());
        Happened::Alert(Alert { text, began, over, causes, firing, length })
    }

    /// Values of a header of a message, by its lines, which are unfolded.
    fn header(text: &str, name: &str) -> Option<String> {
        let head = text.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    }

    fn sent(mail: &Mail) -> String {
        let link = Some("https://h/models/m?a=1&b=2");
        String::from_utf8(message(&config(), mail, link).unwrap().formatted()).unwrap()
    }

    #[test]
    fn what_follows_on_a_message_answers_it() {
        let of = |is_first| {
            let mails = mails("Iris", &alert(vec![cause("x", is_first)]));
            sent(&mails[0])
        };
        let (first, later, last) = (of(true), of(false), of(false));
        let id = header(&first, "Message-ID").unwrap();
        assert!(id.ends_with("@example.org>"), "{id}");
        assert_eq!(header(&of(true), "Message-ID").unwrap(), id, "sent once more it is the same");
        assert_eq!(header(&first, "References"), None);
        for answer in [&later, &last] {
            assert_eq!(header(answer, "In-Reply-To").unwrap(), id);
            assert_eq!(header(answer, "References").unwrap(), id);
            assert_eq!(header(answer, "Subject").unwrap(), "Re: Iris: alert on column x");
        }
        assert_ne!(header(&later, "Message-ID"), header(&last, "Message-ID"));
        let other = sent(&mails("Iris", &alert(vec![cause("y", true)]))[0]);
        assert_ne!(header(&other, "Message-ID").unwrap(), id);
        assert_eq!(header(&first, "Auto-Submitted").unwrap(), "auto-generated");
        assert_eq!(header(&first, "Subject").unwrap(), "Iris: alert on column x");
    }

    #[test]
    fn an_outage_and_its_end_are_one_thread() {
        let down = Trouble::new("exit code 1");
        let since = down.since.clone();
        let other = Trouble { reason: "exit code 2".to_owned(), is_known: true, ..down.clone() };
        let up = Happened::Recovered { from: Occasion::Outage, since };
        let [first, other, last] = [Happened::Outage(down), Happened::Outage(other), up]
            .map(|one| sent(&mails("Iris", &one)[0]));
        assert_eq!(header(&other, "In-Reply-To"), header(&first, "Message-ID"));
        assert_eq!(header(&last, "In-Reply-To"), header(&first, "Message-ID"));
        assert!(last.contains("Iris: the outage is over"), "{last}");
    }

    #[test]
    fn names_of_columns_are_text_and_no_headers() {
        let name = "x\r\nBcc: eve@example.org <b>\"é\"";
        let mail = &mails("Iris", &alert(vec![cause(name, true)]))[0];
        let text = sent(mail);
        assert_eq!(header(&text, "Bcc"), None, "{text}");
        let page = html("a <b> & \"c\"\nd", Some("https://h/?a=1&b='2'"));
        assert_eq!(
            page,
            "<!DOCTYPE html><html><body><p>a &lt;b&gt; &amp; \"c\"</p><p>d</p>\
             <p><a href=\"https://h/?a=1&amp;b=&#39;2&#39;\">https://h/?a=1&amp;b=&#39;2&#39;</a></p>\
             </body></html>\n"
        );
    }

    #[test]
    fn messages_are_few_and_short_and_keep_secrets() {
        let many = (0..100).map(|column| cause(&format!("c{column}"), true)).collect();
        let mails = mails("Iris", &alert(many));
        assert_eq!(mails.len(), MESSAGES_MAX);
        assert_eq!(mails.last().unwrap().subject, "Iris: alerts on 91 more columns");
        assert!(mails.last().unwrap().text.contains("drift_score of c99"));
        let long = Mail {
            subject: "s".repeat(1000),
            text: format!("{} postgres://me:hunter2@host/db", "t".repeat(TEXT_CHARS_MAX / 2)),
            thread: None,
        };
        let text = sent(&long);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(header(&text, "Subject").unwrap().len() < 1000, "{text}");
    }
}
