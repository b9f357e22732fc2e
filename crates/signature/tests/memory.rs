//! A request takes no more than a few times its bytes, whatever it is made of.
//!
//! Each attack runs in a process of its own, this test once more: the peak of a process only grows.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and what it says to itself")]

use trainyard_signature::enforce::{Casting, Enforcer, Limits, Protocol};
use trainyard_signature::model::{Schema, Signature};

/// Bytes of each body. What it takes grows with it, so the limit of the server would show no more.
const BODY_BYTES: usize = 2 << 20;

/// What reading it may take at most: numbers are 8 bytes for the 2 of `0,`, in a buffer that doubles.
const FACTOR: usize = 12;

/// And what any request may take.
const FREE_BYTES: usize = 32 << 20;

const ATTACK: &str = "TRAINYARD_TEST_ATTACK";

fn enforcer(columns: Option<usize>) -> Enforcer {
    let column = |i| format!(r#"{{"type": "double", "name": "c{i}", "required": false}}"#);
    let schema = columns.map(|count| {
        let columns: Vec<String> = (0..count).map(column).collect();
        Schema::from_json(&format!("[{}]", columns.join(","))).unwrap()
    });
    let signature = Signature { inputs: schema, ..Signature::default() };
    let signature = columns.map(|_| &signature);
    Enforcer::new(signature, Casting::Lossless, Limits::default())
}

fn tensor() -> Enforcer {
    let text = r#"[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, -1]}}]"#;
    let signature =
        Signature { inputs: Some(Schema::from_json(text).unwrap()), ..Signature::default() };
    Enforcer::new(Some(&signature), Casting::Lossless, Limits::default())
}

/// `head`, then `part` as often as the body's length allows, then `tail`. `COUNT` in the head becomes the
/// number of values, one more than there are parts.
fn filled(head: &str, part: &str, tail: &str) -> String {
    let count = (BODY_BYTES - head.len() - tail.len()) / part.len();
    let head = head.replace("COUNT", &(count + 1).to_string());
    format!("{head}{}{tail}", part.repeat(count))
}

/// How a body is read.
#[derive(Clone, Copy)]
enum As {
    Json,
    Predict,
    Csv,
    OpenInference,
}

type Body = (&'static str, &'static str, &'static str);

/// Head, repeated part and tail of each body, and how it is read.
const BODIES: [(As, Body); 34] = [
    (As::Csv, ("", ",", "\n")),
    (As::Csv, ("c0,c1\n1,2\n", ",", "\n")),
    (As::Csv, ("c0\n", "1\n", "")),
    (As::Csv, ("c0\n", "x\n", "")),
    (As::Csv, ("c0\n\"", "x", "")),
    (As::Csv, ("c0,c1,c2\n", ",,\n", "")),
    (As::Json, ("{\"inputs\": [", "[],", "[]]}")),
    (As::Json, ("{\"inputs\": [", "0,", "0]}")),
    (As::Json, ("{\"inputs\": [[", "0,", "0]]}")),
    (As::Json, ("{\"inputs\": [", "[0,1],", "[0,1]]}")),
    (As::Json, ("{\"inputs\": {\"c0\": [", "0,", "0]}}")),
    (As::Json, ("{\"inputs\": {\"c0\": [", "\"\",", "\"\"]}}")),
    (As::Json, ("{\"inputs\": {\"c0\": [", "{},", "{}]}}")),
    (As::Json, ("{\"inputs\": {\"c0\": [", "null,", "null]}}")),
    (As::Json, ("{\"dataframe_split\": {\"columns\": [\"c0\"], \"data\": [", "[],", "[]]}}")),
    (As::Json, ("{\"dataframe_split\": {\"columns\": [\"c0\"], \"data\": [", "[1],", "[1]]}}")),
    (As::Json, ("{\"dataframe_split\": {\"columns\": [", "0,", "0], \"data\": [[1]]}}")),
    (As::Json, ("{\"dataframe_split\": {\"data\": [[", "0,", "0]]}}")),
    (As::Json, ("{\"dataframe_records\": [", "{},", "{}]}")),
    (As::Json, ("{\"dataframe_records\": [{", "\"\":0,", "\"\":0}]}")),
    (As::Json, ("{\"dataframe_records\": [{\"c0\": {", "\"\":{},", "\"\":0}}]}")),
    (As::Json, ("{\"params\": {\"p\": [", "0,", "0]}, \"inputs\": {\"c0\": [1]}}")),
    (As::Json, ("{\"unknown\": [", "[],", "0], \"inputs\": {\"c0\": [1]}}")),
    (As::Predict, ("[", "{\"c0\":1},", "{\"c0\":1}]")),
    (
        As::OpenInference,
        ("{\"inputs\": [{\"name\": \"c0\", \"shape\": [1], \"data\": [", "0,", "0]}]}"),
    ),
    // Datatypes that are kept, and shapes that are true.
    (
        As::OpenInference,
        (
            "{\"inputs\": [{\"name\": \"c0\", \"shape\": [COUNT], \"datatype\": \"FP32\", \"data\": [",
            "0,",
            "0]}]}",
        ),
    ),
    (
        As::OpenInference,
        (
            "{\"inputs\": [{\"name\": \"c0\", \"shape\": [COUNT, 1], \"datatype\": \"BYTES\", \"data\": [",
            "\"\",",
            "\"\"]}]}",
        ),
    ),
    (
        As::OpenInference,
        (
            "{\"inputs\": [{\"name\": \"c0\", \"shape\": [COUNT, 1], \"datatype\": \"INT64\", \"data\": [",
            "[0],",
            "[0]]}]}",
        ),
    ),
    // Values that are none of the datatype, and shapes that are not true.
    (
        As::OpenInference,
        (
            "{\"inputs\": [{\"name\": \"c0\", \"shape\": [COUNT], \"datatype\": \"INT64\", \"data\": [",
            "\"\",",
            "\"\"]}]}",
        ),
    ),
    (
        As::OpenInference,
        (
            "{\"inputs\": [{\"name\": \"t\", \"shape\": [1000000, 1000], \"datatype\": \"FP64\", \"data\": [",
            "[],",
            "[]]}]}",
        ),
    ),
    // Many inputs.
    (
        As::OpenInference,
        (
            "{\"inputs\": [",
            "{\"name\":\"\",\"shape\":[1],\"data\":[1]},",
            "{\"name\": \"c0\", \"shape\": [1], \"data\": [1]}]}",
        ),
    ),
    (
        As::OpenInference,
        ("{\"inputs\": [{\"name\": \"c0\", \"shape\": [1], \"data\": [", "[[[[[[", "]]]]]]]}]}"),
    ),
    (As::OpenInference, ("{\"inputs\": [", "{},", "{}]}")),
    (
        As::OpenInference,
        ("{\"inputs\": [{\"name\": \"c0\", \"shape\": [", "0,", "0], \"data\": []}]}"),
    ),
];

/// The highest memory of this process so far.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Runs attack `number` here, and says what it took.
fn attack(number: usize) {
    let (how, (head, part, tail)) = BODIES[number / 4];
    let enforcer = match number % 4 {
        0 => enforcer(None),
        1 => enforcer(Some(4)),
        2 => enforcer(Some(1000)),
        _ => tensor(),
    };
    let body = filled(head, part, tail);
    let before = peak_bytes();
    let rows = match how {
        As::Json => {
            enforcer.json(body.as_bytes(), Protocol::Invocations).map(|e| e.batch.num_rows())
        }
        As::Predict => {
            enforcer.json(body.as_bytes(), Protocol::Predict).map(|e| e.batch.num_rows())
        }
        As::Csv => enforcer.csv(body.as_bytes()).map(|e| e.batch.num_rows()),
        As::OpenInference => {
            enforcer.json(body.as_bytes(), Protocol::OpenInference).map(|e| e.batch.num_rows())
        }
    };
    println!("TOOK {} {rows:?}", peak_bytes() - before);
}

#[test]
fn a_request_takes_a_few_times_its_bytes() {
    if let Ok(number) = std::env::var(ATTACK) {
        return attack(number.parse().unwrap());
    }
    let mut worst = (0, String::new());
    for number in 0..BODIES.len() * 4 {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_request_takes_a_few_times_its_bytes", "--nocapture"])
            .env(ATTACK, number.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let (_, body) = BODIES[number / 4];
        let took = text.split_once("TOOK ").and_then(|(_, rest)| rest.split_once(' '));
        let took = took.unwrap_or_else(|| panic!("{body:?}: {output:?}"));
        let bytes: usize = took.0.parse().unwrap();
        let said: String = took.1.chars().take(120).collect();
        let what = format!("{} MiB, enforcer {}: {body:?}: {said}", bytes >> 20, number % 4);
        println!("{what}");
        assert!(bytes <= FACTOR * BODY_BYTES + FREE_BYTES, "{what}");
        worst = worst.max((bytes, what));
    }
    println!("at most {}", worst.1);
}
