//! Everybody and what they may do, in memory: a check is a few look-ups, however many users and grants there are.
//!
//! A user has a few roles, their own and those of their groups, and a role any number of grants; so the grants are kept
//! by role, and a check asks each role of the user for the thing itself and for all of its kind.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::members::{Group, Role, User};
use super::pattern::{canonical, folded};
use super::permission::{Action, Permission};
use super::resource::{ANY, Kind};
use super::rows::{
    AssignmentRow, GrantRow, GroupRoleRow, GroupRow, IdentityRow, MembershipRow, RoleRow, TokenRow,
    UserRow,
};
use super::schema::WORKSPACE;

/// What the tables hold.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) version: i64,
    pub(crate) users: Vec<UserRow>,
    pub(crate) roles: Vec<RoleRow>,
    pub(crate) grants: Vec<GrantRow>,
    pub(crate) assignments: Vec<AssignmentRow>,
    pub(crate) groups: Vec<GroupRow>,
    pub(crate) memberships: Vec<MembershipRow>,
    pub(crate) group_roles: Vec<GroupRoleRow>,
    pub(crate) tokens: Vec<TokenRow>,
    pub(crate) identities: Vec<IdentityRow>,
    /// Names, and when a provider last knew them.
    pub(crate) sign_ins: Vec<(String, i64)>,
}

/// One thing that a request needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requirement<'a> {
    pub(crate) kind: Kind,
    /// Which one; [`ANY`] of kinds whose things cannot be named.
    pub(crate) id: &'a str,
    pub(crate) action: Action,
    /// What decides where nothing was granted on the thing itself: that in which it is.
    pub(crate) within: Option<(Kind, &'a str)>,
}

/// Everybody and what they may do, of one version of the tables.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) version: i64,
    pub(crate) users: HashMap<String, User>,
    pub(crate) roles: HashMap<i64, Role>,
    /// By name.
    pub(crate) groups: BTreeMap<String, Group>,
    tokens_by_digest: HashMap<String, TokenRow>,
    tokens_by_name: HashMap<String, String>,
    /// Names of users by provider and what it calls them.
    identities: HashMap<(String, String), String>,
    /// When a provider last knew somebody, by name.
    sign_ins: HashMap<String, i64>,
    /// [Folded](folded) patterns of aliases that some role has a grant on: they are not everybody's who may change the model.
    kept_aliases: HashSet<String>,
}

impl Index {
    pub(crate) fn of(tables: Tables) -> Self {
        let mut index = Self { version: tables.version, ..Self::default() };
        for row in tables.roles {
            index.roles.insert(row.id, Role::new(row, tables.version));
        }
        for grant in tables.grants {
            if let Some(role) = index.roles.get_mut(&grant.role_id) {
                keep_alias(&mut index.kept_aliases, &grant);
                role.add(grant);
            }
        }
        let mut roles_of: HashMap<i64, Vec<i64>> = HashMap::new();
        for assignment in tables.assignments {
            roles_of.entry(assignment.user_id).or_default().push(assignment.role_id);
        }
        let mut groups: HashMap<i64, Group> = tables
            .groups
            .into_iter()
            .map(|row| (row.id, Group { row, members: Vec::new(), roles: Vec::new() }))
            .collect();
        for given in tables.group_roles {
            if let Some(group) = groups.get_mut(&given.group_id) {
                group.roles.push(given.role_id);
            }
        }
        let mut groups_of: HashMap<i64, Vec<i64>> = HashMap::new();
        for membership in tables.memberships {
            groups_of.entry(membership.user_id).or_default().push(membership.group_id);
        }
        for row in tables.users {
            let assigned = roles_of.remove(&row.id).unwrap_or_default();
            let joined = groups_of.remove(&row.id).unwrap_or_default();
            let mut user = User::new(row, assigned);
            for id in joined {
                if let Some(group) = groups.get_mut(&id) {
                    user.join(group);
                    group.members.push(user.row.username.clone());
                }
            }
            index.users.insert(user.row.username.clone(), user);
        }
        index.groups = groups.into_values().map(|group| (group.row.name.clone(), group)).collect();
        for token in tables.tokens {
            index.tokens_by_name.insert(token.name.clone(), token.digest.clone());
            index.tokens_by_digest.insert(token.digest.clone(), token);
        }
        for identity in tables.identities {
            index.identities.insert((identity.issuer, identity.subject), identity.username);
        }
        index.sign_ins.extend(tables.sign_ins);
        index
    }

    /// When a provider of sign-ins last knew somebody, in milliseconds since the Unix epoch; none if none ever did.
    pub(crate) fn signed_in_at(&self, username: &str) -> Option<i64> {
        self.sign_ins.get(username).copied()
    }

