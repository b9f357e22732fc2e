//! The audit log: what is written down, that nobody edits it unseen, and what it says of a time.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{AliasId, CreateModelVersion, SearchAudit, Tracking, VersionId};
use trainyard_tracking::audit::{self, Anchor, Verified};
use trainyard_tracking::{Audited, Governance, Lending, OpenOptions, Opening, open};

use crate::store::{Store, create_run, options, uri};

/// Bits that are flipped.
const FLIPS: u64 = 1000;

async fn events(store: &Tracking) -> Vec<trainyard_mlflow::entities::AuditEvent> {
    store.audit.events(SearchAudit::default()).await.unwrap()
}

async fn version(store: &Tracking, name: &str) -> String {
    let source = "s3://key:SECRET-7261@bucket/model".to_owned();
    let request =
        CreateModelVersion { name: name.to_owned(), source, ..CreateModelVersion::default() };
    store.model_versions.create(request).await.unwrap().version
}

async fn point(store: &Tracking, name: &str, alias: &str, version: &str) {
    store.registered_models.set_alias(VersionId { name, version }, alias).await.unwrap();
    // The next change has another time.
    tokio::time::sleep(Duration::from_millis(2)).await;
}

async fn is_whole(store: &Tracking) -> Verified {
    let found = audit::verify(&*store.audit, Vec::new()).await.unwrap();
    assert_eq!(found.faults, [], "{found:?}");
    found
}

/// A registry with some history, and a log of a few dozen events.
async fn history(store: &Tracking) {
    store.registered_models.create("Iris", &[Tag::new("team", "a")], Some("é\n\"")).await.unwrap();
    for number in 0..6 {
        let version = version(store, "Iris").await;
        let id = VersionId { name: "Iris", version: &version };
        store.model_versions.set_tag(id, Tag::new("n", number.to_string())).await.unwrap();
        store.registered_models.set_alias(id, "Production").await.unwrap();
    }
    let id = AliasId { name: "Iris", alias: "Production" };
    store.registered_models.delete_alias(id).await.unwrap();
}

#[tokio::test]
async fn changes_say_what_was_there_before_and_logging_writes_nothing_down() {
    let Store { store, folder: _folder } = Store::new();
    history(&store).await;
    store.registered_models.set_tag("Iris", Tag::new("team", "b")).await.unwrap();
    store.registered_models.rename("Iris", "Rose").await.unwrap();
    let experiment = store.experiments.create("e", None, &[]).await.unwrap();
    store.experiments.rename(&experiment, "f").await.unwrap();
    let before = events(&store).await;
    let run_id = create_run(&store, &experiment, 1).await;
    store.runs.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
    store.runs.set_tag(&run_id, Tag::new("t", "1")).await.unwrap();
    assert_eq!(events(&store).await, before, "runs say themselves who made them");
    store.runs.delete(&run_id).await.unwrap();
    // A second time changes nothing.
    store.runs.delete(&run_id).await.unwrap();

    let found = events(&store).await;
    let said: Vec<String> = found
        .iter()
        .map(|e| format!("{} {} {} {:?} {:?}", e.action, e.subject, e.part, e.before, e.after))
        .collect();
    for expect in [
        "audit.begin audit  None None",
        "model.create model:Iris  None Some(\"é\\n\\\"\")",
        "version.create model:Iris version:1 None Some(\"s3://***@bucket/model\")",
        "alias.set model:Iris alias:Production None Some(\"1\")",
        "alias.set model:Iris alias:Production Some(\"1\") Some(\"2\")",
        "alias.delete model:Iris alias:Production Some(\"6\") None",
        "version.set_tag model:Iris version:3 tag:n None Some(\"2\")",
        "model.set_tag model:Iris tag:team Some(\"a\") Some(\"b\")",
        "model.rename model:Iris  Some(\"Iris\") Some(\"Rose\")",
        &format!("experiment.rename experiment:{experiment}  Some(\"e\") Some(\"f\")"),
    ] {
        assert!(said.iter().any(|said| said == expect), "{expect} is not in\n{}", said.join("\n"));
    }
    let deleted = format!("run.delete run:{run_id}  Some(\"active\") Some(\"deleted\")");
    assert_eq!(said.iter().filter(|said| **said == deleted).count(), 1, "{said:?}");
    assert!(!audit::lines(&found).unwrap().contains("SECRET"), "{said:?}");
    assert!(found.iter().all(|event| event.kind == "local"));
    is_whole(&store).await;
}

