//! The Helm chart, rendered by Helm itself and held against the API of Kubernetes: what it promises of every pod,
//! what it refuses, and that the binary takes the arguments it writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trainyard_testkit::{run_python, workspace_root};

use crate::project::trainyard;

/// Kinds with pods in them, and where these are.
const POD_TEMPLATES: [(&str, &str); 3] = [
    ("Deployment", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
    ("ServingRuntime", "/spec"),
];

/// What came of each case: `objects` and `notes`, or `error`.
fn render(cases: &Value) -> Vec<Value> {
    let chart = workspace_root().join("charts/trainyard").display().to_string();
    let rendered = run_python(include_str!("chart/render.py"), &[&chart, &cases.to_string()], &[]);
    serde_json::from_str(&rendered).unwrap()
}

/// Everything of a list, nothing if there is none.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Kind and name, for messages.
fn id(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The pods of these objects, each with the object's name.
fn pods(rendered: &Value) -> Vec<(String, &Value)> {
    each(&rendered["objects"])
        .filter_map(|object| {
            let (_, path) = POD_TEMPLATES.iter().find(|(kind, _)| object["kind"] == *kind)?;
            Some((id(object), object.pointer(path)?))
        })
        .collect()
}

/// Objects of a kind.
fn of_kind<'a>(rendered: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    each(&rendered["objects"]).filter(move |object| object["kind"] == kind)
}

fn texts(value: &Value) -> Vec<&str> {
    each(value).filter_map(Value::as_str).collect()
}

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

/// Whether something with these labels is selected.
fn holds(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
    })
}

/// What selects pods selects those of one Deployment or CronJob.
fn check_selectors(rendered: &Value) {
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
fn check_names(rendered: &Value) {
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
fn check_public_paths(rendered: &Value) {
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

/// What is turned on is there.
fn check_full(rendered: &Value) {
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
fn check_hostile(rendered: &Value) {
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

/// The binary knows these arguments: with `--help` behind them it reads them and does nothing.
fn takes_arguments(of: &str, container: &Value) {
    let arguments =
        texts(&container["args"]).into_iter().map(|text| text.replace("{{.Name}}", "m"));
    let output = trainyard().args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{of}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn mistakes_are_refused_and_passwords_are_not_repeated() {
    let uri = "postgresql://me:pl4nted@db/x";
    let exposed = json!({"expose": {"serverHost": "m.example.com", "ingress": {"enabled": true}}});
    let asking = json!({
        "server": {"auth": {"existingSecret": "users"}}, "models": [],
        "metrics": {"serviceMonitor": {"enabled": true}},
    });
    let cases = [
        (json!({"server": {"auth": {"existingSecret": "users"}}}), "tracking.existingSecret: the"),
        (asking, "metrics.serverToken.existingSecret: the"),
        (json!({"image": {"tag": "latest"}}), "/image/tag"),
        (json!({"image": {"repository": ""}}), "image.repository: say where"),
        (json!({"user": {"runAsUser": 0}}), "/user/runAsUser"),
        (json!({"server": {"replica": 3}}), "'replica' not allowed"),
        (
            json!({"server": {"database": {"existingSecret": ""}}}),
            "server.database.existingSecret: the Secret",
        ),
        (
            json!({"server": {"artifacts": {"destination": ""}}}),
            "server.artifacts.destination: s3://",
        ),
        (
            json!({"server": {"artifacts": {"destination": "/data"}}}),
            "/server/artifacts/destination",
        ),
        (
            json!({"server": {"artifacts": {"destination": "s3://key:pl4nted@b/x"}}}),
            "holds a password",
        ),
        (
            json!({"server": {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "pl4nted"}]}}),
            "secretKeyRef",
        ),
        (
            json!({"server": {"env": [{"name": "MLFLOW_BACKEND_STORE_URI", "value": uri}]}}),
            "holds a password",
        ),
        (json!({"server": {"extraArgs": ["--backend-store-uri", uri]}}), "holds a password"),
        (
            json!({"tracking": {"uri": "https://me:pl4nted@mlflow.example.com"}}),
            "tracking.uri holds a password",
        ),
        (
            json!({"tracking": {"existingSecret": "clients"}}),
            "tokenKey, or usernameKey and passwordKey",
        ),
        (json!({"server": {"enabled": false}}), "tracking.uri: there is no server"),
        (
            json!({"server": {"extraVolumes": [{"name": "x", "hostPath": {"path": "/"}}]}}),
            "'hostPath' not allowed",
        ),
        (exposed, "asks nobody for a password"),
        (json!({"expose": {"gateway": {"enabled": true}}}), "expose.gateway.parentRefs"),
        (json!({"nameOverride": "a-name-that-is-too-long"}), "give fullnameOverride"),
        (json!({"commonLabels": {"a": "x: y\nb"}}), "/commonLabels/a"),
        (json!({"models": [{"name": "a\nkind: Secret", "model": "x"}]}), "/models/0/name"),
        (json!({"models": [{"name": "a"}]}), "neither `model` nor `uri`"),
        (
            json!({"models": [{"name": "a", "model": "x", "uri": "models:/x/1"}]}),
            "both `model` and `uri`",
        ),
        (
            json!({"models": [{"name": "a", "model": "x"}, {"name": "a", "model": "y"}]}),
            "there twice",
        ),
        (
            json!({"models": [{"name": "a", "model": "x", "monitor": {"enabled": true}}]}),
            "nothing to look at",
        ),
    ];
    let asked: Value =
        cases.iter().map(|(merge, _)| json!({"file": "ci/minimal.yaml", "merge": merge})).collect();
    for ((merge, expected), rendered) in cases.iter().zip(render(&asked)) {
        let error = rendered["error"].as_str().unwrap_or("no error");
        assert!(error.contains(expected), "{merge}: {error}");
        assert!(!error.contains("pl4nted"), "{merge}: {error}");
    }
}
