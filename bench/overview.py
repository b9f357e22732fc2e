"""The README's table: Trainyard beside the Python tools, in one run on this machine.

    cargo build --release && cargo xtask setup && python3 bench/overview.py

Needs wrk (apt-get install wrk). Prints Markdown. Each figure is the median of three rounds; both
sides take turns, so that a machine that gets slower gets slower for both.
"""

import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAINYARD = str(ROOT / "target/release/trainyard")
BIN = ROOT / "target/test-env/python/bin"
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
IRIS = ROOT / "examples/iris"
BODY = {"dataframe_split": {
    "columns": ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
    "data": [[5.1, 3.5, 1.4, 0.2]]}}
MODEL = ROOT / "crates/models/tests/models/sk_logreg"
ROUNDS = 3
SECONDS = 5

EVIDENTLY = """
import sys, pandas as pd, warnings
warnings.filterwarnings("ignore")
from evidently import Report
from evidently.presets import DataDriftPreset
reference, current = pd.read_csv(sys.argv[1]), pd.read_csv(sys.argv[2])
Report([DataDriftPreset()]).run(current, reference).save_html(sys.argv[3])
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def memory_mib(pid):
    """Resident memory of a process and all its children."""
    total, pending = 0, [pid]
    while pending:
        process = pending.pop()
        try:
            for line in open(f"/proc/{process}/status"):
                if line.startswith("VmRSS"):
                    total += int(line.split()[1]) / 1024
            for children in glob.glob(f"/proc/{process}/task/*/children"):
                pending += [int(child) for child in open(children).read().split()]
        except OSError:
            pass
    return total


class Server:
    """A server that is up; `seconds` is the time from its start to its first 200."""

    def __init__(self, command, path):
        port = free_port()
        start = time.monotonic()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [*command, "--port", str(port)], env=ENVIRONMENT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(self.url + path, timeout=5)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - start > 180:
                    sys.exit(f"{command} does not come up")
                time.sleep(0.003)
        self.seconds = time.monotonic() - start

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def tracking(command, folder):
    database = tempfile.mkdtemp(dir=folder) + "/mlflow.db"
    server = Server([*command, "--backend-store-uri", f"sqlite:///{database}"], "/health")
    time.sleep(1)
    memory = memory_mib(server.process.pid)
    server.stop()
    return server.seconds, memory


def serving(command, folder):
    server = Server(command, "/ping")
    body = json.dumps(BODY)
    script = pathlib.Path(folder) / "request.lua"
    script.write_text(
        f"wrk.method='POST' wrk.headers['Content-Type']='application/json' wrk.body=[==[{body}]==]")
    output = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-s", script, server.url + "/invocations"],
        capture_output=True, text=True, check=True).stdout
    server.stop()
    if "Non-2xx" in output:
        sys.exit(output)
    return float(output.split("Requests/sec:")[1].split()[0])


def timed(command):
    start = time.monotonic()
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    return time.monotonic() - start


def main():
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        csv = [str(IRIS / "data/train.csv"), str(IRIS / "data/production_logs.csv")]
        page = f"{folder}/page.html"
        monitor = [TRAINYARD, "monitor", "--no-log", "--reference", csv[0], "--current", csv[1],
                   "--output", page]
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
            ours_start, ours_memory = tracking([TRAINYARD, "server"], folder)
            start, memory = tracking([str(BIN / "mlflow"), "server"], folder)
            rounds.append([
                (ours_start, start), (ours_memory, memory),
                (serving([TRAINYARD, "serve", "--model-uri", str(MODEL)], folder),
                 serving([str(BIN / "mlflow"), "models", "serve", "-m", str(MODEL),
                          "--env-manager", "local"], folder)),
                (timed(monitor), timed([str(BIN / "python"), "-c", EVIDENTLY, *csv, page])),
            ])
    rows = [
        ("tracking server, start to first answer", "MLflow 3.17", "{:.2f} s", False),
        ("tracking server, memory when idle", "MLflow 3.17", "{:.0f} MiB", False),
        ("predictions of one row, 16 connections", "mlflow models serve", "{:,.0f} req/s", True),
        ("drift report of the example's CSV files", "Evidently 0.7", "{:.2f} s", False),
    ]
    print("| | Trainyard | the Python tool | ratio |\n|---|---:|---:|---:|")
    for index, (what, peer, form, more_is_better) in enumerate(rows):
        pairs = [measured[index] for measured in rounds]
        ours = statistics.median(pair[0] for pair in pairs)
        theirs = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(a / b if more_is_better else b / a for a, b in pairs)
        print(f"| {what} | {form.format(ours)} | {form.format(theirs)} ({peer}) | {ratio:,.0f}× |")


if __name__ == "__main__":
    main()
