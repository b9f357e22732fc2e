//! What a change did to who may do what: the tables before and after it, held against each other.
//!
//! No change can be made that is not written down, whatever statements it is made of: what it takes with it, and what
//! a provider's groups give and take, is seen like what somebody asked for.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::index::Tables;
use super::password;
use super::rows::{GroupRow, RoleRow, TokenRow, UserRow};
use super::schema::{WORKSPACE, group_role_name, own_role_name};
use crate::store::audit::Change;
use crate::store::audit_taken::USER_DELETED;

/// Rows that differ, by their key, as they were before and after.
fn differing<'a, K: Ord, R: PartialEq>(
    before: &'a [R],
    after: &'a [R],
    key: impl Fn(&'a R) -> K,
) -> Vec<(Option<&'a R>, Option<&'a R>)> {
    let mut rows: BTreeMap<K, (Option<&'a R>, Option<&'a R>)> = BTreeMap::new();
    for row in before {
        rows.entry(key(row)).or_default().0 = Some(row);
    }
    for row in after {
        rows.entry(key(row)).or_default().1 = Some(row);
    }
    rows.into_values().filter(|(before, after)| before != after).collect()
}

/// Names of users, groups and roles, and which of them are gone: what went with them is not told one by one.
struct Names<'a> {
    users: HashMap<i64, &'a str>,
    roles: HashMap<i64, &'a RoleRow>,
    groups: HashMap<i64, &'a str>,
    /// The users and groups whose own each role is.
    own: HashMap<i64, String>,
    living_users: HashSet<i64>,
    living_groups: HashSet<i64>,
    living_roles: HashSet<i64>,
}

impl<'a> Names<'a> {
    fn of(before: &'a Tables, after: &'a Tables) -> Self {
        let all_users = || before.users.iter().chain(&after.users);
        let all_groups = || before.groups.iter().chain(&after.groups);
        let of_user = |user: &UserRow| (own_role_name(user.id), format!("user:{}", user.username));
        let of_group =
            |group: &GroupRow| (group_role_name(group.id), format!("group:{}", group.name));
        let by_own: HashMap<String, String> =
            all_users().map(of_user).chain(all_groups().map(of_group)).collect();
        let all_roles = || before.roles.iter().chain(&after.roles);
        let own = |role: &RoleRow| by_own.get(&role.name).map(|name| (role.id, name.clone()));
        Self {
            groups: all_groups().map(|group| (group.id, group.name.as_str())).collect(),
            living_groups: after.groups.iter().map(|group| group.id).collect(),
            users: all_users().map(|user| (user.id, user.username.as_str())).collect(),
            roles: all_roles().map(|role| (role.id, role)).collect(),
            own: all_roles().filter_map(own).collect(),
            living_users: after.users.iter().map(|user| user.id).collect(),
            living_roles: after.roles.iter().map(|role| role.id).collect(),
        }
    }

    fn user(&self, id: i64) -> String {
        self.users.get(&id).map_or_else(|| id.to_string(), |name| (*name).to_owned())
    }

    fn role(&self, id: i64) -> String {
        self.roles.get(&id).map_or_else(|| id.to_string(), |role| role.name.clone())
    }

    fn group(&self, id: i64) -> String {
        self.groups.get(&id).map_or_else(|| id.to_string(), |name| (*name).to_owned())
    }

    /// Who has what is granted to a role: a user or a group, if it is theirs alone.
    fn holder(&self, role_id: i64) -> String {
        let own = self.own.get(&role_id).cloned();
        own.unwrap_or_else(|| format!("role:{}", self.role(role_id)))
    }
}

/// Everything that a change did; a token that ended before `now`, in milliseconds since the Unix epoch, goes untold.
pub(crate) fn changes(before: &Tables, after: &Tables, now: i64) -> Vec<Change> {
    let names = Names::of(before, after);
    let mut changes = of_users(before, after);
    of_roles(&names, before, after, &mut changes);
    of_grants(&names, before, after, &mut changes);
    of_assignments(&names, before, after, &mut changes);
    of_groups(before, after, &mut changes);
    of_memberships(&names, before, after, &mut changes);
    of_group_roles(&names, before, after, &mut changes);
    of_tokens(&names, before, after, now, &mut changes);
    of_identities(before, after, &mut changes);
    changes
}

