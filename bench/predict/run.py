"""Whole tables scored: trainyard predict beside mlflow models predict and spark_udf.

    python run.py FOLDER [--rows N] [--peer-rows N] [--kind KIND] [--binary PATH] [--spark]

The model and the tables are made once; FOLDER is kept. mlflow is timed on two sizes of one CSV file, which tell its
start from its rows, and ours on the same files beside them.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"x{column}" for column in range(6)]


def frame(rows, seed):
    random = np.random.default_rng(seed)
    return pd.DataFrame(random.normal(size=(rows, len(NAMES))), columns=NAMES)


KINDS = {
    "xgboost": lambda: xgb.XGBClassifier(n_estimators=500, max_depth=6, n_jobs=1),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": lambda: RandomForestClassifier(100, n_jobs=1, random_state=0),
}


def make(folder, rows, peer_sizes, kind):
    model = folder / f"model-{kind}"
    if not model.exists():
        X = frame(20_000, 0)
        y = (X.sum(axis=1) + np.sin(3 * X["x0"]) > 0).astype(int)
        fitted = KINDS[kind]().fit(X, y)
        signature = mlflow.models.infer_signature(X, fitted.predict(X))
        if kind == "xgboost":
            mlflow.xgboost.save_model(fitted, model, signature=signature, input_example=X.head(3))
        else:
            mlflow.sklearn.save_model(fitted, model, signature=signature, serialization_format="cloudpickle")
    table = folder / f"rows-{rows}.parquet"
    if not table.exists():
        frame(rows, 1).to_parquet(table, index=False)
    texts = [folder / f"rows-{size}.csv" for size in peer_sizes]
    for size, text in zip(peer_sizes, texts):
        if not text.exists():
            frame(size, 2).to_csv(text, index=False)
    return model, table, texts


def used():
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


def timed(name, rows, command, cwd):
    """Seconds on the wall, and of all processors."""
    before, cpu = time.perf_counter(), used()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, said = process.communicate()
    seconds, cpu = time.perf_counter() - before, used() - cpu
    if process.returncode:
        sys.exit(f"{name} failed:\n{said.decode()}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(
        f"{name:<24} {rows:>12,} rows {seconds:>8.1f} s {rows / seconds:>11,.0f} rows/s"
        f" {cpu:>8.2f} s of CPU {rows / cpu:>11,.0f} rows/s a core  (largest so far {peak} MB)",
        flush=True,
    )
    return np.array([seconds, cpu])


def spark(model, table, rows):
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master(f"local[{os.cpu_count()}]").getOrCreate()
    udf = mlflow.pyfunc.spark_udf(session, str(model), env_manager="local")
    before = time.perf_counter()
    data = session.read.parquet(str(table))
    data.withColumn("prediction", udf(*NAMES)).write.mode("overwrite").parquet(str(table.parent / "spark"))
    seconds = time.perf_counter() - before
    print(f"{'spark_udf':<24} {rows:>12,} rows {seconds:>9.1f} s {rows / seconds:>12,.0f} rows/s")
    return rows / seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/trainyard")
    parser.add_argument("--kind", choices=KINDS, default="xgboost", help="the model")
    parser.add_argument("--spark", action="store_true")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [options.peer_rows // 5, options.peer_rows]
    model, table, texts = make(folder, options.rows, sizes, options.kind)

    def ours(rows, table):
        shutil.rmtree(folder / "ours", ignore_errors=True)
        command = [options.binary.resolve(), "predict", "-m", model, table, folder / "ours"]
        return timed("trainyard predict", rows, command, folder)

    def theirs(rows, text):
        command = [Path(sys.executable).with_name("mlflow"), "models", "predict", "-m", model, "-i", text]
        command += ["-t", "csv", "-o", folder / "theirs.json", "--env-manager", "local"]
        return timed("mlflow models predict", rows, command, folder)

    of_table = ours(options.rows, table)
    of_texts, of_peer = [], []
    for size, text in zip(sizes, texts):
        of_texts.append(ours(size, text))
        of_peer.append(theirs(size, text))
        ratio = of_peer[-1] / of_texts[-1]
        print(f"{'':<24} {size:>12,} rows: {ratio[0]:.1f} times as fast, {ratio[1]:.1f} times in CPU", flush=True)
    a_row = (of_peer[1] - of_peer[0]) / (sizes[1] - sizes[0])
    of_all = of_peer[1] + a_row * (options.rows - sizes[1])
    print(f"mlflow after its start   {1 / a_row[0]:,.0f} rows/s, {1 / a_row[1]:,.0f} rows/s a core")
    ratio = of_all / of_table
    print(f"{options.rows:,} rows by that rate, as Parquet here: {ratio[0]:.1f} times as fast, {ratio[1]:.1f} times in CPU")
    if options.spark:
        rate = spark(model, table, options.rows)
        print(f"{'':<24} {options.rows / of_table[0] / rate:.1f} times as fast")


main()
