//! That something was written to a server's databases, for whoever waits for it.
//!
//! The databases are looked at as long as somebody asks, a few times a second for all who ask: where nobody does,
//! nobody looks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::sync::Mutex;
use trainyard_mlflow::Result;

use crate::store::SqlStore;
use crate::store::mark::Mark;

/// How long a look is good for.
const FRESH: Duration = Duration::from_millis(500);
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
    /// PostgreSQL is noticed within ten seconds). A database that cannot be asked has not changed.
    pub async fn count(&self) -> u64 {
        // Those who ask meanwhile wait for the same look.
        let mut seen = self.0.seen.lock().await;
        if seen.looked_at.is_some_and(|at| at.elapsed() < FRESH) {
            return seen.count;
        }
        match self.marks().await {
            Ok(marks) => seen.note(marks, Instant::now()),
            Err(error) => tracing::debug!(%error, "it is not known whether something was written"),
        }
        seen.looked_at = Some(Instant::now());
        seen.count
    }

    async fn marks(&self) -> Result<Vec<Mark>> {
        try_join_all(self.0.stores.iter().map(|store| store.mark())).await
    }
}

impl Seen {
    fn note(&mut self, marks: Vec<Mark>, now: Instant) {
        if self.marks.is_empty() {
            self.marks = marks;
            return;
        }
        let pairs = || self.marks.iter().zip(&marks);
        let is_own = pairs().any(|(old, new)| old.own != new.own);
        let is_due =
            || self.counted_at.is_none_or(|at| now.saturating_duration_since(at) >= OTHERS_PERIOD);
        if is_own || (pairs().any(|(old, new)| old.any != new.any) && is_due()) {
            self.count += 1;
            self.counted_at = Some(now);
            self.marks = marks;
        }
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
}
