//! `trainyard quality`: labels that come late, estimates before they come.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::project::{stdout_of, trainyard};

/// A number between 0 and 1 that a row has, always the same.
fn noise(row: usize) -> f64 {
    (row * 7919 % 1009) as f64 / 1009.0
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    trainyard().current_dir(folder).arg("quality").args(arguments).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&stdout_of(&run(folder, &arguments), code)).unwrap()
}

fn part<'a>(report: &'a Value, name: &str) -> &'a Value {
    let parts = report["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))
}

fn standing<'a>(part: &'a Value, metric: &str) -> &'a Value {
    let compared = part["compared"].as_array().unwrap();
    let found = compared.iter().find(|compared| compared["metric"] == metric);
    &found.unwrap_or_else(|| panic!("{metric}: {part}"))["standing"]
}

/// Two thousand predictions in two countries, a holdout on which one in ten is wrong in both, and labels for three
/// quarters of the predictions: one in ten is wrong in the Netherlands, four in ten in Belgium.
pub(crate) fn two_countries(folder: &Path) {
    let said = |row: usize| if row.is_multiple_of(3) { "yes" } else { "no" };
    let turned = |row: usize| if row.is_multiple_of(3) { "no" } else { "yes" };
    let country = |row: usize| if row.is_multiple_of(2) { "NL" } else { "BE" };
    let mut predictions = String::from("request_id,country,x,prediction\n");
    let mut holdout = String::from("country,x,prediction,actual\n");
    let mut labels = String::from("request_id,actual\nunknown,yes\n");
    for row in 0..2000 {
        let (country, said, turned, x) = (country(row), said(row), turned(row), noise(row));
        writeln!(predictions, "{row:05},{country},{x},{said}").unwrap();
        let truth = if matches!(row % 20, 0 | 11) { turned } else { said };
        writeln!(holdout, "{country},{x},{said},{truth}").unwrap();
        let is_wrong = row.is_multiple_of(20) || matches!(row % 10, 1 | 3);
        if row < 1500 {
            let truth = if is_wrong { turned } else { said };
            writeln!(labels, "{row:05},{truth}").unwrap();
        }
    }
    for (name, text) in
        [("predictions.csv", predictions), ("holdout.csv", holdout), ("labels.csv", labels)]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn labels_that_come_late_say_where_quality_fell() {
    let folder = tempfile::tempdir().unwrap();
    two_countries(folder.path());
    let arguments = [
        "--predictions=predictions.csv",
        "--labels=labels.csv",
        "--reference=holdout.csv",
        "--segment=country",
    ];
    let report = json(folder.path(), &arguments, 0);
    assert_eq!(report["verdict"], "drift", "{report}");
    let counts = &report["labels"];
    assert_eq!((&counts["predictions"], &counts["labelled"]), (&2000.into(), &1500.into()));
    assert_eq!((&counts["read"], &counts["share"]), (&1501.into(), &0.75.into()));
    let whole = part(&report, "");
    let accuracy = &whole["quality"]["metrics"]["accuracy"];
    assert_eq!(accuracy["value"], 0.75, "{accuracy}");
    assert!(accuracy["low"].as_f64().unwrap() > 0.72 && accuracy["high"].as_f64().unwrap() < 0.78);
    assert_eq!(whole["compared"][0]["before"], 0.9);
    assert_eq!(standing(whole, "accuracy"), "worse");
    assert_eq!(standing(part(&report, "country = BE"), "accuracy"), "worse");
    assert_eq!(standing(part(&report, "country = NL"), "accuracy"), "as before");
    assert_eq!(part(&report, "country = NL")["predictions"], 1000);
    assert_eq!(report["change"]["domain"]["told_apart"], false, "{report}");

    // The same on the terminal and as a page, and with an exit code.
    let refused = [&arguments[..], &["--fail-on=drift", "-o", "page.html"]].concat();
    let text = stdout_of(&run(folder.path(), &refused), 4);
    assert!(text.contains("with a label (75.0 %)"), "{text}");
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("country = BE") && !page.contains("<script"), "{page}");
}

#[test]
fn few_labels_and_labels_of_others_are_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    two_countries(folder.path());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let mut few = String::from("request_id,actual\n");
    for row in 0..50 {
        // All of them wrong, and said twice: the last word counts.
        writeln!(few, "{row:05},perhaps\n{row:05},never").unwrap();
    }
    write("few.csv", &few);
    write("others.csv", "request_id,actual\nx,yes\ny,no\n");
    let of = |labels: &str| {
        let labels = format!("--labels={labels}");
        let before = "--before=accuracy=0.9";
        json(folder.path(), &["--predictions=predictions.csv", &labels, before], 0)
    };
    let report = of("few.csv");
    assert_eq!(
        (&report["verdict"], &report["labels"]["superseded"]),
        (&"warning".into(), &50.into())
    );
    assert_eq!(standing(part(&report, ""), "accuracy"), "unknown");
    assert_eq!(part(&report, "")["quality"]["metrics"]["accuracy"]["value"], 0.0);
    let report = of("others.csv");
    assert_eq!((&report["verdict"], &report["labels"]["labelled"]), (&"broken".into(), &0.into()));

    let mistaken = ["--predictions=predictions.csv", "--labels=few.csv", "--target=actaul"];
    let output = run(folder.path(), &mistaken);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("no column \"actaul\"") && error.contains("\"actual\""), "{error}");
}

