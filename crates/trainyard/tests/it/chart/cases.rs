//! Values with everything turned on, and values that would break out of a careless template.

use serde_json::{Value, json};
use trainyard_testkit::workspace_root;

use super::render::{each, of_kind, texts};

/// What is turned on is there.
pub(super) fn check_full(rendered: &Value) {
    let count = |kind| of_kind(rendered, kind).count();
    for (kind, expected) in [
        ("Deployment", 4),
        ("Service", 4),
        ("CronJob", 3),
        ("NetworkPolicy", 7),
        // Not for the model of one pod.
        ("PodDisruptionBudget", 3),
        ("HorizontalPodAutoscaler", 2),
        ("ServiceAccount", 2),
        ("Ingress", 2),
        ("HTTPRoute", 4),
        ("ServiceMonitor", 4),
        ("PrometheusRule", 1),
        ("ConfigMap", 1),
        ("ServingRuntime", 1),
    ] {
        assert_eq!(count(kind), expected, "{kind}");
    }
    for ingress in of_kind(rendered, "Ingress") {
        let issuer = &ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"];
        assert_eq!(issuer, "letsencrypt");
        assert!(ingress["spec"]["tls"][0]["secretName"].is_string());
    }
    for job in of_kind(rendered, "CronJob") {
        let rules = &job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"];
        assert_eq!(rules[0]["action"], "FailJob");
        assert_eq!(
            rules[0]["onExitCodes"]["values"],
            json!([4]),
            "drift is no reason to look again"
        );
    }
    let deployment = |name: &str| {
        of_kind(rendered, "Deployment").find(|one| one["metadata"]["name"] == name).unwrap()
    };
    let server = &deployment("ml-server")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(server["readinessProbe"]["httpGet"]["path"], "/mlflow/health");
    assert_eq!(server["readinessProbe"]["httpGet"]["scheme"], "HTTPS");
    let risk = &deployment("ml-serve-risk")["spec"]["template"]["spec"]["containers"][0];
    assert!(texts(&risk["args"]).contains(&"risk=models:/Risk@champion"), "{risk}");
    assert_eq!(risk["resources"]["requests"]["cpu"], "2");
    let runtime = of_kind(rendered, "ServingRuntime").next().unwrap();
    let container = &runtime["spec"]["containers"][0];
    assert_eq!(texts(&container["args"]), ["serve", "--model-uri", "{{.Name}}=/mnt/models"]);
    assert_eq!(container["name"], "kserve-container");
    assert_eq!(runtime["spec"]["protocolVersions"], json!(["v2"]));
    assert_eq!(runtime["spec"]["supportedModelFormats"][0]["name"], "mlflow");
    let dashboard = of_kind(rendered, "ConfigMap").next().unwrap();
    let text = dashboard["data"]["trainyard.json"].as_str().unwrap();
    let file = workspace_root().join("charts/trainyard/files/dashboard.json");
    assert_eq!(text, std::fs::read_to_string(file).unwrap());
}

/// Texts that would break out of a careless template arrive as they are.
pub(super) fn check_hostile(rendered: &Value) {
    let values = &rendered["values"];
    let of = |component: &str| {
        of_kind(rendered, "Deployment")
            .find(|one| one["metadata"]["labels"]["app.kubernetes.io/component"] == component)
            .unwrap()
    };
    let (server, serve) = (of("server"), of("serve"));
    let container = &server["spec"]["template"]["spec"]["containers"][0];
    let arguments = [vec!["server"], texts(&values["server"]["extraArgs"])].concat();
    assert_eq!(texts(&container["args"]), arguments);
    assert_eq!(each(&container["env"]).last(), each(&values["server"]["env"]).last());
    let destination = each(&container["env"])
        .find(|variable| variable["name"] == "MLFLOW_ARTIFACTS_DESTINATION")
        .map(|variable| &variable["value"]);
    assert_eq!(destination, Some(&values["server"]["artifacts"]["destination"]));
    let annotations = &server["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(*annotations, values["server"]["podAnnotations"]);
    assert_eq!(server["metadata"]["labels"]["true"], "1e3");

    let model = &values["models"][0];
    let container = &serve["spec"]["template"]["spec"]["containers"][0];
    let (name, alias) = (model["model"].as_str().unwrap(), model["alias"].as_str().unwrap());
    let arguments = texts(&container["args"]);
    assert!(arguments.contains(&format!("a=models:/{name}@{alias}").as_str()), "{arguments:?}");
    assert!(arguments.ends_with(&texts(&model["extraArgs"])), "{arguments:?}");
    for variable in each(&model["env"]) {
        assert!(each(&container["env"]).any(|one| one == variable), "{variable}");
    }
}
