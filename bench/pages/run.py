"""The pages beside MLflow's own, on the same data: clicks, seconds and bytes to an answer, and the server's time for a page.

    cargo build --release && cargo xtask setup
    python3 bench/pages/run.py [--runs 10000] [--metrics 3000] [--models 1000] [--versions 100] [--rounds 5] [--steps 10000]
                               [--database FILE] [--postgres URI] [--only fill|pages|trainyard|mlflow] [--binary PATH] [--python PATH] [--json]

Makes a database with as many runs, each with as many metrics, and as many models with as many versions (in full five minutes
and eight gigabytes), starts one server after the other over it, and prints two tables. With `--database` it stays, and is taken
as it is where it is there; `--only` does one part. With `--postgres` (an empty database, which needs `psycopg`) pages are asked
for over a copy of it there, too. Needs Chromium, and what `cargo xtask setup` installs: puppeteer-core, and
`mlflow` of the version that the tests pin.
"""

import argparse
import gzip
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlencode

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
sys.path += [str(HERE), str(ROOT / "bench/tracking")]

from fill import fill  # noqa: E402
from servers import Server  # noqa: E402

ENVIRONMENT = ROOT / "target/test-env"
# What a page may take at most.
MS_MAX, BYTES_MAX = 100, 100_000
EIGHT = ["metrics.accuracy", *(f"metrics.layer/{key}" for key in range(4)), "params.depth", "params.optimizer", "params.rate"]
FILTER = "params.optimizer = 'adam' AND tags.team = 'risk'"


def started(options, name, database):
    """One of the servers over the database. One after the other: neither waits for the other's locks, and one copy is enough."""
    uri = options.postgres or f"sqlite:///{database}"
    command = {
        "trainyard": [str(options.binary.resolve()), "server", "--port", "{port}", "--backend-store-uri", uri],
        "mlflow": [
            str(options.python), "-m", "mlflow", "server", "--port", "{port}", "--workers", "2",
            "--backend-store-uri", uri, "--artifacts-destination", "{folder}/artifacts",
        ],
    }[name]
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    return Server(name, command, "mlflow.db")


def filled(options, database):
    """The database, made where it is not there; returns what there is to look at in it."""
    made = database.with_suffix(".json")
    if not made.exists():
        empty_database(options, database)
        found = fill(database, runs=options.runs, metrics=options.metrics, models=options.models, versions=options.versions,
                     steps=options.steps)
        made.write_text(json.dumps(found))
    return json.loads(made.read_text())


def empty_database(options, database):
    """A database with the tables and nothing in them."""
    server = Server("empty", [str(options.binary.resolve()), "server", "--port", "{port}"], "mlflow.db")
    os.killpg(server.process.pid, 15)
    server.process.wait()
    shutil.copy(server.database, database)
    server.stop()


def pages(made, curves):
    """Pages of ours, by what they show."""
    experiment, model = f"/experiments/{made['experiment']}", f"/models/{made['model']}"
    chosen = urlencode([("run", run) for run in made["curves"][:20]])
    return {
        "first page": "/",
        "experiments": "/experiments",
        "runs": experiment,
        "runs, sorted": f"{experiment}?{urlencode({'order': 'metrics.`accuracy` DESC'})}",
        "runs, filtered": f"{experiment}?{urlencode({'q': FILTER})}",
        "a run": f"/runs/{made['run']}",
        "twenty runs compared": f"/compare?{chosen}",
        "curves of twenty": f"{experiment}/curves?{chosen}&metric=loss",
        f"curves of {len(made['curves'])}": f"{experiment}/curves?{curves}&metric=loss",
        "params and metrics": f"{experiment}/relations",
        "params and metrics, eight": f"{experiment}/relations?{urlencode([('col', name) for name in EIGHT])}",
        "columns of histories": f"{experiment}?{urlencode([('col', 'metrics.loss@min'), ('col', 'metrics.accuracy@min:loss'), ('q', 'curve-')])}",
        "best": f"{experiment}/best",
        "models": "/models",
        "a model": model,
        "a version": f"{model}/versions/{made['versions']}",
        "two versions": f"{model}/diff?a=1&b={made['versions']}",
        "search": "/search?q=sweep-7",
    }


