"""A month of hours with 25 columns, looked at by their summaries alone.

    python hours.py FOLDER MODEL [--trainyard PATH] [--hours 720] [--rows 2000]

Writes segments as a model server would have, has one that serves MODEL (any model folder) sum them up, which it does at a fifth of
a processor, removes the segments, and times `monitor --from-summaries` over windows of an hour and of a day.
"""
import argparse
import datetime
import pathlib
import shutil
import subprocess
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HOUR = 3_600_000


def segment(log, hour, rows):
    random = np.random.default_rng(hour)
    times = hour * HOUR + np.sort(random.integers(0, HOUR, rows))
    columns = {
        "trainyard.request_id": [f"{hour}-{row}" for row in range(rows)],
        "trainyard.time": pa.array(times, pa.timestamp("ms", "UTC")),
        "trainyard.model": ["m"] * rows,
        "trainyard.model_version": ["1"] * rows,
    }
    columns |= {f"x{number}": random.normal(number, 1, rows) for number in range(20)}
    columns |= {f"label{number}": [f"v{value}" for value in random.integers(0, 5, rows)] for number in range(4)}
    columns["prediction"] = random.normal(0, 1, rows)
    pq.write_table(pa.table(columns), log / f"predictions-{hour * HOUR:013}-7-00000000-000000.parquet")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model")
    parser.add_argument("--trainyard", default="target/release/trainyard")
    parser.add_argument("--hours", type=int, default=720)
    parser.add_argument("--rows", type=int, default=2000)
    arguments = parser.parse_args()
    log = arguments.folder / "log"
    log.mkdir(parents=True, exist_ok=True)
    last = int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000) // HOUR - 3
    summaries = log / "summaries"
    count = lambda: len(list(summaries.glob("*.summary"))) if summaries.exists() else 0
    if count() < arguments.hours:
        for hour in range(last - arguments.hours + 1, last + 1):
            segment(log, hour, arguments.rows)
        shutil.copy(sorted(log.glob("*.parquet"))[0], arguments.folder / "reference.parquet")
        start = time.perf_counter()
        server = subprocess.Popen(
            [arguments.trainyard, "serve", "-m", arguments.model, "--port", "0", "--prediction-log", str(log), "--prediction-log-summaries-days-after", "off"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while count() < arguments.hours:
                assert server.poll() is None, "the server ended"
                time.sleep(0.5)
        finally:
            server.terminate()
            server.wait()
        print(f"{count()} summaries after {time.perf_counter() - start:.0f} s, {sum(f.stat().st_size for f in summaries.iterdir()) >> 20} MiB")
        for path in log.glob("*.parquet"):
            path.unlink()
    for window in ("1h", "1d"):
        history = arguments.folder / "history"
        shutil.rmtree(history, ignore_errors=True)
        command = [arguments.trainyard, "monitor", f"--reference={arguments.folder / 'reference.parquet'}", f"--current={log}", "--from-summaries"]
        command += [f"--window={window}", f"--history={history}", "--no-log", "-o", str(arguments.folder / "page.html")]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        print(f"{window}: {time.perf_counter() - start:.2f} s, exit code {done.returncode}", done.stderr.strip()[-300:] if done.returncode else "")
