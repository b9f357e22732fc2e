"""Packages that need nothing from anywhere: `tests.py FOLDER`.

- wheels: ours 1.0, other 1.0, pyarrow 1.0, and ourbuild 1.0 and 2.0, with which source packages are built;
- source packages: source 1.0 is built with any ourbuild, newer 1.0 with 2.0 at least; each says with which it was;
  slow 1.0 is built when a file `go` is in the folder SIGNALS, and adds a line to `began` there before it waits;
  broken 1.0 says a password and is not built.
"""

import io
import sys
import tarfile

BACKEND = '''
import base64, hashlib, os, zipfile

VERSION = "@VERSION@"

def wheel(folder, name, version, text):
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.2\\nName: {name}\\nVersion: {version}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = ""
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        for path, content in files.items():
            digest = hashlib.sha256(content.encode()).digest()
            text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            record += f"{path},sha256={text},{len(content)}\\n"
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\\n")
    return file

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = os.path.basename(os.getcwd()).split("-")[0]
    with open("PKG-INFO") as file:
        name = [line[6:].strip() for line in file if line.startswith("Name: ")][0]
    return wheel(folder, name, "1.0", f'BUILT_WITH = "{VERSION}"\\n')
'''

SLOW = BACKEND + '''
import time

quick = build_wheel

def build_wheel(folder, config_settings=None, metadata_directory=None):
    signals = os.environ["SIGNALS"]
    with open(os.path.join(signals, "began"), "a") as began:
        began.write("x\\n")
    deadline = time.monotonic() + 120
    while not os.path.exists(os.path.join(signals, "go")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return quick(folder)
'''

BROKEN = '''
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise RuntimeError("no compiler, says http://me:s3cret@example.org/simple")
'''


def source(folder, name, build_system, backend=None):
    files = {
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n",
        "pyproject.toml": f'[build-system]\n{build_system}\n[project]\nname = "{name}"\nversion = "1.0"\n',
    }
    if backend:
        files["own_backend.py"] = backend
    with tarfile.open(f"{folder}/{name}-1.0.tar.gz", "w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))


def main(folder):
    made = {}
    exec(BACKEND, made)
    for name in ["ours", "other", "pyarrow"]:
        made["wheel"](folder, name, "1.0", "VALUE = 7\n")
    for version in ["1.0", "2.0"]:
        made["wheel"](folder, "ourbuild", version, BACKEND.replace("@VERSION@", version))
    source(folder, "source", 'requires = ["ourbuild"]\nbuild-backend = "ourbuild"')
    source(folder, "newer", 'requires = ["ourbuild>=2"]\nbuild-backend = "ourbuild"')
    own = 'requires = []\nbuild-backend = "own_backend"\nbackend-path = ["."]'
    source(folder, "slow", own, SLOW)
    source(folder, "broken", own, BROKEN)


if __name__ == "__main__":
    main(sys.argv[1])
