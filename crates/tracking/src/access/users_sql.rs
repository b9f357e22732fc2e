//! Rows of users and of their tokens: read, made, changed and removed.

use trainyard_mlflow::Error;

use super::password;
use super::rows::{TokenRow, UserRow};
use super::schema::{has_table, own_role_name};
use crate::error::Result;
use crate::store::database::{Connection, Row, Value};

/// Upstream's tables that refer to users and that nothing reads any more.
const OLD_TABLES: &[&str] = &[
    "experiment_permissions",
    "registered_model_permissions",
    "scorer_permissions",
    "gateway_secret_permissions",
    "gateway_endpoint_permissions",
    "gateway_model_definition_permissions",
    "workspace_permissions",
];
/// Longest name of a user or token: what the column holds.
const NAME_CHARACTERS_MAX: usize = 255;

/// Tokens of all users: a change reads them all.
const TOKENS_MAX: i64 = 200_000;
/// Tokens of one user: those of a busy CI that signs in for each job. All are in memory.
const TOKENS_OF_USER_MAX: i64 = 10_000;

const USER: &str =
    "SELECT id, username, password_hash, CASE WHEN is_admin THEN 1 ELSE 0 END FROM users";
const TOKEN: &str = "SELECT t.name, u.username, t.user_id, t.digest, t.scope, t.created_at, t.expires_at \
     FROM trainyard_tokens t JOIN users u ON u.id = t.user_id";

fn user_row(row: &dyn Row) -> Result<UserRow> {
    Ok(UserRow {
        id: row.need_int(0)?,
        username: row.text_or_empty(1)?,
        password_hash: row.text_or_empty(2)?,
        is_admin: row.int(3)? == Some(1),
    })
}

/// All users.
pub(crate) fn users(connection: &mut dyn Connection) -> Result<Vec<UserRow>> {
    connection.rows(&format!("{USER} ORDER BY id"), &[], user_row)
}

/// The user of this name, or upstream's refusal.
pub(crate) fn user(connection: &mut dyn Connection, name: &str) -> Result<UserRow> {
    let user =
        connection.first(&format!("{USER} WHERE username = ?1"), &[name.into()], user_row)?;
    Ok(user.ok_or_else(|| no_user(name))?)
}

pub(crate) fn no_user(name: &str) -> Error {
    Error::not_found(format!("User with username={name} not found"))
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("Username cannot be empty.").into());
    }
    // HTTP Basic ends a name at its first colon.
    let is_plain = !name.chars().any(|c| c == ':' || c.is_control());
    if is_plain && name.chars().count() <= NAME_CHARACTERS_MAX {
        return Ok(());
    }
    let message = format!(
        "a name has at most {NAME_CHARACTERS_MAX} characters, and no colon or control character: {name:?}"
    );
    Err(Error::invalid(message).into())
}

/// Makes a user; `kept` is what is kept of the password.
pub(crate) fn create_user(
    connection: &mut dyn Connection,
    name: &str,
    kept: &str,
    is_admin: bool,
) -> Result<UserRow> {
    check_name(name)?;
    let sql = "INSERT INTO users (username, password_hash, is_admin) VALUES (?1, ?2, ?3) \
               ON CONFLICT (username) DO NOTHING";
    if connection.execute(sql, &[name.into(), kept.into(), is_admin.into()])? == 0 {
        let message = format!("User (username={name}) already exists.");
        return Err(Error::already_exists(message).into());
    }
    user(connection, name)
}

/// Replaces what is kept of a password. Who is signed in on pages by the one before is not any more.
pub(crate) fn set_password(connection: &mut dyn Connection, name: &str, kept: &str) -> Result<()> {
    let user = user(connection, name)?;
    connection.execute("DELETE FROM trainyard_sessions WHERE user_id = ?1", &[user.id.into()])?;
    let sql = "UPDATE users SET password_hash = ?1 WHERE id = ?2";
    connection.execute(sql, &[kept.into(), user.id.into()])?;
    Ok(())
}

/// The same, unless somebody else has changed it since `before`.
pub(crate) fn replace_password(
    connection: &mut dyn Connection,
    user_id: i64,
    before: &str,
    kept: &str,
) -> Result<()> {
    let sql = "UPDATE users SET password_hash = ?1 WHERE id = ?2 AND password_hash = ?3";
    connection.execute(sql, &[kept.into(), user_id.into(), before.into()])?;
    Ok(())
}

/// Makes a user an administrator, or no longer one.
pub(crate) fn set_admin(connection: &mut dyn Connection, name: &str, is_admin: bool) -> Result<()> {
    let user = user(connection, name)?;
    let sql = "UPDATE users SET is_admin = ?1 WHERE id = ?2";
    connection.execute(sql, &[is_admin.into(), user.id.into()])?;
    Ok(())
}