#[tokio::test]
async fn runs_are_written_down_where_that_is_asked_for_and_nothing_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let audited = |audited| OpenOptions {
        governance: Governance { audited, ..Governance::default() },
        ..options(&folder)
    };
    let store = open(&uri(&folder), audited(Audited::Off)).unwrap();
    history(&store).await;
    assert_eq!(events(&store).await, []);
    drop(store);
    let store = open(&uri(&folder), audited(Audited::All)).unwrap();
    let run_id = create_run(&store, "0", 1).await;
    store.runs.set_tag(&run_id, Tag::new("t", "1")).await.unwrap();
    store.runs.set_tag(&run_id, Tag::new("t", "2")).await.unwrap();
    store.runs.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
    let actions: Vec<String> = events(&store).await.into_iter().map(|e| e.action).collect();
    assert_eq!(actions, ["audit.begin", "run.create", "run.set_tag", "run.set_tag"]);
    is_whole(&store).await;
}

/// A pseudo-random number below `end`: the same ones each time.
fn draw(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from((*state >> 33) % end as u64).unwrap()
}

const COLUMNS: [&str; 14] = [
    "id",
    "at",
    "action",
    "subject",
    "part",
    "before",
    "after",
    "who",
    "kind",
    "token",
    "address",
    "request_id",
    "previous",
    "hash",
];

fn raw(folder: &Path) -> rusqlite::Connection {
    let raw = rusqlite::Connection::open(folder.join("mlflow.db")).unwrap();
    raw.busy_timeout(Duration::from_mins(1)).unwrap();
    raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
    raw
}

/// One bit of a value turned over; none if there is nothing to turn, or the id would be another event's.
fn flipped(value: &Value, is_id: bool, state: &mut u64) -> Option<Value> {
    match value {
        // Beyond the ids that are there.
        Value::Integer(number) if is_id => {
            Some(Value::Integer(*number ^ (1_i64 << (10 + draw(state, 50)))))
        }
        Value::Integer(number) => Some(Value::Integer(*number ^ (1_i64 << draw(state, 62)))),
        Value::Text(text) if !text.is_empty() => {
            let mut bytes = text.clone().into_bytes();
            let place = draw(state, bytes.len());
            bytes[place] ^= 1 << draw(state, 8);
            Some(Value::Blob(bytes))
        }
        _ => None,
    }
}

#[tokio::test]
async fn each_of_a_thousand_flipped_bits_is_found() {
    let Store { store, folder } = Store::new();
    history(&store).await;
    let events = i64::try_from(is_whole(&store).await.events).unwrap();
    let raw = raw(folder.path());
    // Whoever edits the log on purpose takes them away first.
    raw.execute_batch("DROP TRIGGER trainyard_audit_kept; DROP TRIGGER trainyard_audit_checked")
        .unwrap();
    let (mut state, mut flips) = (16, 0);
    while flips < FLIPS {
        let id = 1 + i64::try_from(draw(&mut state, usize::try_from(events).unwrap())).unwrap();
        let column = COLUMNS[draw(&mut state, COLUMNS.len())];
        let read = format!("SELECT {column} FROM trainyard_audit WHERE id = ?1");
        let value: Value = raw.query_row(&read, [id], |row| row.get(0)).unwrap();
        let Some(other) = flipped(&value, column == "id", &mut state) else { continue };
        let now =
            if let (true, Value::Integer(now)) = (column == "id", &other) { *now } else { id };
        // Bytes that are no text stay a text to SQLite.
        let write = match other {
            Value::Blob(_) => {
                format!("UPDATE trainyard_audit SET {column} = CAST(?1 AS TEXT) WHERE id = ?2")
            }
            _ => format!("UPDATE trainyard_audit SET {column} = ?1 WHERE id = ?2"),
        };
        assert_eq!(raw.execute(&write, rusqlite::params![other, id]).unwrap(), 1);
        let found = audit::verify(&*store.audit, Vec::new()).await.unwrap();
        assert!(!found.faults.is_empty(), "{column} of {id}: {value:?} became {other:?}");
        let back = format!("UPDATE trainyard_audit SET {column} = ?1 WHERE id = ?2");
        assert_eq!(raw.execute(&back, rusqlite::params![value, now]).unwrap(), 1);
        flips += 1;
    }
    is_whole(&store).await;
}

