"""What each of several users gets from each endpoint of scorers: one line of JSON for a user, with a status for a call,
and how many scorers it shows. Takes the URL of a server as access_matrix.py does.
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
    "denied": [("experiment", "{e}", "DENY"), ("experiment", "*", "MANAGE"), ("scorer", "*", "MANAGE")],
    "reader_of_one": [("experiment", "{e}", "READ"), ("scorer", "{e}/a%2Fb", "READ")],
    "reader_of_all": [("experiment", "*", "READ"), ("scorer", "*", "READ")],
    "editor_of_one": [("experiment", "{e}", "READ"), ("scorer", "{e}/a%2Fb", "EDIT")],
    "manager_of_one": [("experiment", "{e}", "READ"), ("scorer", "{e}/a%2Fb", "MANAGE")],
    "manager_without_one": [("experiment", "{e}", "MANAGE"), ("scorer", "{e}/a%2Fb", "DENY")],
    "manager_without_versions": [("experiment", "{e}", "MANAGE"), ("scorer", "*", "MANAGE"), ("scorer_version", "*", "DENY")],
    "reader_managing_versions": [("experiment", "{e}", "READ"), ("scorer", "*", "READ"), ("scorer_version", "*", "MANAGE")],
    "manager_reading_versions": [("experiment", "{e}", "MANAGE"), ("scorer", "*", "MANAGE"), ("scorer_version", "*", "READ")],
    "of_workspace": [("workspace", "*", "USE")],
}
SCORERS = "/api/3.0/mlflow/scorers/"


def ask(auth, method, path, body=None):
    query = {"params": body} if method == "GET" else {"json": body}
    return requests.request(method, URL + path, auth=auth, timeout=60, **query)


def made(method, path, body=None):
    answer = ask(ADMIN, method, path, body)
    assert answer.ok, (path, answer.status_code, answer.text)
    return answer.json() if answer.content else {}


def register(experiment_id, name):
    return {"experiment_id": experiment_id, "name": name, "serialized_scorer": "{}"}


def calls(name):
    """A name of the call, its method, path and body; what it needs is made by the administrator before."""
    e = made("POST", "/api/2.0/mlflow/experiments/create", {"name": f"of {name}"})["experiment_id"]
    for scorer in ["a/b", "a/b", "a/b", "plain"]:
        made("POST", SCORERS + "register", register(e, scorer))
    one = {"experiment_id": e, "name": "a/b"}
    return e, [
        ("list", "GET", "list", {"experiment_id": e}),
        ("list several", "GET", "list", {"experiment_ids": [e]}),
        ("get", "GET", "get", one),
        ("get a version", "GET", "get", {**one, "version": 1}),
        ("get a missing version", "GET", "get", {**one, "version": 77}),
        ("get what is not there", "GET", "get", {**one, "name": "none"}),
        ("versions", "GET", "versions", one),
        ("delete a version", "DELETE", "delete", {**one, "version": 1}),
        ("register a version", "POST", "register", register(e, "a/b")),
        ("register another", "POST", "register", register(e, "new")),
        ("list what is left", "GET", "list", {"experiment_id": e}),
        ("delete own", "DELETE", "delete", {**one, "name": "new"}),
        ("delete", "DELETE", "delete", {**one, "name": "plain"}),
    ]


def told(answer):
    shown = answer.json().get("scorers") if answer.ok else None
    return str(answer.status_code) if shown is None else f"{answer.status_code}, {len(shown)} shown"


for name, grants in USERS.items():
    made("POST", "/api/2.0/mlflow/users/create", {"username": name, "password": PASSWORD})
    experiment, asked = calls(name)
    if grants:
        role = made("POST", "/api/3.0/mlflow/roles/create", {"name": f"role of {name}", "workspace": "default"})["role"]["id"]
        for kind, pattern, permission in grants:
            made("POST", "/api/3.0/mlflow/roles/permissions/add", {
                "role_id": role, "resource_type": kind, "permission": permission,
                "resource_pattern": pattern.replace("{e}", experiment),
            })
        made("POST", "/api/3.0/mlflow/roles/assign", {"username": name, "role_id": role})
    answers = {call: told(ask((name, PASSWORD), method, SCORERS + path, body)) for call, method, path, body in asked}
    print(json.dumps({"user": name, "answers": answers}), flush=True)
