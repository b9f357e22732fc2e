"""Two tables to compare: 20 numeric and 5 categorical columns, about a quarter of which drift.

    python generate.py FOLDER ROWS [--csv] [--columns N]

Writes FOLDER/reference_ROWS.parquet and current_ROWS.parquet, with --csv also as CSV. With --columns, N numeric
columns instead. The content depends on the arguments only.
"""
import argparse
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

STEP = 250_000


def mixed(rng, n, moved):
    """A table with the sorts of columns that models are trained on."""
    m = float(moved)
    columns = {}
    for i in range(8):
        columns[f"measure_{i}"] = rng.normal(5 * i + (0.35 * m if i in (1, 5) else 0), 1 + i / 3, n)
    for i in range(4):
        columns[f"amount_{i}"] = rng.lognormal(2 + (0.2 * m if i == 2 else 0), 0.4 + 0.3 * i, n)
    for i in range(3):
        columns[f"price_{i}"] = np.round(rng.gamma(2 + (0.25 * m if i == 0 else 0), 40, n), 2)
    columns["age"] = rng.integers(18, 95, n)
    columns["visits"] = rng.poisson(3 + 0.6 * m, n)
    columns["account"] = rng.integers(0, 10**9, n)
    gaps = rng.normal(size=n)
    gaps[rng.random(n) < 0.05] = np.nan
    columns["with_gaps"] = gaps
    columns["probability"] = rng.beta(2 + 0.5 * m, 5, n)
    for name, size, skew in (("town", 60, 0.2 * m), ("country", 120, 0.0), ("plan", 5, 0.5 * m), ("device", 3, 0.0), ("churned", 2, 0.0)):
        weight = np.arange(size, 0, -1.0) ** (1 + skew)
        labels = np.array([f"{name} {i}" for i in range(size)])
        columns[name] = labels[rng.choice(size, n, p=weight / weight.sum())]
    return columns


def numeric(rng, n, moved, count):
    return {f"x{i}": rng.normal(0.3 * float(moved) if i % 4 == 0 else 0, 1, n) for i in range(count)}


def write(folder, name, rows, moved, csv, count):
    rng = np.random.default_rng([7, rows, int(moved), count or 0])
    parquet_writer = csv_writer = None
    for start in range(0, rows, STEP):
        n = min(STEP, rows - start)
        columns = numeric(rng, n, moved, count) if count else mixed(rng, n, moved)
        table = pa.table({key: pa.array(values, from_pandas=True) for key, values in columns.items()})
        if parquet_writer is None:
            parquet_writer = pyarrow.parquet.ParquetWriter(folder / f"{name}_{rows}.parquet", table.schema)
            if csv:
                csv_writer = pyarrow.csv.CSVWriter(folder / f"{name}_{rows}.csv", table.schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed"))
        parquet_writer.write_table(table)
        if csv_writer:
            csv_writer.write_table(table)
    parquet_writer.close()
    if csv_writer:
        csv_writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--columns", type=int)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, moved in (("reference", False), ("current", True)):
        write(arguments.folder, name, arguments.rows, moved, arguments.csv, arguments.columns)
