#!/usr/bin/env python3
"""The same work on upstream's tracking server and on this one, in the same minutes, as a table.

    bench/tracking/bench.py [--seconds 5] [--runs 10000] [--only log_metric,search] [--ours COMMAND] [--skip-upstream]

Both run with their defaults on SQLite in a throwaway folder. Load comes from wrk (`apt-get install wrk`)
at 1 and 8 connections. Machines are noisy: quote ratios, not single figures.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from seed import seed_runs  # noqa: E402
from servers import Server  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "target/test-env/python/bin/python"
OURS = (
    f"{ROOT}/target/release/trainyard server --host 127.0.0.1 --port {{port}} "
    "--backend-store-uri sqlite:///{folder}/mlflow.db --artifacts-destination {folder}/artifacts"
)
UPSTREAM = [
    str(PYTHON), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}",
    "--backend-store-uri", "sqlite:///{folder}/mlflow.db",
]
CONNECTIONS = (1, 8)


def wrk(server, connections, seconds, **work):
    """Requests per second and latencies of one kind of work."""
    environment = os.environ | {key.upper(): str(value) for key, value in work.items()}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s",
               str(Path(__file__).parent / "load.lua"), f"http://{server.address}"]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    result = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    if result["bad_status"] or result["broken"]:
        print(f"  {server.name}: {result['bad_status']} bad answers, {result['broken']} broken", file=sys.stderr)
    result["per_second"] = result["requests"] / result["seconds"]
    return result


def new_run(server):
    run = server.call("POST", "runs/create", {"experiment_id": "0", "start_time": 1})
    return run["run"]["info"]["run_id"]


def get(path):
    return {"work": "fixed", "method": "GET", "target": "/api/2.0/mlflow/" + path}


def prepare_history(server):
    run = new_run(server)
    for first in range(0, 10_000, 1000):
        metrics = [{"key": "m", "value": 1 / (i + 1), "timestamp": i, "step": i} for i in range(first, first + 1000)]
        server.call("POST", "runs/log-batch", {"run_id": run, "metrics": metrics})
    return get(f"metrics/get-history?run_id={run}&metric_key=m&max_results=25000")


def prepare_alias(server):
    server.call("POST", "registered-models/create", {"name": "m"})
    server.call("POST", "model-versions/create", {"name": "m", "source": "s3://bucket/x"})
    server.call("POST", "registered-models/alias", {"name": "m", "alias": "Production", "version": "1"})
    return get("registered-models/alias?name=m&alias=Production")


def prepare_search(server, runs):
    experiment = server.call("POST", "experiments/create", {"name": "search"})["experiment_id"]
    seed_runs(server.database, experiment, runs)
    body = {
        "experiment_ids": [experiment], "max_results": 100, "order_by": ["metrics.m1 DESC"],
        "filter": "metrics.m0 > 0.5 and params.p0 = 'adam'",
    }
    return {"work": "fixed", "method": "POST", "target": "/api/2.0/mlflow/runs/search", "body": json.dumps(body)}


def works(runs):
    """Name, and what has to be there before: a function of the server that returns wrk's settings."""
    return {
        "create_run": lambda server: {"work": "create_run", "id": "0"},
        "log_metric": lambda server: {"work": "log_metric", "id": new_run(server)},
        "log_batch_100": lambda server: {"work": "log_batch", "id": new_run(server), "count": 100},
        "log_batch_1000": lambda server: {"work": "log_batch", "id": new_run(server), "count": 1000},
        "history_10000": prepare_history,
        "alias": prepare_alias,
        f"search_{runs}": lambda server: prepare_search(server, runs),
    }


def measure(servers, arguments):
    rows = []
    for name, prepare in works(arguments.runs).items():
        if arguments.only and not any(name.startswith(part) for part in arguments.only.split(",")):
            continue
        settings = {server.name: prepare(server) for server in servers}
        for connections in CONNECTIONS:
            results = {}
            for server in servers:
                print(f"{name} c={connections} on {server.name} …", file=sys.stderr)
                salted = settings[server.name] | {"salt": connections}
                results[server.name] = wrk(server, connections, arguments.seconds, **salted)
            rows.append((name, connections, results))
    return rows


def table(rows, servers):
    names = [server.name for server in servers]
    print("| work | c | " + " | ".join(f"{name} req/s | p50 ms | p99 ms" for name in names) + " | ratio |")
    print("|---|---|" + "---|" * (3 * len(names) + 1))
    for name, connections, results in rows:
        cells = []
        for server in names:
            result = results[server]
            cells += [f"{result['per_second']:.1f}", f"{result['p50_ms']:.2f}", f"{result['p99_ms']:.2f}"]
        ratio = ""
        if len(names) == 2:
            # Nothing finished in the time is less than one request in it.
            theirs = max(results[names[0]]["requests"], 1) / results[names[0]]["seconds"]
            sign = "" if results[names[0]]["requests"] else ">"
            ratio = f"{sign}{results[names[1]]['per_second'] / theirs:.0f}×"
        print(f"| {name} | {connections} | " + " | ".join(cells) + f" | {ratio} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement")
    parser.add_argument("--runs", type=int, default=10_000, help="runs to search among")
    parser.add_argument("--only", default="", help="names of works, or their beginnings, with commas")
    parser.add_argument("--ours", default=OURS, help="command of our server, with {port} and {folder}")
    parser.add_argument("--skip-upstream", action="store_true")
    arguments = parser.parse_args()
    servers = []
    try:
        if not arguments.skip_upstream:
            servers.append(Server("upstream", UPSTREAM, "mlflow.db"))
        servers.append(Server("ours", shlex.split(arguments.ours), "mlflow.db"))
        idle = {server.name: server.memory_mib() for server in servers}
        rows = measure(servers, arguments)
        table(rows, servers)
        print()
        for server in servers:
            print(f"{server.name}: first 200 after {server.start_seconds:.3f} s; "
                  f"memory {idle[server.name]:.0f} MiB idle, {server.memory_mib():.0f} MiB after the load")
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