    /// Takes up the grants of one role of one user, as they are in a version of the tables, without reading
    /// everything again.
    pub(crate) fn renew_role(
        &mut self,
        username: &str,
        version: i64,
        row: RoleRow,
        grants: Vec<GrantRow>,
    ) {
        let role_id = row.id;
        // Of two changes at once, the later one may come first.
        if self.roles.get(&role_id).is_some_and(|known| known.version > version) {
            return;
        }
        let mut role = Role::new(row, version);
        for grant in grants {
            keep_alias(&mut self.kept_aliases, &grant);
            role.add(grant);
        }
        self.roles.insert(role_id, role);
        if let Some(user) = self.users.get_mut(username) {
            user.assign(role_id);
        }
    }

    /// Keeps roles that were renewed while these tables were read: what was acknowledged is not forgotten.
    pub(crate) fn keep_newer(&mut self, known: &mut Self) {
        let version = self.version;
        let newer: Vec<i64> = known
            .roles
            .values()
            .filter(|role| role.version > version)
            .map(|role| role.row.id)
            .collect();
        for id in newer {
            let Some(role) = known.roles.remove(&id) else { continue };
            for grant in &role.grants {
                keep_alias(&mut self.kept_aliases, grant);
            }
            self.roles.insert(id, role);
            let owners = known.users.values().filter(|user| user.assigned.contains(&id));
            for owner in owners {
                if let Some(user) = self.users.get_mut(&owner.row.username) {
                    user.assign(id);
                }
            }
        }
    }

    /// The token whose secret has this digest.
    pub(crate) fn token(&self, digest: &str) -> Option<&TokenRow> {
        self.tokens_by_digest.get(digest)
    }

    /// The token of this name.
    pub(crate) fn token_of_name(&self, name: &str) -> Option<&TokenRow> {
        self.token(self.tokens_by_name.get(name)?)
    }

    /// The name of somebody of a provider, by what it calls them.
    pub(crate) fn username_of(&self, issuer: &str, subject: &str) -> Option<&str> {
        let key = (issuer.to_owned(), subject.to_owned());
        self.identities.get(&key).map(String::as_str)
    }

    /// All tokens, in no order.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &TokenRow> {
        self.tokens_by_digest.values()
    }

    /// The roles that were given to a user themselves.
    pub(crate) fn assigned_to<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Role> {
        user.assigned.iter().filter_map(|id| self.roles.get(id))
    }

    /// The groups of a user.
    pub(crate) fn groups_of<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Group> {
        user.groups.iter().filter_map(|name| self.groups.get(name))
    }

    /// The roles of a user, also by groups.
    pub(crate) fn roles_of<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Role> {
        user.roles.iter().filter_map(|id| self.roles.get(id))
    }

    /// Whether they administer a workspace.
    pub(crate) fn manages(&self, user: &User, workspace: &str) -> bool {
        self.roles_of(user).any(|role| role.row.workspace == workspace && role.is_of_manager())
    }

    /// Whether they administer any workspace.
    pub(crate) fn manages_some(&self, user: &User) -> bool {
        self.roles_of(user).any(Role::is_of_manager)
    }

    /// What is granted to somebody on one thing; none if nothing says.
    pub(crate) fn granted(&self, user: &User, kind: Kind, id: &str) -> Option<Permission> {
        if self.manages(user, WORKSPACE) {
            return Some(Permission::Manage);
        }
        let id = &*canonical(kind, id);
        let any_alias = match id.rsplit_once('/') {
            Some((_model, alias)) if kind == Kind::Alias => Some(format!("{ANY}/{alias}")),
            _ => None,
        };
        let named = [kind.has_ids().then_some(id), any_alias.as_deref()];
        let mut best: Option<Permission> = None;
        for role in self.roles_of(user).filter(|role| role.row.workspace == WORKSPACE) {
            for pattern in named.into_iter().flatten().chain([ANY]) {
                match role.on(kind, pattern) {
                    // A veto is the last word.
                    Some(Permission::Deny) => return Some(Permission::Deny),
                    granted => best = best.max(granted),
                }
            }
        }
        best
    }

    /// What decides whether somebody meets a requirement.
    pub(crate) fn governing(
        &self,
        user: &User,
        requirement: &Requirement<'_>,
        default: Permission,
    ) -> Permission {
        let own = self.granted(user, requirement.kind, requirement.id);
        let within = || requirement.within.and_then(|(kind, id)| self.granted(user, kind, id));
        own.or_else(within).map_or(default, |granted| granted.or_default(default))
    }

    /// Whether any role has something on an experiment, or on a scorer in it.
    pub(crate) fn names_experiment(&self, id: &str) -> bool {
        self.roles.values().any(|role| role.names_experiment(id))
    }

    /// Whether an alias of a model is only for those to whom it was granted.
    pub(crate) fn is_kept_alias(&self, model: &str, alias: &str) -> bool {
        self.is_kept_alias_of(ANY, alias) || self.is_kept_alias_of(model, alias)
    }

    /// The same of this model in particular.
    pub(crate) fn is_kept_alias_of(&self, model: &str, alias: &str) -> bool {
        !self.kept_aliases.is_empty()
            && self.kept_aliases.contains(&folded(&format!("{model}/{alias}")))
    }
}

