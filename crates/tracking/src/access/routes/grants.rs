//! `users/permissions/*`: what one user may do, and grants to them alone.

use axum::extract::State;
use serde_json::{Value, json};
use trainyard_mlflow::{Error, Result};

use super::asked::{Answer, Asked, Users, answer, done};
use super::roles::may_look_at;
use super::users::{allow, known, visible};
use crate::access::index::Requirement;
use crate::access::members::User;
use crate::access::outbox;
use crate::access::permission::{Action, Permission};
use crate::access::resource::{ANY, Kind};
use crate::access::rights::Rights;
use crate::access::roles_sql::{self, NewGrant};
use crate::access::schema::WORKSPACE;
use crate::origin::Origin;
use crate::store::audit::Change;

/// Each grant of each role that the sender may see, also by groups, with its role.
fn rows(rights: &Rights<'_>, user: &User) -> Value {
    let mut rows = Vec::new();
    for role in visible(rights, user, rights.index.roles_of(user)) {
        for grant in role.permissions {
            rows.push(json!({
                "role_id": role.id,
                "role_name": role.name,
                "workspace": role.workspace,
                "resource_type": grant.resource_type,
                "resource_pattern": grant.resource_pattern,
                "permission": grant.permission,
            }));
        }
    }
    json!({ "is_admin": user.row.is_admin, "permissions": rows })
}

pub(super) async fn of_current(State(users): State<Users>) -> Answer {
    answer(&users.directory.rights(|rights| rows(rights, rights.user))?)
}

pub(super) async fn of_user(State(users): State<Users>, asked: Asked) -> Answer {
    let name = asked.text("username")?;
    let found = users.directory.rights(|rights| {
        allow(may_look_at(rights, name))?;
        Ok::<_, Error>(rows(rights, known(rights.index, name)?))
    })?;
    answer(&found?)
}

/// What a request names; a whole workspace is not granted so.
pub(super) fn thing(asked: &Asked) -> Result<(Kind, String)> {
    let kind = asked.text("resource_type")?;
    if kind == Kind::Workspace.name() {
        return Err(Error::invalid(
            "resource_type 'workspace' is not supported by the per-user permission convenience APIs. Use \
             set_workspace_permission / delete_workspace_permission for workspace-wide grants.",
        ));
    }
    let kind = Kind::read(kind)?;
    let id = asked.text("resource_id")?.to_owned();
    if kind == Kind::Scorer && id != ANY && !id.contains('/') {
        return Err(Error::invalid(
            "Invalid scorer resource_id. Expected '<experiment_id>/<scorer_name>'.",
        ));
    }
    Ok((kind, id))
}

/// Whether the sender may grant something on a thing: who may do everything with it. What is for all things of a
/// kind, and an alias, is for who administers the workspace: else whoever made a model would decide who releases it.
pub(super) fn may_grant(rights: &Rights<'_>, kind: Kind, id: &str) -> bool {
    if id == ANY || kind == Kind::Alias {
        return rights.manages(WORKSPACE);
    }
    rights.is_admin || rights.on(kind, id).allows(Action::Manage)
}

pub(super) async fn grant(State(users): State<Users>, asked: Asked) -> Answer {
    let (kind, id) = thing(&asked)?;
    allow(users.directory.rights(|rights| may_grant(rights, kind, &id))?)?;
    let name = asked.text("username")?.to_owned();
    known(&users.directory.index(), &name)?;
    let grant = NewGrant::read(kind.name(), &id, asked.text("permission")?)?;
    let (username, origin) = (name.clone(), Origin::current());
    users
        .directory
        .change_own_role(&name, move |connection| {
            let role_id = roles_sql::grant_to_user(connection, &username, WORKSPACE, &grant)?;
            let change = Change::of_user("grant.set", &username)
                .part(grant.kind.name(), &grant.pattern)
                .after(grant.permission.name().to_owned());
            outbox::put(connection, &origin, vec![change])?;
            Ok(role_id)
        })
        .await?;
    users.directory.hand_over().await;
    done()
}

pub(super) async fn revoke(State(users): State<Users>, asked: Asked) -> Answer {
    let (kind, id) = thing(&asked)?;
    allow(users.directory.rights(|rights| may_grant(rights, kind, &id))?)?;
    let name = asked.text("username")?.to_owned();
    known(&users.directory.index(), &name)?;
    users
        .directory
        .change(move |connection| {
            roles_sql::revoke_from_user(connection, &name, WORKSPACE, kind, &id)
        })
        .await?;
    done()
}

pub(super) async fn effective(State(users): State<Users>, asked: Asked) -> Answer {
    let (kind, id) = thing(&asked)?;
    let name = asked.text("username")?;
    let default = users.directory.default_permission;
    let found = users.directory.rights(|rights| {
        let sees = rights.user.row.username == name || rights.manages(WORKSPACE);
        allow(sees)?;
        let user = known(rights.index, name)?;
        let needed = Requirement { kind, id: &id, action: Action::Read, within: None };
        Ok::<_, Error>(rights.index.governing(user, &needed, default))
    })?;
    let permission = found?;
    answer(&json!({ "allowed": permission >= Permission::Use, "permission": permission.name() }))
}
