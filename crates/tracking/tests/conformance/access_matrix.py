"""What each of several users gets from each endpoint: one line of JSON for a user, with a status for a call.

Takes the URL of a server whose administrator is `admin` with the password of PASSWORD, and whose default
permission is NO_PERMISSIONS. Each user has things of their own to try on, made by the administrator, so that no
call depends on what another user did.
"""

import json
import sys

import requests

URL = sys.argv[1]
PASSWORD = "difference engine 1"
ADMIN = ("admin", PASSWORD)
# Grants: kind, pattern, permission. {e} and {m} are the user's experiment and registered model.
USERS = {
    "nobody": [],
    "reader": [("experiment", "{e}", "READ"), ("registered_model", "{m}", "READ")],
    "user": [("experiment", "{e}", "USE"), ("registered_model", "{m}", "USE")],
    "editor": [("experiment", "{e}", "EDIT"), ("registered_model", "{m}", "EDIT")],
    "manager": [("experiment", "{e}", "MANAGE"), ("registered_model", "{m}", "MANAGE")],
    "denied": [("experiment", "{e}", "DENY"), ("experiment", "*", "MANAGE"),
               ("registered_model", "{m}", "DENY"), ("registered_model", "*", "MANAGE")],
    "editor_of_all": [("experiment", "*", "EDIT"), ("registered_model", "*", "EDIT")],
    "reader_editing_runs": [("experiment", "{e}", "READ"), ("run", "*", "EDIT"),
                            ("registered_model", "{m}", "READ"), ("registered_model_version", "*", "EDIT")],
    "manager_without_runs": [("experiment", "{e}", "MANAGE"), ("run", "*", "DENY"),
                             ("registered_model", "{m}", "MANAGE"), ("registered_model_version", "*", "DENY")],
    "manager_reading_runs": [("experiment", "{e}", "MANAGE"), ("run", "*", "READ"),
                             ("logged_model", "*", "READ"), ("registered_model", "{m}", "MANAGE"),
                             ("registered_model_version", "*", "READ")],
    "no_new_experiments": [("experiment", "*", "DENY"), ("registered_model", "*", "DENY")],
    "of_the_workspace": [("workspace", "*", "MANAGE"), ("experiment", "{e}", "DENY")],
    "member": [("workspace", "*", "USE")],
}


def ask(auth, method, path, body=None, **more):
    query = {"params": body} if method == "GET" else {"json": body}
    return requests.request(method, URL + path, auth=auth, timeout=60, **query, **more)


def made(method, path, body=None, **more):
    answer = ask(ADMIN, method, path, body, **more)
    assert answer.ok, (path, answer.status_code, answer.text)
    return answer.json() if answer.content else {}


def api(path):
    return "/api/2.0/mlflow/" + path


def new(path):
    return "/api/3.0/mlflow/" + path


def things(name):
    """What the administrator makes for one user to try on."""
    e = made("POST", api("experiments/create"), {"name": f"of {name}"})["experiment_id"]
    run = lambda: made("POST", api("runs/create"), {"experiment_id": e})["run"]["info"]["run_id"]
    r, d = run(), run()
    made("POST", api("runs/log-metric"), {"run_id": r, "key": "m", "value": 1.5, "timestamp": 1})
    logged = lambda: made("POST", api("logged-models"), {"experiment_id": e, "name": "x"})["model"]["info"]["model_id"]
    l, k = logged(), logged()
    m = f"model-of-{name}"
    made("POST", api("registered-models/create"), {"name": m})
    for _ in range(2):
        made("POST", api("model-versions/create"), {"name": m, "source": f"models:/{l}", "model_id": l})
    made("POST", api("registered-models/alias"), {"name": m, "alias": "a", "version": "1"})
    file = f"/api/2.0/mlflow-artifacts/artifacts/{e}/{r}/artifacts/x.txt"
    assert requests.put(URL + file, data=b"x", auth=ADMIN, timeout=60).ok
    return {"e": e, "r": r, "d": d, "l": l, "k": k, "m": m}


