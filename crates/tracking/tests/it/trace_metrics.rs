//! Numbers over traces: one point a group, and sentences for questions that have no answer.

use serde_json::{Value, json};

use crate::http::{Answer, post};
use crate::served::Served;

const TRACES: &str = "/api/3.0/mlflow/traces";

/// A trace that took so long.
fn start(server: &Served, id: &str, duration: &str) {
    let answer = post(
        &server.url,
        TRACES,
        &json!({"trace": {"trace_info": {
            "trace_id": id,
            "trace_location": {"mlflow_experiment": {"experiment_id": "0"}},
            "request_time": "2023-11-14T22:13:20Z",
            "execution_duration": duration,
            "state": "OK",
        }}}),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn ask(server: &Served, view: &str, metric: &str, more: &Value) -> Answer {
    let mut body = json!({"experiment_ids": ["0"], "view_type": view, "metric_name": metric});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    post(&server.url, &format!("{TRACES}/metrics"), &body)
}

#[test]
fn percentiles_without_groups_are_one_point() {
    let server = Served::start();
    for (id, duration) in [("tr-1", "0.100s"), ("tr-2", "0.200s"), ("tr-3", "0.600s")] {
        start(&server, id, duration);
    }
    let aggregations = json!([{"aggregation_type": "PERCENTILE", "percentile_value": 50}]);
    let answer = ask(&server, "TRACES", "latency", &json!({"aggregations": aggregations}));
    assert_eq!(
        answer.json(),
        json!({"data_points": [{"metric_name": "latency", "values": {"P50.0": 200.0}}]})
    );
    let of_none = json!({"aggregations": aggregations, "filters": ["trace.status = 'ERROR'"]});
    assert_eq!(ask(&server, "TRACES", "latency", &of_none).json(), json!({}));
}

#[test]
fn questions_without_an_answer_are_told_what_is_wrong() {
    let server = Served::start();
    let none = ask(&server, "TRACES", "trace_count", &json!({"aggregations": []}));
    assert_eq!(none.status, 400, "{}", none.text());
    assert!(none.text().contains("at least one of ['COUNT']"), "{}", none.text());
    for (view, filter, sentence) in [
        ("TRACES", "status = 'OK'", "Invalid identifier 'status'."),
        ("TRACES", "model.name = 'x'", "Invalid view type 'model'."),
        ("TRACES", "trace.name = 'x'", "Invalid entity 'name' specified for view type 'trace'."),
        ("TRACES", "trace.tag = 'x'", "Filtering by tag requires a key"),
        ("TRACES", "trace.status != 'OK'", "Invalid comparator: '!='"),
        ("TRACES", "trace.status = 5", "Expected a quoted string value for status value"),
        ("TRACES", "span.name = 'x'", "Filtering by span is only supported for SPANS view type"),
        ("SPANS", "span.kind = 'x'", "Invalid entity 'kind' specified for view type 'span'."),
        ("SPANS", "span.status.more = 'x'", "Filtering by status does not require a key"),
        ("SPANS", "assessment.name = 'x'", "only supported for ASSESSMENTS view type, got SPANS"),
    ] {
        let metric = if view == "SPANS" { "span_count" } else { "trace_count" };
        let count = json!([{"aggregation_type": "COUNT"}]);
        let more = json!({"aggregations": count, "filters": [filter]});
        let answer = ask(&server, view, metric, &more);
        assert_eq!(answer.status, 400, "{filter}: {}", answer.text());
        assert!(answer.text().contains(sentence), "{filter}: {}", answer.text());
    }
}
