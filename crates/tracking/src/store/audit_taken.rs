//! Changes of who may do what, taken into the chain from the database of users.
//!
//! They are written down there in the transaction that makes them, and numbered without gaps. Here the number up to
//! which they were taken is stored together with their events: each is taken once, wherever this is broken off, and
//! a number that is missing is seen.

use trainyard_mlflow as mlflow;
use trainyard_mlflow::entities::AuditEvent;

use super::approval_desk;
use super::audit::{Auditor, Change, append, last};
use super::database::Connection;
use super::sql_store::SqlStore;
use crate::error::Result;

/// Subject of what is said of that database as a whole.
pub(crate) const USERS: &str = "users";

/// Somebody is no user any more.
pub(crate) const USER_DELETED: &str = "user.delete";

/// What waits in a database of users, as it is at one time.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// Which database that is.
    pub(crate) source: String,
    /// Number of the last change that was ever written down there.
    pub(crate) last: i64,
    /// The oldest that are still there, with their numbers.
    pub(crate) events: Vec<(i64, AuditEvent)>,
    /// Whether there are no more of them.
    pub(crate) is_all: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The log knows more than was waiting: others took it meanwhile, or the database is an older one. Who looks
    /// again finds out which.
    LookAgain {
        /// The number up to which the log has taken everything.
        known: i64,
    },
    Done {
        /// Up to this number nothing need wait any more.
        through: i64,
        /// Those in the log now that came late.
        late: usize,
        /// What should have been there.
        gaps: Vec<String>,
    },
}

impl SqlStore {
    /// Takes what waits. `seen` is what the log [knew](Taken::LookAgain) before it was looked at; what has a number up
    /// to `left` was left by programs that ended.
    pub(crate) async fn take_changes(
        &self,
        waiting: Waiting,
        seen: Option<i64>,
        left: i64,
    ) -> mlflow::Result<Taken> {
        let auditor = Auditor::local(self.governance.audited);
        self.write(move |connection| take(connection, &auditor, &waiting, seen, left)).await
    }
}

fn take(
    connection: &mut dyn Connection,
    auditor: &Auditor,
    waiting: &Waiting,
    seen: Option<i64>,
    left: i64,
) -> Result<Taken> {
    // Nobody else takes anything meanwhile.
    last(connection)?;
    let sql = "SELECT through FROM trainyard_audit_taken WHERE source = ?1";
    let known = connection.first(sql, &[(&waiting.source).into()], |row| row.need_int(0))?;
    if let Some(known) = taken_meanwhile(known, waiting.last, seen) {
        return Ok(Taken::LookAgain { known });
    }
    let Fitted { through, events, gaps } = fitted(known, waiting);
    let late = events.iter().filter(|(number, _event)| *number <= left).count();
    let said_of_users = |action, said: String| Change::new(action, USERS.to_owned()).after(said);
    let mut told: Vec<Change> =
        gaps.iter().map(|gap| said_of_users("users.gap", gap.clone())).collect();
    if let Some((_number, first)) = events.first().filter(|_first| late > 0) {
        let said = format!(
            "{late} changes follow that a server which ended, or `trainyard user` without one, could not write here; \
             the first was made at {} (ms since 1970)",
            first.at
        );
        told.push(said_of_users("users.late", said));
    }
    auditor.note(connection, told)?;
    for (_number, event) in &events {
        if event.action == USER_DELETED
            && let Some(name) = event.subject.strip_prefix("user:")
        {
            approval_desk::withdraw(connection, name)?;
        }
    }
    if auditor.is_on() {
        append(connection, events.into_iter().map(|(_number, event)| event).collect())?;
    }
    connection.execute(
        "INSERT INTO trainyard_audit_taken (source, through) VALUES (?1, ?2) \
         ON CONFLICT (source) DO UPDATE SET through = excluded.through",
        &[(&waiting.source).into(), through.into()],
    )?;
    Ok(Taken::Done { through, late, gaps })
}

/// What a log knows, if that is more than was waiting and others may have taken it meanwhile. Numbers only grow: a
/// database that holds less than the log had `seen` before is an older one, and no other is.
fn taken_meanwhile(known: Option<i64>, last: i64, seen: Option<i64>) -> Option<i64> {
    let is_older = seen.is_some_and(|seen| seen > last);
    known.filter(|known| *known > last && !is_older)
}