#[test]
fn a_loss_is_expected_before_labels_come_and_labels_may_contradict() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // The model knows how sure it is: of what it gives a probability, that share is true.
    let mut holdout = String::from("x,p,prediction,actual\n");
    let mut unsure = String::from("request_id,x,p,prediction\n");
    let mut turned = String::from("request_id,x,p,prediction,actual\n");
    for row in 0..3000 {
        let p = [0.95, 0.05, 0.6][row % 3];
        let is_true = u8::from(noise(row) < p);
        let said = u8::from(p > 0.5);
        writeln!(holdout, "{p},{p},{said},{is_true}").unwrap();
        writeln!(unsure, "{row},0.6,0.6,1").unwrap();
        // As sure as before, and wrong as often as it was right.
        writeln!(turned, "{row},{p},{p},{said},{}", 1 - is_true).unwrap();
    }
    write("holdout.csv", &holdout);
    write("unsure.csv", &unsure);
    write("turned.csv", &turned);
    let of = |predictions: &str| {
        let predictions = format!("--predictions={predictions}");
        json(
            folder.path(),
            &[&predictions, "--reference=holdout.csv", "--class-probability=1=p"],
            0,
        )
    };
    let expected = |report: &Value, metric: &str| -> Value {
        let all = part(report, "")["expected"].as_array().unwrap().clone();
        let found = all.into_iter().find(|expected| expected["metric"] == metric);
        found.unwrap_or_else(|| panic!("{metric}: {report}"))
    };
    let report = of("unsure.csv");
    assert_eq!(report["verdict"], "warning", "{report}");
    let accuracy = expected(&report, "accuracy");
    let value = |name: &str| accuracy[name].as_f64().unwrap();
    assert!((0.55..0.65).contains(&value("value")) && value("before") > 0.8, "{accuracy}");
    assert!(value("high") < 0.75 && accuracy["realised"].is_null(), "{accuracy}");
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("accuracy is expected to be"), "{reasons}");

    let report = of("turned.csv");
    assert_eq!(report["verdict"], "drift", "{report}");
    assert_eq!(expected(&report, "accuracy")["contradicted"], true, "{report}");
    assert!(report["reasons"].to_string().contains("labels contradict"), "{report}");
}

/// A log as a model server writes it, two versions in two files, with feedback beside it.
const LOG: &str = r#"
import json, pathlib, sys
import pandas as pd
log = pathlib.Path(sys.argv[1])
(log / "_feedback").mkdir(parents=True)
facts = []
for version in (1, 2):
    rows = []
    for request in range(150):
        for row in range(2):
            said = 10.0 * request + row
            rows.append({
                "trainyard.request_id": f"v{version}-{request}",
                "trainyard.time": pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(minutes=request),
                "trainyard.model": "M",
                "trainyard.model_version": str(version),
                "x": float(request),
                "prediction": said,
            })
            facts.append({"request_id": f"v{version}-{request}", "row": row, "actual": said + version, "time": 1})
    pd.DataFrame(rows).to_parquet(log / f"predictions-{version}.parquet", index=False)
(log / "_feedback/feedback-1.jsonl").write_text("".join(json.dumps(fact) + "\n" for fact in facts))
"#;

#[test]
fn feedback_beside_a_log_is_judged_by_version() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    trainyard_testkit::run_python(LOG, &[&log.to_string_lossy()], &[]);
    let report = json(folder.path(), &["--predictions=log", "--before=mae=1.0"], 0);
    let mae = |name: &str| part(&report, name)["quality"]["metrics"]["mae"]["value"].clone();
    assert_eq!(report["labels"]["labelled"], 600, "{report}");
    assert_eq!(
        (mae("version = 1"), mae("version = 2"), mae("")),
        (1.0.into(), 2.0.into(), 1.5.into())
    );
    assert_eq!(standing(part(&report, "version = 1"), "mae"), "as before");
    assert_eq!(standing(part(&report, "version = 2"), "mae"), "worse");
    assert_eq!(part(&report, "")["quality"]["deciles"].as_array().unwrap().len(), 10);

    // Of a request whose first row is left out, the second would get the label of the first.
    let output = run(folder.path(), &["--predictions=log", "--where=prediction > 5"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("labels are of rows of requests"), "{error}");
    let of_one = ["--predictions=log", "--before=mae=1.0", "--metric=mae"];
    let version = r#"--where="trainyard.model_version" = "1""#;
    let report = json(folder.path(), &[&of_one[..], &[version]].concat(), 0);
    assert_eq!(report["labels"]["labelled"], 300, "{report}");
}
