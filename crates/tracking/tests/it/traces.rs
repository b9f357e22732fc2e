//! Traces over HTTP: OpenTelemetry's protocol, limits, and one database with upstream's package.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use trainyard_testkit::run_python;
use trainyard_tracking::open;
use trainyard_tracking::server::ServerOptions;

use crate::http::{Answer, Request, get, post, send};
use crate::served::Served;
use crate::store::{options, uri};

const TRACES: &str = "/api/3.0/mlflow/traces";
const ID: &str = "tr-0af7651916cd43dd8448eb211c80319c";

fn span(id: &str, parent: &str, attributes: &[(&str, Value)]) -> Value {
    let attributes: Vec<Value> =
        attributes.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id, "parentSpanId": parent,
        "name": "a span", "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000", "status": {"code": 1}, "attributes": attributes,
    })
}

/// The root of a trace of its own.
fn of_trace(number: u32) -> Value {
    let mut root = span("b7ad6b7169203331", "", &[]);
    root["traceId"] = format!("{number:032x}").into();
    root
}

fn request(spans: &[Value]) -> Value {
    let service = json!({"key": "service.name", "value": {"stringValue": "shop"}});
    let scopes = json!([{ "spans": spans }]);
    json!({"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": scopes}]})
}

fn export(server: &Served, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = headers.to_vec();
    let path = "/v1/traces";
    send(&server.url, &Request { method: "POST", path, headers, body: Some(body) })
}

const FOR_DEFAULT: [(&str, &str); 2] =
    [("Content-Type", "application/json"), ("X-Mlflow-Experiment-Id", "0")];

fn search(server: &Served, filter: &str) -> Answer {
    let locations = json!([{"mlflow_experiment": {"experiment_id": "0"}}]);
    post(
        &server.url,
        &format!("{TRACES}/search"),
        &json!({"locations": locations, "filter": filter}),
    )
}

#[test]
fn any_program_may_send_spans() {
    let server = Served::start();
    let tokens =
        json!({"stringValue": "{\"input_tokens\": 5, \"output_tokens\": 7, \"total_tokens\": 12}"});
    let child = span("00f067aa0ba902b7", "b7ad6b7169203331", &[("mlflow.chat.tokenUsage", tokens)]);
    // The parts of a trace may come one after the other, and twice.
    let answer =
        export(&server, &FOR_DEFAULT, request(std::slice::from_ref(&child)).to_string().as_bytes());
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{}", answer.text());
    let info = get(&server.url, &format!("{TRACES}/{ID}")).json();
    assert_eq!(info["trace"]["trace_info"]["state"], "IN_PROGRESS");
    let root = span(
        "b7ad6b7169203331",
        "",
        &[
            ("mlflow.spanInputs", json!({"stringValue": "{\"z\": 1, \"a\": \"é\"}"})),
            ("session.id", json!({"stringValue": "s1"})),
        ],
    );
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(request(&[child, root]).to_string().as_bytes()).unwrap();
    let headers = [FOR_DEFAULT[0], FOR_DEFAULT[1], ("Content-Encoding", "gzip")];
    let answer = export(&server, &headers, &packed.finish().unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());

    let trace = get(&server.url, &format!("{TRACES}/get?trace_id={ID}")).json();
    let info = &trace["trace"]["trace_info"];
    assert_eq!((&info["state"], &info["execution_duration"]), (&json!("OK"), &json!("1.500s")));
    assert_eq!(info["request_preview"], "{\"z\": 1, \"a\": \"é\"}");
    assert_eq!(info["tags"]["service.name"], "shop");
    assert_eq!(info["trace_metadata"]["mlflow.trace.session"], "s1");
    let tokens = "{\"input_tokens\": 5, \"output_tokens\": 7, \"total_tokens\": 12}";
    assert_eq!(info["trace_metadata"]["mlflow.trace.tokenUsage"], tokens);
    let spans = trace["trace"]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2, "{trace}");
    assert_eq!(spans[0]["span_id"], "t61rcWkgMzE=");
    let file =
        get(&server.url, &format!("/ajax-api/3.0/mlflow/get-trace-artifact?request_id={ID}"));
    assert_eq!(file.json()["spans"][0]["attributes"]["session.id"], "\"s1\"");
    let metrics = post(
        &server.url,
        &format!("{TRACES}/metrics"),
        &json!({
            "experiment_ids": ["0"], "view_type": "TRACES", "metric_name": "total_tokens",
            "aggregations": [{"aggregation_type": "SUM"}, {"aggregation_type": "PERCENTILE", "percentile_value": 50}],
            "time_interval_seconds": 3600, "start_time_ms": 0, "end_time_ms": 1_800_000_000_000_i64,
        }),
    );
    assert_eq!(
        metrics.json(),
        json!({"data_points": [{
            "metric_name": "total_tokens",
            "dimensions": {"time_bucket": "2023-11-14T22:00:00+00:00"},
            "values": {"SUM": 12.0, "P50.0": 12.0},
        }]})
    );
    let none = json!({
        "experiment_ids": ["7"], "view_type": "SPANS", "metric_name": "span_count",
        "aggregations": [{"aggregation_type": "COUNT"}], "dimensions": ["span_type"],
    });
    assert_eq!(post(&server.url, &format!("{TRACES}/metrics"), &none).json(), json!({}));
}

