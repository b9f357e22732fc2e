#!/bin/sh
# Records the databases beside this script anew: each is made by a real old version, from PyPI, in an environment of
# its own. Needs a PostgreSQL server that lets anybody in: record.sh postgresql://postgres@127.0.0.1:5432
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
for version in 2.0.1 2.22.1 3.8.1 3.16.1; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet "mlflow==$version" psycopg2-binary
    "$work/$version/bin/python" "$here/fill.py" "sqlite:///$work/$version.db"
    "$work/$version/bin/python" - "$work/$version.db" <<'DUMP' | gzip -9n >"$here/$version.sqlite.sql.gz"
import sqlite3, sys
print("\n".join(sqlite3.connect(sys.argv[1]).iterdump()))
DUMP
    case $version in 2.0.1 | 3.16.1) ;; *) continue ;; esac
    psql -q "$1/postgres" -c "CREATE DATABASE \"$version\""
    "$work/$version/bin/python" "$here/fill.py" "$1/$version"
    pg_dump --no-owner --inserts "$1/$version" |
        grep -Ev '^(--|\\|SET |SELECT pg_catalog.set_config|$)' | gzip -9n >"$here/$version.postgres.sql.gz"
done
rm -r "$work"