#[tokio::test]
async fn each_of_a_thousand_flipped_bits_of_a_copy_is_found() {
    let Store { store, folder } = Store::new();
    history(&store).await;
    let place = folder.path().join("copies");
    let copied = audit::export(&*store.audit, &place.display().to_string()).await.unwrap();
    assert_eq!(copied.files, 1);
    let file = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let files = [file.clone()];
    let anchors: Vec<Anchor> = copied.last.into_iter().collect();
    assert_eq!(audit::verify_files(&files, anchors.clone()).unwrap().faults, []);
    let mut state = 61;
    for _ in 0..FLIPS {
        let mut bytes = whole.clone();
        let (place, bit) = (draw(&mut state, bytes.len()), draw(&mut state, 8));
        bytes[place] ^= 1 << bit;
        std::fs::write(&file, &bytes).unwrap();
        let found = audit::verify_files(&files, Vec::new()).unwrap();
        assert!(!found.faults.is_empty(), "bit {bit} of byte {place}");
    }
    // What is cut off at the end is a log as well, unless somebody knows where it ended.
    let end = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    std::fs::write(&file, &whole[..end]).unwrap();
    assert_eq!(audit::verify_files(&files, Vec::new()).unwrap().faults, []);
    assert_eq!(audit::verify_files(&files, anchors).unwrap().faults.len(), 1);
}

#[tokio::test]
async fn the_log_only_grows() {
    let Store { store, folder } = Store::new();
    history(&store).await;
    let raw = raw(folder.path());
    for statement in [
        "UPDATE trainyard_audit SET who = 'bob' WHERE id = 2",
        "DELETE FROM trainyard_audit WHERE id = 2",
        "DELETE FROM trainyard_audit",
    ] {
        let error = raw.execute(statement, []).unwrap_err().to_string();
        assert!(error.contains("only grows"), "{statement}: {error}");
    }
    is_whole(&store).await;
}

#[tokio::test]
async fn a_log_that_was_cut_or_made_anew_is_found_by_what_was_kept() {
    let Store { store, folder } = Store::new();
    history(&store).await;
    let last = is_whole(&store).await.last.unwrap();
    let copies = folder.path().join("copies").display().to_string();
    audit::export(&*store.audit, &copies).await.unwrap();
    // Nothing is new, and nothing is copied twice.
    let again = audit::export(&*store.audit, &copies).await.unwrap();
    assert_eq!((again.files, again.last.as_ref()), (0, Some(&last)));
    let kept: Anchor = last.to_string().parse().unwrap();

    let raw = raw(folder.path());
    raw.execute_batch(
        "DROP TRIGGER trainyard_audit_kept; DROP TRIGGER trainyard_audit_checked; \
         DELETE FROM trainyard_audit WHERE id > 5",
    )
    .unwrap();
    is_whole(&store).await;
    let found = audit::verify(&*store.audit, vec![kept.clone()]).await.unwrap();
    assert_eq!(found.faults.len(), 1, "{found:?}");
    store.registered_models.create("Other", &[], None).await.unwrap();
    let error = audit::export(&*store.audit, &copies).await.unwrap_err().to_string();
    assert!(error.contains("not the one that was copied"), "{error}");

    // Another chain, every hash of which is right.
    let Store { store, folder: _folder } = Store::new();
    for number in 0..kept.id {
        store.registered_models.create(&format!("m{number}"), &[], None).await.unwrap();
    }
    is_whole(&store).await;
    let found = audit::verify(&*store.audit, vec![kept]).await.unwrap();
    assert_eq!(found.faults.len(), 1, "{found:?}");
    let error = audit::export(&*store.audit, &copies).await.unwrap_err().to_string();
    assert!(error.contains("not the one that was copied"), "{error}");
}

#[tokio::test]
async fn what_is_old_goes_and_the_rest_can_be_verified_and_knows_the_aliases() {
    let Store { store, folder } = Store::new();
    history(&store).await;
    point(&store, "Iris", "Production", "2").await;
    point(&store, "Iris", "Staging", "3").await;
    let moved = events(&store).await.pop().unwrap();
    let copies = folder.path().join("copies").display().to_string();
    let opening =
        Opening { uri: uri(&folder), options: options(&folder), lending: Lending::default() };
    let pruned = audit::prune(&opening, i64::MAX, Some(&copies)).await.unwrap();
    assert_eq!(pruned.events, moved.id - 1, "the last event stays");
    assert_eq!(pruned.exported.unwrap().last.unwrap().id, moved.id);
    let found = is_whole(&store).await;
    assert_eq!((found.first, found.events), (Some(moved.id), 2));

    // An alias whose event went is known from the checkpoint, with who moved it and when.
    point(&store, "Iris", "Staging", "4").await;
    let now = events(&store).await.pop().unwrap().at;
    let registry = store.audit.registry_at(now, Some("Iris")).await.unwrap();
    let said: Vec<(&str, &str)> =
        registry.aliases.iter().map(|a| (a.alias.as_str(), a.version.as_str())).collect();
    assert_eq!(said, [("Production", "2"), ("Staging", "4")]);
    assert!(registry.aliases[0].since < moved.at);
    assert_eq!(registry.known_since, Some(moved.at));
    let before = store.audit.registry_at(moved.at - 1, Some("Iris")).await.unwrap();
    assert!(!before.is_known(), "{before:?}");

    // Once more, and the copies go on where they ended.
    let pruned = audit::prune(&opening, i64::MAX, Some(&copies)).await.unwrap();
    assert_eq!(pruned.events, 2);
    is_whole(&store).await;
    let registry = store.audit.registry_at(i64::MAX, None).await.unwrap();
    assert_eq!(registry.aliases.len(), 2);
    audit::export(&*store.audit, &copies).await.unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(&copies).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let all = audit::verify_files(&files, Vec::new()).unwrap();
    assert_eq!((all.first, all.faults), (Some(1), vec![]));

    // A checkpoint that is not what was written explains nothing.
    let raw = raw(folder.path());
    raw.execute_batch(
        "DROP TRIGGER trainyard_audit_kept; DROP TRIGGER trainyard_audit_checked; \
         DELETE FROM trainyard_audit WHERE id = (SELECT min(id) FROM trainyard_audit)",
    )
    .unwrap();
    let found = audit::verify(&*store.audit, Vec::new()).await.unwrap();
    assert!(!found.faults.is_empty(), "{found:?}");
    let pruned = audit::prune(&opening, i64::MAX, None).await.unwrap();
    assert_eq!((pruned.events, pruned.verified.faults.is_empty()), (0, false));
}

