//! Rows of groups: named sets of users, and the roles that whoever is in one has.
//!
//! A group holds roles, as a user does, and has one for itself, in which is what was granted to it alone.

use trainyard_mlflow::Error;

use super::resource::Kind;
use super::roles_sql::{self, NewGrant};
use super::rows::{GroupRoleRow, GroupRow, MembershipRow};
use super::schema::{WORKSPACE, group_role_name, reserved_role};
use super::users_sql::user;
use crate::error::Result;
use crate::store::database::{Connection, Row, Value};

/// What the columns hold, in characters.
const NAME_CHARACTERS_MAX: usize = 255;
const DESCRIPTION_CHARACTERS_MAX: usize = 1024;
/// Groups of a server: all of them are in memory.
const GROUPS_MAX: i64 = 10_000;
/// Groups of one user, and roles of one group: a check asks each role of whoever is in one.
const GROUPS_OF_USER_MAX: i64 = 100;
const ROLES_OF_GROUP_MAX: i64 = 20;

const GROUP: &str = "SELECT id, name, description FROM trainyard_groups";

fn group_row(row: &dyn Row) -> Result<GroupRow> {
    Ok(GroupRow {
        id: row.need_int(0)?,
        name: row.need_text(1)?,
        description: row.optional_text(2)?,
    })
}

/// All groups.
pub(crate) fn groups(connection: &mut dyn Connection) -> Result<Vec<GroupRow>> {
    connection.rows(&format!("{GROUP} ORDER BY id"), &[], group_row)
}

/// Who is in which.
pub(crate) fn memberships(connection: &mut dyn Connection) -> Result<Vec<MembershipRow>> {
    let sql = "SELECT group_id, user_id FROM trainyard_group_members ORDER BY group_id, user_id";
    connection.rows(sql, &[], |row| {
        Ok(MembershipRow { group_id: row.need_int(0)?, user_id: row.need_int(1)? })
    })
}

/// Which roles they have.
pub(crate) fn group_roles(connection: &mut dyn Connection) -> Result<Vec<GroupRoleRow>> {
    let sql = "SELECT group_id, role_id FROM trainyard_group_roles ORDER BY group_id, role_id";
    connection.rows(sql, &[], |row| {
        Ok(GroupRoleRow { group_id: row.need_int(0)?, role_id: row.need_int(1)? })
    })
}

fn find(connection: &mut dyn Connection, name: &str) -> Result<Option<GroupRow>> {
    connection.first(&format!("{GROUP} WHERE name = ?1"), &[name.into()], group_row)
}

fn group(connection: &mut dyn Connection, name: &str) -> Result<GroupRow> {
    Ok(find(connection, name)?.ok_or_else(|| no_group(name))?)
}

pub(crate) fn no_group(name: &str) -> Error {
    Error::not_found(format!("Group with name={name} not found"))
}

fn check_name(name: &str) -> Result<()> {
    let length = name.chars().count();
    let is_plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if is_plain && length <= NAME_CHARACTERS_MAX {
        return Ok(());
    }
    let message = format!(
        "the name of a group has 1 to {NAME_CHARACTERS_MAX} characters, and no control character: {name:?}"
    );
    Err(Error::invalid(message).into())
}

fn check_description(description: Option<&str>) -> Result<()> {
    if description.unwrap_or_default().chars().count() <= DESCRIPTION_CHARACTERS_MAX {
        return Ok(());
    }
    let message = format!("a description has more than {DESCRIPTION_CHARACTERS_MAX} characters");
    Err(Error::invalid(message).into())
}

