"""Runs with 5 params and 5 metrics each, written straight into an SQLite database with MLflow's tables.

Both servers use the same tables, so both get the same rows; over REST it would take upstream hours.
"""

import random
import sqlite3
import uuid

CHUNK = 20_000


def seed_runs(database, experiment_id, count):
    connection = sqlite3.connect(database, timeout=120)
    # Only here: what is lost with the machine is seeded again.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -500000")
    values = random.Random(1)
    for first in range(0, count, CHUNK):
        rows = {"runs": [], "params": [], "tags": [], "metrics": [], "latest_metrics": []}
        for index in range(first, min(first + CHUNK, count)):
            run, start = uuid.UUID(int=values.getrandbits(128)).hex, 1_700_000_000_000 + index
            rows["runs"].append(
                (run, f"run-{index}", "UNKNOWN", "", "", "", "RUNNING", start, None, None, "", "active",
                 f"mlflow-artifacts:/{experiment_id}/{run}/artifacts", experiment_id)
            )
            rows["tags"].append(("mlflow.runName", f"run-{index}", run))
            for k in range(5):
                text = ("adam", "sgd", "rmsprop")[index % 3] if k == 0 else str(index % (10 * (k + 1)))
                rows["params"].append((f"p{k}", text, run))
                value = values.random()
                rows["metrics"].append((f"m{k}", value, start, run, 0, 0))
                rows["latest_metrics"].append((f"m{k}", value, start, 0, 0, run))
        with connection:
            for table, columns in COLUMNS.items():
                marks = ",".join("?" * len(columns.split(",")))
                connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows[table])
    connection.close()


COLUMNS = {
    "runs": "run_uuid,name,source_type,source_name,entry_point_name,user_id,status,start_time,end_time,"
            "deleted_time,source_version,lifecycle_stage,artifact_uri,experiment_id",
    "params": "key,value,run_uuid",
    "tags": "key,value,run_uuid",
    "metrics": "key,value,timestamp,run_uuid,step,is_nan",
    "latest_metrics": "key,value,timestamp,step,is_nan,run_uuid",
}
