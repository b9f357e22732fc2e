"""What connections that say nothing cost others: the gateway beside nginx and HAProxy, in one run.

    cargo build --release
    python3 bench/gateway/idle.py [--idle 10000] [--silent] [--tls] [--seconds 5] [--rounds 3] [--binary PATH]...

Each proxy is measured without and with idle connections: clients that asked once, keep their connection and say
nothing more; with --silent they never ask. With --tls they connect by TLS (a key of P-256). Others ask meanwhile: one
after the other (p99 is the machine's and the proxy's), and 16 at once. Memory is what the proxy's processes hold in all:
before the first round, and in the last. With --binary, given once or more, gateways of other builds are measured in the same run. The limit
of open files must allow the connections here and twice as many there (`ulimit -n`).
"""

import argparse
import json
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile

from run import TRAINYARD, certificate, free_port, gateway, haproxy, nginx, wait_for, wrk

# Each address of a client has some 28,000 ports; several are also what limits by address look at.
CLIENTS = [f"127.0.0.{number}" for number in range(2, 10)]
ASK = b"GET /predict HTTP/1.1\r\nHost: model.example\r\n\r\n"


def allow_files(wanted):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"{wanted} open files are needed and {hard} allowed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def fall_idle(port, count, tls, is_silent):
    """Connections that were answered once, or never ask."""
    connections = []
    context = ssl.create_default_context(cafile=tls[0]) if tls else None
    for number in range(count):
        connection = socket.socket()
        connection.bind((CLIENTS[number % len(CLIENTS)], 0))
        connection.settimeout(30)
        connection.connect(("127.0.0.1", port))
        if context:
            connection = context.wrap_socket(connection, server_hostname="localhost")
        connections.append(connection)
        if is_silent:
            continue
        connection.sendall(ASK)
        answer = b""
        # The answer's body is JSON without a line end.
        while not answer.endswith(b"}"):
            part = connection.recv(4096)
            if not part:
                sys.exit(f"connection {number} of {count} was closed: {answer.decode()}")
            answer += part
        if not answer.startswith(b"HTTP/1.1 200"):
            sys.exit(f"connection {number} of {count}: {answer.decode()}")
    return connections


def still_open(connections):
    """How many of them the proxy has not closed."""
    count = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            # What was said by TLS alone is nothing that was said.
            count += bool(connection.recv(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            count += 1
        except OSError:
            pass
    return count


def resident(process):
    """MiB of a process and all below it."""
    pids, total = [process.pid], 0
    while pids:
        pid = pids.pop()
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            continue
        pids += children.split()
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return total / 1024


def measure(port, seconds, tls):
    url = f"http{'s' if tls else ''}://127.0.0.1:{port}/predict"
    wrk(url, 16, 1)
    return {"alone": wrk(url, 1, seconds), "full": wrk(url, 16, seconds)}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--idle", type=int, default=10_000)
    arguments.add_argument("--silent", action="store_true")
    arguments.add_argument("--tls", action="store_true")
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--binary", type=pathlib.Path, action="append", metavar="PATH")
    options = arguments.parse_args()
    binaries = {binary.name: binary for binary in options.binary or [TRAINYARD]}
    for binary in binaries.values():
        if not binary.exists():
            sys.exit(f"{binary} is missing: cargo build --release")
    places = options.idle + 1000
    allow_files(3 * places)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="trainyard-idle-bench-"))
    backend = free_port()
    ports = {name: free_port() for name in ["nginx", "haproxy", *binaries]}
    answer = 'default_type application/json; return 200 \'{"predictions": [{"species": "setosa", "score": 0.9731}]}\';'
    upstream = f"upstream one {{ server 127.0.0.1:{backend}; keepalive 64; }}"
    forward = """location / { proxy_pass http://one; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }"""
    tls = certificate(folder) if options.tls else None
    if tls:
        forward = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}; {forward}"
    commands = {
        "backend": nginx(folder, "backend", backend, f"location / {{ {answer} }}"),
        # One worker may get nearly all of them.
        "nginx": nginx(folder, "proxy", f"{ports['nginx']}{' ssl' if tls else ''}", forward, upstream, places=2 * places),
        "haproxy": haproxy(folder, ports["haproxy"], backend, tls and tls[2], places=2 * places, idle_seconds=3600),
    }
    limits = {"limits": {"max_connections": places, "max_per_address": places, "idle_timeout": {"secs": 3600, "nanos": 0}}}
    for name, binary in binaries.items():
        commands[name] = gateway(binary, folder, ports[name], backend, tls)
        settings = folder / f"gateway-{ports[name]}" / "gateway-settings.json"
        settings.write_text(json.dumps(json.loads(settings.read_text()) | limits))
    processes = {
        name: subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name, command in commands.items()
    }
    seen = {name: {"without": [], "with": []} for name in ports}
    memory = {name: {} for name in ports}
    kept = {}
    try:
        for port in [backend, *ports.values()]:
            wait_for(port)
        for _ in range(options.rounds):
            for name, port in ports.items():
                seen[name]["without"].append(measure(port, options.seconds, tls))
                memory[name].setdefault("without", resident(processes[name]))
                idle = fall_idle(port, options.idle, tls, options.silent)
                seen[name]["with"].append(measure(port, options.seconds, tls))
                memory[name]["with"] = resident(processes[name])
                kept[name] = min(kept.get(name, options.idle), still_open(idle))
                for connection in idle:
                    connection.close()
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            process.wait()
        shutil.rmtree(folder)

    def middle(name, which, how, key):
        return statistics.median(one[how][key] for one in seen[name][which])

    print(f"{options.idle} idle connections:")
    print()
    print("| | p99 of 1, ms: without | with | p99 at 16, ms: without | with | requests/s at 16: without | with "
          "| MiB: without | with | KiB a connection | still open |")
    print("|---|" + "---:|" * 10)
    for name in ports:
        before, after = memory[name]["without"], memory[name]["with"]
        print(f"| {name} | {middle(name, 'without', 'alone', 'p99_ms'):.3f} | {middle(name, 'with', 'alone', 'p99_ms'):.3f} "
              f"| {middle(name, 'without', 'full', 'p99_ms'):.2f} | {middle(name, 'with', 'full', 'p99_ms'):.2f} "
              f"| {middle(name, 'without', 'full', 'rps'):.0f} | {middle(name, 'with', 'full', 'rps'):.0f} "
              f"| {before:.1f} | {after:.1f} | {(after - before) * 1024 / max(1, options.idle):.1f} | {kept[name]} |")


if __name__ == "__main__":
    main()
