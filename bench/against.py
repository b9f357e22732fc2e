"""Two builds of Trainyard, in turns on this machine: what got slower between them.

    cargo xtask bench --against REV [--rounds 5] [--seconds 5]     # builds both, then calls this
    python3 bench/against.py BEFORE AFTER [--rounds 5] [--seconds 5]

Prints the median of each figure for both binaries, and the median of the ratios of each round: above 1
the second is better. Needs wrk. `bench/*/README.md` compare with the Python tools instead.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import urllib.request

import overview

COLUMNS = overview.BODY["dataframe_split"]["columns"]
ROWS = {"dataframe_split": {"columns": COLUMNS, "data": [[5.1, 3.5, 1.4, 0.2]] * 1000}}


def wrk(url, body, connections, seconds, folder):
    """Requests a second that were answered with 200."""
    script = pathlib.Path(folder) / "request.lua"
    script.write_text(
        f"wrk.method='POST' wrk.headers['Content-Type']='application/json' wrk.body=[==[{json.dumps(body)}]==]")
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, url],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        sys.exit(output)
    return float(output.split("Requests/sec:")[1].split()[0])


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def serving(binary, seconds, folder):
    server = overview.Server([binary, "serve", "--model-uri", str(overview.MODEL)], "/ping")
    try:
        url = server.url + "/invocations"
        return (wrk(url, overview.BODY, 16, seconds, folder), wrk(url, ROWS, 2, seconds, folder),
                overview.memory_mib(server.process.pid))
    finally:
        server.stop()


def tracking(binary, seconds, folder):
    database = tempfile.mkdtemp(dir=folder) + "/mlflow.db"
    server = overview.Server([binary, "server", "--backend-store-uri", f"sqlite:///{database}"], "/health")
    try:
        api = server.url + "/api/2.0/mlflow/runs/"
        run = post(api + "create", {"experiment_id": "0"})["run"]["info"]["run_id"]
        create = wrk(api + "create", {"experiment_id": "0"}, 8, seconds, folder)
        metric = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 1}
        log = wrk(api + "log-metric", metric, 8, seconds, folder)
        search = {"experiment_ids": ["0"], "filter": "tags.`mlflow.runName` LIKE '%a%'", "max_results": 100}
        return (server.seconds, create, log, wrk(api + "search", search, 2, seconds, folder),
                overview.memory_mib(server.process.pid))
    finally:
        server.stop()


def monitor(binary, folder):
    """Seconds for a report of two tables of 100,000 rows and 10 columns."""
    tables = []
    for name, shift in (("reference", 0), ("current", 3)):
        path = pathlib.Path(folder) / f"{name}.csv"
        if not path.exists():
            lines = [",".join(f"c{column}" for column in range(10))]
            lines += [",".join(str((row * (column + 7) + shift) % 9973 / 7) for column in range(10))
                      for row in range(100_000)]
            path.write_text("\n".join(lines))
        tables.append(str(path))
    return overview.timed([binary, "monitor", "--no-log", "--reference", tables[0], "--current", tables[1],
                           "--output", f"{folder}/page.html"])


FIGURES = [
    # What, how it is shown, whether more is better.
    ("predictions of one row, 16 connections, a second", "{:,.0f}", True),
    ("predictions of 1,000 rows, 2 connections, a second", "{:,.0f}", True),
    ("memory of the model server, MiB", "{:.1f}", False),
    ("tracking server, start to first answer, s", "{:.3f}", False),
    ("create_run, 8 connections, a second", "{:,.0f}", True),
    ("log_metric, 8 connections, a second", "{:,.0f}", True),
    ("search by a pattern, 2 connections, a second", "{:,.0f}", True),
    ("memory of the tracking server after that, MiB", "{:.1f}", False),
    ("drift report of 100,000 rows, s", "{:.2f}", False),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            order = [options.before, options.after]
            if number % 2:
                order.reverse()
            measured = {
                binary: [*serving(binary, options.seconds, folder), *tracking(binary, options.seconds, folder),
                         monitor(binary, folder)]
                for binary in order}
            rounds.append((measured[options.before], measured[options.after]))
    print("| | before | after | after is better by |\n|---|---:|---:|---:|")
    for index, (what, form, more_is_better) in enumerate(FIGURES):
        pairs = [(before[index], after[index]) for before, after in rounds]
        ratio = statistics.median(b / a if more_is_better else a / b for a, b in pairs)
        before, after = (statistics.median(side) for side in zip(*pairs))
        print(f"| {what} | {form.format(before)} | {form.format(after)} | {ratio:.2f}× |")


if __name__ == "__main__":
    main()
