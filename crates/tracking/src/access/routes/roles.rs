//! `roles/*`: named sets of grants, and who has them.

use axum::extract::State;
use serde_json::json;
use trainyard_mlflow::{Error, Result};

use super::asked::{Answer, Asked, Users, answer, done};
use super::users::{allow, known, self_or_admin, visible_roles};
use crate::access::directory::Directory;
use crate::access::members::{Role, User};
use crate::access::rights::Rights;
use crate::access::roles_sql::{self, NewGrant};
use crate::access::rows::RoleWithGrants;

/// What a request about a role names it by.
enum Named {
    Role(i64),
    Grant(i64),
    Workspace(String),
}

impl Named {
    fn read(asked: &Asked) -> Result<Self> {
        if asked.has("role_id") {
            return Ok(Self::Role(asked.int("role_id")?));
        }
        if asked.has("role_permission_id") {
            return Ok(Self::Grant(asked.int("role_permission_id")?));
        }
        if !asked.has("workspace") {
            return Err(Error::invalid(
                "Request must include one of: role_id, role_permission_id, workspace.",
            ));
        }
        let workspace = asked.text("workspace").unwrap_or_default();
        if workspace.trim().is_empty() {
            return Err(Error::invalid("Parameter 'workspace' must be a non-empty string."));
        }
        Ok(Self::Workspace(workspace.to_owned()))
    }

    /// The workspace; none of a role that is not there, which is refused like one that is not theirs.
    fn workspace(&self, rights: &Rights<'_>) -> Option<String> {
        let roles = &rights.index.roles;
        let role = match self {
            Self::Role(id) => roles.get(id)?,
            Self::Grant(id) => {
                roles.values().find(|role| role.grants.iter().any(|grant| grant.id == *id))?
            }
            Self::Workspace(workspace) => return Some(workspace.clone()),
        };
        Some(role.row.workspace.clone())
    }
}

/// Refuses whoever does not administer the workspace.
fn may_manage(directory: &Directory, asked: &Asked) -> Result<()> {
    if directory.rights(|rights| rights.is_admin)? {
        return Ok(());
    }
    let named = Named::read(asked)?;
    let look = |rights: &Rights<'_>| {
        named.workspace(rights).is_some_and(|workspace| rights.manages(&workspace))
    };
    allow(directory.rights(look)?)
}

fn has_role_in(rights: &Rights<'_>, workspace: &str) -> bool {
    rights.index.roles_of(rights.user).any(|role| role.row.workspace == workspace)
}

/// Refuses whoever has no role in the workspace.
fn may_view(directory: &Directory, asked: &Asked) -> Result<()> {
    if directory.rights(|rights| rights.is_admin)? {
        return Ok(());
    }
    let named = Named::read(asked)?;
    let look = |rights: &Rights<'_>| {
        named.workspace(rights).is_some_and(|workspace| has_role_in(rights, &workspace))
    };
    allow(directory.rights(look)?)
}

/// One role as it is known.
fn role_of(directory: &Directory, id: i64) -> Result<RoleWithGrants> {
    let index = directory.index();
    let role = index.roles.get(&id).map(Role::with_grants);
    role.ok_or_else(|| Error::not_found(format!("Role with id={id} not found")))
}

pub(super) async fn create(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let name = asked.filled("name", "Role name")?.to_owned();
    let workspace = asked.filled("workspace", "Workspace")?.to_owned();
    let description = asked.optional_text("description", "Role description")?.map(str::to_owned);
    let made = users.directory.change(move |connection| {
        roles_sql::create_role(connection, &name, &workspace, description.as_deref())
    });
    let id = made.await?.id;
    answer(&json!({ "role": role_of(&users.directory, id)? }))
}

pub(super) async fn by_id(State(users): State<Users>, asked: Asked) -> Answer {
    may_view(&users.directory, &asked)?;
    answer(&json!({ "role": role_of(&users.directory, asked.int("role_id")?)? }))
}

