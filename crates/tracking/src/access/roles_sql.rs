//! Rows of roles, of their grants and of who has them: read, made, changed and removed.

use trainyard_mlflow::Error;

use super::pattern::is_of_experiment;
use super::permission::Permission;
use super::resource::Kind;
use super::rows::{AssignmentRow, GrantRow, RoleRow};
use super::schema::{own_role, own_role_name};
use super::users_sql::user;
use crate::error::Result;
use crate::store::database::{Connection, Row, Value};

/// Names of the roles that users, and groups, have for themselves begin so.
const RESERVED: &str = "__user_";
const RESERVED_OF_GROUPS: &str = "__group_";
/// What the columns hold, in characters.
const NAME_CHARACTERS_MAX: usize = 255;
const WORKSPACE_CHARACTERS_MAX: usize = 63;
const DESCRIPTION_CHARACTERS_MAX: usize = 1024;

const ROLE: &str = "SELECT id, name, workspace, description FROM roles";
const GRANT: &str =
    "SELECT id, role_id, resource_type, resource_pattern, permission FROM role_permissions";
const ASSIGNMENT: &str = "SELECT id, user_id, role_id FROM user_role_assignments";
/// The roles that users and groups have for themselves: what goes with a thing goes from these alone.
const OWN_ROLES: &str = "(SELECT id FROM roles WHERE (substr(name, 1, 7) = '__user_' \
     OR substr(name, 1, 8) = '__group_') AND workspace = ?1)";

fn role_row(row: &dyn Row) -> Result<RoleRow> {
    Ok(RoleRow {
        id: row.need_int(0)?,
        name: row.need_text(1)?,
        workspace: row.need_text(2)?,
        description: row.optional_text(3)?,
    })
}

fn grant_row(row: &dyn Row) -> Result<GrantRow> {
    Ok(GrantRow {
        id: row.need_int(0)?,
        role_id: row.need_int(1)?,
        resource_type: row.need_text(2)?,
        resource_pattern: row.need_text(3)?,
        permission: row.need_text(4)?,
    })
}

fn assignment_row(row: &dyn Row) -> Result<AssignmentRow> {
    Ok(AssignmentRow { id: row.need_int(0)?, user_id: row.need_int(1)?, role_id: row.need_int(2)? })
}

/// All roles.
pub(crate) fn roles(connection: &mut dyn Connection) -> Result<Vec<RoleRow>> {
    connection.rows(&format!("{ROLE} ORDER BY id"), &[], role_row)
}

/// All grants of all roles.
pub(crate) fn grants(connection: &mut dyn Connection) -> Result<Vec<GrantRow>> {
    connection.rows(&format!("{GRANT} ORDER BY id"), &[], grant_row)
}

/// Who has which role.
pub(crate) fn assignments(connection: &mut dyn Connection) -> Result<Vec<AssignmentRow>> {
    connection.rows(&format!("{ASSIGNMENT} ORDER BY id"), &[], assignment_row)
}

/// One role, or upstream's refusal.
pub(crate) fn role(connection: &mut dyn Connection, id: i64) -> Result<RoleRow> {
    let role = connection.first(&format!("{ROLE} WHERE id = ?1"), &[id.into()], role_row)?;
    Ok(role.ok_or_else(|| Error::not_found(format!("Role with id={id} not found")))?)
}

/// The role of a name.
pub(crate) fn role_of_name(
    connection: &mut dyn Connection,
    workspace: &str,
    name: &str,
) -> Result<RoleRow> {
    let sql = format!("{ROLE} WHERE workspace = ?1 AND name = ?2");
    let role = connection.first(&sql, &[workspace.into(), name.into()], role_row)?;
    Ok(role.ok_or_else(|| Error::not_found(format!("there is no role '{name}'")))?)
}

/// One grant, or upstream's refusal.
pub(crate) fn grant(connection: &mut dyn Connection, id: i64) -> Result<GrantRow> {
    let grant = connection.first(&format!("{GRANT} WHERE id = ?1"), &[id.into()], grant_row)?;
    Ok(grant.ok_or_else(|| Error::not_found(format!("Role permission with id={id} not found")))?)
}

/// The grants of one role.
pub(crate) fn grants_of(connection: &mut dyn Connection, role_id: i64) -> Result<Vec<GrantRow>> {
    let sql = format!("{GRANT} WHERE role_id = ?1 ORDER BY id");
    connection.rows(&sql, &[role_id.into()], grant_row)
}

fn check_length(what: &str, text: &str, max: usize) -> Result<()> {
    if text.chars().count() <= max {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} has more than {max} characters")).into())
}

