"""What each of several users gets from each endpoint of traces, assessments and datasets: one line of JSON for a user,
with a status for a call. Takes the URL of a server as access_matrix.py does.
"""

import json
import sys

import requests

URL = sys.argv[1]
PASSWORD = "difference engine 1"
ADMIN = ("admin", PASSWORD)
# Grants: kind, pattern, permission. {e} is the user's experiment.
USERS = {
    "nobody": [],
    "reader": [("experiment", "{e}", "READ")],
    "editor": [("experiment", "{e}", "EDIT")],
    "manager": [("experiment", "{e}", "MANAGE")],
    "denied": [("experiment", "{e}", "DENY"), ("experiment", "*", "MANAGE")],
    "reader_editing_traces": [("experiment", "{e}", "READ"), ("trace", "*", "EDIT")],
    "reader_managing_traces": [("experiment", "{e}", "READ"), ("trace", "*", "MANAGE")],
    "manager_without_traces": [("experiment", "{e}", "MANAGE"), ("trace", "*", "DENY")],
    "editor_reading_traces": [("experiment", "{e}", "EDIT"), ("trace", "*", "READ")],
    "manager_without_assessments": [("experiment", "{e}", "MANAGE"), ("assessment", "*", "DENY")],
    "manager_editing_assessments": [("experiment", "{e}", "MANAGE"), ("assessment", "*", "EDIT")],
    "reader_managing_assessments": [("experiment", "{e}", "READ"), ("assessment", "*", "MANAGE")],
    "manager_without_runs": [("experiment", "{e}", "MANAGE"), ("run", "*", "DENY")],
}
ASSESSMENT = {"assessment_name": "good", "source": {"source_type": "HUMAN", "source_id": "x"}, "feedback": {"value": True}}
NEW = "/api/3.0/mlflow/"


def ask(auth, method, path, body=None):
    query = {"params": body} if method == "GET" else {"json": body}
    return requests.request(method, URL + path, auth=auth, timeout=60, **query)


def made(method, path, body=None):
    answer = ask(ADMIN, method, path, body)
    assert answer.ok, (path, answer.status_code, answer.text)
    return answer.json() if answer.content else {}


def trace(trace_id, experiment_id):
    return {"trace": {"trace_info": {
        "trace_id": trace_id, "state": "OK", "request_time": "2026-01-01T00:00:00Z",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}},
    }}}


def place(experiment_id):
    return [{"mlflow_experiment": {"experiment_id": experiment_id}}]


def calls(name):
    """A name of the call, its method, path and body; what it needs is made by the administrator before."""
    e = made("POST", "/api/2.0/mlflow/experiments/create", {"name": f"of {name}"})["experiment_id"]
    other = made("POST", "/api/2.0/mlflow/experiments/create", {"name": f"beside {name}"})["experiment_id"]
    run = made("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": e})["run"]["info"]["run_id"]
    t, u, d = f"tr-{name}", f"tr-{name}-2", f"tr-{name}-3"
    for trace_id in (t, u, d):
        made("POST", NEW + "traces", trace(trace_id, e))
    elsewhere = f"tr-{name}-elsewhere"
    made("POST", NEW + "traces", trace(elsewhere, other))
    said = [made("POST", f"{NEW}traces/{t}/assessments", {"assessment": ASSESSMENT}) for _ in range(2)]
    a, b = [answer["assessment"]["assessment_id"] for answer in said]
    s = made("POST", NEW + "datasets/create", {"name": f"set of {name}", "experiment_ids": [e]})
    s = s["dataset"]["dataset_id"]
    return e, [
        ("get", "GET", f"{NEW}traces/{t}", None),
        ("get of another", "GET", f"{NEW}traces/{elsewhere}", None),
        ("get what is not there", "GET", f"{NEW}traces/tr-none", None),
        ("start", "POST", f"{NEW}traces", trace(f"tr-{name}-new", e)),
        ("search", "POST", f"{NEW}traces/search", {"locations": place(e)}),
        ("search two", "POST", f"{NEW}traces/search", {"locations": place(e) + place(other)}),
        ("search by feedback", "POST", f"{NEW}traces/search", {"locations": place(e), "filter": "feedback.good = 'true'"}),
        ("search by run", "POST", f"{NEW}traces/search", {"locations": place(e), "filter": f"run_id = '{run}'"}),
        ("infos", "POST", f"{NEW}traces/batchGetInfos", {"trace_ids": [t]}),
        ("infos of two", "POST", f"{NEW}traces/batchGetInfos", {"trace_ids": [t, elsewhere]}),
        ("set tag", "PATCH", f"{NEW}traces/{t}/tags", {"key": "k", "value": "v"}),
        ("delete tag", "DELETE", f"{NEW}traces/{t}/tags", {"key": "k"}),
        ("link to run", "POST", "/api/2.0/mlflow/traces/link-to-run", {"trace_ids": [u], "run_id": run}),
        ("assess", "POST", f"{NEW}traces/{t}/assessments", {"assessment": ASSESSMENT}),
        ("get assessment", "GET", f"{NEW}traces/{t}/assessments/{a}", None),
        ("change assessment", "PATCH", f"{NEW}traces/{t}/assessments/{a}",
         {"assessment": {"rationale": "r"}, "update_mask": "rationale"}),
        ("delete assessment", "DELETE", f"{NEW}traces/{t}/assessments/{b}", None),
        ("delete", "POST", f"{NEW}traces/delete-traces", {"experiment_id": e, "request_ids": [d]}),
        ("get dataset", "GET", f"{NEW}datasets/{s}", None),
        ("search datasets", "POST", f"{NEW}datasets/search", {"experiment_ids": [e]}),
        ("search all datasets", "POST", f"{NEW}datasets/search", {}),
        ("make dataset", "POST", f"{NEW}datasets/create", {"name": f"by {name}", "experiment_ids": [e]}),
        ("tag dataset", "PATCH", f"{NEW}datasets/{s}/tags", {"tags": json.dumps({"k": "v"})}),
        ("add dataset to another", "POST", f"{NEW}datasets/{s}/add-experiments", {"experiment_ids": [other]}),
        ("records", "GET", f"{NEW}datasets/{s}/records", None),
        ("delete dataset", "DELETE", f"{NEW}datasets/{s}", None),
    ]


for name, grants in USERS.items():
    made("POST", "/api/2.0/mlflow/users/create", {"username": name, "password": PASSWORD})
    experiment, asked = calls(name)
    if grants:
        role = made("POST", NEW + "roles/create", {"name": f"role of {name}", "workspace": "default"})["role"]["id"]
        for kind, pattern, permission in grants:
            made("POST", NEW + "roles/permissions/add", {
                "role_id": role, "resource_type": kind, "permission": permission,
                "resource_pattern": pattern.replace("{e}", experiment),
            })
        made("POST", NEW + "roles/assign", {"username": name, "role_id": role})
    statuses = {call: ask((name, PASSWORD), *rest).status_code for call, *rest in asked}
    print(json.dumps({"user": name, "statuses": statuses}), flush=True)
