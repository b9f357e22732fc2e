//! What served before, by the history: where a rollback goes.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{HistoryEntry, Outcome};
use crate::release::Kind;

type Label = BTreeMap<String, String>;

/// The instance whose release is to be repeated: the newest that is `wanted`; without a wish the newest of
/// another label than the `current` one that was never taken back. A version that was taken back and then
/// released anew is as good as any other.
pub(crate) fn served_before(
    history: &[HistoryEntry],
    current: Option<&Label>,
    wanted: Option<&dyn Fn(&Label) -> bool>,
    is_kept: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let taken_back = taken_back(history);
    let is_it = |entry: &&HistoryEntry| match wanted {
        Some(wanted) => wanted(&entry.label),
        None => Some(&entry.label) != current && !taken_back.contains(&entry.label),
    };
    let released = history.iter().rev().filter(|entry| entry.outcome == Outcome::Released);
    released.filter(is_it).map(|entry| entry.id.clone()).find(|id| is_kept(id))
}

/// What was taken back and not released since.
fn taken_back(history: &[HistoryEntry]) -> BTreeSet<&Label> {
    let came = |label: &Label| history.iter().position(|entry| entry.label == *label);
    let mut taken_back = BTreeSet::new();
    for entry in history {
        match (&entry.outcome, entry.cause.kind) {
            (Outcome::RolledBack(_), _) => {
                taken_back.insert(&entry.label);
            }
            (Outcome::Released, Kind::Release) => {
                taken_back.remove(&entry.label);
            }
            (Outcome::Released, Kind::Rollback) => {
                taken_back.remove(&entry.label);
                let from = history.iter().find(|before| Some(&before.id) == entry.from.as_ref());
                // To what came later somebody goes on, not back: no verdict on what is left.
                let is_back = |left: &&Label| came(&entry.label) < came(left);
                taken_back.extend(from.map(|from| &from.label).filter(is_back));
            }
            (Outcome::Failed(_) | Outcome::Interrupted, _) => {}
        }
    }
    taken_back
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Cause;

    fn label(version: u32) -> Label {
        [("version".to_owned(), version.to_string())].into()
    }

    /// Releases as `(instance, version, outcome, kind, from)`.
    fn entry(id: u32, version: u32, outcome: Outcome, kind: Kind, from: u32) -> HistoryEntry {
        HistoryEntry {
            id: format!("r{id}"),
            at_ms: 0,
            took_ms: 0,
            outcome,
            from: Some(format!("r{from}")),
            verdicts: Vec::new(),
            cause: Cause { kind, ..Cause::default() },
            label: label(version),
        }
    }

    #[test]
    fn the_bad_one_is_never_gone_back_to() {
        use Kind::{Release, Rollback};
        use Outcome::{Failed, Released, RolledBack};
        let mut history = vec![
            entry(1, 1, Released, Release, 0),
            entry(2, 2, Released, Release, 1),
            entry(3, 2, Released, Release, 2),
            entry(4, 3, Failed("ill".to_owned()), Release, 3),
            entry(5, 4, RolledBack("errors".to_owned()), Release, 3),
            entry(6, 5, Released, Release, 3),
        ];
        let before = |history: &[HistoryEntry], now: u32| {
            served_before(history, Some(&label(now)), None, &|_| true)
        };
        assert_eq!(before(&history, 5).as_deref(), Some("r3"));
        history.push(entry(7, 2, Released, Rollback, 6));
        assert_eq!(before(&history, 2).as_deref(), Some("r1"));
        history.push(entry(8, 1, Released, Rollback, 7));
        assert_eq!(before(&history, 1), None);
        // Named, or released anew, it is an honest version.
        let wanted = |label: &Label| label["version"] == "5";
        let named = served_before(&history, Some(&label(1)), Some(&wanted), &|_| true);
        assert_eq!(named.as_deref(), Some("r6"));
        history.push(entry(9, 5, Released, Release, 8));
        history.push(entry(10, 6, Released, Release, 9));
        assert_eq!(before(&history, 6).as_deref(), Some("r9"));
        // Going on to a newer one says nothing of the older.
        let forward = [
            entry(1, 1, Released, Release, 0),
            entry(2, 2, Released, Release, 1),
            entry(3, 1, Released, Rollback, 2),
            entry(4, 2, Released, Rollback, 3),
        ];
        assert_eq!(before(&forward, 2).as_deref(), Some("r3"));
        // What was not kept cannot be repeated.
        let kept = |id: &str| id != "r9";
        let found = served_before(&history, Some(&label(6)), None, &kept);
        assert_eq!(found.as_deref(), Some("r8"));
    }
}
