"""Starts a tracking server on a throwaway folder, and knows what its processes use."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running server; `command` gets the port and the folder."""

    def __init__(self, name, command, database):
        self.name = name
        self.folder = tempfile.TemporaryDirectory(prefix=f"bench-{name}-")
        self.database = Path(self.folder.name) / database
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        arguments = [part.format(port=self.port, folder=self.folder.name) for part in command]
        self.log = open(Path(self.folder.name) / "server.log", "wb")
        start = time.monotonic()
        self.process = subprocess.Popen(
            arguments, stdout=self.log, stderr=self.log, start_new_session=True, cwd=self.folder.name
        )
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() - start > 180:
                raise SystemExit(f"{name} did not start; see {self.log.name}")
            time.sleep(0.002)
        self.start_seconds = time.monotonic() - start

    def healthy(self):
        connection = http.client.HTTPConnection(self.address, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address, timeout=120)
        data = None if body is None else json.dumps(body)
        connection.request(method, "/api/2.0/mlflow/" + path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def memory_mib(self):
        """Resident memory of the process and everything it started."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                    parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
                except OSError:
                    continue
        total, pending = 0, [self.process.pid]
        while pending:
            pid = pending.pop()
            pending += parents.get(pid, [])
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        return total / 1024

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        self.folder.cleanup()
