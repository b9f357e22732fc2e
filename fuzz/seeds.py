"""Takes small models of the tests as seeds: python seeds.py."""

import gzip
import json
from pathlib import Path

HERE = Path(__file__).parent
KINDS = {"model.skops": "skops", "model.pkl": "pickle", "model.ubj": "xgboost", "model.json": "xgboost", "model.lgb": "lightgbm", "model.cb": "catboost", "model.onnx": "onnx", "model.statsmodels": "statsmodels"}

for file in sorted((HERE.parent / "crates/models/tests/models/old").glob("*.gz")):
    line, content = gzip.decompress(file.read_bytes()).split(b"\n", 1)
    for model in json.loads(line.replace(b"NaN", b"null"))["models"]:
        part = content[model["start"]:model["start"] + model["length"]]
        if len(part) < 60_000:
            folder = HERE / "seeds" / KINDS[model["file"]]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{file.stem}-{model['name']}").write_bytes(part)
for file in (HERE.parent / "crates/models/tests/models").glob("*/model.*"):
    if file.name in KINDS and file.stat().st_size < 100_000:
        folder = HERE / "seeds" / KINDS[file.name]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.parent.name).write_bytes(file.read_bytes())