#[test]
fn what_is_no_span_is_refused_and_nothing_is_kept() {
    let server = Served::start();
    let good = request(&[span("b7ad6b7169203331", "", &[])]).to_string();
    let no_id = request(&[span("b7ad6b7169203331", "", &[]), span("", "", &[])]).to_string();
    let [kind, experiment] = FOR_DEFAULT;
    let protobuf = ("Content-Type", "application/x-protobuf");
    for (headers, body, status) in [
        (vec![kind], good.as_bytes(), 422),
        (vec![kind, ("X-Mlflow-Experiment-Id", "77")], good.as_bytes(), 404),
        (vec![("Content-Type", "text/plain"), experiment], good.as_bytes(), 400),
        (vec![kind, experiment], "{\"resourceSpans\": []}".as_bytes(), 400),
        (vec![kind, experiment], "no json".as_bytes(), 400),
        (vec![kind, experiment], no_id.as_bytes(), 422),
        (vec![protobuf, experiment], &[0xff; 3][..], 400),
        (vec![kind, experiment, ("Content-Encoding", "gzip")], good.as_bytes(), 400),
        (vec![kind, experiment, ("Content-Encoding", "br")], good.as_bytes(), 400),
    ] {
        let answer = export(&server, &headers, body);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        answer.json();
    }
    assert_eq!(search(&server, "").json(), json!({}));
}

#[test]
fn a_small_body_that_becomes_a_large_one_is_refused() {
    let options = ServerOptions { json_bytes_max: 1 << 20, ..ServerOptions::default() };
    let server = Served::with(options);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![b' '; 20 << 20]).unwrap();
    let [kind, experiment] = FOR_DEFAULT;
    let headers = [kind, experiment, ("Content-Encoding", "gzip")];
    let answer = export(&server, &headers, &packed.finish().unwrap());
    assert_eq!(answer.status, 413, "{}", answer.text());
    // Empty spans: two bytes each, which take a hundred times that.
    let spans = [0x12, 0x00].repeat(300_000);
    let mut scope = vec![0x12];
    let mut resource = vec![0x0a];
    push_length(&mut scope, spans.len());
    scope.extend(spans);
    push_length(&mut resource, scope.len());
    resource.extend(scope);
    let headers = [("Content-Type", "application/x-protobuf"), experiment];
    let answer = export(&server, &headers, &resource);
    assert!(matches!(answer.status, 400 | 422 | 503), "{}", answer.status);
    // What describes a program, which each of its traces gets.
    let mut body = request(&(1..=200).map(of_trace).collect::<Vec<_>>());
    let attribute = &mut body["resourceSpans"][0]["resource"]["attributes"][0];
    attribute["value"]["stringValue"] = "x".repeat(500_000).into();
    let answer = export(&server, &FOR_DEFAULT, body.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("send it in parts"), "{}", answer.text());
}

