"""Whole tables scored: trainyard predict beside mlflow models predict and spark_udf.

    python run.py FOLDER [--rows N] [--peer-rows N] [--binary PATH] [--spark]

The model and the tables are made once; FOLDER is kept.
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

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"x{column}" for column in range(6)]


def frame(rows, seed):
    random = np.random.default_rng(seed)
    return pd.DataFrame(random.normal(size=(rows, len(NAMES))), columns=NAMES)


def make(folder, rows, peer_rows):
    model = folder / "model"
    if not model.exists():
        X = frame(20_000, 0)
        y = (X.sum(axis=1) + np.sin(3 * X["x0"]) > 0).astype(int)
        fitted = xgb.XGBClassifier(n_estimators=500, max_depth=6, n_jobs=1).fit(X, y)
        signature = mlflow.models.infer_signature(X, fitted.predict(X))
        mlflow.xgboost.save_model(fitted, model, signature=signature, input_example=X.head(3))
    table, small = folder / f"rows-{rows}.parquet", folder / f"rows-{peer_rows}.csv"
    if not table.exists():
        frame(rows, 1).to_parquet(table, index=False)
    if not small.exists():
        frame(peer_rows, 2).to_csv(small, index=False)
    return model, table, small


def timed(name, rows, command, cwd):
    before = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, said = process.communicate()
    seconds = time.perf_counter() - before
    if process.returncode:
        sys.exit(f"{name} failed:\n{said.decode()}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{name:<24} {rows:>12,} rows {seconds:>9.1f} s {rows / seconds:>12,.0f} rows/s  (largest so far {peak} MB)")
    return rows / seconds


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
    parser.add_argument("--peer-rows", type=int, default=200_000)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/trainyard")
    parser.add_argument("--spark", action="store_true")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    model, table, small = make(folder, options.rows, options.peer_rows)
    shutil.rmtree(folder / "ours", ignore_errors=True)
    command = [options.binary.resolve(), "predict", "-m", model, table, folder / "ours"]
    ours = timed("trainyard predict", options.rows, command, folder)
    mlflow_command = [Path(sys.executable).with_name("mlflow"), "models", "predict", "-m", model, "-i", small]
    mlflow_command += ["-t", "csv", "-o", folder / "theirs.json", "--env-manager", "local"]
    theirs = timed("mlflow models predict", options.peer_rows, mlflow_command, folder)
    print(f"{'':<24} {ours / theirs:.0f} times as fast")
    if options.spark:
        theirs = spark(model, table, options.rows)
        print(f"{'':<24} {ours / theirs:.0f} times as fast")


main()