#[tokio::test]
async fn the_registry_is_known_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let governance = Governance { audited: Audited::Off, ..Governance::default() };
    let unaudited = OpenOptions { governance, ..options(&folder) };
    let store = open(&uri(&folder), unaudited).unwrap();
    history(&store).await;
    point(&store, "Iris", "Production", "1").await;
    drop(store);

    // Auditing begins: what is there is found, and nothing is known of before.
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let (begin, found) = (events(&store).await[0].at, events(&store).await[1].at);
    point(&store, "Iris", "Production", "2").await;
    let second = events(&store).await.pop().unwrap();
    point(&store, "Iris", "Production", "3").await;
    let reason = Tag::new("trainyard.state.reason", "less drift");
    store.model_versions.set_tag(VersionId { name: "Iris", version: "3" }, reason).await.unwrap();
    let id = AliasId { name: "Iris", alias: "Production" };
    let third = events(&store).await.into_iter().rfind(|e| e.action == "alias.set").unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    store.registered_models.delete_alias(id).await.unwrap();
    let end = events(&store).await.pop().unwrap().at;

    let at = async |time| {
        let found = store.audit.registry_at(time, Some("Iris")).await.unwrap();
        assert_eq!(found, store.audit.registry_at(time, None).await.unwrap());
        let alias = found.aliases.first().cloned();
        (found.is_known(), alias.map(|alias| (alias.version, alias.is_found, alias.reason)))
    };
    let there = |version: &str, is_found, reason: Option<&str>| {
        Some((version.to_owned(), is_found, reason.map(str::to_owned)))
    };
    assert_eq!(at(begin - 1).await, (false, None));
    assert_eq!(at(found).await, (true, there("1", true, None)));
    assert_eq!(at(second.at).await, (true, there("2", false, None)));
    assert_eq!(at(third.at).await, (true, there("3", false, Some("less drift"))));
    assert_eq!(at(end).await, (true, None));
    assert_eq!(store.audit.registry_at(end, Some("Other")).await.unwrap().aliases, []);

    // What another program moved is found at the next start.
    raw(folder.path())
        .execute(
            "INSERT INTO registered_model_aliases (workspace, name, alias, version) \
             VALUES ('default', 'Iris', 'Production', 5)",
            [],
        )
        .unwrap();
    drop(store);
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let found = events(&store).await.pop().unwrap();
    assert_eq!((found.action.as_str(), found.after.as_deref()), ("alias.found", Some("5")));
    // And only once.
    drop(store);
    let store = open(&uri(&folder), options(&folder)).unwrap();
    assert_eq!(events(&store).await.pop().unwrap(), found);
    is_whole(&store).await;
}

#[tokio::test]
async fn changes_at_the_same_time_make_one_chain() {
    let Store { store, folder: _folder } = Store::new();
    changes_at_once(&[&store]).await;
}

/// Many change at once, through several stores of one database: each change is in the one chain, once.
pub(crate) async fn changes_at_once(stores: &[&Tracking]) {
    stores[0].registered_models.create("at once", &[], None).await.unwrap();
    let before = is_whole(stores[0]).await.events;
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let store = stores[writer % stores.len()].clone();
        tasks.push(tokio::spawn(async move {
            for number in 0..10 {
                let tag = Tag::new(format!("w{writer}"), number.to_string());
                store.registered_models.set_tag("at once", tag).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(is_whole(stores[0]).await.events, before + 80);
}