/// Removes a user with their own role and tokens.
pub(crate) fn delete_user(connection: &mut dyn Connection, name: &str) -> Result<()> {
    let user = user(connection, name)?;
    let own = own_role_name(user.id);
    let by_role: [Value<'_>; 1] = [(&own).into()];
    for table in ["role_permissions", "user_role_assignments"] {
        let sql =
            format!("DELETE FROM {table} WHERE role_id IN (SELECT id FROM roles WHERE name = ?1)");
        connection.execute(&sql, &by_role)?;
    }
    connection.execute("DELETE FROM roles WHERE name = ?1", &by_role)?;
    let ours = [
        "user_role_assignments",
        "trainyard_group_members",
        "trainyard_tokens",
        "trainyard_identities",
        "trainyard_sessions",
        "trainyard_sign_ins",
    ];
    for table in OLD_TABLES.iter().copied().chain(ours) {
        // A newer MLflow may have let go of its old ones.
        if has_table(connection, table)? {
            let sql = format!("DELETE FROM {table} WHERE user_id = ?1");
            connection.execute(&sql, &[user.id.into()])?;
        }
    }
    connection.execute("DELETE FROM users WHERE id = ?1", &[user.id.into()])?;
    Ok(())
}

/// When providers of sign-ins last knew somebody: names, and times in milliseconds since the Unix epoch.
pub(crate) fn sign_ins(connection: &mut dyn Connection) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT u.username, s.at FROM trainyard_sign_ins s JOIN users u ON u.id = s.user_id";
    connection.rows(sql, &[], |row| Ok((row.text_or_empty(0)?, row.need_int(1)?)))
}

/// Notes that a provider knows somebody.
pub(crate) fn note_sign_in(connection: &mut dyn Connection, name: &str, at: i64) -> Result<()> {
    let user = user(connection, name)?;
    connection.execute(
        "INSERT INTO trainyard_sign_ins (user_id, at) VALUES (?1, ?2) \
         ON CONFLICT (user_id) DO UPDATE SET at = excluded.at WHERE trainyard_sign_ins.at < excluded.at",
        &[user.id.into(), at.into()],
    )?;
    Ok(())
}

fn token_row(row: &dyn Row) -> Result<TokenRow> {
    Ok(TokenRow {
        name: row.need_text(0)?,
        username: row.text_or_empty(1)?,
        user_id: row.need_int(2)?,
        digest: row.need_text(3)?,
        scope: row.need_text(4)?,
        created_at: row.need_int(5)?,
        expires_at: row.int(6)?,
    })
}

/// All tokens.
pub(crate) fn tokens(connection: &mut dyn Connection) -> Result<Vec<TokenRow>> {
    connection.rows(&format!("{TOKEN} ORDER BY t.name"), &[], token_row)
}

/// Makes a token; its name is nobody else's, and its owner has not too many.
pub(crate) fn create_token(connection: &mut dyn Connection, token: &TokenRow) -> Result<TokenRow> {
    check_name(&token.name)?;
    let owner = user(connection, &token.username)?;
    let sql = "SELECT count(*) FROM trainyard_tokens WHERE user_id = ?1";
    let held = connection.first(sql, &[owner.id.into()], |row| row.need_int(0))?;
    if held.is_some_and(|held| held >= TOKENS_OF_USER_MAX) {
        let message = format!(
            "{} has {TOKENS_OF_USER_MAX} tokens, which is the most, those that ended among them; remove some: \
             `trainyard user revoke-token NAME`",
            token.username
        );
        return Err(Error::invalid(message).into());
    }
    let sql = "SELECT count(*) FROM trainyard_tokens";
    let all = connection.first(sql, &[], |row| row.need_int(0))?;
    if all.is_some_and(|all| all >= TOKENS_MAX) {
        let message = format!(
            "there are {TOKENS_MAX} tokens, which is the most; an administrator removes some that ended: \
             `trainyard user revoke-token NAME`"
        );
        return Err(Error::invalid(message).into());
    }
    let sql = "INSERT INTO trainyard_tokens (name, user_id, digest, scope, created_at, expires_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING";
    let made = connection.execute(
        sql,
        &[
            (&token.name).into(),
            owner.id.into(),
            (&token.digest).into(),
            (&token.scope).into(),
            token.created_at.into(),
            token.expires_at.into(),
        ],
    )?;
    if made == 0 {
        let message = format!("Token (name={}) already exists.", token.name);
        return Err(Error::already_exists(message).into());
    }
    Ok(TokenRow { user_id: owner.id, ..token.clone() })
}

/// Removes the tokens of sign-ins that ended before a time: nobody gave them a name by which to look for them.
pub(crate) fn delete_ended_logins(connection: &mut dyn Connection, now: i64) -> Result<()> {
    let sql =
        "DELETE FROM trainyard_tokens WHERE expires_at <= ?1 AND substr(name, 1, 6) = 'login-'";
    connection.execute(sql, &[now.into()])?;
    Ok(())
}

/// Removes a token, which from then on lets nobody in.
pub(crate) fn delete_token(connection: &mut dyn Connection, name: &str) -> Result<()> {
    let sql = "DELETE FROM trainyard_tokens WHERE name = ?1";
    if connection.execute(sql, &[name.into()])? == 0 {
        return Err(Error::not_found(format!("Token with name={name} not found")).into());
    }
    Ok(())
}

/// Makes the first administrator if there is no user of this name; whether it did.
pub(crate) fn bootstrap(connection: &mut dyn Connection, name: &str, kept: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM users WHERE username = ?1";
    if connection.first(sql, &[name.into()], |_row| Ok(()))?.is_some() {
        return Ok(false);
    }
    create_user(connection, name, kept, true)?;
    Ok(true)
}

/// Makes somebody who has no password of their own here.
pub(crate) fn create_service_account(
    connection: &mut dyn Connection,
    name: &str,
) -> Result<UserRow> {
    create_user(connection, name, password::NONE, false)
}