fn kind(user: &UserRow) -> String {
    let kind = match user.password_hash.as_str() {
        _ if user.is_admin => "administrator",
        password::NONE => "without a password",
        _ => "user",
    };
    kind.to_owned()
}

fn of_users(before: &Tables, after: &Tables) -> Vec<Change> {
    let mut changes = Vec::new();
    for rows in differing(&before.users, &after.users, |user| user.id) {
        match rows {
            (None, Some(is)) => {
                changes.push(Change::of_user("user.create", &is.username).after(kind(is)));
            }
            (Some(was), None) => {
                changes.push(Change::of_user(USER_DELETED, &was.username).before(kind(was)));
            }
            (Some(was), Some(is)) => {
                let admin = Change::of_user("user.set_admin", &is.username);
                changes.push(admin.before(was.is_admin.to_string()).after(is.is_admin.to_string()));
                if was.password_hash != is.password_hash {
                    changes.push(Change::of_user("user.set_password", &is.username));
                }
            }
            (None, None) => {}
        }
    }
    changes
}

fn of_roles(names: &Names<'_>, before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let of_role = |action, role: &RoleRow| {
        let change = Change::new(action, format!("role:{}", role.name));
        if role.workspace == WORKSPACE { change } else { change.part("workspace", &role.workspace) }
    };
    for rows in differing(&before.roles, &after.roles, |role| role.id) {
        match rows {
            (_, Some(role)) | (Some(role), None) if names.own.contains_key(&role.id) => {}
            (None, Some(is)) => {
                changes.push(of_role("role.create", is).after(is.description.clone()));
            }
            (Some(was), None) => {
                let granted = before.grants.iter().filter(|grant| grant.role_id == was.id).count();
                let held = before.assignments.iter().filter(|given| given.role_id == was.id);
                let said = format!("{granted} grants, given to {} users", held.count());
                changes.push(of_role("role.delete", was).before(said));
            }
            (Some(was), Some(is)) => {
                let renamed = of_role("role.rename", is);
                changes.push(renamed.before(was.name.clone()).after(is.name.clone()));
                if was.description != is.description {
                    let update = of_role("role.update", is).field("description");
                    changes
                        .push(update.before(was.description.clone()).after(is.description.clone()));
                }
            }
            (None, None) => {}
        }
    }
}

fn of_grants(names: &Names<'_>, before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let grants = differing(&before.grants, &after.grants, |grant| {
        (grant.role_id, grant.resource_type.as_str(), grant.resource_pattern.as_str())
    });
    for (was, is) in grants {
        let Some(grant) = is.or(was) else { continue };
        if !names.living_roles.contains(&grant.role_id) {
            continue;
        }
        let action = if is.is_some() { "grant.set" } else { "grant.delete" };
        let change = Change::new(action, names.holder(grant.role_id))
            .part(&grant.resource_type, &grant.resource_pattern)
            .before(was.map(|grant| grant.permission.clone()))
            .after(is.map(|grant| grant.permission.clone()));
        changes.push(change);
    }
}

fn of_assignments(names: &Names<'_>, before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let given =
        differing(&before.assignments, &after.assignments, |given| (given.user_id, given.role_id));
    for (was, is) in given {
        let (Some(given), false) = (is.or(was), was.is_some() && is.is_some()) else { continue };
        let is_told = names.living_roles.contains(&given.role_id)
            && names.living_users.contains(&given.user_id)
            && !names.own.contains_key(&given.role_id);
        if is_told {
            let action = if is.is_some() { "role.assign" } else { "role.unassign" };
            let change = Change::of_user(action, &names.user(given.user_id));
            changes.push(change.part("role", names.role(given.role_id)));
        }
    }
}

fn of_groups(before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let of_group = |action, group: &GroupRow| Change::new(action, format!("group:{}", group.name));
    for rows in differing(&before.groups, &after.groups, |group| group.id) {
        match rows {
            (None, Some(is)) => {
                changes.push(of_group("group.create", is).after(is.description.clone()));
            }
            (Some(was), None) => {
                let members = before.memberships.iter().filter(|row| row.group_id == was.id);
                let said = format!("{} members", members.count());
                changes.push(of_group("group.delete", was).before(said));
            }
            (Some(was), Some(is)) => {
                let renamed = of_group("group.rename", is);
                changes.push(renamed.before(was.name.clone()).after(is.name.clone()));
                if was.description != is.description {
                    let update = of_group("group.update", is).field("description");
                    changes
                        .push(update.before(was.description.clone()).after(is.description.clone()));
                }
            }
            (None, None) => {}
        }
    }
}

