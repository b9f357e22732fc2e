"""Runs with many metrics and models with many versions, written straight into an SQLite database with MLflow's tables.

Both servers use the same tables, so both get the same rows; over REST it would take upstream days.
"""

import random
import sqlite3
import uuid

START = 1_700_000_000_000
OPTIMIZERS = ("adam", "sgd", "rmsprop")
# Runs whose curves are drawn, and the steps of each; the first of them are found by a name.
CURVES, STEPS, NAMED = 100, 10_000, 20


def insert(connection, table, columns, rows):
    marks = ",".join("?" * len(columns.split(",")))
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def fill(database, *, runs, metrics, models, versions, steps=STEPS):
    """Fills the database of a server that was started once. Returns what there is to look at."""
    connection = sqlite3.connect(database, timeout=120)
    # Only here: what is lost with the machine is filled again.
    connection.execute("PRAGMA synchronous = OFF")
    # The index of the table's own key is made a row at a time, all over the place.
    connection.execute("PRAGMA cache_size = -1500000")
    experiment = connection.execute("SELECT max(experiment_id) + 1 FROM experiments").fetchone()[0]
    root = f"mlflow-artifacts:/{experiment}"
    insert(connection, "experiments", "experiment_id,name,artifact_location,lifecycle_stage,creation_time,last_update_time,workspace",
           [(experiment, "sweep", root, "active", START, START, "default")])
    values = random.Random(1)
    ids = [uuid.UUID(int=values.getrandbits(128)).hex for _ in range(runs)]
    for number, run in enumerate(ids):
        fill_run(connection, experiment, root, number, run)
    accuracy = fill_metrics(connection, ids, metrics, values)
    for number in range(min(CURVES, runs)):
        curve = [(step, 1 / (1 + step) + number / 100 + values.random() / 50) for step in range(steps)]
        insert(connection, "metrics", "key,value,timestamp,run_uuid,step,is_nan",
               [("loss", value, START + step, ids[number], step, 0) for step, value in curve])
        insert(connection, "latest_metrics", "key,value,timestamp,step,is_nan,run_uuid",
               [("loss", curve[-1][1], START, steps - 1, 0, ids[number])])
    fill_models(connection, ids, models, versions)
    connection.commit()
    connection.close()
    asked = [at for at in range(NAMED, runs) if at % 3 == 0 and at % 2]
    best = max(asked, key=accuracy.get)
    return {"experiment": str(experiment), "run": ids[0], "best": f"sweep-{best}", "model": "model-0", "versions": versions,
            "curves": ids[:CURVES]}


def fill_run(connection, experiment, root, number, run):
    name = f"curve-{number:03}" if number < NAMED else f"sweep-{number}"
    start = START + number * 1000
    insert(connection, "runs",
           "run_uuid,name,source_type,source_name,entry_point_name,user_id,status,start_time,end_time,deleted_time,"
           "source_version,lifecycle_stage,artifact_uri,experiment_id",
           [(run, name, "UNKNOWN", "", "", "ada", "FINISHED", start, start + 500, None, "", "active",
             f"{root}/{run}/artifacts", experiment)])
    params = {"optimizer": OPTIMIZERS[number % 3], "depth": str(number % 7), "rate": str(number % 10 / 100)}
    insert(connection, "params", "key,value,run_uuid", [(key, value, run) for key, value in params.items()])
    tags = {"mlflow.runName": name, "team": ("pricing", "risk")[number % 2]}
    insert(connection, "tags", "key,value,run_uuid", [(key, value, run) for key, value in tags.items()])


def fill_metrics(connection, ids, metrics, values):
    """The newest value of each metric of each run, run by run as training logs them. Returns that of `accuracy`, by the number
    of the run. Indexes that can be are made at once afterwards: a row at a time they would take an hour."""
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'latest_metrics' AND sql IS NOT NULL"
    ).fetchall()
    for name, _statement in indexes:
        connection.execute(f"DROP INDEX {name}")
    keys = ["accuracy"] + [f"layer/{key}" for key in range(metrics - 1)]
    accuracy = {}
    for number, run in enumerate(ids):
        start = START + number * 1000
        rows = [(key, values.random(), start, 0, 0, run) for key in keys]
        insert(connection, "latest_metrics", "key,value,timestamp,step,is_nan,run_uuid", rows)
        # Histories of what lists show would be as many rows again; nothing that is measured reads them.
        insert(connection, "metrics", "key,value,timestamp,step,is_nan,run_uuid", rows if number == 0 else rows[:1])
        accuracy[number] = rows[0][1]
        if number % 100 == 99:
            connection.commit()
    for _name, statement in indexes:
        connection.execute(statement)
    return accuracy


def fill_models(connection, ids, models, versions):
    for number in range(models):
        name = f"model-{number}"
        insert(connection, "registered_models", "name,creation_time,last_updated_time,description,workspace",
               [(name, START, START + number, "", "default")])
        insert(connection, "model_versions",
               "name,version,creation_time,last_updated_time,description,user_id,current_stage,source,run_id,status,"
               "status_message,run_link,storage_location,workspace",
               [(name, version, START + version, START + version, "", "", "None", f"runs:/{ids[version % len(ids)]}/model",
                 ids[version % len(ids)], "READY", "", "", f"runs:/{ids[version % len(ids)]}/model", "default")
                for version in range(1, versions + 1)])
        insert(connection, "model_version_tags", "key,value,name,version,workspace",
               [(key, value, name, version, "default") for version in range(1, versions + 1)
                for key, value in (("trainyard.gate", "passed"), ("trainyard.gate.accuracy", "accuracy is 0.9500"))])
        insert(connection, "registered_model_aliases", "name,alias,version,workspace",
               [(name, "Production", versions, "default")])
