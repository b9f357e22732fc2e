//! What happened to a model, from each place where it is written down.

use chrono::DateTime;
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{AuditEvent, ModelVersion, Run, Tag};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Milliseconds since the Unix epoch.
    pub(super) at: i64,
    /// What it is, in a word, and the colour of the word.
    pub(super) kind: &'static str,
    pub(super) tone: Tone,
    pub(super) version: Option<String>,
    pub(super) text: String,
    pub(super) who: String,
    /// The run that has more.
    pub(super) run_id: Option<String>,
}

/// Whether what happened is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Plain,
}

fn text(tags: &[Tag], key: &str) -> String {
    Tag::find(tags, key).unwrap_or_default().to_owned()
}

/// A release or rollback, from its run.
pub(super) fn of_release(run: &Run) -> Option<Entry> {
    let param = |key: &str| text(&run.data.params, key);
    let outcome = text(&run.data.tags, tags::OUTCOME);
    let (kind, tone) = match (param("kind").as_str(), outcome.as_str()) {
        ("rollback", "released") => ("rollback", Tone::Bad),
        ("rollback", _) => ("rollback failed", Tone::Bad),
        (_, "released") => ("release", Tone::Good),
        (_, "rolled_back") => ("went back", Tone::Bad),
        _ => ("release failed", Tone::Bad),
    };
    let parts = [text(&run.data.tags, "trainyard.reason"), text(&run.data.tags, tags::VERDICT)];
    let said: Vec<&str> =
        parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let from = match param("from").as_str() {
        "none" => "nothing was deployed before".to_owned(),
        version => format!("from version {version}"),
    };
    Some(Entry {
        at: run.info.end_time.or(run.info.start_time)?,
        kind,
        tone,
        version: Some(param("to")),
        text: if said.is_empty() { from } else { format!("{from}: {}", said.join("; ")) },
        who: param("actor"),
        run_id: Some(run.info.run_id.clone()),
    })
}

/// Looks at production data, newest first. Those in a row that found the same are one entry, at the newest of them.
pub(super) fn of_looks(runs: &[Run]) -> Vec<Entry> {
    let verdict = |run: &Run| text(&run.data.tags, tags::VERDICT);
    let version = |run: &Run| text(&run.data.tags, "trainyard.model_version");
    let same =
        |one: &Run, other: &Run| verdict(one) == verdict(other) && version(one) == version(other);
    let entry = |row: &[Run]| {
        let run = row.first()?;
        let verdict = verdict(run);
        let tone = match verdict.as_str() {
            "stable" => Tone::Good,
            "drift" | "broken" => Tone::Bad,
            _ => Tone::Plain,
        };
        let share = run.data.metric("drift_share");
        let share = share.map(|share| format!(", {:.0} % of columns drifted", share * 100.0));
        let looks =
            if row.len() > 1 { format!(" ({} looks in a row)", row.len()) } else { String::new() };
        Some(Entry {
            at: run.info.start_time?,
            kind: "data",
            tone,
            version: Some(version(run)).filter(|version| !version.is_empty()),
            text: format!("{verdict}{}{looks}", share.unwrap_or_default()),
            who: String::new(),
            run_id: Some(run.info.run_id.clone()),
        })
    };
    runs.chunk_by(same).filter_map(entry).collect()
}

/// That a version was registered, and its last state.
pub(super) fn of_version(version: &ModelVersion) -> Vec<Entry> {
    let tag = |part: &str| text(&version.tags, &format!("{}{part}", tags::STATE));
    // When the gate refused a version that never got a state is not written down.
    let is_refused = tag("").is_empty() && Tag::find(&version.tags, tags::GATE) == Some("failed");
    let gate = is_refused.then(|| "the gate refused it".to_owned());
    let description = version.description.clone().filter(|text| !text.is_empty());
    let said: Vec<String> = gate.into_iter().chain(description).collect();
    let registered = Entry {
        at: version.creation_timestamp,
        kind: "registered",
        tone: if is_refused { Tone::Bad } else { Tone::Plain },
        version: Some(version.version.clone()),
        text: said.join("; "),
        who: version.user_id.clone().unwrap_or_default(),
        run_id: version.run_id.clone().filter(|id| !id.is_empty()),
    };
    let (kind, tone) = match tag("").as_str() {
        "approved" => ("gate passed", Tone::Good),
        "refused" => ("gate refused", Tone::Bad),
        "replaced" => ("replaced", Tone::Plain),
        "rolled_back" => ("found bad", Tone::Bad),
        // The release itself is told by its run, where there is one.
        "released" => ("in production", Tone::Good),
        _ => return vec![registered],
    };
    let Ok(at) = DateTime::parse_from_rfc3339(&tag(".at")) else { return vec![registered] };
    let state = Entry {
        at: at.timestamp_millis(),
        kind,
        tone,
        version: Some(version.version.clone()),
        text: tag(".reason"),
        who: tag(".by"),
        run_id: None,
    };
    vec![registered, state]
}

