"""Prints what upstream's migrations do to a database, statement by statement, for `src/store/upgrade`:

    record_migrations.py URI-OF-A-DATABASE-OF-AN-OLDER-VERSION

The database should be empty: what migrations do with rows in Python is no statement that could be kept. Such ones
(those with parameters) are marked, to be written anew by hand.
"""

import sys

import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config

uri = sys.argv[1]
config = _get_alembic_config(uri)
engine = sqlalchemy.create_engine(uri)
with engine.connect() as connection:
    head = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
engine.dispose()
statements = []


@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "before_cursor_execute")
def record(_connection, _cursor, statement, parameters, _context, _many):
    statements.append((statement, parameters))


for script in list(ScriptDirectory.from_config(config).iterate_revisions("heads", head))[::-1]:
    if script.revision == head:
        continue
    statements.clear()
    command.upgrade(config, script.revision)
    print(f"-- migration {script.revision} from {script.down_revision}: {script.doc}")
    for statement, parameters in statements:
        if statement.lstrip().upper().startswith(("PRAGMA", "SELECT", "WITH")) or "alembic_version" in statement:
            continue
        lines = [line.rstrip().replace("\t", "    ") for line in statement.strip().splitlines() if line.strip()]
        if parameters:
            print(f"-- by hand: {parameters!r}")
        print("\n".join(lines).rstrip(";") + ";")
    print()
