"""Upgrades every second database with upstream's own upgrade, and compares it with the one before: columns, types,
defaults, keys, constraints, indexes, triggers and rows. Says "ok" at the end."""

import sys

import sqlalchemy
from alembic import command
from mlflow.store.db.utils import _get_alembic_config


def described(engine):
    inspector = sqlalchemy.inspect(engine)
    tables = {}
    for table in sorted(inspector.get_table_names()):
        columns = [
            {key: str(value) for key, value in column.items()} for column in inspector.get_columns(table)
        ]
        tables[table] = {
            "columns": columns,
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "checks": sorted(map(str, inspector.get_check_constraints(table))),
            "indexes": sorted(map(str, inspector.get_indexes(table))),
        }
        # The time of the upgrade itself.
        names = [f'"{c["name"]}"' for c in columns if (table, c["name"]) != ("jobs", "last_update_time")]
        with engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text(f'SELECT {", ".join(names)} FROM "{table}"'))
            tables[table]["rows"] = sorted(map(repr, rows))
    if engine.dialect.name == "sqlite":
        triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        triggers = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    with engine.connect() as connection:
        tables["triggers"] = {"all": sorted(map(str, connection.execute(sqlalchemy.text(triggers))))}
    return tables


for ours, theirs in zip(sys.argv[1::2], sys.argv[2::2]):
    ours, theirs = (uri.replace("postgresql:", "postgresql+psycopg:") for uri in (ours, theirs))
    command.upgrade(_get_alembic_config(theirs), "heads")
    left, right = (described(sqlalchemy.create_engine(uri)) for uri in (ours, theirs))
    assert left.keys() == right.keys(), (ours, left.keys() ^ right.keys())
    for table, wanted in right.items():
        for part, value in wanted.items():
            assert left[table][part] == value, f"{ours}: {part} of {table}\n{left[table][part]}\n{value}"
print("ok")
