//! Every exchange recorded from `mlflow server` 3.17.2, sent to this server in the same order.
//!
//! Ids are random on both sides: wherever an answer has one where the recording has another, the
//! two stand for the same thing, and later requests are rewritten. Times, random names and the
//! order of Python's sets are masked. Of errors, status and code are compared; sentences are not
//! part of the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::http::{Answer, Request, send};
use crate::served::Served;

/// What is meant to differ: the heading in docs/mlflow-compatibility.md, and the exchanges.
const DELIBERATE: &[(&str, &[u32])] = &[
    ("Filters with OR, NOT, parentheses and BETWEEN", &[58, 275, 276, 290, 291, 376, 510]),
    ("Params compared with numbers", &[232]),
    ("Renaming a deleted experiment is a 400", &[41]),
    ("Malformed JSON in log-batch is a 400", &[161]),
    ("A repeated order_by key is a 400", &[311]),
    ("An unknown attribute of logged models is a 400", &[374]),
    ("A broken page token of logged models is a 400", &[383]),
    ("Archiving with a stage that is not active is a 400", &[460]),
    ("Values of the wrong type are refused, not dropped", &[331]),
    ("The gateway is off", &[3]),
    ("Endpoints that are not here answer in JSON", &[4]),
];

/// Sorted by random ids, so that no two recordings agree.
const UNORDERED: &[u32] = &[310, 317];

#[derive(Deserialize)]
struct Exchange {
    n: u32,
    name: String,
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    raw: Option<String>,
    status: u16,
    answer: Value,
}

#[test]
fn answers_are_upstreams_but_for_what_is_meant_to_differ() {
    let server = Served::start();
    let mut ids = BTreeMap::new();
    let mut differing = BTreeMap::new();
    let mut count = 0;
    for line in include_str!("../conformance/exchanges.jsonl").lines() {
        let mut exchange: Exchange = serde_json::from_str(line).expect("a recorded exchange");
        expand(&mut exchange.answer);
        exchange.body.as_mut().map(expand);
        let answer = replay(&server.url, &exchange, &ids);
        let ours = serde_json::from_slice(&answer.body).unwrap_or_else(|_| answer.text().into());
        pair_ids(&exchange.answer, &ours, &mut ids);
        count += 1;
        if let Some(difference) = compare(&exchange, answer.status, &ours) {
            differing.insert(exchange.n, difference);
        }
    }
    assert_eq!(count, 575);

    let deliberate: BTreeSet<u32> =
        DELIBERATE.iter().flat_map(|(_, numbers)| *numbers).copied().collect();
    let surprises: Vec<&String> = differing
        .iter()
        .filter(|(number, _)| !deliberate.contains(number))
        .map(|(_, difference)| difference)
        .collect();
    assert!(
        surprises.is_empty(),
        "{} differ:\n{}",
        surprises.len(),
        surprises.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n")
    );
    let stale: Vec<&u32> =
        deliberate.iter().filter(|number| !differing.contains_key(number)).collect();
    assert!(stale.is_empty(), "these are as upstream now: {stale:?}");
}

#[test]
fn deliberate_differences_are_few_and_documented() {
    let document = include_str!("../../../../docs/mlflow-compatibility.md");
    let exchanges: usize = DELIBERATE.iter().map(|(_, numbers)| numbers.len()).sum();
    assert_eq!(exchanges, 17, "the documentation says how many of the recorded exchanges differ");
    assert!(document.contains("17 of the 575 recorded exchanges"));
    for (heading, _) in DELIBERATE {
        assert!(document.contains(heading), "not in the documentation: {heading}");
    }
}

fn replay(url: &str, exchange: &Exchange, ids: &BTreeMap<String, String>) -> Answer {
    // Names that the server makes up may begin with an m, here as there.
    let chosen = |text: &str| text.replace("name LIKE 'm%'", "name LIKE 'mo_'");
    let renamed = |text: &str| {
        ids.iter().fold(text.to_owned(), |text, (recorded, ours)| text.replace(recorded, ours))
    };
    let path = renamed(&exchange.path);
    let body = match (&exchange.body, &exchange.raw) {
        (Some(body), _) => Some(chosen(&renamed(&body.to_string()))),
        (None, raw) => raw.clone(),
    };
    let mut headers: Vec<(&str, &str)> =
        exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if body.is_some() && !exchange.headers.contains_key("Content-Type") {
        headers.push(("Content-Type", "application/json"));
    }
    let body = body.as_ref().map(String::as_bytes);
    send(url, &Request { method: &exchange.method, path: &path, headers, body })
}

/// Learns which id of ours stands for which recorded one.
fn pair_ids(recorded: &Value, ours: &Value, ids: &mut BTreeMap<String, String>) {
    match (recorded, ours) {
        (Value::String(recorded), Value::String(ours)) => {
            let same_shape = ID.find_iter(recorded).count() == ID.find_iter(ours).count();
            for (recorded, ours) in ID.find_iter(recorded).zip(ID.find_iter(ours)) {
                if same_shape && !ids.contains_key(recorded.as_str()) {
                    ids.insert(recorded.as_str().to_owned(), ours.as_str().to_owned());
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            for (recorded, ours) in recorded.iter().zip(ours) {
                pair_ids(recorded, ours, ids);
            }
        }
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, recorded) in recorded {
                if let Some(ours) = ours.get(key) {
                    pair_ids(recorded, ours, ids);
                }
            }
        }
        _ => {}
    }
}

fn compare(exchange: &Exchange, status: u16, ours: &Value) -> Option<String> {
    let code = |answer: &Value| answer.get("error_code").cloned();
    let (recorded_text, our_text) = (mask(&exchange.answer), mask(ours));
    let body_agrees =
        exchange.status >= 400 || recorded_text == our_text || UNORDERED.contains(&exchange.n);
    if exchange.status == status && code(&exchange.answer) == code(ours) && body_agrees {
        return None;
    }
    let Exchange { n, name, method, path, .. } = exchange;
    Some(format!(
        "#{n} {name}: {method} {path} {:.200}\n  recorded {} {recorded_text:.600}\n  answered {status} {our_text:.600}",
        exchange.body.as_ref().map(Value::to_string).unwrap_or_default(),
        exchange.status,
    ))
}

static ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:m-)?[0-9a-f]{32}\b").expect("a pattern"));
static VOLATILE: LazyLock<Regex> = LazyLock::new(|| {
    // Ids, milliseconds since 1970, and random names (`silent-snail-680`).
    Regex::new(r"\b(?:m-)?[0-9a-f]{32}\b|\b1[678]\d{11}\b|\b[a-z]+-[a-z]+-\d{1,3}\b")
        .expect("a pattern")
});

/// The answer as text, keys sorted, without what differs from one server to the next.
fn mask(answer: &Value) -> String {
    let text = match answer {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    VOLATILE.replace_all(&text, "<…>").into_owned()
}

/// `{"$repeat": "x", "$times": 8001}` stands for a long text in the recording.
fn expand(value: &mut Value) {
    let repeated = |members: &Map<String, Value>| {
        let (text, times) = (members.get("$repeat")?.as_str()?, members.get("$times")?.as_u64()?);
        Some(text.repeat(usize::try_from(times).ok()?))
    };
    match value {
        Value::Object(members) => match repeated(members) {
            Some(text) => *value = Value::String(text),
            None => members.values_mut().for_each(expand),
        },
        Value::Array(items) => items.iter_mut().for_each(expand),
        _ => {}
    }
}
