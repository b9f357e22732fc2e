//! `trainyard/groups/*`: named sets of users, their roles, and what was granted to them.
//!
//! A group is for whoever manages the team, and, as it gives roles, for whoever manages the workspaces of all its roles:
//! nobody comes to a role by a group that they could not give. What somebody may do everything with they may grant to a
//! group as to a user.

use std::ops::Bound;

use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use trainyard_mlflow::{Error, Result};

use super::asked::{Answer, Asked, Users, answer, done};
use super::grants::{may_grant, thing};
use super::users::allow;
use crate::access::groups_sql::{self, no_group};
use crate::access::members::{Group, Role};
use crate::access::rights::{Rights, denied};
use crate::access::roles_sql::{NewGrant, is_own};
use crate::access::rows::{GrantRow, RoleRow, RoleWithGrants};
use crate::access::schema::WORKSPACE;

/// Groups of a page that does not say, and at most.
const PAGE: (i64, i64) = (100, 1000);
/// Names of members from which on a page is full, however few groups it has.
const PAGE_MEMBERS: usize = 20_000;

/// A group as a list has it: without grants, of which there are any number.
#[derive(Serialize)]
struct Listed<'a> {
    id: i64,
    name: &'a str,
    description: Option<&'a str>,
    members: &'a [String],
    roles: Vec<&'a RoleRow>,
}

/// A group as answers have it.
#[derive(Serialize)]
struct Shown {
    id: i64,
    name: String,
    description: Option<String>,
    members: Vec<String>,
    roles: Vec<RoleWithGrants>,
    /// What was granted to it alone.
    permissions: Vec<GrantRow>,
}

fn roles_of<'a>(rights: &'a Rights<'_>, group: &'a Group) -> impl Iterator<Item = &'a Role> {
    group.roles.iter().filter_map(|id| rights.index.roles.get(id))
}

fn shown(rights: &Rights<'_>, group: &Group) -> Shown {
    let of_all = roles_of(rights, group).filter(|role| !is_own(&role.row.name));
    let own = roles_of(rights, group).filter(|role| is_own(&role.row.name));
    Shown {
        id: group.row.id,
        name: group.row.name.clone(),
        description: group.row.description.clone(),
        members: group.members.clone(),
        roles: of_all.map(Role::with_grants).collect(),
        permissions: own.flat_map(|role| role.grants.clone()).collect(),
    }
}

/// Whether somebody may look at a group: who is in it, and who manages the team.
fn may_view(rights: &Rights<'_>, group: &Group) -> bool {
    rights.manages(WORKSPACE) || rights.user.is_in(&group.row.name)
}

/// A group, if the sender may say who is in it. One that is not there is told to those who may make it.
fn managed<'a>(rights: &'a Rights<'_>, name: &str) -> Result<&'a Group> {
    allow(rights.manages(WORKSPACE))?;
    let group = rights.index.groups.get(name).ok_or_else(|| no_group(name))?;
    allow(roles_of(rights, group).all(|role| rights.manages(&role.row.workspace)))?;
    Ok(group)
}

/// The name of the group that a request is about, if the sender may say who is in it.
fn named(users: &Users, asked: &Asked) -> Result<String> {
    let name = asked.text("name")?;
    users.directory.rights(|rights| managed(rights, name).map(|_group| ()))??;
    Ok(name.to_owned())
}

fn found(users: &Users, name: &str) -> Answer {
    let group = users.directory.rights(|rights| {
        let group = rights.index.groups.get(name).filter(|group| may_view(rights, group));
        match group {
            Some(group) => Ok(shown(rights, group)),
            None if rights.manages(WORKSPACE) => Err(no_group(name)),
            None => Err(denied()),
        }
    })??;
    answer(&json!({ "group": group }))
}

fn listed<'a>(rights: &'a Rights<'_>, group: &'a Group) -> Listed<'a> {
    let of_all = roles_of(rights, group).filter(|role| !is_own(&role.row.name));
    Listed {
        id: group.row.id,
        name: &group.row.name,
        description: group.row.description.as_deref(),
        members: &group.members,
        roles: of_all.map(|role| &role.row).collect(),
    }
}

/// A page of groups in the order of their names; its token is the name of its last one.
pub(super) async fn list(State(users): State<Users>, asked: Asked) -> Answer {
    let (default, largest) = PAGE;
    let max = asked.optional_int("max_results")?.unwrap_or(default);
    let most = usize::try_from(max).ok().filter(|_most| (1..=largest).contains(&max));
    let most = most.ok_or_else(|| {
        Error::invalid(format!("max_results must be 1 to {largest}, and is {max}"))
    })?;
    let after = asked.optional_text("page_token", "page_token")?.filter(|token| !token.is_empty());
    let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
    let page = users.directory.rights(|rights| {
        let groups = rights.index.groups.range::<str, _>(range).map(|(_name, group)| group);
        let mut groups = groups.filter(|group| may_view(rights, group)).peekable();
        let (mut page, mut members) = (Vec::new(), 0);
        while page.len() < most
            && members < PAGE_MEMBERS
            && let Some(group) = groups.next()
        {
            members += group.members.len();
            page.push(listed(rights, group));
        }
        let last = page.last().map(|group| group.name);
        match last.filter(|_last| groups.peek().is_some()) {
            Some(last) => json!({ "groups": page, "next_page_token": last }),
            None => json!({ "groups": page }),
        }
    })?;
    answer(&page)
}