/// What follows on the number up to which everything was taken.
#[derive(Debug, PartialEq, Eq)]
struct Fitted {
    through: i64,
    events: Vec<(i64, AuditEvent)>,
    gaps: Vec<String>,
}

/// What of `waiting` is new to a log that has taken everything up to `known`; none if it has taken nothing yet.
fn fitted(known: Option<i64>, waiting: &Waiting) -> Fitted {
    let missing = |first: i64, last: i64| {
        format!("changes {first} to {last} of users were made, and what they were is not there")
    };
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    let mut through = match known {
        Some(known) if known > waiting.last => {
            gaps.push(format!(
                "the database of users is an older one: changes {} to {known}, which are in this log, are not in it",
                waiting.last + 1
            ));
            waiting.last
        }
        Some(known) => known,
        // What another log took before is not looked for.
        None => waiting.events.first().map_or(waiting.last, |(number, _event)| number - 1),
    };
    let taken = through;
    for (number, event) in waiting.events.iter().filter(|(number, _event)| *number > taken) {
        if *number > through + 1 {
            gaps.push(missing(through + 1, number - 1));
        }
        events.push((*number, event.clone()));
        through = *number;
    }
    if waiting.is_all && through < waiting.last {
        gaps.push(missing(through + 1, waiting.last));
        through = waiting.last;
    }
    Fitted { through, events, gaps }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number up to which a log has taken what waits, what it took, and how many gaps it saw.
    fn taken(known: Option<i64>, last: i64, numbers: &[i64]) -> (i64, Vec<i64>, usize) {
        let event = |number: &i64| (*number, AuditEvent::default());
        let events = numbers.iter().map(event).collect();
        let waiting = Waiting { source: "a".to_owned(), last, events, is_all: true };
        let fitted = fitted(known, &waiting);
        (
            fitted.through,
            fitted.events.iter().map(|(number, _event)| *number).collect(),
            fitted.gaps.len(),
        )
    }

    #[test]
    fn each_change_is_taken_once_wherever_it_was_broken_off() {
        assert_eq!(taken(None, 0, &[]), (0, vec![], 0));
        assert_eq!(taken(None, 2, &[1, 2]), (2, vec![1, 2], 0));
        // Taken, and not yet removed.
        assert_eq!(taken(Some(2), 2, &[1, 2]), (2, vec![], 0));
        assert_eq!(taken(Some(1), 3, &[1, 2, 3]), (3, vec![2, 3], 0));
        assert_eq!(taken(Some(3), 3, &[]), (3, vec![], 0));
        // A log that begins where another one has taken what was before.
        assert_eq!(taken(None, 7, &[6, 7]), (7, vec![6, 7], 0));
        assert_eq!(taken(None, 7, &[]), (7, vec![], 0));
    }

    #[test]
    fn what_somebody_removed_is_seen() {
        assert_eq!(taken(Some(3), 6, &[5, 6]), (6, vec![5, 6], 1), "at the beginning");
        assert_eq!(taken(Some(3), 6, &[4, 6]), (6, vec![4, 6], 1), "between");
        assert_eq!(taken(Some(3), 6, &[4, 5]), (6, vec![4, 5], 1), "at the end");
        assert_eq!(taken(Some(3), 6, &[]), (6, vec![], 1), "all");
    }

    #[test]
    fn what_other_servers_took_meanwhile_is_no_older_database() {
        assert_eq!(taken_meanwhile(None, 5, None), None);
        assert_eq!(taken_meanwhile(Some(5), 5, None), None);
        assert_eq!(taken_meanwhile(Some(9), 5, None), Some(9));
        // They were faster again.
        assert_eq!(taken_meanwhile(Some(10), 9, Some(9)), Some(10));
        assert_eq!(taken_meanwhile(Some(9), 5, Some(9)), None, "an older one");
    }

    #[test]
    fn an_older_database_is_seen_and_goes_on() {
        assert_eq!(taken(Some(9), 5, &[4, 5]), (5, vec![], 1));
        assert_eq!(taken(Some(5), 6, &[4, 5, 6]), (6, vec![6], 0));
    }
}
