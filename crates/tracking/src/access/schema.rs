//! Tables of users and roles: upstream's, of its auth app in MLflow 3.17, and ours for what it has not.
//!
//! A database of an older MLflow is brought up to that in place, as upstream does it: what its tables of
//! permissions say becomes grants of a role that each user has for themselves. Those tables stay as they are.

use super::outbox;
use crate::error::{Error, Result};
use crate::store::database::{Connection, Dialect, Value};
use crate::store::{differences, now_millis};

/// `alembic_version_auth.version_num` of MLflow 3.17.
const VERSION: &str = "f1a2b3c4d5e6";
/// Versions before it that have roles already.
const WITH_ROLES: &[&str] = &["e5f6a7b8c9d0"];
/// Versions before it whose permissions are in tables of their own.
const WITHOUT_ROLES: &[&str] =
    &["8606fa83a998", "0965eb92f5f0", "a1b2c3d4e5f6", "2ed73881770d", "c3d4e5f6a7b8"];
/// Upstream's tables that statements here read and write.
const USED: [&str; 4] = ["users", "roles", "role_permissions", "user_role_assignments"];
/// How a number of its own is made.
const SQLITE_ID: &str = "INTEGER NOT NULL PRIMARY KEY";
const POSTGRES_ID: &str = "SERIAL PRIMARY KEY";
/// The workspace of everything where workspaces are not used.
pub(crate) const WORKSPACE: &str = "default";

/// Upstream's tables that are in use, `{id}` for how a number of its own is made.
const UPSTREAM: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS users (id {id}, username VARCHAR(255), password_hash VARCHAR(255), \
     is_admin BOOLEAN, UNIQUE (username))",
    "CREATE TABLE IF NOT EXISTS roles (id {id}, name VARCHAR(255) NOT NULL, workspace VARCHAR(63) NOT NULL, \
     description VARCHAR(1024), CONSTRAINT unique_workspace_role_name UNIQUE (workspace, name))",
    "CREATE INDEX IF NOT EXISTS idx_roles_workspace ON roles (workspace)",
    "CREATE TABLE IF NOT EXISTS role_permissions (id {id}, role_id INTEGER NOT NULL REFERENCES roles (id), \
     resource_type VARCHAR(64) NOT NULL, resource_pattern VARCHAR(255) NOT NULL, \
     permission VARCHAR(255) NOT NULL, \
     CONSTRAINT unique_role_resource_perm UNIQUE (role_id, resource_type, resource_pattern))",
    "CREATE INDEX IF NOT EXISTS idx_role_permissions_role_id ON role_permissions (role_id)",
    "CREATE TABLE IF NOT EXISTS user_role_assignments (id {id}, \
     user_id INTEGER NOT NULL REFERENCES users (id), role_id INTEGER NOT NULL REFERENCES roles (id), \
     CONSTRAINT unique_user_role UNIQUE (user_id, role_id))",
    "CREATE INDEX IF NOT EXISTS idx_user_role_assignments_user_id ON user_role_assignments (user_id)",
    "CREATE INDEX IF NOT EXISTS idx_user_role_assignments_role_id ON user_role_assignments (role_id)",
    // What an upstream server goes on from: it deletes from these when a user goes.
    "CREATE TABLE IF NOT EXISTS experiment_permissions (id {id}, experiment_id VARCHAR(255) NOT NULL, \
     user_id INTEGER NOT NULL, permission VARCHAR(255), \
     CONSTRAINT fk_user_id FOREIGN KEY (user_id) REFERENCES users (id), \
     CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id))",
    "CREATE TABLE IF NOT EXISTS registered_model_permissions (id {id}, name VARCHAR(255) NOT NULL, \
     user_id INTEGER NOT NULL, permission VARCHAR(255), workspace VARCHAR(63) DEFAULT 'default' NOT NULL, \
     CONSTRAINT fk_model_user_id FOREIGN KEY (user_id) REFERENCES users (id), \
     CONSTRAINT unique_workspace_name_user UNIQUE (workspace, name, user_id))",
    "CREATE TABLE IF NOT EXISTS scorer_permissions (id {id}, experiment_id VARCHAR(255) NOT NULL, \
     scorer_name VARCHAR(256) NOT NULL, user_id INTEGER NOT NULL, permission VARCHAR(255), \
     CONSTRAINT fk_scorer_perm_user_id FOREIGN KEY (user_id) REFERENCES users (id), \
     CONSTRAINT unique_scorer_user UNIQUE (experiment_id, scorer_name, user_id))",
    "CREATE TABLE IF NOT EXISTS gateway_secret_permissions (id {id}, secret_id VARCHAR(255) NOT NULL, \
     user_id INTEGER NOT NULL, permission VARCHAR(255), \
     CONSTRAINT fk_gateway_secret_perm_user_id FOREIGN KEY (user_id) REFERENCES users (id), \
     CONSTRAINT unique_secret_user UNIQUE (secret_id, user_id))",
    "CREATE TABLE IF NOT EXISTS gateway_endpoint_permissions (id {id}, endpoint_id VARCHAR(255) NOT NULL, \
     user_id INTEGER NOT NULL, permission VARCHAR(255), \
     CONSTRAINT fk_gateway_endpoint_perm_user_id FOREIGN KEY (user_id) REFERENCES users (id), \
     CONSTRAINT unique_endpoint_user UNIQUE (endpoint_id, user_id))",
    "CREATE TABLE IF NOT EXISTS gateway_model_definition_permissions (id {id}, \
     model_definition_id VARCHAR(255) NOT NULL, user_id INTEGER NOT NULL, permission VARCHAR(255), \
     CONSTRAINT fk_gateway_model_def_perm_user_id FOREIGN KEY (user_id) REFERENCES users (id), \
     CONSTRAINT unique_model_def_user UNIQUE (model_definition_id, user_id))",
    "CREATE TABLE IF NOT EXISTS workspace_permissions (workspace VARCHAR(63) NOT NULL, \
     user_id INTEGER NOT NULL REFERENCES users (id), permission VARCHAR(32) NOT NULL, \
     CONSTRAINT workspace_permissions_pk PRIMARY KEY (workspace, user_id))",
    "CREATE TABLE IF NOT EXISTS alembic_version_auth (version_num VARCHAR(32) NOT NULL, \
     CONSTRAINT alembic_version_auth_pkc PRIMARY KEY (version_num))",
];