def measured(server, address, rounds):
    """Median milliseconds to the last byte, bytes on the wire, and bytes of the text."""
    times = []
    for round_number in range(rounds + 1):
        connection = http.client.HTTPConnection(server.address, timeout=300)
        start = time.perf_counter()
        connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        # The first one warms the caches.
        if round_number > 0:
            times.append((time.perf_counter() - start) * 1000)
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{address}: {answer.status} {body[:300]!r}")
    packed = answer.headers.get("Content-Encoding") == "gzip"
    text = gzip.decompress(body) if packed else body
    # Pages with a form's secret are sent as they are: how small they would be is said beside it.
    return {"ms": statistics.median(times), "bytes": len(body), "packed": len(gzip.compress(text, 6))}


def journeys(name, server, made, rounds):
    packages = ENVIRONMENT / "browser/node_modules"
    path = f"{packages}:{ROOT / 'crates/testkit/browser'}"
    asked = {"ui": name, "url": f"http://{server.address}", "made": made, "rounds": rounds, "filter": FILTER}
    done = subprocess.run(
        ["node", str(HERE / "journeys.js")], input=json.dumps(asked), text=True, stdout=subprocess.PIPE,
        env={**os.environ, "NODE_PATH": os.environ.get("NODE_PATH", path)}, check=True,
    )
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("runs", 10_000), ("metrics", 3_000), ("models", 1_000), ("versions", 100), ("steps", 10_000), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--database", type=pathlib.Path)
    parser.add_argument("--postgres")
    parser.add_argument("--only", choices=("fill", "pages", "trainyard", "mlflow"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/trainyard")
    parser.add_argument("--python", type=pathlib.Path, default=ENVIRONMENT / "python/bin/python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
        database = (options.database or pathlib.Path(folder) / "mlflow.db").resolve()
        made = filled(options, database)
        if options.postgres:
            from postgres import copy
            started(options, "trainyard", database).stop()
            copy(database, options.postgres)
        times, walked = measure(options, database, made)
    if options.json:
        print(json.dumps({"pages": times, "journeys": walked}, indent=1))
    else:
        show(times, walked)


def measure(options, database, made):
    """Pages of ours, and journeys of both."""
    times, walked = {}, {}
    for name in ("trainyard", "mlflow"):
        has_pages = name == "trainyard" and options.only in (None, "pages")
        has_journeys = options.only in (None, name)
        if not has_pages and not has_journeys:
            continue
        server = started(options, name, database)
        try:
            if has_pages:
                curves = urlencode([("run", run) for run in made["curves"]])
                times = {page: measured(server, address, options.rounds) for page, address in pages(made, curves).items()}
            if has_journeys:
                walked[name] = journeys(name, server, made, options.rounds)
        finally:
            server.stop()
    return times, walked


def show(times, walked):
    if times:
        print("| page | ms | KB | KB packed | |\n|---|---:|---:|---:|---|")
    for page, one in times.items():
        is_over = one["ms"] > MS_MAX or one["packed"] > BYTES_MAX
        print(f"| {page} | {one['ms']:.0f} | {one['bytes'] / 1000:.0f} | {one['packed'] / 1000:.0f} | {'over' if is_over else ''} |")
    names = list(walked)
    if not names:
        return
    print("\n| journey | " + " | ".join(f"{name}: clicks | seconds | KB" for name in names) + " |")
    print("|---" + "|---:|---:|---:" * len(names) + "|")
    for journey in walked[names[0]]:
        cells = [cell(walked[name].get(journey)) for name in names]
        print(f"| {journey} | " + " | ".join(cells) + " |")


def cell(one):
    if one is None or one.get("none"):
        return "no such page | | "
    return f"{one['clicks']} | {one['seconds']:.2f} | {one['bytes'] / 1000:.0f}"


if __name__ == "__main__":
    main()