fn of_memberships(names: &Names<'_>, before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let rows =
        differing(&before.memberships, &after.memberships, |row| (row.group_id, row.user_id));
    for (was, is) in rows {
        let Some(row) = is.or(was) else { continue };
        let is_told = names.living_groups.contains(&row.group_id)
            && names.living_users.contains(&row.user_id);
        if is_told {
            let action = if is.is_some() { "group.join" } else { "group.leave" };
            let change = Change::of_user(action, &names.user(row.user_id));
            changes.push(change.part("group", names.group(row.group_id)));
        }
    }
}

fn of_group_roles(names: &Names<'_>, before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let rows =
        differing(&before.group_roles, &after.group_roles, |row| (row.group_id, row.role_id));
    for (was, is) in rows {
        let Some(row) = is.or(was) else { continue };
        let is_told = names.living_groups.contains(&row.group_id)
            && names.living_roles.contains(&row.role_id)
            && !names.own.contains_key(&row.role_id);
        if is_told {
            let action = if is.is_some() { "role.assign" } else { "role.unassign" };
            let change = Change::new(action, format!("group:{}", names.group(row.group_id)));
            changes.push(change.part("role", names.role(row.role_id)));
        }
    }
}

fn of_tokens(
    names: &Names<'_>,
    before: &Tables,
    after: &Tables,
    now: i64,
    changes: &mut Vec<Change>,
) {
    let may = |token: &TokenRow| match token.expires_at {
        Some(end) => format!("{} until {end} (ms since 1970)", token.scope),
        None => format!("{} without end", token.scope),
    };
    for (was, is) in differing(&before.tokens, &after.tokens, |token| token.name.as_str()) {
        if let Some(was) = was {
            let is_over = was.expires_at.is_some_and(|end| end <= now);
            if !is_over && names.living_users.contains(&was.user_id) {
                let change =
                    Change::of_user("token.delete", &was.username).part("token", &was.name);
                changes.push(change.before(may(was)));
            }
        }
        if let Some(is) = is {
            let change = Change::of_user("token.create", &is.username).part("token", &is.name);
            changes.push(change.after(may(is)));
        }
    }
}