pub(super) async fn by_name(State(users): State<Users>, asked: Asked) -> Answer {
    found(&users, asked.text("name")?)
}

pub(super) async fn create(State(users): State<Users>, asked: Asked) -> Answer {
    allow(users.directory.rights(|rights| rights.manages(WORKSPACE))?)?;
    let name = asked.filled("name", "Group name")?.to_owned();
    let description = asked.optional_text("description", "Group description")?.map(str::to_owned);
    let (wanted, text) = (name.clone(), description);
    let made = users.directory.change(move |connection| {
        groups_sql::create_group(connection, &wanted, text.as_deref()).map(|_group| ())
    });
    made.await?;
    found(&users, &name)
}

pub(super) async fn update(State(users): State<Users>, asked: Asked) -> Answer {
    let name = named(&users, &asked)?;
    let new_name = asked.optional_text("new_name", "Group name")?.map(str::to_owned);
    let description = asked.optional_text("description", "Group description")?.map(str::to_owned);
    if new_name.is_none() && description.is_none() {
        let message =
            "At least one of 'new_name' or 'description' must be provided to update a group.";
        return Err(Error::invalid(message).into());
    }
    let now = new_name.clone().unwrap_or_else(|| name.clone());
    let changed = users.directory.change(move |connection| {
        groups_sql::update_group(connection, &name, new_name.as_deref(), description.as_deref())
    });
    changed.await?;
    found(&users, &now)
}

pub(super) async fn delete(State(users): State<Users>, asked: Asked) -> Answer {
    let name = named(&users, &asked)?;
    users.directory.change(move |connection| groups_sql::delete_group(connection, &name)).await?;
    done()
}

pub(super) async fn add_member(State(users): State<Users>, asked: Asked) -> Answer {
    let (name, member) = (named(&users, &asked)?, asked.text("username")?.to_owned());
    let added = users
        .directory
        .change(move |connection| groups_sql::add_member(connection, &name, &member));
    added.await?;
    done()
}

pub(super) async fn remove_member(State(users): State<Users>, asked: Asked) -> Answer {
    let (name, member) = (named(&users, &asked)?, asked.text("username")?.to_owned());
    let removed = users
        .directory
        .change(move |connection| groups_sql::remove_member(connection, &name, &member));
    removed.await?;
    done()
}

/// The group and the role of a request, if the sender manages both. A role that is not there is refused like one that
/// is not theirs.
fn group_and_role(users: &Users, asked: &Asked) -> Result<(String, i64)> {
    let (name, role_id) = (named(users, asked)?, asked.int("role_id")?);
    let look = |rights: &Rights<'_>| match rights.index.roles.get(&role_id) {
        Some(role) => rights.manages(&role.row.workspace),
        None => rights.is_admin,
    };
    allow(users.directory.rights(look)?)?;
    Ok((name, role_id))
}

pub(super) async fn give_role(State(users): State<Users>, asked: Asked) -> Answer {
    let (name, role_id) = group_and_role(&users, &asked)?;
    let given =
        users.directory.change(move |connection| groups_sql::give_role(connection, &name, role_id));
    given.await?;
    done()
}

pub(super) async fn take_role(State(users): State<Users>, asked: Asked) -> Answer {
    let (name, role_id) = group_and_role(&users, &asked)?;
    let taken =
        users.directory.change(move |connection| groups_sql::take_role(connection, &name, role_id));
    taken.await?;
    done()
}

pub(super) async fn grant(State(users): State<Users>, asked: Asked) -> Answer {
    let (kind, id) = thing(&asked)?;
    allow(users.directory.rights(|rights| may_grant(rights, kind, &id))?)?;
    let name = asked.text("name")?.to_owned();
    let grant = NewGrant::read(kind.name(), &id, asked.text("permission")?)?;
    let granted = users
        .directory
        .change(move |connection| groups_sql::grant_to_group(connection, &name, &grant));
    granted.await?;
    done()
}

pub(super) async fn revoke(State(users): State<Users>, asked: Asked) -> Answer {
    let (kind, id) = thing(&asked)?;
    allow(users.directory.rights(|rights| may_grant(rights, kind, &id))?)?;
    let name = asked.text("name")?.to_owned();
    let revoked = users
        .directory
        .change(move |connection| groups_sql::revoke_from_group(connection, &name, kind, &id));
    revoked.await?;
    done()
}