/// Notes that somebody was given an alias. A veto alone gives it to nobody.
fn keep_alias(kept: &mut HashSet<String>, grant: &GrantRow) {
    let is_alias = grant.resource_type == Kind::Alias.name() && grant.resource_pattern != ANY;
    if is_alias && grant.permission != Permission::Deny.name() {
        kept.insert(folded(&grant.resource_pattern));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: i64, name: &str) -> UserRow {
        UserRow { id, username: name.to_owned(), password_hash: String::new(), is_admin: false }
    }

    fn role(id: i64, workspace: &str) -> RoleRow {
        let name = format!("role {id}");
        RoleRow { id, name, workspace: workspace.to_owned(), description: None }
    }

    /// Ada with one role for each list of grants.
    fn index(roles: &[&[(&str, &str, &str)]]) -> Index {
        let mut tables = Tables { users: vec![user(1, "ada")], ..Tables::default() };
        for (id, grants) in (1..).zip(roles) {
            tables.roles.push(role(id, WORKSPACE));
            tables.assignments.push(AssignmentRow { id, user_id: 1, role_id: id });
            for (kind, pattern, permission) in *grants {
                tables.grants.push(GrantRow {
                    id: 0,
                    role_id: id,
                    resource_type: (*kind).to_owned(),
                    resource_pattern: (*pattern).to_owned(),
                    permission: (*permission).to_owned(),
                });
            }
        }
        Index::of(tables)
    }

    fn granted(index: &Index, kind: Kind, id: &str) -> Option<Permission> {
        index.granted(&index.users["ada"], kind, id)
    }

    #[test]
    fn the_most_of_all_roles_counts_and_a_veto_more() {
        let index = index(&[
            &[("experiment", "1", "READ"), ("experiment", "2", "MANAGE"), ("run", "*", "READ")],
            &[("experiment", "*", "EDIT"), ("experiment", "2", "DENY"), ("oddity", "*", "MANAGE")],
        ]);
        assert_eq!(granted(&index, Kind::Experiment, "1"), Some(Permission::Edit));
        assert_eq!(granted(&index, Kind::Experiment, "2"), Some(Permission::Deny));
        assert_eq!(granted(&index, Kind::Experiment, "3"), Some(Permission::Edit));
        assert_eq!(granted(&index, Kind::Run, ANY), Some(Permission::Read));
        assert_eq!(granted(&index, Kind::RegisteredModel, "Iris"), None);
    }

    #[test]
    fn an_experiment_is_the_same_however_its_number_is_written() {
        // Grants are as upstream's API was told them.
        let index = index(&[&[
            ("experiment", "2", "EDIT"),
            ("experiment", "02", "DENY"),
            ("experiment", "00", "READ"),
        ]]);
        for id in ["2", "02", "+2", " 2", "2\n", "0000000002"] {
            assert_eq!(granted(&index, Kind::Experiment, id), Some(Permission::Deny), "{id:?}");
        }
        for id in ["0", "00", "-0", " 0 "] {
            assert_eq!(granted(&index, Kind::Experiment, id), Some(Permission::Read), "{id:?}");
        }
        for id in ["20", "-2", "2.0", "2 2", ""] {
            assert_eq!(granted(&index, Kind::Experiment, id), None, "{id:?}");
        }
    }

    #[test]
    fn whoever_is_in_a_group_has_its_roles_beside_their_own() {
        let of = |memberships: &[i64]| {
            let mut tables = Tables { users: vec![user(1, "ada")], ..Tables::default() };
            for (id, kind, permission) in [(1, "experiment", "READ"), (2, "experiment", "DENY")] {
                tables.roles.push(role(id, WORKSPACE));
                tables.grants.push(GrantRow {
                    id,
                    role_id: id,
                    resource_type: kind.to_owned(),
                    resource_pattern: "1".to_owned(),
                    permission: permission.to_owned(),
                });
            }
            tables.assignments.push(AssignmentRow { id: 1, user_id: 1, role_id: 1 });
            for (id, role_id) in [(7, 1), (8, 2)] {
                let name = format!("group {id}");
                tables.groups.push(GroupRow { id, name, description: None });
                tables.group_roles.push(GroupRoleRow { group_id: id, role_id });
            }
            let member = |id: &i64| MembershipRow { group_id: *id, user_id: 1 };
            tables.memberships = memberships.iter().map(member).collect();
            Index::of(tables)
        };
        for (memberships, expected, names) in [
            (&[][..], Some(Permission::Read), vec![]),
            (&[7], Some(Permission::Read), vec!["group 7"]),
            (&[7, 8], Some(Permission::Deny), vec!["group 7", "group 8"]),
        ] {
            let index = of(memberships);
            assert_eq!(granted(&index, Kind::Experiment, "1"), expected, "{memberships:?}");
            let groups = index.groups_of(&index.users["ada"]).map(|group| group.row.name.as_str());
            assert_eq!(groups.collect::<Vec<_>>(), names);
            assert_eq!(index.assigned_to(&index.users["ada"]).count(), 1);
        }
    }

    #[test]
    fn what_is_granted_on_the_thing_goes_before_what_it_is_in() {
        let index = index(&[&[("experiment", "1", "MANAGE"), ("run", "*", "READ")]]);
        let ada = &index.users["ada"];
        let requirement = |action, kind, id| Requirement {
            kind,
            id,
            action,
            within: Some((Kind::Experiment, "1")),
        };
        let governing = |kind, id| {
            index.governing(ada, &requirement(Action::Read, kind, id), Permission::NoPermissions)
        };
        assert_eq!(governing(Kind::Run, ANY), Permission::Read);
        assert_eq!(governing(Kind::LoggedModel, ANY), Permission::Manage);
        let elsewhere = Requirement {
            kind: Kind::Run,
            id: ANY,
            action: Action::Read,
            within: Some((Kind::Experiment, "2")),
        };
        assert_eq!(index.governing(ada, &elsewhere, Permission::Edit), Permission::Edit);
    }

    #[test]
    fn managers_of_the_workspace_may_do_everything_and_those_of_others_nothing() {
        let index = index(&[&[("workspace", "*", "MANAGE"), ("experiment", "*", "DENY")]]);
        assert_eq!(granted(&index, Kind::Experiment, "1"), Some(Permission::Manage));
        let mut elsewhere = Tables { users: vec![user(1, "ada")], ..Tables::default() };
        elsewhere.roles.push(role(1, "other"));
        elsewhere.assignments.push(AssignmentRow { id: 1, user_id: 1, role_id: 1 });
        elsewhere.grants.push(GrantRow {
            id: 1,
            role_id: 1,
            resource_type: "workspace".to_owned(),
            resource_pattern: ANY.to_owned(),
            permission: "MANAGE".to_owned(),
        });
        let index = Index::of(elsewhere);
        assert_eq!(granted(&index, Kind::Experiment, "1"), None);
        assert!(index.manages(&index.users["ada"], "other"));
    }

    #[test]
    fn an_alias_belongs_to_whom_it_was_granted() {
        let index = index(&[&[
            ("registered_model_alias", "*/Production", "EDIT"),
            ("registered_model_alias", "Iris/Canary", "EDIT"),
            ("registered_model_alias", "*", "READ"),
        ]]);
        for (model, alias, is_kept) in [
            ("Iris", "Production", true),
            ("a/b", "Production", true),
            ("Iris", "production", true),
            ("iris", "Canary", false),
            ("Iris", "Canary", true),
            ("Wine", "Canary", false),
            ("Iris", "Champion", false),
        ] {
            assert_eq!(index.is_kept_alias(model, alias), is_kept, "{model} {alias}");
        }
        assert_eq!(granted(&index, Kind::Alias, "Wine/Production"), Some(Permission::Edit));
        assert_eq!(granted(&index, Kind::Alias, "Wine/Canary"), Some(Permission::Read));
    }

    #[test]
    fn a_role_that_was_renewed_is_the_only_thing_that_changes() {
        let mut index = index(&[&[("experiment", "1", "READ")]]);
        let grant = GrantRow {
            id: 9,
            role_id: 7,
            resource_type: "experiment".to_owned(),
            resource_pattern: "2".to_owned(),
            permission: "MANAGE".to_owned(),
        };
        index.renew_role("ada", 5, role(7, WORKSPACE), vec![grant]);
        assert_eq!(granted(&index, Kind::Experiment, "1"), Some(Permission::Read));
        assert_eq!(granted(&index, Kind::Experiment, "2"), Some(Permission::Manage));
        // One that was read before comes too late.
        index.renew_role("ada", 4, role(7, WORKSPACE), Vec::new());
        assert_eq!(granted(&index, Kind::Experiment, "2"), Some(Permission::Manage));
        // And so do all tables, as they were before: but not as they were after.
        for (version, expected) in [(4, Some(Permission::Manage)), (5, None)] {
            let tables = Tables { version, users: vec![user(1, "ada")], ..Tables::default() };
            let mut read = Index::of(tables);
            read.keep_newer(&mut index);
            assert_eq!(granted(&read, Kind::Experiment, "2"), expected, "{version}");
            index = read;
        }
    }
}
