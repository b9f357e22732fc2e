"""Writes the files in tests/cases from pairs of CSV or Parquet files and what Evidently said about them.

    python make_cases.py SOURCE_FOLDER TARGET_FOLDER

The source folder holds manifest.json (files and options by case) and one JSON a case. CSV files are read by
pandas.read_csv and written as Parquet, so that the tests start from the types that pandas gives a column.
Of the results only what the tests compare is kept.
"""
import json
import pathlib
import shutil
import sys

import pandas as pd

source, target = map(pathlib.Path, sys.argv[1:3])
target.mkdir(parents=True, exist_ok=True)
cases = {}
for name, case in json.loads((source / "manifest.json").read_text()).items():
    for side, file in case["files"].items():
        out = target / f"{name}.{side}.parquet"
        if file.endswith(".parquet"):
            shutil.copyfile(source / file, out)
        else:
            pd.read_csv(source / file).to_parquet(out, compression="zstd")
    result = json.loads((source / f"{name}.json").read_text())
    tests = {}
    for column, info in result.get("all_stattests", {}).items():
        for key, value in info.get("results", {}).items():
            value.pop("ms", None)
            if "score" in value or "error" in value:
                tests.setdefault(column, {})[key] = value
    cases[name] = {
        "description": case["description"],
        "options": case["options"],
        "report": result["report"] if result["report"]["ok"] else {"ok": False, "error": result["report"]["error"]},
        "columns": result["columns"],
        "all_stattests": tests,
    }
    cases[name]["report"].pop("seconds", None)
    cases[name]["report"].pop("table", None)
(target / "expected.json").write_text(json.dumps(cases, indent=None, separators=(",", ":"), ensure_ascii=False) + "\n")