fn of_identities(before: &Tables, after: &Tables, changes: &mut Vec<Change>) {
    let known = differing(&before.identities, &after.identities, |identity| {
        (identity.issuer.as_str(), identity.subject.as_str())
    });
    for (was, is) in known {
        let Some(identity) = is.or(was) else { continue };
        let action = if is.is_some() { "identity.link" } else { "identity.unlink" };
        let change = Change::of_user(action, &identity.username)
            .part("identity", format!("{} {}", identity.issuer, identity.subject))
            .before(was.map(|identity| identity.username.clone()))
            .after(is.map(|identity| identity.username.clone()));
        changes.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::rows::{AssignmentRow, GrantRow, GroupRoleRow, IdentityRow, MembershipRow};
    use crate::origin::Origin;

    fn user(id: i64, name: &str, hash: &str, is_admin: bool) -> UserRow {
        UserRow { id, username: name.to_owned(), password_hash: hash.to_owned(), is_admin }
    }

    fn role(id: i64, name: &str) -> RoleRow {
        let [name, workspace] = [name, WORKSPACE].map(str::to_owned);
        RoleRow { id, name, workspace, description: None }
    }

    fn grant(role_id: i64, pattern: &str, permission: &str) -> GrantRow {
        let [resource_type, resource_pattern, permission] =
            ["experiment", pattern, permission].map(str::to_owned);
        GrantRow { id: 0, role_id, resource_type, resource_pattern, permission }
    }

    fn token(name: &str, expires_at: Option<i64>) -> TokenRow {
        let [name, username, scope] = [name, "ada", "EDIT"].map(str::to_owned);
        let digest = format!("SECRET of {name}");
        TokenRow { name, username, user_id: 1, digest, scope, created_at: 0, expires_at }
    }

    /// Ada, who has a role of her own and one with others, and a token.
    fn tables() -> Tables {
        Tables {
            users: vec![user(1, "ada", "SECRET", false)],
            roles: vec![role(7, "__user_1__"), role(8, "scientists")],
            grants: vec![grant(7, "1", "READ"), grant(8, "*", "EDIT")],
            assignments: vec![
                AssignmentRow { id: 1, user_id: 1, role_id: 7 },
                AssignmentRow { id: 2, user_id: 1, role_id: 8 },
            ],
            tokens: vec![token("old", Some(5)), token("ci", None)],
            ..Tables::default()
        }
    }

    /// What is written down of a change: a line an event.
    fn told(change: impl FnOnce(&mut Tables)) -> Vec<String> {
        let (before, mut after) = (tables(), tables());
        change(&mut after);
        let changes = changes(&before, &after, 10).into_iter();
        let changes = changes.filter(|change| !change.changes_nothing());
        let events = changes.map(|change| change.event(&Origin::local()));
        let line = |event: trainyard_mlflow::entities::AuditEvent| {
            let [before, after] = [event.before, event.after].map(Option::unwrap_or_default);
            format!("{} {} {} {before:?} {after:?}", event.action, event.subject, event.part)
        };
        events.map(line).collect()
    }

    #[test]
    fn every_change_says_what_was_and_what_is() {
        assert_eq!(told(|_same| {}), [""; 0]);
        assert_eq!(
            told(|t| t.users.push(user(2, "ci", password::NONE, false))),
            [r#"user.create user:ci  "" "without a password""#]
        );
        assert_eq!(
            told(|t| t.users[0].is_admin = true),
            [r#"user.set_admin user:ada  "false" "true""#]
        );
        assert_eq!(
            told(|t| t.users[0].password_hash = "OTHER".to_owned()),
            [r#"user.set_password user:ada  "" """#]
        );
        assert_eq!(
            told(|t| t.grants[0].permission = "MANAGE".to_owned()),
            [r#"grant.set user:ada experiment:1 "READ" "MANAGE""#]
        );
        assert_eq!(
            told(|t| t.grants.truncate(1)),
            [r#"grant.delete role:scientists experiment:* "EDIT" """#]
        );
        assert_eq!(
            told(|t| t.assignments.truncate(1)),
            [r#"role.unassign user:ada role:scientists "" """#]
        );
        assert_eq!(
            told(|t| t.roles[1].name = "others".to_owned()),
            [r#"role.rename role:others  "scientists" "others""#]
        );
        assert_eq!(
            told(|t| t.tokens.truncate(1)),
            [r#"token.delete user:ada token:ci "EDIT without end" """#]
        );
        assert_eq!(
            told(|t| t.tokens.push(token("x", Some(20)))),
            [r#"token.create user:ada token:x "" "EDIT until 20 (ms since 1970)""#]
        );
        let group = GroupRow { id: 3, name: "team".to_owned(), description: None };
        let member = MembershipRow { group_id: 3, user_id: 1 };
        assert_eq!(
            told(|t| {
                t.groups.push(group.clone());
                t.memberships.push(member.clone());
                t.group_roles.push(GroupRoleRow { group_id: 3, role_id: 8 });
                t.roles.push(role(9, "__group_3__"));
                t.group_roles.push(GroupRoleRow { group_id: 3, role_id: 9 });
                t.grants.push(grant(9, "2", "MANAGE"));
            }),
            [
                r#"grant.set group:team experiment:2 "" "MANAGE""#,
                r#"group.create group:team  "" """#,
                r#"group.join user:ada group:team "" """#,
                r#"role.assign group:team role:scientists "" """#,
            ]
        );
        let identity = IdentityRow {
            issuer: "https://i".to_owned(),
            subject: "s".to_owned(),
            username: "ada".to_owned(),
        };
        assert_eq!(
            told(|t| t.identities.push(identity)),
            [r#"identity.link user:ada identity:https://i s "" "ada""#]
        );
    }

    #[test]
    fn what_goes_with_something_is_not_told_one_by_one() {
        assert_eq!(
            told(|t| *t = Tables { roles: vec![role(8, "scientists")], ..Tables::default() }),
            [
                r#"user.delete user:ada  "user" """#,
                r#"grant.delete role:scientists experiment:* "EDIT" """#
            ]
        );
        let without_role = |t: &mut Tables| {
            t.roles.truncate(1);
            t.grants.truncate(1);
            t.assignments.truncate(1);
        };
        assert_eq!(
            told(without_role),
            [r#"role.delete role:scientists  "1 grants, given to 1 users" """#]
        );
        let tokens_that_ended = |t: &mut Tables| t.tokens.retain(|token| token.name != "old");
        assert_eq!(told(tokens_that_ended), [""; 0]);
    }
}
