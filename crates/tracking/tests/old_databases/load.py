"""Makes databases of recorded ones: load.py FOLDER VERSION URI [VERSION URI …]."""

import gzip
import pathlib
import sqlite3
import sys

folder, pairs = pathlib.Path(sys.argv[1]), sys.argv[2:]
for version, uri in zip(pairs[::2], pairs[1::2]):
    dialect = "sqlite" if uri.startswith("sqlite:") else "postgres"
    script = gzip.decompress((folder / f"{version}.{dialect}.sql.gz").read_bytes()).decode()
    if dialect == "sqlite":
        with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
            connection.executescript(script)
    else:
        import psycopg

        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(script)