pub(super) async fn list(State(users): State<Users>, asked: Asked) -> Answer {
    let wanted = asked.workspaces();
    let look = |rights: &Rights<'_>| {
        let mut named = wanted.iter().filter(|workspace| !workspace.trim().is_empty()).peekable();
        let may = rights.is_admin
            || (named.peek().is_some() && named.all(|workspace| has_role_in(rights, workspace)));
        may.then(|| {
            let roles = rights.index.roles.values();
            let mut roles: Vec<&Role> = roles
                .filter(|role| wanted.is_empty() || wanted.contains(&role.row.workspace))
                .collect();
            roles.sort_by_key(|role| role.row.id);
            roles.into_iter().map(Role::with_grants).collect::<Vec<_>>()
        })
    };
    let roles = users.directory.rights(look)?;
    allow(roles.is_some())?;
    if wanted.iter().any(|workspace| workspace.trim().is_empty()) {
        let message = "Parameter 'workspace' must be a non-empty string when provided.";
        return Err(Error::invalid(message).into());
    }
    answer(&json!({ "roles": roles.unwrap_or_default() }))
}

pub(super) async fn update(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let id = asked.int("role_id")?;
    let name = asked.optional_text("name", "Role name")?;
    let description = asked.optional_text("description", "Role description")?;
    if name.is_none() && description.is_none() {
        let message = "At least one of 'name' or 'description' must be provided to update a role.";
        return Err(Error::invalid(message).into());
    }
    if name.is_some_and(|name| name.trim().is_empty()) {
        return Err(Error::invalid("Role name cannot be empty.").into());
    }
    let (name, description) = (name.map(str::to_owned), description.map(str::to_owned));
    users
        .directory
        .change(move |connection| {
            roles_sql::update_role(connection, id, name.as_deref(), description.as_deref())
        })
        .await?;
    answer(&json!({ "role": role_of(&users.directory, id)? }))
}

pub(super) async fn delete(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let id = asked.int("role_id")?;
    users.directory.change(move |connection| roles_sql::delete_role(connection, id)).await?;
    done()
}

pub(super) async fn add_grant(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let id = asked.int("role_id")?;
    let grant = NewGrant::read(
        asked.text("resource_type")?,
        asked.text("resource_pattern")?,
        asked.text("permission")?,
    )?;
    let made =
        users.directory.change(move |connection| roles_sql::add_grant(connection, id, &grant));
    answer(&json!({ "role_permission": made.await? }))
}

pub(super) async fn remove_grant(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let id = asked.int("role_permission_id")?;
    users.directory.change(move |connection| roles_sql::remove_grant(connection, id)).await?;
    done()
}

pub(super) async fn grants(State(users): State<Users>, asked: Asked) -> Answer {
    may_view(&users.directory, &asked)?;
    let role = role_of(&users.directory, asked.int("role_id")?)?;
    answer(&json!({ "role_permissions": role.permissions }))
}

pub(super) async fn update_grant(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let id = asked.int("role_permission_id")?;
    let permission = asked.text("permission")?.to_owned();
    let changed = users
        .directory
        .change(move |connection| roles_sql::update_grant(connection, id, &permission));
    answer(&json!({ "role_permission": changed.await? }))
}

pub(super) async fn assign(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let (name, id) = (asked.text("username")?.to_owned(), asked.int("role_id")?);
    let made = users.directory.change(move |connection| roles_sql::assign(connection, &name, id));
    answer(&json!({ "assignment": made.await? }))
}

pub(super) async fn unassign(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let (name, id) = (asked.text("username")?.to_owned(), asked.int("role_id")?);
    users.directory.change(move |connection| roles_sql::unassign(connection, &name, id)).await?;
    done()
}

pub(super) async fn users(State(users): State<Users>, asked: Asked) -> Answer {
    may_manage(&users.directory, &asked)?;
    let id = asked.int("role_id")?;
    let found = users.directory.read(move |connection| roles_sql::assignments_of(connection, id));
    answer(&json!({ "assignments": found.await? }))
}

/// Whether the sender may look at what somebody has: their own, or as who administers a workspace of theirs.
pub(super) fn may_look_at(rights: &Rights<'_>, name: &str) -> bool {
    let shares_workspace =
        |user: &User| rights.index.roles_of(user).any(|role| rights.manages(&role.row.workspace));
    self_or_admin(rights, name) || rights.index.users.get(name).is_some_and(shares_workspace)
}

pub(super) async fn of_user(State(users): State<Users>, asked: Asked) -> Answer {
    let name = asked.text("username")?;
    let roles = users.directory.rights(|rights| {
        allow(may_look_at(rights, name))?;
        Ok::<_, Error>(visible_roles(rights, known(rights.index, name)?))
    })?;
    answer(&json!({ "roles": roles? }))
}
