"""The same rows in a PostgreSQL database: those of a filled SQLite file, copied table by table."""

import sqlite3

import psycopg

# Tables that have rows, those before others that they are named by.
TABLES = ("experiments", "runs", "params", "tags", "latest_metrics", "metrics", "registered_models", "model_versions",
          "model_version_tags", "registered_model_aliases")


def copy(source, uri):
    """Copies the file into the tables of a server that was started once; nothing where that was done before."""
    with sqlite3.connect(source) as rows, psycopg.connect(uri, autocommit=True) as target:
        if target.execute("SELECT 1 FROM runs LIMIT 1").fetchone():
            return
        target.execute("DELETE FROM experiments")
        for table in TABLES:
            columns = [(name, kind) for _, name, kind, *_ in rows.execute(f"PRAGMA table_info({table})")]
            names = ", ".join(f'"{name}"' for name, _ in columns)
            booleans = [place for place, (_, kind) in enumerate(columns) if kind == "BOOLEAN"]
            with target.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as writer:
                for row in rows.execute(f"SELECT {names} FROM {table}"):
                    row = list(row)
                    for place in booleans:
                        row[place] = bool(row[place])
                    writer.write_row(row)
        target.execute("VACUUM ANALYZE")