/// Tables of our own. Upstream never looks at them.
const OURS: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS trainyard_tokens (name VARCHAR(255) NOT NULL PRIMARY KEY, \
     user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, digest VARCHAR(64) NOT NULL UNIQUE, \
     scope VARCHAR(32) NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT)",
    "CREATE TABLE IF NOT EXISTS trainyard_identities (issuer VARCHAR(512) NOT NULL, \
     subject VARCHAR(255) NOT NULL, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, \
     PRIMARY KEY (issuer, subject))",
    "CREATE TABLE IF NOT EXISTS trainyard_sessions (digest VARCHAR(64) NOT NULL PRIMARY KEY, \
     user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, created_at BIGINT NOT NULL, \
     expires_at BIGINT NOT NULL, address VARCHAR(64) NOT NULL)",
    "CREATE INDEX IF NOT EXISTS idx_trainyard_sessions_user_id ON trainyard_sessions (user_id)",
    // When a provider of sign-ins said last that somebody is who they are, in milliseconds since the Unix epoch.
    "CREATE TABLE IF NOT EXISTS trainyard_sign_ins (user_id INTEGER NOT NULL PRIMARY KEY \
     REFERENCES users (id) ON DELETE CASCADE, at BIGINT NOT NULL)",
    // Grows with each change, which is how other servers over the same database notice.
    "CREATE TABLE IF NOT EXISTS trainyard_access (id INTEGER NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
    "INSERT INTO trainyard_access (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING",
    // Named sets of users. The role of a group that only it has is among upstream's, of which upstream knows no holder.
    "CREATE TABLE IF NOT EXISTS trainyard_groups (id {id}, name VARCHAR(255) NOT NULL UNIQUE, \
     description VARCHAR(1024))",
    "CREATE TABLE IF NOT EXISTS trainyard_group_members (\
     group_id INTEGER NOT NULL REFERENCES trainyard_groups (id) ON DELETE CASCADE, \
     user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, PRIMARY KEY (user_id, group_id))",
    "CREATE TABLE IF NOT EXISTS trainyard_group_roles (\
     group_id INTEGER NOT NULL REFERENCES trainyard_groups (id) ON DELETE CASCADE, \
     role_id INTEGER NOT NULL REFERENCES roles (id) ON DELETE CASCADE, PRIMARY KEY (group_id, role_id))",
    // Changes that are yet to come into the audit log, and how many there ever were.
    "CREATE TABLE IF NOT EXISTS trainyard_changes (number BIGINT NOT NULL PRIMARY KEY, event TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS trainyard_changes_made (id INTEGER NOT NULL PRIMARY KEY, \
     source VARCHAR(64) NOT NULL, made BIGINT NOT NULL)",
];