def calls(t):
    """Method, path and body of each call, the ones that destroy last."""
    e, r, d, l, k, m = (t[key] for key in "erdlkm")
    proxied = f"/api/2.0/mlflow-artifacts/artifacts/{e}/{r}/artifacts/"
    yield "GET", api("experiments/get"), {"experiment_id": e}
    yield "GET", "/ajax-api/2.0/mlflow/experiments/get", {"experiment_id": e}
    yield "GET", api("experiments/get"), {"experiment_id": "999999"}
    yield "GET", api("experiments/get-by-name"), {"experiment_name": t["name"]}
    yield "POST", api("experiments/create"), {"name": t["name"] + " and more"}
    yield "POST", api("experiments/set-experiment-tag"), {"experiment_id": e, "key": "k", "value": "v"}
    yield "POST", api("experiments/delete-experiment-tag"), {"experiment_id": e, "key": "k"}
    yield "POST", api("experiments/update"), {"experiment_id": e, "new_name": t["name"] + " anew"}
    yield "POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": [e]}
    yield "GET", api("runs/get"), {"run_id": r}
    yield "GET", api("runs/get"), {"run_id": "0" * 32}
    yield "GET", api("artifacts/list"), {"run_id": r}
    yield "GET", "/get-artifact", {"run_id": r, "path": "x.txt"}
    yield "GET", api("metrics/get-history"), {"run_id": r, "metric_key": "m"}
    yield "GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", {"run_id": r, "metric_key": "m"}
    yield "POST", api("runs/create"), {"experiment_id": e}
    yield "POST", api("runs/update"), {"run_id": r, "run_name": "n"}
    yield "POST", api("runs/log-metric"), {"run_id": r, "key": "m", "value": 1, "timestamp": 1}
    yield "POST", api("runs/log-metric") + "?model", {"run_id": r, "key": "m", "value": 1, "timestamp": 1, "model_id": l}
    yield "POST", api("runs/log-parameter"), {"run_id": r, "key": "p", "value": "1"}
    yield "POST", api("runs/log-batch"), {"run_id": r, "metrics": [], "params": [], "tags": []}
    yield "POST", api("runs/set-tag"), {"run_id": r, "key": "t", "value": "1"}
    yield "POST", api("runs/delete-tag"), {"run_id": r, "key": "t"}
    yield "POST", api("runs/log-inputs"), {"run_id": r, "datasets": []}
    yield "POST", api("runs/outputs"), {"run_id": r, "models": []}
    yield "GET", api(f"logged-models/{l}"), None
    yield "POST", api("logged-models"), {"experiment_id": e, "name": "y"}
    yield "PATCH", api(f"logged-models/{l}"), {"model_id": l, "status": "LOGGED_MODEL_READY"}
    yield "PATCH", api(f"logged-models/{l}/tags"), {"tags": [{"key": "t", "value": "1"}]}
    yield "DELETE", api(f"logged-models/{l}/tags/t"), None
    yield "POST", api(f"logged-models/{l}/params"), {"model_id": l, "params": [{"key": "p", "value": "1"}]}
    yield "GET", api(f"logged-models/{l}/artifacts/directories"), None
    yield "GET", proxied + "x.txt", None
    yield "GET", "/api/2.0/mlflow-artifacts/artifacts", {"path": f"{e}/{r}/artifacts"}
    yield "PUT", proxied + "y.txt", None
    yield "DELETE", proxied + "y.txt", None
    yield "GET", api("registered-models/get"), {"name": m}
    yield "GET", api("registered-models/get"), {"name": "no such model"}
    yield "POST", api("registered-models/create"), {"name": m + "-and-more"}
    yield "PATCH", api("registered-models/update"), {"name": m, "description": "d"}
    yield "POST", api("registered-models/set-tag"), {"name": m, "key": "t", "value": "1"}
    yield "DELETE", api("registered-models/delete-tag"), {"name": m, "key": "t"}
    yield "POST", api("registered-models/get-latest-versions"), {"name": m}
    yield "GET", api("registered-models/alias"), {"name": m, "alias": "a"}
    yield "POST", api("registered-models/alias"), {"name": m, "alias": "b", "version": "1"}
    yield "DELETE", api("registered-models/alias"), {"name": m, "alias": "b"}
    yield "POST", api("model-versions/create"), {"name": m, "source": f"models:/{l}", "model_id": l}
    yield "POST", api("model-versions/create") + "?run", {"name": m, "source": f"runs:/{r}/x", "run_id": r}
    yield "GET", api("model-versions/get"), {"name": m, "version": "1"}
    yield "GET", api("model-versions/get-download-uri"), {"name": m, "version": "1"}
    yield "PATCH", api("model-versions/update"), {"name": m, "version": "1", "description": "d"}
    yield "POST", api("model-versions/transition-stage"), {"name": m, "version": "1", "stage": "Staging"}
    yield "POST", api("model-versions/set-tag"), {"name": m, "version": "1", "key": "t", "value": "1"}
    yield "DELETE", api("model-versions/delete-tag"), {"name": m, "version": "1", "key": "t"}
    yield "GET", api("users/get"), {"username": t["name"]}
    yield "GET", api("users/get"), {"username": "admin"}
    yield "GET", api("users/current"), None
    yield "GET", api("users/list"), None
    yield "POST", api("users/create"), {"username": t["name"] + "2", "password": PASSWORD}
    yield "PATCH", api("users/update-admin"), {"username": t["name"], "is_admin": False}
    yield "PATCH", api("users/update-password"), {"username": "admin", "password": PASSWORD}
    yield "PATCH", api("users/update-password") + "?own", {"username": t["name"], "password": PASSWORD + "x"}
    yield "DELETE", api("users/delete"), {"username": "admin2"}
    yield "GET", new("users/current/permissions"), None
    yield "GET", new("users/permissions/list"), {"username": "nobody"}
    yield "GET", new("users/roles/list"), {"username": t["name"]}
    yield "GET", new("users/roles/list"), {"username": "admin"}
    yield "POST", new("users/permissions/grant"), {
        "username": "nobody", "resource_type": "experiment", "resource_id": e, "permission": "READ"}
    yield "GET", new("users/permissions/get"), {
        "username": t["name"], "resource_type": "experiment", "resource_id": e}
    yield "GET", new("users/permissions/get"), {
        "username": "nobody", "resource_type": "experiment", "resource_id": e}
    yield "POST", new("users/permissions/revoke"), {
        "username": "nobody", "resource_type": "experiment", "resource_id": e}
    yield "POST", new("users/permissions/grant") + "?all", {
        "username": t["name"], "resource_type": "experiment", "resource_id": "*", "permission": "MANAGE"}
    yield "POST", new("roles/create"), {"name": "role of " + t["name"], "workspace": "default"}
    yield "GET", new("roles/get"), {"role_id": t["role"]}
    yield "GET", new("roles/list"), {"workspace": "default"}
    yield "GET", new("roles/list"), None
    yield "PATCH", new("roles/update"), {"role_id": t["role"], "description": "d"}
    yield "GET", new("roles/permissions/list"), {"role_id": t["role"]}
    yield "GET", new("roles/users/list"), {"role_id": t["role"]}
    yield "POST", new("roles/permissions/add"), {
        "role_id": t["role"], "resource_type": "prompt", "resource_pattern": "*", "permission": "READ"}
    yield "GET", api("webhooks"), None
    yield "DELETE", api("model-versions/delete"), {"name": m, "version": "2"}
    yield "POST", api("registered-models/rename"), {"name": m, "new_name": m + "-anew"}
    yield "DELETE", api("registered-models/delete"), {"name": m + "-anew"}
    yield "DELETE", api("registered-models/delete"), {"name": m}
    yield "DELETE", api(f"logged-models/{k}"), None
    yield "POST", api("runs/delete"), {"run_id": d}
    yield "POST", api("runs/restore"), {"run_id": d}
    yield "POST", api("experiments/delete"), {"experiment_id": e}
    yield "POST", api("experiments/restore"), {"experiment_id": e}


