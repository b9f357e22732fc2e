//! What names or selects something names what is there, and the public reaches nothing else than it should.

use serde_json::Value;

use super::render::{each, id, of_kind};

/// Whether something with these labels is selected.
fn holds(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
    })
}

/// What selects pods selects those of one Deployment or CronJob.
pub(super) fn check_selectors(rendered: &Value) {
    let labels: Vec<&Value> = each(&rendered["objects"])
        .filter_map(|object| {
            object
                .pointer("/spec/template/metadata/labels")
                .or_else(|| object.pointer("/spec/jobTemplate/spec/template/metadata/labels"))
        })
        .collect();
    for (kind, path) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        for object in of_kind(rendered, kind) {
            let selector = object.pointer(path).unwrap();
            let selected = labels.iter().filter(|labels| holds(selector, labels)).count();
            assert_eq!(selected, 1, "{}: {selector}", id(object));
        }
    }
}

/// What is named by name is there.
pub(super) fn check_names(rendered: &Value) {
    for monitor in of_kind(rendered, "ServiceMonitor") {
        let selector = &monitor["spec"]["selector"]["matchLabels"];
        let selected = of_kind(rendered, "Service")
            .filter(|service| holds(selector, &service["metadata"]["labels"]))
            .count();
        assert_eq!(selected, 1, "{}", id(monitor));
    }
    for (kind, path) in [
        ("HorizontalPodAutoscaler", "/spec/scaleTargetRef/name"),
        ("Deployment", "/spec/template/spec/serviceAccountName"),
    ] {
        let named = if kind == "Deployment" { "ServiceAccount" } else { "Deployment" };
        for object in of_kind(rendered, kind) {
            let name = object.pointer(path).unwrap();
            let is_there = of_kind(rendered, named).any(|one| one["metadata"]["name"] == *name);
            assert!(is_there, "{}: {name}", id(object));
        }
    }
    // Who is scaled has no number of replicas that the next upgrade would put back.
    for scaled in of_kind(rendered, "HorizontalPodAutoscaler") {
        let deployment = of_kind(rendered, "Deployment")
            .find(|one| one["metadata"]["name"] == scaled["metadata"]["name"])
            .unwrap();
        assert!(deployment["spec"].get("replicas").is_none(), "{}", id(deployment));
    }
}

/// What models are asked for in public does not change or tell anything.
pub(super) fn check_public_paths(rendered: &Value) {
    let public = of_kind(rendered, "Ingress")
        .flat_map(|ingress| each(&ingress["spec"]["rules"]))
        .flat_map(|rule| each(&rule["http"]["paths"]))
        .map(|path| &path["path"]);
    let routed = of_kind(rendered, "HTTPRoute")
        .flat_map(|route| each(&route["spec"]["rules"]))
        .flat_map(|rule| each(&rule["matches"]))
        .map(|path| &path["path"]["value"]);
    for path in public.chain(routed).filter_map(Value::as_str) {
        let is_of_a_model = path.starts_with("/models/") || path.starts_with("/v2/models/");
        assert!(
            is_of_a_model
                || path == "/"
                || path.starts_with("/mlflow")
                || path.starts_with("/api/")
        );
        let is_private = ["reload", "flush", "metrics", "feedback", "webhook"];
        assert!(!is_private.iter().any(|word| path.ends_with(word)), "{path}");
    }
}