/// Upstream's tables of permissions before there were roles: the table, the workspace, the kind of thing
/// and which one of it.
const OLD_PERMISSIONS: &[(&str, &str, &str, &str)] = &[
    ("experiment_permissions", "'default'", "experiment", "experiment_id"),
    ("registered_model_permissions", "workspace", "registered_model", "name"),
    ("gateway_secret_permissions", "'default'", "gateway_secret", "secret_id"),
    ("gateway_endpoint_permissions", "'default'", "gateway_endpoint", "endpoint_id"),
    (
        "gateway_model_definition_permissions",
        "'default'",
        "gateway_model_definition",
        "model_definition_id",
    ),
];

/// Makes the tables in a database without them, brings older ones up to date, and refuses newer ones whose tables are
/// others; `uri` is for messages.
pub(crate) fn prepare(connection: &mut dyn Connection, uri: &str) -> Result<()> {
    // Two processes may open a new database at once: the second waits here and finds it made.
    match connection.dialect() {
        Dialect::Sqlite => connection.execute_script("BEGIN IMMEDIATE")?,
        Dialect::Postgres => {
            connection.execute_script("BEGIN; SELECT pg_advisory_xact_lock(3170319)")?;
        }
    }
    let result = prepare_within(connection, uri);
    connection.execute_script(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    result
}

fn prepare_within(connection: &mut dyn Connection, uri: &str) -> Result<()> {
    let had_users = has_table(connection, "users")?;
    let had_versions = has_table(connection, "alembic_version_auth")?;
    let found = if had_versions {
        let sql = "SELECT version_num FROM alembic_version_auth";
        connection.first(sql, &[], |row| row.need_text(0))?
    } else {
        None
    };
    // Before MLflow 3.6 the tables were there and no version of them.
    let (is_old, is_newer) = match found.as_deref() {
        None => (had_users, false),
        Some(VERSION) => (false, false),
        Some(version) if WITH_ROLES.contains(&version) => (false, false),
        Some(version) if WITHOUT_ROLES.contains(&version) => (true, false),
        Some(version) => {
            open_newer(connection, uri, version)?;
            (false, true)
        }
    };
    if is_old && !has_workspaces(connection)? {
        connection.execute_script(
            "ALTER TABLE registered_model_permissions \
             ADD COLUMN workspace VARCHAR(63) DEFAULT 'default' NOT NULL",
        )?;
    }
    let id = match connection.dialect() {
        Dialect::Sqlite => SQLITE_ID,
        Dialect::Postgres => POSTGRES_ID,
    };
    // A newer MLflow has what it has.
    let upstream: &[&str] = if is_newer { &[] } else { UPSTREAM };
    for table in upstream.iter().chain(OURS) {
        connection.execute_script(&table.replace("{id}", id))?;
    }
    outbox::name(connection)?;
    // Of whom it is not known yet, their time begins now.
    let sql = "INSERT INTO trainyard_sign_ins (user_id, at) SELECT DISTINCT i.user_id, ?1 \
               FROM trainyard_identities i WHERE true ON CONFLICT (user_id) DO NOTHING";
    connection.execute(sql, &[now_millis().into()])?;
    if is_old {
        grants_of_old_permissions(connection)?;
    }
    if found.as_deref() != Some(VERSION) && !is_newer {
        connection.execute_script("DELETE FROM alembic_version_auth")?;
        let sql = "INSERT INTO alembic_version_auth (version_num) VALUES (?1)";
        connection.execute(sql, &[VERSION.into()])?;
    }
    Ok(())
}

/// Refuses a database of a newer MLflow unless the tables that are used here are as they were.
fn open_newer(connection: &mut dyn Connection, uri: &str, version: &str) -> Result<()> {
    let schema = UPSTREAM.join(";\n").replace("{id}", SQLITE_ID);
    let differences = differences(connection, &schema, &USED)?;
    if !differences.is_empty() {
        let (found, uri) = (version.to_owned(), uri.to_owned());
        return Err(Error::SchemaNewer { found, uri, differences });
    }
    tracing::warn!(
        %uri,
        "the database of users is of a newer MLflow than 3.17 (schema version {version}): the tables that are used here \
         are as they were, so it opens"
    );
    Ok(())
}

/// Whether there is a table.
pub(crate) fn has_table(connection: &mut dyn Connection, table: &str) -> Result<bool> {
    let sql = match connection.dialect() {
        Dialect::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1",
        Dialect::Postgres => {
            "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?1"
        }
    };
    Ok(connection.first(sql, &[table.into()], |_row| Ok(()))?.is_some())
}

/// Whether permissions on models say in which workspace, or there are none yet.
fn has_workspaces(connection: &mut dyn Connection) -> Result<bool> {
    if !has_table(connection, "registered_model_permissions")? {
        return Ok(true);
    }
    let sql = match connection.dialect() {
        Dialect::Sqlite => {
            "SELECT 1 FROM pragma_table_info('registered_model_permissions') WHERE name = 'workspace'"
        }
        Dialect::Postgres => {
            "SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() \
             AND table_name = 'registered_model_permissions' AND column_name = 'workspace'"
        }
    };
    Ok(connection.first(sql, &[], |_row| Ok(()))?.is_some())
}

/// What the old tables say, as grants of the role that each user has for themselves.
fn grants_of_old_permissions(connection: &mut dyn Connection) -> Result<()> {
    for (table, workspace, kind, pattern) in OLD_PERMISSIONS {
        let sql = format!(
            "SELECT user_id, {workspace}, {pattern}, permission FROM {table} \
             WHERE permission IN ('READ', 'USE', 'EDIT', 'MANAGE')"
        );
        let rows = connection.rows(&sql, &[], |row| {
            Ok((row.need_int(0)?, row.need_text(1)?, row.need_text(2)?, row.need_text(3)?))
        })?;
        for (user_id, workspace, pattern, permission) in rows {
            let role_id = own_role(connection, user_id, &workspace)?;
            connection.execute(
                "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (role_id, resource_type, resource_pattern) DO NOTHING",
                &[role_id.into(), (*kind).into(), pattern.into(), permission.into()],
            )?;
        }
    }
    Ok(())
}

/// The id of the role in which a user's own grants are, made if it is not there.
pub(crate) fn own_role(
    connection: &mut dyn Connection,
    user_id: i64,
    workspace: &str,
) -> Result<i64> {
    let name = own_role_name(user_id);
    let role_id = reserved_role(connection, workspace, &name)?;
    // A role of this name that somebody else has would hand this user's grants to them.
    let others = connection.first(
        "SELECT user_id FROM user_role_assignments WHERE role_id = ?1 AND user_id <> ?2",
        &[role_id.into(), user_id.into()],
        |row| row.need_int(0),
    )?;
    if let Some(other) = others {
        return Err(trainyard_mlflow::Error::invalid(format!(
            "Role '{name}' in workspace '{workspace}' collides with the reserved '__user_<id>__' \
             namespace but is already assigned to user_id={other}. Rename or delete the conflicting \
             role before granting per-user permissions."
        ))
        .into());
    }
    connection.execute(
        "INSERT INTO user_role_assignments (user_id, role_id) VALUES (?1, ?2) \
         ON CONFLICT (user_id, role_id) DO NOTHING",
        &[user_id.into(), role_id.into()],
    )?;
    Ok(role_id)
}

/// The id of a role whose name nobody chose, made if it is not there.
pub(crate) fn reserved_role(
    connection: &mut dyn Connection,
    workspace: &str,
    name: &str,
) -> Result<i64> {
    let key: [Value<'_>; 2] = [workspace.into(), name.into()];
    connection.execute(
        "INSERT INTO roles (workspace, name) VALUES (?1, ?2) ON CONFLICT (workspace, name) DO NOTHING",
        &key,
    )?;
    let sql = "SELECT id FROM roles WHERE workspace = ?1 AND name = ?2";
    let role_id = connection.first(sql, &key, |row| row.need_int(0))?;
    role_id.ok_or_else(|| Error::database("a role that was just made is not there"))
}

/// The name of that role, which is upstream's.
pub(crate) fn own_role_name(user_id: i64) -> String {
    format!("__user_{user_id}__")
}

/// The same of a group, of which upstream knows nothing.
pub(crate) fn group_role_name(group_id: i64) -> String {
    format!("__group_{group_id}__")
}
