#!/usr/bin/env python3
"""Model servers side by side on the same machine, one after the other, with the same bodies.

    python bench/serving/run.py [--model logistic|forest|FOLDER] [--seconds 10]
                                [--only bare,hyper,ours,swap,mlflow,flask] [--rounds 1]

Measures requests a second and latencies with wrk: one row at 1, 2 and 16 connections, 1000 rows at
2; then memory, and the time from the start of the process to its first answer. `ours`, `bare` (an
axum handler that reads the same body and answers a constant) and `hyper` (the same without axum)
are built in release mode first. `mlflow` is `mlflow models serve`, `flask` the usual hand-written
service under gunicorn with two workers; both run in the Python of the tests. `swap` is `ours` with
a registry: the latencies at 2 connections without swaps, then with another version every second, and
in between with a client that moves an alias as often, but of a model that is not served.
`logistic` and `forest` are made by scikit-learn from iris, as a user would log them.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PYTHON = ROOT / "target/test-env/python/bin/python"
TRAINYARD = ROOT / "target/release/trainyard"
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def body(rows):
    data = [
        [round(5.1 + i % 7 * 0.2, 2), round(3.5 - i % 5 * 0.1, 2), round(1.4 + i % 11 * 0.4, 2), round(0.2 + i % 9 * 0.2, 2)]
        for i in range(rows)
    ]
    return json.dumps({"dataframe_split": {"columns": COLUMNS, "data": data}})


MAKE_MODEL = """
import sys, mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
kind, folder = sys.argv[1:]
X, y = load_iris(as_frame=True, return_X_y=True)
model = LogisticRegression(max_iter=1000) if kind == "logistic" else RandomForestClassifier(100, random_state=0)
model.fit(X, y)
mlflow.sklearn.save_model(
    model, folder, signature=infer_signature(X, model.predict(X)), input_example=X.head(3),
    serialization_format="cloudpickle",
)
"""

# Registers two versions of two models and says so. Then, for each name that it reads, moves the alias of
# that model every second and has the server look: only one of the two is served.
SWAP = """
import sys, time, urllib.request, mlflow
from mlflow import MlflowClient
store, model, seconds, url = sys.argv[1:]
mlflow.set_tracking_uri(store)
client = MlflowClient()
for name in ("Iris", "Other"):
    client.create_registered_model(name)
    for version in ("1", "2"):
        client.create_model_version(name, model)
    client.set_registered_model_alias(name, "Production", "1")
print("ready", flush=True)
for name in sys.stdin:
    swaps, until = 0, time.monotonic() + float(seconds)
    while time.monotonic() < until:
        time.sleep(1)
        client.set_registered_model_alias(name.strip(), "Production", "21"[swaps % 2])
        request = urllib.request.Request(url + "/reload", b"", method="POST")
        swaps += b'"swapped"' in urllib.request.urlopen(request).read()
    print(swaps, flush=True)
"""


def make_model(name, directory):
    """The folder of a model: one of the two by name, made by scikit-learn, or one that is there."""
    if name not in ("logistic", "forest"):
        return name
    folder = Path(directory) / name
    subprocess.run([PYTHON, "-c", MAKE_MODEL, name, folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def commands(model, port):
    release = ROOT / "target/release/examples"
    python_bin = PYTHON.parent
    return {
        "bare": ([release / "bare_server", str(port)], {}),
        "hyper": ([release / "bare_hyper", str(port)], {}),
        "ours": ([TRAINYARD, "serve", "-m", model, "--port", str(port)], {}),
        "mlflow": (
            [python_bin / "mlflow", "models", "serve", "-m", model, "-p", str(port), "--env-manager", "local"],
            {"PATH": f"{python_bin}:{os.environ['PATH']}"},
        ),
        "flask": (
            [python_bin / "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "--chdir", HERE, "flask_service:app"],
            {"MODEL": str(model)},
        ),
    }


def ask(port, payload):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", payload.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def wait(port, payload, process):
    started = time.monotonic()
    while time.monotonic() - started < 90:
        try:
            return ask(port, payload), time.monotonic() - started
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"the server ended with {process.returncode}")
            time.sleep(0.005)
    raise SystemExit("the server does not answer")


def memory_mib(group):
    """Memory of all processes of a process group, what they share counted once."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getpgid(int(entry.name)) == group:
                pss = re.search(r"^Pss:\s+(\d+)", (entry / "smaps_rollup").read_text(), re.M)
                total += int(pss.group(1))
        except (OSError, AttributeError):
            continue
    return total / 1024


