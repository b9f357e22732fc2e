//! What is said of a service while it is kept up: the last lines, and that there is one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use trainyard_base::service::cut;
use trainyard_mlflow::secrets::hide;

/// Lines that are kept, the last ones, and characters of each: all fit into a tag.
const LINES_MAX: usize = 30;
const CHARACTERS_MAX: usize = 240;

/// What comes right after a piece of news belongs to it, and a service that has news all the time is recorded no more
/// often than this.
const SETTLES: Duration = Duration::from_secs(3);

/// What was said.
#[derive(Debug, Default)]
pub(crate) struct News {
    lines: Mutex<VecDeque<String>>,
    /// What is done now of a release that was asked for on a page.
    step: Mutex<Option<String>>,
    is_new: Notify,
}

impl News {
    /// Adds a line, which has no secrets: whoever reads the record sees it.
    pub(crate) fn tell(&self, line: &str) {
        // Whole between any two operations.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(cut(line, CHARACTERS_MAX));
        self.is_new.notify_one();
    }

    /// Says what is done now of a release that was asked for, or that none is.
    pub(crate) fn do_now(&self, step: Option<&str>) {
        let step = step.map(|step| cut(&hide(step), CHARACTERS_MAX));
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
        self.is_new.notify_one();
    }

    /// The same as it was said last.
    pub(super) fn step(&self) -> Option<String> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lines, oldest first; none where nothing was said.
    pub(super) fn text(&self) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Waits for a line that nobody waited for yet, and for what follows it.
    pub(super) async fn settled(&self) {
        self.is_new.notified().await;
        tokio::time::sleep(SETTLES).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_fit_into_a_tag() {
        let news = News::default();
        assert_eq!(news.text(), None);
        for number in 0..100 {
            news.tell(&format!("{number}\n{}", "x".repeat(1000)));
        }
        let text = news.text().unwrap();
        assert!(text.chars().count() < 8_000);
        assert!(text.starts_with("70 x") && text.lines().count() == LINES_MAX, "{text}");
        // What was said before somebody waits is not missed.
        news.is_new.notified().await;
    }
}