#[test]
fn traces_are_deleted_in_parts_and_all_are_counted() {
    let server = Served::start();
    let body = request(&(1..=1_200).map(of_trace).collect::<Vec<_>>()).to_string();
    let answer = export(&server, &FOR_DEFAULT, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut body = json!({
        "experiment_id": "0", "max_timestamp_millis": 1_700_000_000_000_i64,
    });
    for (most, expected) in [(1_100, 1_100), (5_000, 100), (5_000, 0)] {
        body["max_traces"] = most.into();
        let answer = post(&server.url, &format!("{TRACES}/delete-traces"), &body);
        assert_eq!(answer.json()["traces_deleted"].as_i64().unwrap_or_default(), expected);
    }
}

fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[test]
fn searches_and_changes_say_what_is_wrong() {
    let server = Served::start();
    let sent = export(
        &server,
        &FOR_DEFAULT,
        request(&[span("b7ad6b7169203331", "", &[])]).to_string().as_bytes(),
    );
    assert_eq!(sent.status, 200);
    for (filter, expected) in [
        ("status = 'OK' AND (span.name = 'x' OR tags.`service.name` = 'shop')", true),
        ("NOT span.name = 'a span'", false),
        ("span.name RLIKE '^a.s'", true),
        ("end_time BETWEEN 1700000001500 AND 1700000001500", true),
        ("metadata.`mlflow.trace.tokenUsage` IS NULL", true),
        ("name IS NULL AND status IN ('OK', 'ERROR')", true),
        ("trace.name IS NOT NULL", false),
    ] {
        let answer = search(&server, filter);
        assert_eq!(answer.status, 200, "{filter}: {}", answer.text());
        assert_eq!(answer.json() != json!({}), expected, "{filter}: {}", answer.text());
    }
    for (filter, part) in [
        ("status > 'OK'", "Invalid comparator '>'"),
        ("foo = 'x'", "Invalid attribute key 'foo'"),
        ("span.foo = 'x'", "Invalid span attribute 'foo'"),
        ("span.name RLIKE '('", "Invalid regular expression"),
        ("prompt = 'a'", "Invalid prompts filter value"),
        ("feedback.a < 'x'", "Expected a numeric value"),
        ("bar.x = 'y'", "Invalid entity type 'bar'"),
        ("name IN ('a', 'b')", "Invalid comparator 'IN'"),
        ("status = ('OK', 'ERROR')", "Invalid comparator '='"),
        ("span.type != ('LLM', 'TOOL')", "Invalid comparator '!='"),
        ("span.name < 'x'", "span.name comparator '<' not one of"),
        ("span.content = 'x'", "span.content comparator '=' not one of"),
        ("trace.text = 'x'", "span.content comparator '=' not one of"),
        ("span.attributes.k < 'x'", "span.attributes.k comparator '<' not one of"),
    ] {
        let answer = search(&server, filter);
        assert_eq!(answer.status, 400, "{filter}");
        assert!(answer.text().contains(part), "{filter}: {}", answer.text());
    }
    // What never happens goes with nothing, and the numbers are left out; what always does goes with itself.
    let correlation = |first: &str, second: &str| {
        let body =
            json!({"experiment_ids": ["0"], "filter_string1": first, "filter_string2": second});
        post(&server.url, &format!("{TRACES}/calculate-filter-correlation"), &body).json()
    };
    assert_eq!(
        correlation("status = 'ERROR'", "status = 'OK'"),
        json!({"filter1_count": 0, "filter2_count": 1, "joint_count": 0, "total_count": 1})
    );
    let together = correlation("status = 'OK'", "status = 'OK'");
    assert_eq!((&together["npmi"], &together["npmi_smoothed"]), (&json!(1.0), &json!(1.0)));
    let outside = "/ajax-api/3.0/mlflow/get-trace-artifact?request_id=tr-9&path=..%2Fx";
    assert_eq!(get(&server.url, outside).status, 400, "whether there is such a trace or not");
    let none = post(&server.url, "/api/3.0/mlflow/datasets/search", &json!({"max_results": 0}));
    assert_eq!(none.status, 400, "{}", none.text());
    let tags = format!("{TRACES}/{ID}/tags");
    let patch = |path: &str, body: &Value| {
        let body = body.to_string();
        let headers = vec![("Content-Type", "application/json")];
        let body = Some(body.as_bytes());
        send(&server.url, &Request { method: "PATCH", path, headers, body })
    };
    assert_eq!(patch(&tags, &json!({"key": "k", "value": "v"})).status, 200);
    let missing = format!("{TRACES}/tr-9/tags");
    for (path, body, status) in [
        (tags.as_str(), json!({"key": "mlflow.artifactLocation", "value": "/etc"}), 400),
        (tags.as_str(), json!({"key": "a//b", "value": "v"}), 400),
        (missing.as_str(), json!({"key": "k", "value": "v"}), 404),
    ] {
        assert_eq!(patch(path, &body).status, status, "{path} {body}");
    }
    let assessments = format!("{TRACES}/{ID}/assessments");
    let empty = post(&server.url, &assessments, &json!({"assessment": {"assessment_name": "e"}}));
    assert!(empty.text().contains("Unknown assessment type: None"), "{}", empty.text());
    let delete = |body: Value| post(&server.url, &format!("{TRACES}/delete-traces"), &body);
    assert_eq!(delete(json!({"experiment_id": "0"})).status, 400);
    let deleted =
        delete(json!({"experiment_id": "0", "max_timestamp_millis": 9_999_999_999_999_i64}));
    assert_eq!(deleted.json(), json!({"traces_deleted": 1}));
    assert_eq!(get(&server.url, &format!("{TRACES}/{ID}")).status, 404);
}

#[test]
fn a_list_of_no_experiments_holds_no_traces() {
    let server = Served::start();
    let body = request(&[span("b7ad6b7169203331", "", &[])]).to_string();
    assert_eq!(export(&server, &FOR_DEFAULT, body.as_bytes()).status, 200);
    let found = |body: Value| {
        let answer = post(&server.url, &format!("{TRACES}/batchGetInfos"), &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["trace_infos"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(found(json!({"trace_ids": [ID]})), 1);
    for (experiments, count) in [(json!(["0"]), 1), (json!(["7"]), 0), (json!([]), 0)] {
        let body = json!({"trace_ids": [ID], "experiment_ids": experiments});
        assert_eq!(found(body), count, "{experiments}");
    }
}

/// Reads with upstream's own SQL store what came over this server, and writes on.
const SHARED: &str = r#"
import os, sys, json
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
trace = mlflow.get_trace(sys.argv[2])
assert trace.info.token_usage == {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}, trace.info
assert trace.data.spans[0].attributes["mlflow.chat.tokenUsage"]["input_tokens"] == 5
assert len(mlflow.search_traces(locations=["0"], filter_string="tags.`service.name` = 'shop'")) == 1
mlflow.log_feedback(trace_id=sys.argv[2], name="good", value=True)
with mlflow.start_span(name="by upstream") as span:
    span.set_inputs({"q": 1})
print(mlflow.get_last_active_trace_id())
"#;

#[test]
fn upstream_reads_traces_that_are_stored_here_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let server = Served::over(store, ServerOptions::default());
    let tokens =
        json!({"stringValue": "{\"input_tokens\": 5, \"output_tokens\": 7, \"total_tokens\": 12}"});
    let root = span("b7ad6b7169203331", "", &[("mlflow.chat.tokenUsage", tokens)]);
    let sent = export(&server, &FOR_DEFAULT, request(&[root]).to_string().as_bytes());
    assert_eq!(sent.status, 200, "{}", sent.text());
    let printed = run_python(SHARED, &[&uri(&folder), ID], &[("MLFLOW_DISABLE_TELEMETRY", "true")]);
    let theirs = printed.lines().last().unwrap();
    let good = search(&server, "feedback.good = 'true'").json();
    assert_eq!(good["traces"][0]["trace_id"], ID);
    let trace = get(&server.url, &format!("{TRACES}/get?trace_id={theirs}")).json();
    assert_eq!(trace["trace"]["spans"][0]["name"], "by upstream", "{trace}");
}
