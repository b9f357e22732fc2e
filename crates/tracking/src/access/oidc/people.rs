//! People of providers among our users: who is who, and the roles and groups that their groups give them.
//!
//! Somebody is known by provider and subject, which never become somebody else's; what a provider calls them decides
//! only what a new user is called. A name that is there already is never taken over by whoever claims it, unless the
//! settings say that the provider's names are ours.

use trainyard_mlflow::Error;

use super::identity::Person;
use crate::access::index::Index;
use crate::access::rows::IdentityRow;
use crate::access::schema::WORKSPACE;
use crate::access::{groups_sql, password, roles_sql, users_sql};
use crate::error::Result;
use crate::store::database::{Connection, Row};

/// All of them.
pub(crate) fn identities(connection: &mut dyn Connection) -> Result<Vec<IdentityRow>> {
    let sql = "SELECT i.issuer, i.subject, u.username FROM trainyard_identities i \
               JOIN users u ON u.id = i.user_id ORDER BY i.issuer, i.subject";
    connection.rows(sql, &[], |row: &dyn Row| {
        Ok(IdentityRow {
            issuer: row.need_text(0)?,
            subject: row.need_text(1)?,
            username: row.text_or_empty(2)?,
        })
    })
}

/// The name of somebody about whom the tables say already what the provider says.
pub(super) fn unchanged(index: &Index, person: &Person) -> Option<String> {
    let username = index.username_of(&person.issuer, &person.subject)?;
    let user = index.users.get(username)?;
    if person.is_admin.is_some_and(|is_admin| is_admin != user.row.is_admin) {
        return None;
    }
    let has = |name: &str| {
        let mut roles = index.assigned_to(user);
        roles.any(|role| role.row.name == name && role.row.workspace == WORKSPACE)
    };
    let is_same = person.roles.iter().all(|(name, wanted)| has(name) == *wanted)
        && person.groups.iter().all(|(name, wanted)| user.is_in(name) == *wanted);
    is_same.then(|| username.to_owned())
}

/// Notes what a provider says of somebody: makes them a user if they are new, gives and takes roles and groups. Returns their
/// name here.
pub(super) fn enter(connection: &mut dyn Connection, person: &Person) -> Result<String> {
    let known = connection.first(
        "SELECT u.username FROM trainyard_identities i JOIN users u ON u.id = i.user_id \
         WHERE i.issuer = ?1 AND i.subject = ?2",
        &[(&person.issuer).into(), (&person.subject).into()],
        |row| row.text_or_empty(0),
    )?;
    let username = match known {
        Some(username) => username,
        None => link(connection, person)?,
    };
    if let Some(is_admin) = person.is_admin {
        users_sql::set_admin(connection, &username, is_admin)?;
    }
    for (role, wanted) in &person.roles {
        set_role(connection, &username, role, *wanted)?;
    }
    for (group, wanted) in &person.groups {
        groups_sql::set_member(connection, group, &username, *wanted)?;
    }
    Ok(username)
}

/// Makes somebody new a user, or finds out which of ours they are.
fn link(connection: &mut dyn Connection, person: &Person) -> Result<String> {
    let username = &person.username;
    let found = connection.first(
        "SELECT CASE WHEN is_admin THEN 1 ELSE 0 END, password_hash FROM users WHERE username = ?1",
        &[username.into()],
        |row| Ok((row.int(0)? == Some(1), row.text_or_empty(1)?)),
    )?;
    match found {
        None => {
            users_sql::create_user(connection, username, password::NONE, false)?;
        }
        // Nobody becomes an administrator, or a program, by a name. Programs are those that have no password.
        Some((false, kept)) if person.may_link && kept != password::NONE => {}
        Some(_) => {
            return Err(Error::already_exists(format!(
                "there is a user '{username}' here already, who is not of this provider; an administrator renames \
                 or removes them, or lets the provider say who they are (trainyard user link {username})"
            ))
            .into());
        }
    }
    join(connection, username, &person.issuer, &person.subject)?;
    Ok(username.clone())
}

/// Notes that somebody of a provider is a user.
pub(crate) fn join(
    connection: &mut dyn Connection,
    username: &str,
    issuer: &str,
    subject: &str,
) -> Result<()> {
    let user = users_sql::user(connection, username)?;
    connection.execute(
        "INSERT INTO trainyard_identities (issuer, subject, user_id) VALUES (?1, ?2, ?3) \
         ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id",
        &[issuer.into(), subject.into(), user.id.into()],
    )?;
    Ok(())
}

/// Gives somebody a role, or takes it; a role that is not there yet is made, and may nothing.
fn set_role(
    connection: &mut dyn Connection,
    username: &str,
    name: &str,
    wanted: bool,
) -> Result<()> {
    let found = connection.first(
        "SELECT id FROM roles WHERE workspace = ?1 AND name = ?2",
        &[WORKSPACE.into(), name.into()],
        |row| row.need_int(0),
    )?;
    let role_id = match found {
        Some(id) => id,
        None if wanted => {
            let made = "made for a group of a sign-in provider";
            roles_sql::create_role(connection, name, WORKSPACE, Some(made))?.id
        }
        None => return Ok(()),
    };
    let user_id = users_sql::user(connection, username)?.id;
    let sql = if wanted {
        "INSERT INTO user_role_assignments (user_id, role_id) VALUES (?1, ?2) \
         ON CONFLICT (user_id, role_id) DO NOTHING"
    } else {
        "DELETE FROM user_role_assignments WHERE user_id = ?1 AND role_id = ?2"
    };
    connection.execute(sql, &[user_id.into(), role_id.into()])?;
    Ok(())
}
