"""The gateway beside nginx and HAProxy, on one backend, in one run.

    cargo build --release
    python3 bench/gateway/run.py [--tls] [--seconds 8] [--rounds 3] [--connections 16] [--binary PATH]...

The backend is nginx with an answer of 60 bytes, so that a proxy is what is measured. Each proxy keeps
its connections to the backend, writes no access log and may use all cores. Throughput is wrk's at full
speed; latency is that of one connection at a time, so that nothing waits for a free core, against the
backend asked directly. Proxies take turns in each round; the median round counts. With --binary, given
once or more, gateways of other builds are measured in the same run. With --tls clients connect by TLS (a key
of P-256), and a connection for each request counts handshakes; the backend stays plain.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRAINYARD = ROOT / "target/release/trainyard"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def nginx(folder, name, port, server, extra="", places=4096):
    home = folder / name
    home.mkdir()
    config = home / "nginx.conf"
    config.write_text(
        f"""
        daemon off; master_process on; worker_processes 2; pid {home}/pid; error_log {home}/error.log;
        user root;
        worker_rlimit_nofile {2 * places};
        events {{ worker_connections {places}; }}
        http {{
          access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_header_timeout 3600s;
          client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
          uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
          {extra}
          server {{ listen 127.0.0.1:{port}; {server} }}
        }}
        """
    )
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(config)]


def certificate(folder):
    """Certificate and key for the proxies; the last file is both, as HAProxy wants it."""
    cert, key, both = (folder / name for name in ("cert.pem", "key.pem", "both.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    both.write_text(cert.read_text() + key.read_text())
    return cert, key, both


def haproxy(folder, port, backend, both, places=4096, idle_seconds=60):
    config = folder / "haproxy.cfg"
    config.write_text(
        f"""
global
  nbthread 2
  maxconn {places}
defaults
  mode http
  timeout connect 5s
  timeout client {idle_seconds}s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend in
  maxconn {places}
  bind 127.0.0.1:{port}{f' ssl crt {both}' if both else ''}
  default_backend out
backend out
  server one 127.0.0.1:{backend}
"""
    )
    return [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(config)]


def gateway(binary, folder, port, backend, tls):
    state = folder / f"gateway-{port}"
    (state / "instances").mkdir(parents=True)
    target = {"id": "r1", "address": f"127.0.0.1:{backend}", "health_path": "/"}
    (state / "gateway.json").write_text(
        json.dumps({"current": target, "standby": None, "went_back": None})
    )
    settings = {"tls": {"certificate": str(tls[0]), "key": str(tls[1])}} if tls else {}
    (state / "gateway-settings.json").write_text(json.dumps(settings))
    return [str(binary), "gateway", "--state-dir", str(state), "--listen", f"127.0.0.1:{port}"]


def wrk(url, connections, seconds, headers=()):
    report = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency",
         *(part for header in headers for part in ("-H", header)), url],
        capture_output=True, text=True, check=True,
    ).stdout
    # Of a connection that ends with its answer wrk says that reading failed, and counts the answer.
    if ("Socket errors" in report and not headers) or "Non-2xx" in report:
        sys.exit(report)
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    number, scale = re.search(r"99%\s+([\d.]+)(us|ms|s)", report).groups()
    half, half_scale = re.search(r"50%\s+([\d.]+)(us|ms|s)", report).groups()
    return {
        "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", report).group(1)),
        "p50_ms": float(half) * unit[half_scale],
        "p99_ms": float(number) * unit[scale],
    }


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tls", action="store_true")
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--connections", type=int, default=16)
    arguments.add_argument("--binary", type=pathlib.Path, action="append", metavar="PATH")
    options = arguments.parse_args()
    binaries = {binary.name: binary for binary in options.binary or [TRAINYARD]}
    for binary in binaries.values():
        if not binary.exists():
            sys.exit(f"{binary} is missing: cargo build --release")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="trainyard-gateway-bench-"))
    backend = free_port()
    ports = {name: free_port() for name in ["nginx", "haproxy", *binaries]}
    answer = 'default_type application/json; return 200 \'{"predictions": [{"species": "setosa", "score": 0.9731}]}\';'
    upstream = f"upstream one {{ server 127.0.0.1:{backend}; keepalive 64; }}"
    forward = """location / { proxy_pass http://one; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }"""
    tls = certificate(folder) if options.tls else None
    encrypted = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
    commands = [
        nginx(folder, "backend", backend, f"location / {{ {answer} }}"),
        nginx(folder, "proxy", f"{ports['nginx']}{' ssl' if tls else ''}", encrypted + forward, upstream),
        haproxy(folder, ports["haproxy"], backend, tls and tls[2]),
    ]
    commands += [gateway(binary, folder, ports[name], backend, tls) for name, binary in binaries.items()]
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        for port in [backend, *ports.values()]:
            wait_for(port)
        rounds = {name: [] for name in ["direct", *ports]}
        for _ in range(options.rounds):
            for name, port in [("direct", backend), *ports.items()]:
                scheme = "https" if tls and name != "direct" else "http"
                url = f"{scheme}://127.0.0.1:{port}/predict"
                wrk(url, options.connections, 1)
                full = wrk(url, options.connections, options.seconds)
                alone = wrk(url, 1, max(2, options.seconds // 2))
                anew = wrk(url, options.connections, options.seconds, ["Connection: close"])
                rounds[name].append((full, alone, anew))
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()
        shutil.rmtree(folder)

    def middle(name, which, key):
        return statistics.median(one[which][key] for one in rounds[name])

    base = middle("direct", 1, "p99_ms")
    full_base = middle("direct", 0, "p99_ms")
    peer = middle("nginx", 0, "rps")
    print(f"| | requests/s at {options.connections} | of nginx | p50 ms | p99 ms | added p99 ms "
          "| p99 of 1, ms | added p99 of 1, ms | a connection each: a second | of nginx |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    peer_anew = middle("nginx", 2, "rps")
    for name in rounds:
        rps = middle(name, 0, "rps")
        p99 = middle(name, 1, "p99_ms")
        full = middle(name, 0, "p99_ms")
        print(f"| {name} | {rps:.0f} | {rps / peer:.2f} | {middle(name, 0, 'p50_ms'):.2f} | {full:.2f} "
              f"| {full - full_base:.2f} | {p99:.3f} | {p99 - base:.3f} "
              f"| {middle(name, 2, 'rps'):.0f} | {middle(name, 2, 'rps') / peer_anew:.2f} |")


if __name__ == "__main__":
    main()
