"""Thirty days of a million predictions with 25 columns, each day against the reference.

    python windows.py FOLDER [--trainyard PATH] [--windows 30] [--rows 1000000] [--only make,trainyard,evidently,nannyml]

Writes FOLDER/reference.parquet and FOLDER/days/*.parquet, whose content depends on the arguments only. Times the release binary
over all days; Evidently and NannyML look at the first day alone, as a loop over the others takes as long for each. Run it with a
Python that has the package in question; a peer that is not there is left out. Peak memory is that of each process.
"""
import argparse
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import time

NUMBERS, LABELS = 20, 5
DAY = 86_400_000

EVIDENTLY = """
import sys
import pandas as pd
from evidently import Dataset, DataDefinition, Report
from evidently.presets import DataDriftPreset
columns = [f"x{number}" for number in range(20)] + [f"label{number}" for number in range(5)]
reference, current = (pd.read_parquet(path, columns=columns) for path in sys.argv[1:])
definition = DataDefinition(numerical_columns=columns[:20], categorical_columns=columns[20:])
sides = [Dataset.from_pandas(one, data_definition=definition) for one in (current, reference)]
Report([DataDriftPreset()]).run(*sides).dict()
"""

NANNYML = """
import sys
import nannyml
import pandas as pd
columns = [f"x{number}" for number in range(20)] + [f"label{number}" for number in range(5)]
reference, current = (pd.read_parquet(path, columns=columns) for path in sys.argv[1:])
calculator = nannyml.UnivariateDriftCalculator(column_names=columns, chunk_size=len(current))
calculator.fit(reference).calculate(current).to_df()
"""


def table(seed, rows, begins=None):
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(seed)
    columns = {}
    if begins is not None:
        times = begins + np.sort(random.integers(0, DAY, rows))
        columns["time"] = pa.array(times, pa.timestamp("ms", "UTC"))
    for number in range(NUMBERS):
        columns[f"x{number}"] = np.round(random.normal(number, 1 + number % 3, rows), 2)
    for number in range(LABELS):
        names = pa.array([f"v{value}" for value in range(3 + 4 * number)])
        columns[f"label{number}"] = pa.DictionaryArray.from_arrays(random.integers(0, len(names), rows, dtype=np.int32), names)
    return pa.table(columns)


def make(folder, windows, rows):
    import pyarrow.parquet as pq

    (folder / "days").mkdir(parents=True, exist_ok=True)
    reference = folder / "reference.parquet"
    if not reference.exists():
        pq.write_table(table(0, rows), reference, compression="zstd")
    first = int(datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000)
    for day in range(windows):
        path = folder / "days" / f"{day:03}.parquet"
        if not path.exists():
            pq.write_table(table(day + 1, rows, first + day * DAY), path, compression="zstd")


def timed(name, command, times=1):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    said = f", {times} of them {seconds * times:.0f} s" if times > 1 else ""
    print(f"{name}: {seconds:.2f} s{said}, peak {usage.ru_maxrss // 1024} MB, exit code {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--trainyard", default="target/release/trainyard")
    parser.add_argument("--windows", type=int, default=30)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="make,trainyard,evidently,nannyml")
    arguments = parser.parse_args()
    folder, only = arguments.folder, arguments.only.split(",")
    if "make" in only:
        make(folder, arguments.windows, arguments.rows)
    reference, days = folder / "reference.parquet", folder / "days"
    if "trainyard" in only:
        history = folder / "history"
        shutil.rmtree(history, ignore_errors=True)
        sides = [f"--reference={reference}", f"--current={days}", "--window=1d", "--time-column=time", f"--history={history}"]
        look = [arguments.trainyard, "monitor", *sides, "--no-log", "--json", "-o", str(folder / "page.html")]
        timed(f"trainyard, {arguments.windows} windows", look)
        timed("trainyard, nothing new", look)
    for peer, text in (("evidently", EVIDENTLY), ("nannyml", NANNYML)):
        if peer in only and subprocess.run([sys.executable, "-c", f"import {peer}"], stderr=subprocess.DEVNULL).returncode == 0:
            timed(f"{peer}, one window", [sys.executable, "-c", text, str(reference), str(days / "000.parquet")], arguments.windows)
