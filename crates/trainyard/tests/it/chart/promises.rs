//! What holds for every pod, whatever the values are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cases::{check_full, check_hostile};
use super::references::{check_names, check_public_paths, check_selectors};
use super::render::{each, id, of_kind, pods, render, texts};
use crate::project::trainyard;

#[test]
fn what_is_rendered_keeps_its_promises() {
    let cases = json!([
        {"file": "ci/minimal.yaml"}, {"file": "ci/full.yaml"}, {"file": "ci/hostile.yaml"},
        // A server alone, and models of somebody else's server.
        {"file": "ci/minimal.yaml", "merge": {"models": []}},
        {"file": "ci/minimal.yaml", "merge": {
            "server": {"enabled": false}, "tracking": {"uri": "https://mlflow.example.com"},
        }},
    ]);
    let rendered = render(&cases);
    for (case, rendered) in each(&cases).zip(&rendered) {
        assert_eq!(rendered["error"], Value::Null, "{case}");
        let all: Vec<String> = each(&rendered["objects"]).map(id).collect();
        let names: BTreeSet<&String> = all.iter().collect();
        assert_eq!(names.len(), all.len(), "{case}: two of one name: {all:?}");
        assert!(!all.iter().any(|id| id.starts_with("Secret ")), "{case}: {all:?}");
        for (of, pod) in pods(rendered) {
            check_pod(&of, pod);
        }
        check_selectors(rendered);
        check_names(rendered);
        check_public_paths(rendered);
    }
    check_full(&rendered[1]);
    check_hostile(&rendered[2]);
    assert_eq!(of_kind(&rendered[3], "Deployment").count(), 1);
    let (_, pod) = pods(&rendered[4])[0];
    let uri = json!({"name": "MLFLOW_TRACKING_URI", "value": "https://mlflow.example.com"});
    assert!(each(&pod["containers"][0]["env"]).any(|variable| *variable == uri), "{pod}");

    // The version of the chart is that of the program.
    let minimal = pods(&rendered[0]);
    let image = concat!("registry.example.com/trainyard:", env!("CARGO_PKG_VERSION"));
    assert!(minimal.iter().all(|(_, pod)| pod["containers"][0]["image"] == image), "{minimal:?}");
    let notes = rendered[0]["notes"].as_str().unwrap();
    assert!(notes.contains("Everybody who reaches the server may do everything"), "{notes}");
    for (of, pod) in [0, 1, 4].iter().flat_map(|case| pods(&rendered[*case])) {
        takes_arguments(&of, &pod["containers"][0]);
    }
}

/// The restricted Pod Security Standard and more: nobody is root, nothing but folders of the pod's own is written to,
/// no secret stands in the open, and there is no `latest`.
fn check_pod(of: &str, pod: &Value) {
    let is_kserve = of.starts_with("ServingRuntime");
    for container in each(&pod["containers"]) {
        let security = &container["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{of}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{of}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{of}");
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}), "{of}");
        assert_eq!(security["seccompProfile"], json!({"type": "RuntimeDefault"}), "{of}");
        let user = if is_kserve { security } else { &pod["securityContext"] };
        assert!(user["runAsUser"].as_u64().is_some_and(|user| user > 0), "{of}: {user}");
        let image = container["image"].as_str().unwrap();
        assert!(image.contains([':', '@']) && !image.ends_with(":latest"), "{of}: {image}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{of}");
        assert!(container["resources"]["requests"]["cpu"].is_string(), "{of}");
        for variable in each(&container["env"]) {
            let name = variable["name"].as_str().unwrap();
            let is_secret = ["PASSWORD", "SECRET", "TOKEN", "ACCESS_KEY", "BACKEND_STORE"]
                .iter()
                .any(|word| name.contains(word) && !name.ends_with("_FILE"));
            let is_reference = variable["valueFrom"]["secretKeyRef"]["name"].is_string();
            assert!(!is_secret || is_reference, "{of}: {variable}");
        }
        if of.starts_with("CronJob") {
            continue;
        }
        let paths =
            if is_kserve { ["/v2/health/live", "/v2/health/ready"] } else { ["/livez", "/health"] };
        for (probe, path) in ["livenessProbe", "readinessProbe"].iter().zip(paths) {
            let asked = container[probe]["httpGet"]["path"].as_str().unwrap();
            assert!(asked.ends_with(path), "{of}: {probe} {asked}");
        }
    }
    for volume in each(&pod["volumes"]) {
        assert!(volume.get("hostPath").is_none(), "{of}: {volume}");
    }
    if !is_kserve {
        assert_eq!(pod["automountServiceAccountToken"], false, "{of}");
    }
    if of.starts_with("Deployment") {
        let drain = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace >= drain.unwrap_or(0) + 35, "{of}: {grace}");
        assert_eq!(each(&pod["topologySpreadConstraints"]).count(), 2, "{of}");
    }
}

/// The binary knows these arguments: with `--help` behind them it reads them and does nothing.
fn takes_arguments(of: &str, container: &Value) {
    let arguments =
        texts(&container["args"]).into_iter().map(|text| text.replace("{{.Name}}", "m"));
    let output = trainyard().args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{of}: {}", String::from_utf8_lossy(&output.stderr));
}
