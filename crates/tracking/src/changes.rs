//! That something was written to a server's databases, for whoever waits for it.
//!
//! The databases are looked at as long as somebody asks, a few times a second for all who ask: where nobody does,
//! nobody looks. Where servers over PostgreSQL tell each other, what is told counts at once, and looks are rare.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{select_all, try_join_all};
use tokio::sync::Mutex;
use trainyard_mlflow::Result;

use crate::store::SqlStore;
use crate::store::mark::Mark;
use crate::store::postgres_news::Heard;

/// How long a look is good for.
const FRESH: Duration = Duration::from_millis(500);
/// The same where what is written is heard of.
const FRESH_HEARING: Duration = Duration::from_secs(5);
/// The least time between two changes that may be of another database of the same server: of a busy one there are
/// some at each look.
const OTHERS_PERIOD: Duration = Duration::from_secs(10);

/// Changes of a server's databases. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Changes(Arc<Looked>);

struct Looked {
    stores: Vec<Arc<SqlStore>>,
    seen: Mutex<Seen>,
}

/// What was seen at the last look.
#[derive(Debug, Default)]
struct Seen {
    count: u64,
    looked_at: Option<Instant>,
    counted_at: Option<Instant>,
    marks: Vec<Mark>,
    /// How often something was heard of each database.
    heard: Vec<u64>,
    /// The same at the last look.
    heard_at_look: Vec<u64>,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

impl Changes {
    pub(crate) fn of(stores: Vec<Arc<SqlStore>>) -> Self {
        Self(Arc::new(Looked { stores, seen: Mutex::default() }))
    }

    /// How often something was found to have been written: whoever reads after asking has seen all of it. Who wrote
    /// it does not matter: this process, another server over the same database, or another program (one of those over
    /// PostgreSQL is noticed within fifteen seconds). A database that cannot be asked has not changed.
    pub async fn count(&self) -> u64 {
        // Those who ask meanwhile wait for the same look.
        let mut seen = self.0.seen.lock().await;
        let heard: Vec<Heard> = self.0.stores.iter().map(|store| store.heard()).collect();
        let is_hearing = !heard.is_empty() && heard.iter().all(|heard| heard.hears);
        seen.hear(heard.iter().map(|heard| heard.count).collect(), Instant::now());
        let fresh = if is_hearing { FRESH_HEARING } else { FRESH };
        if seen.looked_at.is_some_and(|at| at.elapsed() < fresh) {
            return seen.count;
        }
        match self.marks().await {
            Ok(marks) => {
                for store in seen.note(marks, Instant::now()) {
                    let news = self.0.stores.get(store).and_then(|store| store.news());
                    news.inspect(|news| news.deafen());
                }
            }
            Err(error) => tracing::debug!(%error, "it is not known whether something was written"),
        }
        seen.looked_at = Some(Instant::now());
        seen.count
    }

    /// Returns when something is told of one of the databases; never where nobody tells.
    pub async fn told(&self) {
        let news = self.0.stores.iter().filter_map(|store| store.news());
        let waits = news.map(|news| Box::pin(news.wait()));
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            std::future::pending::<()>().await;
        }
        select_all(waits).await;
    }

    async fn marks(&self) -> Result<Vec<Mark>> {
        try_join_all(self.0.stores.iter().map(|store| store.mark())).await
    }
}

impl Seen {
    /// Counts what was told.
    fn hear(&mut self, heard: Vec<u64>, now: Instant) {
        if !self.heard.is_empty() && self.heard != heard {
            self.count += 1;
            self.counted_at = Some(now);
        }
        self.heard = heard;
    }

    /// Counts what a look at the databases found and nobody told. Returns the places of those that were written to by
    /// one that should have told.
    fn note(&mut self, marks: Vec<Mark>, now: Instant) -> Vec<usize> {
        let told = |place: usize| self.heard.get(place) != self.heard_at_look.get(place);
        let told: Vec<bool> = (0..marks.len()).map(told).collect();
        self.heard_at_look.clone_from(&self.heard);
        if self.marks.is_empty() {
            self.marks = marks;
            return Vec::new();
        }
        let is_due =
            self.counted_at.is_none_or(|at| now.saturating_duration_since(at) >= OTHERS_PERIOD);
        let (mut untold, mut is_more) = (Vec::new(), false);
        let pairs = self.marks.iter_mut().zip(marks).zip(told);
        for (place, ((old, new), is_told)) in pairs.enumerate() {
            let is_own = old.own != new.own;
            let counts = is_own || (old.any != new.any && is_due);
            if is_own && !is_told {
                untold.push(place);
            }
            // What was told was counted when it was.
            is_more |= counts && !is_told;
            if counts || is_told {
                *old = new;
            }
        }
        if is_more {
            self.count += 1;
            self.counted_at = Some(now);
        }
        untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_of_others_is_not_counted_each_time() {
        let mark = |own: &str, any: &str| Mark { own: own.to_owned(), any: any.to_owned() };
        let start = Instant::now();
        let mut seen = Seen::default();
        let mut count_at = |seconds: u64, marks: [Mark; 2]| {
            seen.note(marks.to_vec(), start + Duration::from_secs(seconds));
            seen.count
        };
        assert_eq!(count_at(0, [mark("1", "a"), mark("1", "")]), 0);
        assert_eq!(count_at(1, [mark("1", "a"), mark("1", "")]), 0);
        assert_eq!(count_at(2, [mark("2", "b"), mark("1", "")]), 1);
        assert_eq!(count_at(3, [mark("2", "b"), mark("2", "")]), 2, "the other database");
        assert_eq!(count_at(4, [mark("2", "c"), mark("2", "")]), 2, "a neighbour, perhaps");
        assert_eq!(count_at(12, [mark("2", "c"), mark("2", "")]), 2);
        assert_eq!(count_at(13, [mark("2", "c"), mark("2", "")]), 3, "it was not forgotten");
        assert_eq!(count_at(90, [mark("2", "c"), mark("2", "")]), 3);
        assert_eq!(count_at(91, [mark("3", "d"), mark("2", "")]), 4);
        assert_eq!(count_at(92, [mark("4", "e"), mark("2", "")]), 5, "our own is never held back");
    }

    #[test]
    fn what_was_told_counts_once_and_what_was_not_is_found() {
        let mark = |own: &str, any: &str| vec![Mark { own: own.to_owned(), any: any.to_owned() }];
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        seen.hear(vec![7], at(0));
        assert!(seen.note(mark("1", "a"), at(0)).is_empty());
        seen.hear(vec![8], at(1));
        assert_eq!(seen.count, 1, "at once");
        seen.hear(vec![8], at(2));
        assert!(seen.note(mark("2", "b"), at(5)).is_empty());
        assert_eq!(seen.count, 1, "the look finds what was told");
        // Somebody who does not tell, and then nobody hears.
        assert!(seen.note(mark("2", "c"), at(20)).is_empty());
        assert_eq!(seen.count, 2);
        assert_eq!(seen.note(mark("3", "d"), at(25)), [0]);
        assert_eq!(seen.count, 3);
    }
}
