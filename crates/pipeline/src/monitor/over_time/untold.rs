//! What is to be told of windows, and who heard it. Most know the same; who was away knows what he knew before.

use std::collections::BTreeMap;

use trainyard_drift::{News, Window};

use super::kept::History;
use super::memory::Memory;
use crate::notify::Receiver;

/// What is to be told now.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// To those who know what most know.
    pub(super) usual: News,
    /// To others, by id.
    pub(super) own: BTreeMap<String, News>,
    last_ended: Option<Window>,
}

impl Untold {
    /// What is news to whom, of windows of which the last that ended is known, and labels of these say something else now.
    pub(super) fn of(
        history: &mut History,
        relabelled: &[Window],
        last_ended: Option<Window>,
        news: impl Fn(&Memory) -> News,
    ) -> Self {
        let look = |memory: &mut Memory| {
            memory.relabelled.extend(relabelled);
            let news = news(memory);
            // At the first look all that ever was would be news.
            if news.is_empty() || memory.told_until.is_none() {
                memory.told_until = last_ended;
                memory.relabelled.clear();
            }
            news
        };
        let usual = look(&mut history.memory);
        let own = history.others.iter_mut().map(|(id, memory)| (id.clone(), look(memory)));
        Self { usual, own: own.collect(), last_ended }
    }

    /// Whether there is nothing to tell anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.usual.is_empty() && self.own.values().all(News::is_empty)
    }

    /// What is news to somebody.
    pub(super) fn to(&self, receiver: &Receiver) -> &News {
        self.own.get(&receiver.id()).unwrap_or(&self.usual)
    }

    /// Notes in the history that of all who are named these have heard it. What nobody heard is news to whoever is named
    /// next, too: an address may have been wrong.
    pub(super) fn heard(self, history: &mut History, all: &[Receiver], heard: &[Receiver]) {
        let before = history.memory.clone();
        if all.is_empty() || !heard.is_empty() {
            history.memory.learn(&self.usual, self.last_ended);
        }
        let mut others = BTreeMap::new();
        for receiver in all {
            let id = receiver.id();
            let mut memory = history.others.remove(&id).unwrap_or_else(|| before.clone());
            if heard.contains(receiver) {
                memory.learn(self.to(receiver), self.last_ended);
            }
            if memory != history.memory {
                others.insert(id, memory);
            }
        }
        history.others = others;
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{About, Episode, Range, Series, WindowLength, news};

    use super::*;

    fn window(day: i64) -> Window {
        Window { begins: day * 86_400_000, ends: (day + 1) * 86_400_000 }
    }

    fn episode(column: &str, fired: i64, ended: Option<i64>) -> Episode {
        Episode {
            rule: "r".to_owned(),
            series: Series {
                about: About::Drift,
                metric: "drift_score".to_owned(),
                segment: None,
                version: None,
                column: Some(column.to_owned()),
            },
            began: window(fired),
            fired: window(fired),
            ended: ended.map(window),
            value: 0.5,
            range: Range { low: None, high: Some(0.3) },
        }
    }

    /// What each is told at a look at which these hear it.
    fn look(
        history: &mut History,
        day: i64,
        episodes: &[Episode],
        all: &[Receiver],
        heard: &[Receiver],
    ) -> Vec<String> {
        let of = |memory: &Memory| {
            let is_recent = |one: &Episode| {
                memory.told_until.is_some_and(|until| one.ended.is_some_and(|ended| ended > until))
            };
            news(episodes, &memory.told, |_| false, is_recent)
        };
        let untold = Untold::of(history, &[], Some(window(day)), of);
        let length: WindowLength = "1d".parse().unwrap();
        let told = all.iter().map(|one| untold.to(one).text(length)).collect();
        untold.heard(history, all, heard);
        told
    }

    #[test]
    fn who_was_away_is_told_until_he_heard_and_nobody_else_twice() {
        let length: WindowLength = "1d".parse().unwrap();
        let mut history = History::new(length);
        let all = [Receiver::Webhook, Receiver::Email("me@example.org".to_owned())];
        let hook = &all[..1];
        look(&mut history, 1, &[], &all, &all);
        let (x, y) = (|ended| episode("x", 2, ended), || episode("y", 3, None));
        let told = look(&mut history, 2, &[x(None)], &all, hook);
        assert!(told.iter().all(|text| text.contains("drift_score of x")), "{told:?}");
        assert_eq!(history.others.len(), 1);
        // Also after the file was written and read.
        let text = serde_json::to_string(&history).unwrap();
        let mut history: History = serde_json::from_str(&text).unwrap();
        let told = look(&mut history, 3, &[x(None), y()], &all, hook);
        assert!(!told[0].contains("of x") && told[0].contains("of y"), "{told:?}");
        assert!(told[1].contains("of x") && told[1].contains("of y"), "{told:?}");
        // It is over before he heard.
        let told = look(&mut history, 4, &[x(Some(4)), y()], &all, &all);
        assert_eq!(told[0], "back to what is usual: drift_score of x");
        assert!(told[1].contains("of x") && told[1].contains("and over since"), "{told:?}");
        assert!(told[1].contains("of y"), "{told:?}");
        assert!(history.others.is_empty(), "both know the same: {:?}", history.others);
        assert_eq!(look(&mut history, 5, &[x(Some(4)), y()], &all, &[]), ["", ""]);
    }

    #[test]
    fn who_is_not_named_any_more_is_forgotten_and_who_is_new_knows_what_most_know() {
        let mut history = History::new("1d".parse().unwrap());
        let of = |to: &str| Receiver::Email(to.to_owned());
        let (before, after) = ([of("a@h"), of("b@h")], [of("b@h"), of("c@h")]);
        look(&mut history, 1, &[], &before, &before);
        let goes_on = [episode("x", 2, None)];
        look(&mut history, 2, &goes_on, &before, &before[1..]);
        assert_eq!(history.others.len(), 1);
        let told = look(&mut history, 3, &goes_on, &after, &[]);
        assert_eq!(told, ["", ""]);
        assert!(history.others.is_empty());
    }

    #[test]
    fn what_nobody_heard_is_news_to_whoever_is_named_next() {
        let mut history = History::new("1d".parse().unwrap());
        let of = |to: &str| [Receiver::Email(to.to_owned())];
        let (wrong, right) = (of("me@exmaple.org"), of("me@example.org"));
        look(&mut history, 1, &[], &wrong, &wrong);
        let goes_on = [episode("x", 2, None)];
        look(&mut history, 2, &goes_on, &wrong, &[]);
        assert!(history.others.is_empty());
        let told = look(&mut history, 3, &goes_on, &right, &right);
        assert!(told[0].contains("drift_score of x"), "{told:?}");
        assert_eq!(look(&mut history, 4, &goes_on, &right, &[]), [""]);
    }

    #[test]
    fn what_earlier_versions_wrote_is_what_all_know() {
        let mut history = History::new("1d".parse().unwrap());
        look(&mut history, 1, &[], &[], &[]);
        look(&mut history, 2, &[episode("x", 2, None)], &[], &[]);
        let value = serde_json::to_value(&history).unwrap();
        assert_eq!(value["told"].as_array().unwrap().len(), 1);
        assert!(value["told_until"].is_object() && value.get("others").is_none(), "{value}");
    }
}
