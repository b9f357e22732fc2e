//! Rows of users, roles and tokens, as upstream writes them into answers.

use serde::Serialize;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UserRow {
    pub(crate) id: i64,
    pub(crate) username: String,
    #[serde(skip)]
    pub(crate) password_hash: String,
    pub(crate) is_admin: bool,
}

/// A named set of grants, without them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RoleRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) workspace: String,
    pub(crate) description: Option<String>,
}

/// One grant of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GrantRow {
    pub(crate) id: i64,
    pub(crate) role_id: i64,
    pub(crate) resource_type: String,
    pub(crate) resource_pattern: String,
    pub(crate) permission: String,
}

/// A role with its grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RoleWithGrants {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) workspace: String,
    pub(crate) description: Option<String>,
    pub(crate) permissions: Vec<GrantRow>,
}

/// That a user has a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AssignmentRow {
    pub(crate) id: i64,
    pub(crate) user_id: i64,
    pub(crate) role_id: i64,
}

/// A named set of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GroupRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

/// That a user is in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MembershipRow {
    pub(crate) group_id: i64,
    pub(crate) user_id: i64,
}

/// That whoever is in a group has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupRoleRow {
    pub(crate) group_id: i64,
    pub(crate) role_id: i64,
}

/// A token of a user, without its secret, of which only a digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TokenRow {
    pub(crate) name: String,
    /// On whose behalf it acts.
    pub(crate) username: String,
    #[serde(skip)]
    pub(crate) user_id: i64,
    /// SHA-256 of the secret, in hex.
    #[serde(skip)]
    pub(crate) digest: String,
    /// The most that it may do: READ, EDIT or MANAGE with things, ADMIN also with users and roles.
    pub(crate) scope: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) created_at: i64,
    /// The same; none if it does not end by itself.
    pub(crate) expires_at: Option<i64>,
}

/// Who somebody of a provider of sign-ins is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdentityRow {
    /// The provider's URL.
    pub(crate) issuer: String,
    /// What it calls them.
    pub(crate) subject: String,
    pub(crate) username: String,
}

/// Somebody who is signed in on pages, without the secret of their browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SessionRow {
    pub(crate) username: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) created_at: i64,
    /// The same.
    pub(crate) expires_at: i64,
    /// Where they signed in from.
    pub(crate) address: String,
}