fn check_role_name(name: &str) -> Result<()> {
    if name.starts_with(RESERVED) {
        return Err(Error::invalid(format!(
            "Role name '{name}' uses the reserved '__user_' prefix, which is held for the per-user \
             permission representation. Choose a different name."
        ))
        .into());
    }
    if name.starts_with(RESERVED_OF_GROUPS) {
        return Err(Error::invalid(format!(
            "Role name '{name}' begins with '{RESERVED_OF_GROUPS}', which is for what was granted to one group \
             alone; choose a different name"
        ))
        .into());
    }
    check_length("the name of a role", name, NAME_CHARACTERS_MAX)
}

/// Whether a role is one user's or group's alone.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with(RESERVED) || name.starts_with(RESERVED_OF_GROUPS)
}

/// Refuses a role that is one user's or group's alone.
pub(crate) fn refuse_own(role: &RoleRow) -> Result<()> {
    if is_own(&role.name) {
        let message = format!("the role '{}' is one user's or group's alone", role.name);
        return Err(Error::invalid(message).into());
    }
    Ok(())
}

/// Makes a role without grants.
pub(crate) fn create_role(
    connection: &mut dyn Connection,
    name: &str,
    workspace: &str,
    description: Option<&str>,
) -> Result<RoleRow> {
    check_role_name(name)?;
    check_length("a workspace", workspace, WORKSPACE_CHARACTERS_MAX)?;
    check_length("a description", description.unwrap_or_default(), DESCRIPTION_CHARACTERS_MAX)?;
    let made = connection.first(
        "INSERT INTO roles (name, workspace, description) VALUES (?1, ?2, ?3) \
         ON CONFLICT (workspace, name) DO NOTHING RETURNING id",
        &[name.into(), workspace.into(), description.into()],
        |row| row.need_int(0),
    )?;
    match made {
        Some(id) => role(connection, id),
        None => Err(Error::already_exists(format!(
            "Role (name={name}, workspace={workspace}) already exists."
        ))
        .into()),
    }
}

/// Changes what is given of a role.
pub(crate) fn update_role(
    connection: &mut dyn Connection,
    id: i64,
    name: Option<&str>,
    description: Option<&str>,
) -> Result<RoleRow> {
    if let Some(name) = name {
        check_role_name(name)?;
    }
    check_length("a description", description.unwrap_or_default(), DESCRIPTION_CHARACTERS_MAX)?;
    let before = role(connection, id)?;
    if let Some(name) = name {
        let other = connection.first(
            "SELECT id FROM roles WHERE workspace = ?1 AND name = ?2 AND id <> ?3",
            &[(&before.workspace).into(), name.into(), id.into()],
            |row| row.need_int(0),
        )?;
        if other.is_some() {
            return Err(Error::already_exists(format!(
                "Role with name={name} already exists in workspace={}",
                before.workspace
            ))
            .into());
        }
        let sql = "UPDATE roles SET name = ?1 WHERE id = ?2";
        connection.execute(sql, &[name.into(), id.into()])?;
    }
    if let Some(description) = description {
        let sql = "UPDATE roles SET description = ?1 WHERE id = ?2";
        connection.execute(sql, &[description.into(), id.into()])?;
    }
    role(connection, id)
}

/// Removes a role with its grants; whoever had it does not any more.
pub(crate) fn delete_role(connection: &mut dyn Connection, id: i64) -> Result<()> {
    role(connection, id)?;
    for sql in [
        "DELETE FROM role_permissions WHERE role_id = ?1",
        "DELETE FROM user_role_assignments WHERE role_id = ?1",
        "DELETE FROM trainyard_group_roles WHERE role_id = ?1",
        "DELETE FROM roles WHERE id = ?1",
    ] {
        connection.execute(sql, &[id.into()])?;
    }
    Ok(())
}

/// A permission on the things of a kind that a pattern names.
#[derive(Debug, Clone)]
pub(crate) struct NewGrant {
    pub(crate) kind: Kind,
    pub(crate) pattern: String,
    pub(crate) permission: Permission,
}

impl NewGrant {
    /// Refuses what cannot be granted, as upstream does.
    pub(crate) fn read(
        kind: &str,
        pattern: &str,
        permission: &str,
    ) -> trainyard_mlflow::Result<Self> {
        let permission = Permission::read(permission)?;
        let kind = Kind::read(kind)?;
        kind.check_permission(permission)?;
        kind.check_pattern(pattern)?;
        Ok(Self { kind, pattern: pattern.to_owned(), permission })
    }
}

