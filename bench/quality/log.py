"""What the prediction log costs a model server: requests a second and latencies without it, with it, and with commit.

    python log.py FOLDER [--trainyard PATH] [--seconds 8] [--rounds 3] [--connections 16]

In turns, so that a busy machine is busy for all; medians of the rounds. Needs wrk, and mlflow and scikit-learn for the model.
"""
import argparse
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "serving"))
import run as serving

KINDS = {"off": [], "log": ["--prediction-log"], "commit": ["--prediction-log-commit", "--prediction-log"]}


def load(arguments, kind, model):
    log = arguments.folder / "log"
    shutil.rmtree(log, ignore_errors=True)
    port = serving.free_port()
    command = [arguments.trainyard, "serve", "-m", str(model), "--port", str(port)]
    command += KINDS[kind] + ([str(log)] if KINDS[kind] else [])
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        payload = serving.body(1)
        serving.wait(port, payload, server)
        script = arguments.folder / "post.lua"
        script.write_text(f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = [==[{payload}]==]\n")
        load = ["wrk", "-t1", f"-c{arguments.connections}", "--latency", "-s", str(script), f"http://127.0.0.1:{port}/invocations"]
        subprocess.run([*load, "-d1s"], check=True, capture_output=True)
        text = subprocess.run([*load, f"-d{arguments.seconds}s"], check=True, capture_output=True, text=True).stdout
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
        assert "Non-2xx" not in text, text
        return rate, float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--trainyard", default="target/release/trainyard")
    parser.add_argument("--python", type=pathlib.Path, default=serving.PYTHON)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    serving.PYTHON = arguments.python
    model = arguments.folder / "logistic"
    if not model.exists():
        serving.make_model("logistic", arguments.folder)
    found = {kind: [] for kind in KINDS}
    for _round in range(arguments.rounds):
        for kind in KINDS:
            found[kind].append(load(arguments, kind, model))
    off = statistics.median(rate for rate, _ in found["off"])
    for kind, rounds in found.items():
        rate, p99 = (statistics.median(values) for values in zip(*rounds))
        print(f"{kind}: {rate:.0f} requests/s ({rate / off:.2f}), p99 {p99:.2f} ms")