/// The number that a query counts, of the things of an id if it asks for one.
fn count(connection: &mut dyn Connection, sql: &str, id: &[Value<'_>]) -> Result<i64> {
    Ok(connection.first(sql, id, |row| row.need_int(0))?.unwrap_or_default())
}

/// Makes a group of nobody.
pub(crate) fn create_group(
    connection: &mut dyn Connection,
    name: &str,
    description: Option<&str>,
) -> Result<GroupRow> {
    check_name(name)?;
    check_description(description)?;
    if count(connection, "SELECT count(*) FROM trainyard_groups", &[])? >= GROUPS_MAX {
        let message = format!("there are {GROUPS_MAX} groups, which is the most");
        return Err(Error::invalid(message).into());
    }
    let made = connection.first(
        "INSERT INTO trainyard_groups (name, description) VALUES (?1, ?2) \
         ON CONFLICT (name) DO NOTHING RETURNING id, name, description",
        &[name.into(), description.into()],
        group_row,
    )?;
    let there = || Error::already_exists(format!("Group (name={name}) already exists."));
    Ok(made.ok_or_else(there)?)
}

/// Changes what is given of a group.
pub(crate) fn update_group(
    connection: &mut dyn Connection,
    name: &str,
    new_name: Option<&str>,
    description: Option<&str>,
) -> Result<()> {
    check_description(description)?;
    let id = group(connection, name)?.id;
    if let Some(new_name) = new_name.filter(|new_name| *new_name != name) {
        check_name(new_name)?;
        if find(connection, new_name)?.is_some() {
            let message = format!("Group (name={new_name}) already exists.");
            return Err(Error::already_exists(message).into());
        }
        let sql = "UPDATE trainyard_groups SET name = ?1 WHERE id = ?2";
        connection.execute(sql, &[new_name.into(), id.into()])?;
    }
    if let Some(description) = description {
        let sql = "UPDATE trainyard_groups SET description = ?1 WHERE id = ?2";
        connection.execute(sql, &[description.into(), id.into()])?;
    }
    Ok(())
}

/// Removes a group with what was granted to it alone; its roles stay, and whoever was in it does not have them by it
/// any more.
pub(crate) fn delete_group(connection: &mut dyn Connection, name: &str) -> Result<()> {
    let id = group(connection, name)?.id;
    let own = group_role_name(id);
    let sql = "SELECT id FROM roles WHERE workspace = ?1 AND name = ?2";
    let own = connection.first(sql, &[WORKSPACE.into(), (&own).into()], |row| row.need_int(0))?;
    if let Some(role_id) = own {
        roles_sql::delete_role(connection, role_id)?;
    }
    for sql in [
        "DELETE FROM trainyard_group_members WHERE group_id = ?1",
        "DELETE FROM trainyard_group_roles WHERE group_id = ?1",
        "DELETE FROM trainyard_groups WHERE id = ?1",
    ] {
        connection.execute(sql, &[id.into()])?;
    }
    Ok(())
}

/// Takes somebody into a group; whether they were not in it yet.
fn put_member(connection: &mut dyn Connection, group_id: i64, username: &str) -> Result<bool> {
    let user_id = user(connection, username)?.id;
    let key: [Value<'_>; 2] = [group_id.into(), user_id.into()];
    let sql = "SELECT 1 FROM trainyard_group_members WHERE group_id = ?1 AND user_id = ?2";
    if connection.first(sql, &key, |_row| Ok(()))?.is_some() {
        return Ok(false);
    }
    let sql = "SELECT count(*) FROM trainyard_group_members WHERE user_id = ?1";
    if count(connection, sql, &[user_id.into()])? >= GROUPS_OF_USER_MAX {
        let message = format!("{username} is in {GROUPS_OF_USER_MAX} groups, which is the most");
        return Err(Error::invalid(message).into());
    }
    let sql = "INSERT INTO trainyard_group_members (group_id, user_id) VALUES (?1, ?2)";
    connection.execute(sql, &key)?;
    Ok(true)
}

/// Takes somebody out of a group; whether they were in it.
fn take_member(connection: &mut dyn Connection, group_id: i64, username: &str) -> Result<bool> {
    let user_id = user(connection, username)?.id;
    let sql = "DELETE FROM trainyard_group_members WHERE group_id = ?1 AND user_id = ?2";
    Ok(connection.execute(sql, &[group_id.into(), user_id.into()])? > 0)
}

/// Takes somebody into a group.
pub(crate) fn add_member(
    connection: &mut dyn Connection,
    name: &str,
    username: &str,
) -> Result<()> {
    let id = group(connection, name)?.id;
    if put_member(connection, id, username)? {
        return Ok(());
    }
    Err(Error::already_exists(format!("User {username} is in the group {name} already")).into())
}

/// Takes somebody out of a group.
pub(crate) fn remove_member(
    connection: &mut dyn Connection,
    name: &str,
    username: &str,
) -> Result<()> {
    let id = group(connection, name)?.id;
    if take_member(connection, id, username)? {
        return Ok(());
    }
    Err(Error::not_found(format!("User {username} is not in the group {name}")).into())
}

/// The same as a provider says; a group that is not there yet is made, and may nothing.
pub(crate) fn set_member(
    connection: &mut dyn Connection,
    name: &str,
    username: &str,
    is_member: bool,
) -> Result<()> {
    let id = match find(connection, name)? {
        Some(group) => group.id,
        None if is_member => {
            create_group(connection, name, Some("made for a group of a sign-in provider"))?.id
        }
        None => return Ok(()),
    };
    if is_member {
        put_member(connection, id, username)?;
    } else {
        take_member(connection, id, username)?;
    }
    Ok(())
}

/// Gives a role to whoever is in a group.
pub(crate) fn give_role(connection: &mut dyn Connection, name: &str, role_id: i64) -> Result<()> {
    let id = group(connection, name)?.id;
    let role = roles_sql::role(connection, role_id)?;
    roles_sql::refuse_own(&role)?;
    if put_role(connection, id, role_id)? {
        return Ok(());
    }
    Err(Error::already_exists(format!("Group {name} has the role {} already", role.name)).into())
}

fn put_role(connection: &mut dyn Connection, group_id: i64, role_id: i64) -> Result<bool> {
    let key: [Value<'_>; 2] = [group_id.into(), role_id.into()];
    let sql = "SELECT 1 FROM trainyard_group_roles WHERE group_id = ?1 AND role_id = ?2";
    if connection.first(sql, &key, |_row| Ok(()))?.is_some() {
        return Ok(false);
    }
    let sql = "SELECT count(*) FROM trainyard_group_roles WHERE group_id = ?1";
    // The one for itself is among them.
    if count(connection, sql, &[group_id.into()])? >= ROLES_OF_GROUP_MAX {
        let message = format!("the group has {ROLES_OF_GROUP_MAX} roles, which is the most");
        return Err(Error::invalid(message).into());
    }
    let sql = "INSERT INTO trainyard_group_roles (group_id, role_id) VALUES (?1, ?2)";
    connection.execute(sql, &key)?;
    Ok(true)
}

/// Takes a role from whoever is in a group.
pub(crate) fn take_role(connection: &mut dyn Connection, name: &str, role_id: i64) -> Result<()> {
    let id = group(connection, name)?.id;
    let role = roles_sql::role(connection, role_id)?;
    roles_sql::refuse_own(&role)?;
    let sql = "DELETE FROM trainyard_group_roles WHERE group_id = ?1 AND role_id = ?2";
    if connection.execute(sql, &[id.into(), role_id.into()])? > 0 {
        return Ok(());
    }
    Err(Error::not_found(format!("Group {name} has no role {}", role.name)).into())
}

/// Grants something to a group alone; refused if it has a grant on it.
pub(crate) fn grant_to_group(
    connection: &mut dyn Connection,
    name: &str,
    grant: &NewGrant,
) -> Result<()> {
    let id = group(connection, name)?.id;
    let own = group_role_name(id);
    let role_id = reserved_role(connection, WORKSPACE, &own)?;
    // A role of this name that somebody has otherwise would hand this group's grants to them.
    let key: [Value<'_>; 2] = [role_id.into(), id.into()];
    let sql = "SELECT 1 FROM user_role_assignments WHERE role_id = ?1 \
               UNION ALL SELECT 1 FROM trainyard_group_roles WHERE role_id = ?1 AND group_id <> ?2";
    if connection.first(sql, &key, |_row| Ok(()))?.is_some() {
        let message = format!(
            "the role '{own}' is for what was granted to the group {name} alone, and others have it; take it from \
             them, or rename or delete it"
        );
        return Err(Error::invalid(message).into());
    }
    put_role(connection, id, role_id)?;
    roles_sql::add_grant(connection, role_id, grant)?;
    Ok(())
}

/// Takes from a group what was granted to it alone.
pub(crate) fn revoke_from_group(
    connection: &mut dyn Connection,
    name: &str,
    kind: Kind,
    pattern: &str,
) -> Result<()> {
    let own = group_role_name(group(connection, name)?.id);
    let removed = connection.execute(
        "DELETE FROM role_permissions WHERE resource_type = ?1 AND resource_pattern = ?2 \
         AND role_id IN (SELECT id FROM roles WHERE workspace = ?3 AND name = ?4)",
        &[kind.name().into(), pattern.into(), WORKSPACE.into(), (&own).into()],
    )?;
    if removed > 0 {
        return Ok(());
    }
    let message = format!(
        "Permission for group={name} on resource_type={}, resource_id={pattern} not found.",
        kind.name()
    );
    Err(Error::not_found(message).into())
}
