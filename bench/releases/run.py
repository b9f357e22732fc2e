"""What releases cost those who are served: failed requests over many switches, and what a shadow adds.

    cargo build --release
    python3 bench/releases/run.py [--switches 1000] [--rounds 5] [--seconds 6] [--binary PATH]

Needs wrk. The project is the example of Iris as processes of this machine. `switches` releases one after the
other while wrk predicts; each is a new instance, checked and switched to. `shadow` measures windows with a
shadow and without in turns: requests a second and p99 of 4 connections, p99 of one, and processor time of the gateway
and of the instances by request. Client, gateway and instances share the machine.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '[{"sepal length (cm)":5.1,"sepal width (cm)":3.5,"petal length (cm)":1.4,"petal width (cm)":0.2}]'
done = function(summary)
  local e = summary.errors
  print("COUNTS", summary.requests, e.status + e.connect + e.read + e.write + e.timeout)
end
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Project:
    """The example, trained and released."""

    def __init__(self, folder, binary):
        self.binary, self.folder, self.port = binary.resolve(), folder / "iris", free_port()
        shutil.copytree(ROOT / "examples/iris", self.folder)
        (folder / "request.lua").write_text(SCRIPT)
        self.script = folder / "request.lua"
        self.file = self.folder / "trainyard.toml"
        self.change(r'listen = ".*?"', f'listen = "127.0.0.1:{self.port}"')
        for verb in ("train", "promote", "deploy"):
            self.call(verb)

    def change(self, pattern, to):
        text, count = re.subn(pattern, to, self.file.read_text(), count=1)
        assert count, pattern
        self.file.write_text(text)

    def call(self, *arguments):
        return subprocess.run([self.binary, *arguments], cwd=self.folder, check=True, capture_output=True, text=True)

    def start(self, *arguments):
        return subprocess.Popen([self.binary, *arguments], cwd=self.folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def status(self):
        return json.loads(self.call("deploy", "status", "--json").stdout)

    def wrk(self, connections, seconds):
        return subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", self.script,
             f"http://127.0.0.1:{self.port}/predict"], stdout=subprocess.PIPE, text=True)


def counts(report):
    requests, failed = re.search(r"COUNTS\s+(\d+)\s+(\d+)", report).groups()
    return int(requests), int(failed)


def p99_ms(report):
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", report).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def switches(project, number):
    project.change(r'bake = ".*?"(\nshadow = ".*?")?', 'bake = "0s"')
    requests = failed = done = 0
    load = project.wrk(4, 600)
    start = time.monotonic()
    while done < number:
        if load.poll() is not None:
            more, bad = counts(load.stdout.read())
            requests, failed = requests + more, failed + bad
            load = project.wrk(4, 600)
        project.call("deploy")
        done += 1
    took = time.monotonic() - start
    load.send_signal(2)
    more, bad = counts(load.communicate()[0])
    print(f"{done} switches in {took:.0f} s under 4 connections: {requests + more} requests, {failed + bad} failed")


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def window(project, connections, seconds, pids):
    before = {name: processor_seconds(pid) for name, pid in pids.items()}
    report = project.wrk(connections, seconds).communicate()[0]
    requests, failed = counts(report)
    assert failed == 0, report
    used = {name: (processor_seconds(pid) - before[name]) / requests * 1e6 for name, pid in pids.items()}
    return {"requests a second": requests / seconds, "p99 ms": p99_ms(report), "used": used}


def serving(status):
    """Processes by role: the gateway, blue, and green while there is one."""
    pids = {"gateway": status["gateway"]["pid"]}
    for instance in status["instances"]:
        if instance.get("pid") or instance.get("handle"):
            pids[instance["role"]] = int(instance.get("pid") or instance["handle"])
    return pids


def shadow(project, rounds, seconds):
    figures = {"with": [], "without": []}
    project.change(r'bake = ".*?"', f'bake = "0s"\nshadow = "{3 * seconds + 8}s"')
    for _ in range(rounds):
        deploying = project.start("deploy")
        while not project.status()["gateway"]["route"].get("candidate"):
            time.sleep(0.1)
        pids = serving(project.status())
        figures["with"].append((window(project, 4, seconds, pids), window(project, 1, seconds, pids)))
        assert project.status()["gateway"]["route"].get("candidate"), "the shadow ended too early"
        if deploying.wait() != 0:
            sys.exit("a release with a shadow failed")
        pids = serving(project.status())
        figures["without"].append((window(project, 4, seconds, pids), window(project, 1, seconds, pids)))
    print("| | requests/s, 4 connections | p99 ms | p99 of 1, ms | gateway µs a request | serving instance µs | green µs |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, rows in figures.items():
        middle = lambda get: statistics.median(get(full, alone) for full, alone in rows)
        used = lambda role: middle(lambda full, alone: full["used"].get(role, 0))
        print(f"| {name} a shadow | {middle(lambda full, alone: full['requests a second']):.0f} "
              f"| {middle(lambda full, alone: full['p99 ms']):.2f} | {middle(lambda full, alone: alone['p99 ms']):.2f} "
              f"| {used('gateway'):.1f} | {used('current'):.1f} | {used('candidate'):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--switches", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/trainyard")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project(pathlib.Path(folder), options.binary)
        try:
            if options.rounds:
                shadow(project, options.rounds, options.seconds)
            if options.switches:
                switches(project, options.switches)
        finally:
            project.call("deploy", "stop")


if __name__ == "__main__":
    main()
