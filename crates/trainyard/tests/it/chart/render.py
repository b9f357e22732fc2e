"""Renders a chart for each case of a JSON list and prints what came out: the objects, or the error.

Arguments: the chart's folder, and a list of {"file": values file, "merge": values over those}. Every object is held
against the API of Kubernetes, strictly: an unknown field is an error. Objects of operators have no schema in any
package; those are held against the fields below, and what is a pod in them against the schema of a pod.
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

# The oldest one that Chart.yaml allows, and the newest one that is known.
VERSIONS = ["1.30", "1.37"]

CUSTOM = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {
        "spec": {"selector", "endpoints"},
        "endpoints": {"port", "path", "interval", "scheme", "tlsConfig", "authorization"},
    },
    ("monitoring.coreos.com/v1", "PrometheusRule"): {
        "spec": {"groups"},
        "groups": {"name", "rules"},
        "rules": {"alert", "expr", "for", "labels", "annotations"},
    },
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): {
        "spec": {"parentRefs", "hostnames", "rules"},
        "rules": {"matches", "backendRefs"},
        "matches": {"path"},
    },
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): {
        "spec": {
            "annotations", "multiModel", "supportedModelFormats", "protocolVersions", "containers", "volumes",
            "imagePullSecrets",
        },
        "supportedModelFormats": {"name", "version", "autoSelect", "priority"},
    },
}


def merged(values, over):
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = merged(values[key], value) if both else value
    return values


def check_fields(value, allowed, at):
    """Everything named in `allowed` has no other fields than those there."""
    if isinstance(value, list):
        for item in value:
            check_fields(item, allowed, at)
    elif isinstance(value, dict):
        unknown = set(value) - allowed.get(at, set(value))
        assert not unknown, f"unknown fields in {at}: {unknown}"
        for key, below in value.items():
            check_fields(below, allowed, key)


def check(thing):
    kind = (thing["apiVersion"], thing["kind"])
    for version in VERSIONS:
        try:
            if kind not in CUSTOM:
                kubernetes_validate.validate(thing, version, strict=True)
            elif kind[1] == "ServingRuntime":
                pod = {k: v for k, v in thing["spec"].items() if k in ("containers", "volumes", "imagePullSecrets")}
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}
                kubernetes_validate.validate(pod, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(step) for step in error.path)
            raise AssertionError(f"{kind} of {version}: {where}: {error.message}")
    if kind in CUSTOM:
        check_fields({"spec": thing["spec"]}, CUSTOM[kind], "")


def documents(text):
    return [thing for thing in yaml.safe_load_all(text) if thing is not None]


def render(folder, case):
    values = merged(yaml.safe_load((folder / case["file"]).read_text()), case.get("merge", {}))
    try:
        with Chart.load(folder) as chart:
            chart.validate_schema(values)
            texts = chart.render(values, name="prod", namespace="ml")
    except HelmError as error:
        return {"error": str(error)}
    found = lint(folder, values, strict=True, namespace="ml", kube_version="v1.30.0")
    complaints = [one for one in found["messages"] if one["severity"] > 1] + found["errors"]
    assert not complaints, complaints
    notes = "".join(text for name, text in texts.items() if name.endswith("NOTES.txt"))
    objects = [thing for name, text in sorted(texts.items()) if name.endswith(".yaml") for thing in documents(text)]
    for thing in objects:
        check(thing)
    return {"values": values, "objects": objects, "notes": notes}


chart = pathlib.Path(sys.argv[1])
print(json.dumps([render(chart, case) for case in json.loads(sys.argv[2])]))