def load(port, payload, connections, seconds):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "body.json"
        path.write_text(payload)
        script = Path(directory) / "post.lua"
        script.write_text(
            f'local f = io.open("{path}"); wrk.body = f:read("*a"); f:close()\n'
            'wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json"\n'
            "done = function(s, l) io.write(string.format("
            "'RESULT %d %f %f %f %d\\n', s.requests, s.duration / 1e6, l:percentile(50) / 1e3,"
            " l:percentile(99) / 1e3, s.errors.status + s.errors.connect + s.errors.read + s.errors.timeout)) end\n"
        )
        run = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script, f"http://127.0.0.1:{port}/invocations"],
            capture_output=True, text=True, check=True,
        )
    requests, duration, p50, p99, errors = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+) (\S+)", run.stdout).groups()
    return {"rps": float(requests) / float(duration), "p50": float(p50), "p99": float(p99), "errors": int(errors)}


def measure(name, command, environment, port, seconds):
    process = subprocess.Popen(
        [str(part) for part in command], env={**os.environ, **environment}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        answer, start = wait(port, body(1), process)
        print(f"{name}: first answer after {start * 1000:.0f} ms: {answer[:70].decode()}", flush=True)
        load(port, body(1), 2, 2)
        results = {}
        for rows, connections in [(1, 1), (1, 2), (1, 16), (1000, 2)]:
            found = load(port, body(rows), connections, seconds)
            results[f"{rows}x{connections}"] = found
            print(
                f"  {rows:5} rows {connections:3} connections {found['rps']:10.1f} req/s"
                f"  p50 {found['p50']:8.3f} ms  p99 {found['p99']:8.3f} ms  errors {found['errors']}",
                flush=True,
            )
        results["memory_mib"] = memory_mib(os.getpgid(process.pid))
        results["start_ms"] = start * 1000
        print(f"  memory {results['memory_mib']:.0f} MiB", flush=True)
        return results
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def measure_swaps(model, seconds, directory):
    """Latencies of `ours` under the same load: alone, beside a client that moves the alias of another
    model every second, and with a swap every second."""
    port = free_port()
    store = f"sqlite:///{directory}/mlflow.db"
    swapper = subprocess.Popen(
        [PYTHON, "-c", SWAP, store, str(model), str(seconds), f"http://127.0.0.1:{port}"], cwd=directory,
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    if swapper.stdout.readline().strip() != "ready":
        raise SystemExit("the registry cannot be filled")
    server = subprocess.Popen(
        [TRAINYARD, "serve", "-m", "models:/Iris@Production", "--port", str(port)],
        env={**os.environ, "MLFLOW_TRACKING_URI": store}, cwd=directory,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        _answer, start = wait(port, body(1), server)
        load(port, body(1), 2, 2)
        results = {"alone": load(port, body(1), 2, seconds), "start_ms": start * 1000}
        for name in ("Other", "Iris"):
            swapper.stdin.write(f"{name}\n")
            swapper.stdin.flush()
            results[name] = load(port, body(1), 2, seconds)
            results["swaps"] = int(swapper.stdout.readline())
        print(
            f"swap: first answer after {start * 1000:.0f} ms; p99 {results['alone']['p99']:.3f} ms alone,"
            f" {results['Other']['p99']:.3f} ms beside a client of the registry,"
            f" {results['Iris']['p99']:.3f} ms with {results['swaps']} swaps;"
            f" errors {sum(results[name]['errors'] for name in ('alone', 'Other', 'Iris'))}",
            flush=True,
        )
        return results
    finally:
        swapper.kill()
        server.terminate()
        server.wait(10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="logistic")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--only", default="bare,hyper,ours,swap,mlflow,flask")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many, on a busy machine")
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    if not arguments.no_build:
        examples = ["-p", "trainyard-serve", "--example", "bare_server", "--example", "bare_hyper"]
        for parts in (["-p", "trainyard"], examples):
            subprocess.run(["cargo", "build", "--release", *parts], cwd=ROOT, check=True)
    directory = tempfile.TemporaryDirectory()
    model = make_model(arguments.model, directory.name)
    results = {}
    for round_number in range(arguments.rounds):
        for name in arguments.only.split(","):
            if name == "swap":
                fresh = Path(directory.name) / f"registry-{round_number}"
                fresh.mkdir()
                found = measure_swaps(model, arguments.seconds, fresh)
            else:
                port = free_port()
                command, environment = commands(model, port)[name]
                found = measure(name, command, environment, port, arguments.seconds)
            results[name] = better(results.get(name), found)
    if "ours" in results:
        print("\nours against")
        for name, other in results.items():
            if name not in ("ours", "swap"):
                ratios = [f"{key} {results['ours'][key]['rps'] / other[key]['rps']:.2f}x" for key in ("1x1", "1x2", "1x16", "1000x2")]
                print(f"  {name:7} {'  '.join(ratios)}")
    json.dump(results, sys.stderr, indent=1)


def better(one, other):
    """The better of two rounds, figure by figure: what disturbs a round makes it worse, never better."""
    if one is None:
        return other
    result = {}
    for key, value in other.items():
        if isinstance(value, dict):
            result[key] = better(one[key], value)
        elif key in ("rps", "swaps"):
            result[key] = max(one[key], value)
        elif key == "errors":
            result[key] = one[key] + value
        else:
            result[key] = min(one[key], value)
    return result


if __name__ == "__main__":
    main()
