//! Scorers: whose experiment it is decides, and what is no scorer is refused in upstream's words.

use serde_json::{Value, json};
use trainyard_testkit::run_python;

use crate::access::Team;
use crate::http::{get, post};
use crate::served::Served;

const SCORERS: &str = "/api/3.0/mlflow/scorers";
const SCRIPT: &str = include_str!("../conformance/access_scorers.py");
const RECORDED: &str = include_str!("../conformance/access_scorers.jsonl");

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

/// Recorded from `mlflow server --app-name basic-auth` 3.17.2 by the same script.
#[test]
fn every_user_gets_of_scorers_what_upstream_gives_them() {
    let team = Team::start("NO_PERMISSIONS");
    let (ours, upstreams) = (rows(&run_python(SCRIPT, &[&team.server.url], &[])), rows(RECORDED));
    assert_eq!(ours.len(), upstreams.len());
    let mut differing = Vec::new();
    for (ours, upstreams) in ours.iter().zip(&upstreams) {
        assert_eq!(ours["user"], upstreams["user"]);
        for (call, answer) in upstreams["answers"].as_object().unwrap() {
            if ours["answers"][call] != *answer {
                differing
                    .push(format!("{} {call}: {} {answer}", ours["user"], ours["answers"][call]));
            }
        }
    }
    // Upstream lists to members of a workspace what it then refuses to show them.
    assert_eq!(differing, [r#""of_workspace" list several: "200" "200, 2 shown""#]);
}

#[test]
fn answers_are_upstreams() {
    let server = Served::start();
    let register = |body: Value| post(&server.url, &format!("{SCORERS}/register"), &body);
    let scorer = json!({ "experiment_id": "0", "name": "a/b", "serialized_scorer": "{\"x\": 1}" });
    let made = register(scorer.clone()).json();
    assert_eq!(
        (&made["version"], &made["experiment_id"], &made["name"], &made["serialized_scorer"]),
        (&json!(1), &json!("0"), &json!("a/b"), &json!("{\"x\": 1}"))
    );
    assert_eq!(made["scorer_id"].as_str().map(str::len), Some(36));
    assert_eq!(register(scorer).json()["version"], 2);
    let listed = get(&server.url, &format!("{SCORERS}/list?experiment_id=0")).json();
    let only = &listed["scorers"][0];
    // The one place where an experiment's id is a number.
    assert_eq!((&only["experiment_id"], &only["scorer_version"]), (&json!(0), &json!(2)));
    assert_eq!(only["scorer_id"], made["scorer_id"]);
    for (path, status, part) in [
        ("list", 200, "a/b"),
        ("list?experiment_ids=0&experiment_ids=77", 200, "a/b"),
        ("list?experiment_id=0&experiment_ids=0", 400, "Cannot specify both"),
        ("list?experiment_id=77", 404, "No Experiment with id=77 exists"),
        ("list?experiment_id=zz", 400, "must be a valid integer"),
        ("list?experiment_ids=zz", 400, "must be a valid integer"),
        ("get?experiment_id=0&name=a/b&version=1", 200, "\"scorer_version\":1"),
        (
            "get?experiment_id=0&name=a/b&version=9",
            404,
            "Scorer with name 'a/b' and version 9 not found for experiment 0.",
        ),
        ("get?experiment_id=0&name=x", 404, "Scorer with name 'x' not found for experiment 0."),
        ("get?experiment_id=0", 400, "required parameter 'name'"),
        ("versions?experiment_id=0&name=x", 404, "Scorer with name 'x' not found"),
        ("online-configs?scorer_ids=a", 200, "{\"configs\":[]}"),
        ("online-configs", 400, "required parameter 'scorer_ids'"),
    ] {
        let answer = get(&server.url, &format!("{SCORERS}/{path}"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    }
    for (serialized, part) in [
        ("nothing", "serialized_scorer must be valid JSON"),
        ("{\"call_source\": \"import os\"}", "Custom scorer registration"),
        ("{\"builtin_scorer_pydantic_data\": {\"model\": \"gateway:/x\"}}", "(name='x')"),
    ] {
        let body = json!({ "experiment_id": "0", "name": "n", "serialized_scorer": serialized });
        let answer = register(body);
        assert!(answer.status == 400 || answer.status == 404, "{serialized}");
        assert!(answer.text().contains(part), "{serialized}: {}", answer.text());
    }
}

#[test]
fn scorers_are_for_those_of_their_experiment() {
    let team = Team::start("NO_PERMISSIONS");
    let [nobody, reader, editor] =
        ["nobody", "reader", "editor"].map(|name| team.create_user(name));
    let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &json!({ "name": "chat" }));
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    team.grant("reader", "experiment", &id, "READ");
    team.grant("editor", "experiment", &id, "EDIT");
    let register = |who: &str, name: &str| {
        let body = json!({ "experiment_id": id, "name": name, "serialized_scorer": "{}" });
        team.ask(who, "POST", &format!("{SCORERS}/register"), &body).status
    };
    assert_eq!([&nobody, &reader, &editor].map(|who| register(who, "a/b")), [403, 403, 200]);
    let read =
        |who: &str, path: &str| team.ask(who, "GET", &format!("{SCORERS}/{path}"), &Value::Null);
    let shows = |who: &str| read(who, "list").text().contains("a/b");
    // Its maker may do everything with it; to read the experiment is not to read the scorer.
    assert_eq!([&nobody, &reader, &editor].map(|who| shows(who)), [false, false, true]);
    let one = format!("get?experiment_id={id}&name=a/b");
    assert_eq!([&nobody, &reader, &editor].map(|who| read(who, &one).status), [403, 403, 200]);
    let list = format!("list?experiment_id={id}");
    assert_eq!([&nobody, &reader, &editor].map(|who| read(who, &list).status), [403, 200, 200]);
    team.grant("reader", "scorer", &format!("{id}/a%2Fb"), "READ");
    assert!(shows(&reader) && read(&reader, &one).status == 200);
    let delete = |who: &str, version: Value| {
        let body = json!({ "experiment_id": id, "name": "a/b", "version": version });
        team.ask(who, "DELETE", &format!("{SCORERS}/delete"), &body).status
    };
    assert_eq!(delete(&reader, json!(1)), 403);
    assert_eq!(register(&editor, "a/b"), 200);
    assert_eq!((delete(&editor, json!(1)), shows(&editor)), (200, true));
    assert_eq!((delete(&editor, Value::Null), shows(&editor)), (200, false));
    // Another one of the name is another one.
    team.admin(
        "POST",
        &format!("{SCORERS}/register"),
        &json!({ "experiment_id": id, "name": "a/b", "serialized_scorer": "{}" }),
    );
    assert_eq!([&nobody, &reader, &editor].map(|who| shows(who)), [false, false, false]);
}
