//! Users, groups and roles in memory, and what one role grants.

use std::collections::HashMap;

use super::pattern::{canonical, is_of_experiment};
use super::permission::Permission;
use super::resource::{ANY, Kind};
use super::rows::{GrantRow, GroupRow, RoleRow, RoleWithGrants, UserRow};

/// A user with the ids of their roles.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) row: UserRow,
    /// Those that were given to them.
    pub(super) assigned: Vec<i64>,
    /// The same and those of their groups, each once.
    pub(super) roles: Vec<i64>,
    /// Names of their groups.
    pub(super) groups: Vec<String>,
}

impl User {
    /// Nobody's group yet.
    pub(super) fn new(row: UserRow, assigned: Vec<i64>) -> Self {
        Self { row, roles: assigned.clone(), assigned, groups: Vec::new() }
    }

    pub(super) fn join(&mut self, group: &Group) {
        self.groups.push(group.row.name.clone());
        self.roles.extend(&group.roles);
        self.roles.sort_unstable();
        self.roles.dedup();
    }

    /// Whether they are in a group of this name.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|name| name == group)
    }

    /// Notes a role that was given to them.
    pub(super) fn assign(&mut self, role_id: i64) {
        for roles in [&mut self.assigned, &mut self.roles] {
            if !roles.contains(&role_id) {
                roles.push(role_id);
            }
        }
    }
}

/// A named set of users.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) row: GroupRow,
    /// Names of those in it.
    pub(crate) members: Vec<String>,
    pub(crate) roles: Vec<i64>,
}

/// A role with its grants, by the kind of thing and what they name.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) row: RoleRow,
    pub(crate) grants: Vec<GrantRow>,
    by_kind: HashMap<Kind, HashMap<String, Permission>>,
    /// The version of the tables that it was read from.
    pub(super) version: i64,
}

impl Role {
    pub(super) fn new(row: RoleRow, version: i64) -> Self {
        Self { row, grants: Vec::new(), by_kind: HashMap::new(), version }
    }

    pub(super) fn add(&mut self, grant: GrantRow) {
        let kind = Kind::of_name(&grant.resource_type);
        // What another version of MLflow knows and this one does not says nothing here.
        if let (Some(kind), Some(permission)) = (kind, Permission::of_name(&grant.permission)) {
            let pattern = canonical(kind, &grant.resource_pattern).into_owned();
            let granted = self.by_kind.entry(kind).or_default().entry(pattern);
            granted.and_modify(|known| *known = known.with(permission)).or_insert(permission);
        }
        self.grants.push(grant);
    }

    pub(super) fn on(&self, kind: Kind, pattern: &str) -> Option<Permission> {
        self.by_kind.get(&kind)?.get(pattern).copied()
    }

    pub(super) fn names_experiment(&self, id: &str) -> bool {
        let of_kind = |kind| self.by_kind.get(&kind).into_iter().flat_map(HashMap::keys);
        self.on(Kind::Experiment, id).is_some()
            || of_kind(Kind::Scorer).any(|pattern| is_of_experiment(Kind::Scorer, pattern, id))
    }

    /// Whether whoever has this role administers its workspace.
    pub(crate) fn is_of_manager(&self) -> bool {
        self.on(Kind::Workspace, ANY) == Some(Permission::Manage)
    }

    /// As answers have it.
    pub(crate) fn with_grants(&self) -> RoleWithGrants {
        RoleWithGrants {
            id: self.row.id,
            name: self.row.name.clone(),
            workspace: self.row.workspace.clone(),
            description: self.row.description.clone(),
            permissions: self.grants.clone(),
        }
    }
}
