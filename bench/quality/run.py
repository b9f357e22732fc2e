"""Labels that come late: ten million predictions, a million labels, joined and judged.

    python run.py FOLDER [--trainyard PATH] [--rows 10000000] [--labels 1000000]

Writes FOLDER/predictions.parquet and labels.parquet, whose content depends on the arguments only, and times the
release binary beside pandas and scikit-learn doing the same (without the intervals). Peak memory is that of each process.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

STEP = 1_000_000

PEER = """
import sys
import pandas as pd
from sklearn.metrics import classification_report
predictions = pd.read_parquet(sys.argv[1])
labels = pd.read_parquet(sys.argv[2])
joined = predictions.merge(labels, on="request_id")
print(len(joined), classification_report(joined["actual"], joined["prediction"], output_dict=True)["accuracy"])
"""


def ids(numbers):
    """Ids of 36 characters, as UUIDs have."""
    return [f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}-{number % 1000:03d}" for number in numbers]


def write(folder, rows, labels):
    random = np.random.default_rng(18)
    writer = None
    for start in range(0, rows, STEP):
        count = min(STEP, rows - start)
        said = np.where(random.random(count) < 0.3, "yes", "no")
        table = pa.table({"request_id": ids(range(start, start + count)), "prediction": said, "x": random.normal(size=count)})
        writer = writer or pq.ParquetWriter(folder / "predictions.parquet", table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()
    chosen = random.choice(rows, labels, replace=False)
    actual = np.where(random.random(labels) < 0.3, "yes", "no")
    pq.write_table(pa.table({"request_id": ids(chosen.tolist()), "actual": actual}), folder / "labels.parquet")


def timed(name, command):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, f"{name} failed"
    print(f"{name}: {seconds:.2f} s, peak {usage.ru_maxrss // 1024} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--trainyard", default="target/release/trainyard")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--labels", type=int, default=1_000_000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    predictions, labels = arguments.folder / "predictions.parquet", arguments.folder / "labels.parquet"
    if not labels.exists():
        write(arguments.folder, arguments.rows, arguments.labels)
    page = str(arguments.folder / "page.html")
    timed("trainyard quality", [arguments.trainyard, "quality", f"--predictions={predictions}", f"--labels={labels}", "-o", page])
    timed("pandas and scikit-learn", [sys.executable, "-c", PEER, str(predictions), str(labels)])