/// Adds a grant to a role; none if it has one on the same things.
fn insert_grant(
    connection: &mut dyn Connection,
    role_id: i64,
    grant: &NewGrant,
) -> Result<Option<GrantRow>> {
    connection.first(
        "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) \
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT (role_id, resource_type, resource_pattern) DO NOTHING \
         RETURNING id, role_id, resource_type, resource_pattern, permission",
        &[
            role_id.into(),
            grant.kind.name().into(),
            (&grant.pattern).into(),
            grant.permission.name().into(),
        ],
        grant_row,
    )
}

/// Adds a grant to a role.
pub(crate) fn add_grant(
    connection: &mut dyn Connection,
    role_id: i64,
    grant: &NewGrant,
) -> Result<GrantRow> {
    role(connection, role_id)?;
    let made = insert_grant(connection, role_id, grant)?;
    Ok(made.ok_or_else(|| {
        Error::already_exists(format!(
            "Role permission (role_id={role_id}, resource_type={}, resource_pattern={}) already \
             exists.",
            grant.kind.name(),
            grant.pattern
        ))
    })?)
}

/// Removes a grant.
pub(crate) fn remove_grant(connection: &mut dyn Connection, id: i64) -> Result<GrantRow> {
    let before = grant(connection, id)?;
    connection.execute("DELETE FROM role_permissions WHERE id = ?1", &[id.into()])?;
    Ok(before)
}

/// Changes how much is granted.
pub(crate) fn update_grant(
    connection: &mut dyn Connection,
    id: i64,
    permission: &str,
) -> Result<GrantRow> {
    let before = grant(connection, id)?;
    let permission = Permission::read(permission)?;
    Kind::read(&before.resource_type)?.check_permission(permission)?;
    let sql = "UPDATE role_permissions SET permission = ?1 WHERE id = ?2";
    connection.execute(sql, &[permission.name().into(), id.into()])?;
    grant(connection, id)
}

/// Gives a role to a user.
pub(crate) fn assign(
    connection: &mut dyn Connection,
    username: &str,
    role_id: i64,
) -> Result<AssignmentRow> {
    let user_id = user(connection, username)?.id;
    role(connection, role_id)?;
    let made = connection.first(
        "INSERT INTO user_role_assignments (user_id, role_id) VALUES (?1, ?2) \
         ON CONFLICT (user_id, role_id) DO NOTHING RETURNING id, user_id, role_id",
        &[user_id.into(), role_id.into()],
        assignment_row,
    )?;
    Ok(made.ok_or_else(|| {
        Error::already_exists(format!(
            "User role assignment (user_id={user_id}, role_id={role_id}) already exists"
        ))
    })?)
}

/// Takes a role from a user.
pub(crate) fn unassign(
    connection: &mut dyn Connection,
    username: &str,
    role_id: i64,
) -> Result<()> {
    let user_id = user(connection, username)?.id;
    let sql = "DELETE FROM user_role_assignments WHERE user_id = ?1 AND role_id = ?2";
    if connection.execute(sql, &[user_id.into(), role_id.into()])? == 0 {
        return Err(Error::not_found(format!(
            "User role assignment (user_id={user_id}, role_id={role_id}) not found"
        ))
        .into());
    }
    Ok(())
}

/// Who has a role.
pub(crate) fn assignments_of(
    connection: &mut dyn Connection,
    role_id: i64,
) -> Result<Vec<AssignmentRow>> {
    role(connection, role_id)?;
    let sql = format!("{ASSIGNMENT} WHERE role_id = ?1 ORDER BY id");
    connection.rows(&sql, &[role_id.into()], assignment_row)
}

/// Grants something to one user, and to nobody else; refused if they have a grant on it.
pub(crate) fn grant_to_user(
    connection: &mut dyn Connection,
    username: &str,
    workspace: &str,
    grant: &NewGrant,
) -> Result<i64> {
    let user_id = user(connection, username)?.id;
    let role_id = own_role(connection, user_id, workspace)?;
    if insert_grant(connection, role_id, grant)?.is_none() {
        return Err(Error::already_exists(format!(
            "Permission for user={username} on resource_type={}, resource_id={} already exists.",
            grant.kind.name(),
            grant.pattern
        ))
        .into());
    }
    Ok(role_id)
}

/// The same for who just made the thing: whatever they had on one of its name is replaced.
pub(crate) fn grant_to_creator(
    connection: &mut dyn Connection,
    user_id: i64,
    workspace: &str,
    grant: &NewGrant,
) -> Result<i64> {
    let role_id = own_role(connection, user_id, workspace)?;
    connection.execute(
        "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) \
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT (role_id, resource_type, resource_pattern) \
         DO UPDATE SET permission = excluded.permission",
        &[
            role_id.into(),
            grant.kind.name().into(),
            (&grant.pattern).into(),
            grant.permission.name().into(),
        ],
    )?;
    Ok(role_id)
}

