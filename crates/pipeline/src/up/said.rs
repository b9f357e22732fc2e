//! What a supervisor says: a line for each thing that it did or found, for a log.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use trainyard_deploy::{Service, log_line};
use trainyard_mlflow::secrets::hide;

use crate::service_record::News;

/// Something that a supervisor did, or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The model of the project.
    pub model: String,
    /// What, in a sentence.
    pub text: String,
    /// Whether somebody may have to look.
    pub is_trouble: bool,
}

impl Said {
    /// Something that went as it should.
    pub(super) fn note(model: &str, text: impl Into<String>) -> Self {
        Self { model: model.to_owned(), text: text.into(), is_trouble: false }
    }

    /// Something that somebody may have to look at.
    pub(super) fn trouble(model: &str, text: impl Into<String>) -> Self {
        Self { model: model.to_owned(), text: text.into(), is_trouble: true }
    }
}

/// Who is told.
pub type Told = Arc<dyn Fn(&Said) + Send + Sync>;

/// The same listener, after a line in the log of the supervisor of a deployment, and one for its record.
pub(super) fn logged(told: &Told, service: Service, news: Arc<News>) -> Told {
    let told = Arc::clone(told);
    Arc::new(move |said: &Said| {
        let (now, text) = (Utc::now(), hide(&said.text));
        let level = if said.is_trouble { "WARN" } else { "INFO" };
        let at = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        log_line(&service, &format!("{at} {level:>5} {text}"));
        let at = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        news.tell(&format!("{at} {level:>5} {text}"));
        told(said);
    })
}

/// Tells what goes on only when it is not what was told last.
#[derive(Debug, Default)]
pub(super) struct Once(Option<String>);

impl Once {
    /// Whether this is news.
    pub(super) fn is_news(&mut self, text: &str) -> bool {
        let is_news = self.0.as_deref() != Some(text);
        if is_news {
            self.0 = Some(text.to_owned());
        }
        is_news
    }

    /// It is over.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}