/// A move of an alias, or what was said of one that waits for approval.
pub(super) fn of_event(event: &AuditEvent) -> Option<Entry> {
    // `alias:Production`, or `approval:Production version:3`.
    let (part, version) = match event.part.rsplit_once(" version:") {
        Some((part, version)) => (part, Some(version.to_owned())),
        None => (event.part.as_str(), None),
    };
    let (about, alias) = part.split_once(':')?;
    let before = event.before.as_deref();
    let (kind, tone, version, text) = match (about, event.action.as_str(), event.after.as_deref()) {
        ("approval", "approval.request", said) => {
            ("approval asked", Tone::Plain, version, said_of(alias, said))
        }
        ("approval", "approval.approve", said) => {
            ("approved", Tone::Good, version, said_of(alias, said))
        }
        ("approval", "approval.reject", said) => {
            ("rejected", Tone::Bad, version, said_of(alias, said))
        }
        ("alias", _, Some(to)) => {
            let from = before.map_or_else(String::new, |from| format!(" from version {from}"));
            ("alias", Tone::Plain, Some(to.to_owned()), format!("{alias} moved here{from}"))
        }
        ("alias", _, None) => {
            let from = before.map(str::to_owned);
            ("alias", Tone::Plain, from, format!("{alias} was removed"))
        }
        _ => return None,
    };
    let who = event.who.clone();
    Some(Entry { at: event.at, kind, tone, version, text, who, run_id: None })
}

fn said_of(alias: &str, said: Option<&str>) -> String {
    match said.filter(|said| !said.is_empty()) {
        Some(said) => format!("{alias}: {said}"),
        None => alias.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(tags: &[(&str, &str)], params: &[(&str, &str)], at: i64) -> Run {
        let all = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| Tag::new(*key, *value)).collect::<Vec<_>>()
        };
        let mut run = Run::default();
        run.info.start_time = Some(at);
        (run.data.tags, run.data.params) = (all(tags), all(params));
        run
    }

    #[test]
    fn releases_and_rollbacks_are_told_apart() {
        let kind = |kind: &str, outcome: &str| {
            let params = [("kind", kind), ("from", "1"), ("to", "2"), ("actor", "ada")];
            let run = run(&[(tags::OUTCOME, outcome), (tags::VERDICT, "healthy")], &params, 5);
            let entry = of_release(&run).unwrap();
            assert_eq!(
                (entry.at, entry.version.as_deref(), entry.who.as_str()),
                (5, Some("2"), "ada")
            );
            assert_eq!(entry.text, "from version 1: healthy");
            entry.kind
        };
        assert_eq!(kind("release", "released"), "release");
        assert_eq!(kind("release", "rolled_back"), "went back");
        assert_eq!(kind("release", "failed"), "release failed");
        assert_eq!(kind("rollback", "released"), "rollback");
    }

    #[test]
    fn looks_that_found_the_same_are_one() {
        let look = |verdict: &str, at| run(&[(tags::VERDICT, verdict)], &[], at);
        let looks = [look("drift", 9), look("stable", 8), look("stable", 7), look("stable", 6)];
        let entries = of_looks(&looks);
        let told: Vec<_> = entries.iter().map(|entry| (entry.at, entry.text.as_str())).collect();
        assert_eq!(told, [(9, "drift"), (8, "stable (3 looks in a row)")]);
    }

    #[test]
    fn a_version_has_its_state_where_one_was_written() {
        let version = |tags: Vec<Tag>| ModelVersion { tags, ..ModelVersion::default() };
        assert_eq!(of_version(&version(Vec::new())).len(), 1);
        let state = [("", "refused"), (".at", "1970-01-01T00:00:01Z"), (".reason", "too bad")];
        let tags = state.map(|(part, value)| Tag::new(format!("{}{part}", tags::STATE), value));
        let entries = of_version(&version(tags.to_vec()));
        assert_eq!((entries[1].at, entries[1].kind), (1000, "gate refused"));
        assert_eq!(of_version(&version(vec![Tag::new(tags::STATE, "released")])).len(), 1);
        let refused = of_version(&version(vec![Tag::new(tags::GATE, "failed")]));
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].tone, refused[0].text.as_str()), (Tone::Bad, "the gate refused it"));
    }

    #[test]
    fn moves_and_approvals_name_their_versions() {
        let told = |action: &str, part: &str, before: Option<&str>, after: Option<&str>| {
            let event = AuditEvent {
                action: action.to_owned(),
                part: part.to_owned(),
                before: before.map(str::to_owned),
                after: after.map(str::to_owned),
                ..AuditEvent::default()
            };
            of_event(&event)
                .map(|entry| (entry.kind, entry.version.unwrap_or_default(), entry.text))
        };
        let moved = told("alias.set", "alias:a b", Some("1"), Some("2")).unwrap();
        assert_eq!(moved, ("alias", "2".to_owned(), "a b moved here from version 1".to_owned()));
        let gone = told("alias.delete", "alias:P", Some("2"), None).unwrap();
        assert_eq!(gone, ("alias", "2".to_owned(), "P was removed".to_owned()));
        let part = "approval:Production version:3";
        let approved = told("approval.approve", part, None, Some("good")).unwrap();
        assert_eq!(approved, ("approved", "3".to_owned(), "Production: good".to_owned()));
        assert_eq!(told("model.update", "description", None, None), None);
    }
}