/// Takes from one user what was granted to them alone.
pub(crate) fn revoke_from_user(
    connection: &mut dyn Connection,
    username: &str,
    workspace: &str,
    kind: Kind,
    pattern: &str,
) -> Result<()> {
    let own = own_role_name(user(connection, username)?.id);
    let removed = connection.execute(
        "DELETE FROM role_permissions WHERE resource_type = ?1 AND resource_pattern = ?2 \
         AND role_id IN (SELECT id FROM roles WHERE workspace = ?3 AND name = ?4)",
        &[kind.name().into(), pattern.into(), workspace.into(), (&own).into()],
    )?;
    if removed == 0 {
        return Err(Error::not_found(format!(
            "Permission for user={username} on resource_type={}, resource_id={pattern} not found.",
            kind.name()
        ))
        .into());
    }
    Ok(())
}

/// Forgets what users and groups have for themselves on a thing that is gone: the next one of its name is another.
pub(crate) fn forget(
    connection: &mut dyn Connection,
    workspace: &str,
    kind: Kind,
    id: &str,
) -> Result<()> {
    let sql = format!(
        "DELETE FROM role_permissions WHERE role_id IN {OWN_ROLES} AND resource_type = ?2 \
         AND resource_pattern = ?3"
    );
    connection.execute(&sql, &[workspace.into(), kind.name().into(), id.into()])?;
    Ok(())
}

/// Takes from everybody what any role has on an experiment, or on scorers in it: one that was just made has a number that
/// nobody could mean.
pub(crate) fn forget_experiment(connection: &mut dyn Connection, id: &str) -> Result<()> {
    let sql = format!("{GRANT} WHERE resource_type IN (?1, ?2) ORDER BY id");
    let kinds = [Kind::Experiment, Kind::Scorer].map(|kind| Value::from(kind.name()));
    for grant in connection.rows(&sql, &kinds, grant_row)? {
        let kind = Kind::read(&grant.resource_type)?;
        if is_of_experiment(kind, &grant.resource_pattern, id) {
            let sql = "DELETE FROM role_permissions WHERE id = ?1";
            connection.execute(sql, &[grant.id.into()])?;
        }
    }
    Ok(())
}

/// The same of a thing that has another name now.
pub(crate) fn rename(
    connection: &mut dyn Connection,
    workspace: &str,
    kind: Kind,
    (id, new_id): (&str, &str),
) -> Result<()> {
    // A grant that a user has on the new name already would be there twice.
    forget(connection, workspace, kind, new_id)?;
    let sql = format!(
        "UPDATE role_permissions SET resource_pattern = ?4 WHERE role_id IN {OWN_ROLES} \
         AND resource_type = ?2 AND resource_pattern = ?3"
    );
    let parameters: [Value<'_>; 4] =
        [workspace.into(), kind.name().into(), id.into(), new_id.into()];
    connection.execute(&sql, &parameters)?;
    // What a role with a name says is about names, and stays. But nobody comes to see what it keeps from them because
    // somebody else calls that otherwise now.
    let vetoes = "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) \
                  SELECT role_id, resource_type, ?4, permission FROM role_permissions \
                  WHERE resource_type = ?2 AND resource_pattern = ?3 AND permission = 'DENY' \
                  AND role_id IN (SELECT id FROM roles WHERE workspace = ?1) \
                  ON CONFLICT (role_id, resource_type, resource_pattern) \
                  DO UPDATE SET permission = excluded.permission";
    connection.execute(vetoes, &parameters)?;
    Ok(())
}

/// The aliases of a model that has another name now: whoever they were given to has them by both names, in every
/// role. Or a new name would make them everybody's, or the old one would be for whoever makes another model of it.
pub(crate) fn rename_aliases(
    connection: &mut dyn Connection,
    (model, new_model): (&str, &str),
) -> Result<()> {
    let sql = format!("{GRANT} WHERE resource_type = ?1 ORDER BY id");
    let grants = connection.rows(&sql, &[Kind::Alias.name().into()], grant_row)?;
    for grant in grants {
        let Some((of, alias)) = grant.resource_pattern.rsplit_once('/') else { continue };
        if of != model {
            continue;
        }
        let pattern = format!("{new_model}/{alias}");
        connection.execute(
            "DELETE FROM role_permissions WHERE role_id = ?1 AND resource_type = ?2 \
             AND resource_pattern = ?3",
            &[grant.role_id.into(), (&grant.resource_type).into(), (&pattern).into()],
        )?;
        connection.execute(
            "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) \
             VALUES (?1, ?2, ?3, ?4)",
            &[
                grant.role_id.into(),
                (&grant.resource_type).into(),
                (&pattern).into(),
                (&grant.permission).into(),
            ],
        )?;
    }
    Ok(())
}
