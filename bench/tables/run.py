"""`trainyard profile` of a table in an engine, beside what the engine takes for a scan and for handing the rows out.

    python run.py FOLDER [--binary PATH] [--rows N] [--engines duckdb,postgresql,spark] [--rounds N]

Makes the table once in each engine (FOLDER is kept), by ADBC, with the drivers of the tests. Scan is one statement with the
count, the smallest and the largest value of each column; reading out is `select *` taken as Arrow by the same driver.
"""

import argparse
import contextlib
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import adbc_driver_manager.dbapi as adbc

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "target/test-env"
FLOATS, WHOLES, LABELS = 10, 6, 4
COLUMNS = [f"f{i}" for i in range(FLOATS)] + [f"n{i}" for i in range(WHOLES)] + [f"s{i}" for i in range(LABELS)]


def expressions(number, text, whole):
    """Ten columns of doubles, six of few whole numbers, four of labels; `number` is random in [0, 1)."""
    floats = [f"{number} * {i + 1} as f{i}" for i in range(FLOATS)]
    wholes = [f"cast({number} * {20 * (i + 1)} as {whole}) as n{i}" for i in range(WHOLES)]
    labels = [f"concat('label ', cast(cast({number} * {9 * (i + 1)} as {whole}) as {text})) as s{i}" for i in range(LABELS)]
    return ", ".join(floats + wholes + labels)


def library(pattern):
    found = sorted(ENVIRONMENT.glob(pattern))
    if not found:
        sys.exit(f"{pattern} is missing below {ENVIRONMENT}: cargo xtask test --long sets it up")
    return str(found[0])


def free_port():
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def duckdb(folder, rows):
    path = folder / "bench.db"
    driver = library("duckdb/node_modules/@duckdb/node-bindings-linux-*/libduckdb.so")
    if not path.exists():
        with adbc.connect(driver, entrypoint="duckdb_adbc_init", db_kwargs={"path": str(path)}, autocommit=True) as connection:
            execute(connection, f"create table t as select {expressions('random()', 'varchar', 'integer')} from range({rows})")
    with adbc.connect(driver, entrypoint="duckdb_adbc_init", db_kwargs={"path": str(path), "access_mode": "READ_ONLY"}, autocommit=True) as connection:
        yield connection, f"duckdb://{path}?table=t", driver


@contextlib.contextmanager
def postgresql(folder, rows):
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    data, port = folder / "postgresql", free_port()
    # It does not run as root.
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    run = lambda *command: subprocess.run([*as_postgres, *command], check=True, stdout=subprocess.DEVNULL)
    is_new = not data.exists()
    if is_new:
        data.mkdir()
        if as_postgres:
            os.chown(data, pwd.getpwnam("postgres").pw_uid, -1)
        run(str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "bench")
    run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log"), "-o", f"-p {port} -k /tmp -c listen_addresses=127.0.0.1", "start")
    try:
        address = f"postgresql://bench@127.0.0.1:{port}/postgres"
        driver = library("python/lib/python3*/site-packages/adbc_driver_postgresql/libadbc_driver_postgresql.so")
        with adbc.connect(driver, db_kwargs={"uri": address}, autocommit=True) as connection:
            if is_new:
                execute(connection, f"create table t as select {expressions('random()', 'text', 'integer')} from generate_series(1, {rows})")
                execute(connection, "vacuum analyze t")
            yield connection, f"{address}?table=t", driver
    finally:
        run(str(programs / "pg_ctl"), "-D", str(data), "-m", "fast", "stop")


@contextlib.contextmanager
def spark(folder, rows):
    home = Path(library("spark-server/pyspark-*/deps"))
    driver = library("spark/lib/python3*/site-packages/adbc_driver_spark/libadbc_driver_spark.so")
    port, path = free_port(), folder / "spark.parquet"
    master = os.environ.get("SPARK_MASTER", "local[2]")
    server = subprocess.Popen(
        ["bash", str(home / "bin/spark-submit"), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
         "--master", master, "--conf", f"spark.connect.grpc.binding.port={port}", "--conf", "spark.ui.enabled=false",
         "--conf", "spark.sql.session.timeZone=UTC", "--conf", f"spark.local.dir={folder}/spark-local",
         "--conf", f"spark.sql.warehouse.dir={folder}/warehouse", *os.environ.get("SPARK_OPTIONS", "").split(), "spark-internal"],
        env={**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_CONNECT_MODE": "0"},
        stdin=subprocess.DEVNULL, stdout=(folder / "spark.log").open("w"), stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(300):
            with contextlib.closing(socket.socket()) as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(1)
        with adbc.connect(driver, db_kwargs={"uri": f"sc://127.0.0.1:{port}"}, autocommit=True) as connection:
            if not path.exists():
                execute(connection, f"create table t using parquet location '{path}' as select {expressions('rand()', 'string', 'int')} from range({rows})")
            else:
                execute(connection, f"create table t using parquet location '{path}'")
            yield connection, f"spark://127.0.0.1:{port}?table=t", driver
    finally:
        server.terminate()
        server.wait(60)
        for left in ("spark-local", "warehouse"):
            shutil.rmtree(folder / left, ignore_errors=True)


def execute(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def seconds(work, rounds):
    taken = []
    for _ in range(rounds):
        before = time.perf_counter()
        work()
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def measure(name, folder, binary, rows, rounds):
    scan = ", ".join(f"count({c}), min({c}), max({c})" for c in COLUMNS)
    # Names of the answer must differ in some engines.
    scan = "select " + ", ".join(f"{part.strip()} as a{i}" for i, part in enumerate(scan.split(", "))) + " from t"
    with {"duckdb": duckdb, "postgresql": postgresql, "spark": spark}[name](folder, rows) as (connection, source, driver):
        ours = lambda: subprocess.run(
            [binary, "profile", source, "-o", str(folder / f"{name}.profile"), "--engine-driver", driver],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        execute(connection, scan)
        scanned = seconds(lambda: execute(connection, scan), rounds)
        read = seconds(lambda: execute(connection, "select * from t"), rounds)
        profiled = seconds(ours, rounds)
    print(f"| {name} | {rows:,} | {scanned:.2f} | {read:.2f} | {profiled:.2f} | {profiled / scanned:.1f} | {profiled / read:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", default=str(ROOT / "target/release/trainyard"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engines", default="duckdb,postgresql")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve() / str(arguments.rows)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    print("| engine | rows | scan s | reading out s | profile s | of the scan | of reading out |\n|---|---|---|---|---|---|---|")
    for name in arguments.engines.split(","):
        measure(name, folder, arguments.binary, arguments.rows, arguments.rounds)


main()