def masked(path, t):
    names = {str(t[key]): "{" + key + "}" for key in "erdlk"}
    # The version of the API may be the id of an experiment.
    head, rest = path[:8], path[8:]
    return head + "/".join(names.get(name, name) for name in rest.split("/"))


made("POST", api("users/create"), {"username": "admin2", "password": PASSWORD})
made("PATCH", api("users/update-admin"), {"username": "admin2", "is_admin": True})
for name, grants in USERS.items():
    made("POST", api("users/create"), {"username": name, "password": PASSWORD})
    t = things(name) | {"name": name}
    t["role"] = made("POST", new("roles/create"), {"name": f"for {name}", "workspace": "default"})["role"]["id"]
    for kind, pattern, permission in grants:
        made("POST", new("roles/permissions/add"), {
            "role_id": t["role"], "resource_type": kind,
            "resource_pattern": pattern.format(**t), "permission": permission})
    made("POST", new("roles/assign"), {"username": name, "role_id": t["role"]})
    t["name"] = name
    statuses = {}
    for method, path, body in calls(t | {"name": name}):
        path, _, note = path.partition("?")
        if "get-by-name" in path:
            body = {"experiment_name": f"of {name}"}
        answer = ask((name, PASSWORD), method, path, body)
        key = f"{method} {masked(path, t)}{' ' + note if note else ''}"
        while key in statuses:
            key += " (again)"
        statuses[key] = answer.status_code
    # What lists show, whole and page by page: names, never how many there are besides.
    pages, token = [], None
    while True:
        found = ask((name, PASSWORD), "GET", api("experiments/search"), {
            "max_results": 2, "order_by": "name ASC", **({"page_token": token} if token else {})}).json()
        pages.append([row["name"] for row in found.get("experiments", [])])
        token = found.get("next_page_token")
        if not token:
            break
    models = ask((name, PASSWORD), "GET", api("registered-models/search"), {"max_results": 1000}).json()
    print(json.dumps({
        "user": name,
        "statuses": statuses,
        "experiments": sorted(sum(pages, [])),
        "full_pages": all(len(page) == 2 for page in pages[:-1]),
        "models": sorted(row["name"] for row in models.get("registered_models", [])),
    }))
