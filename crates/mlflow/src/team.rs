//! The people of a server as they look at each other: who there is, what each may do, and the tokens of their programs.
//!
//! The fields are those of the API's answers: upstream's of users and roles, Trainyard's of groups, tokens and sessions.

use async_trait::async_trait;
use serde::Deserialize;

use crate::Result;

/// Names of the roles in which users have what was granted to them alone begin so: upstream's.
const OWN_ROLE: &str = "__user_";
/// The same of groups: ours.
const OWN_ROLE_OF_GROUP: &str = "__group_";

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Myself {
    pub username: String,
    /// An administrator, and not with a token that is for less.
    pub is_admin: bool,
    /// Who makes users and roles, and says who has which.
    pub manages: bool,
    /// Who may make tokens of their own: a token makes none.
    pub makes_tokens: bool,
    /// The address of their own page, where they sign out.
    pub account: String,
}

/// Somebody who may sign in, and those of their roles that whoever asks may see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    pub username: String,
    pub is_admin: bool,
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// A set of grants.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Role {
    pub id: i64,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    /// None where a list of groups names it.
    #[serde(default)]
    pub permissions: Vec<Grant>,
}

impl Role {
    /// Whether it is not a role with a name, but what was granted to one user or group alone.
    pub fn is_own(&self) -> bool {
        self.name.starts_with(OWN_ROLE) || self.name.starts_with(OWN_ROLE_OF_GROUP)
    }
}

/// A permission on a thing, or on all things that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Grant {
    pub id: i64,
    /// `experiment`, `registered_model`, …
    pub resource_type: String,
    /// An id or name, or `*`.
    pub resource_pattern: String,
    /// `READ`, `USE`, `EDIT`, `MANAGE` or `DENY`.
    pub permission: String,
}

/// A named set of users, who have its roles beside their own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Group {
    pub id: i64,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    /// Names of those in it.
    pub members: Vec<String>,
    pub roles: Vec<Role>,
    /// What was granted to it alone; none in a list.
    #[serde(default)]
    pub permissions: Vec<Grant>,
}

/// A thing by its kind and id, or all of the kind by `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thing<'a> {
    pub kind: &'a str,
    pub id: &'a str,
}

/// A token without its secret, which nobody can look up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccessToken {
    pub name: String,
    /// On whose behalf it acts.
    pub username: String,
    /// The most that it may do.
    pub scope: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// The same; none if it does not end by itself.
    pub expires_at: Option<i64>,
}

/// A token that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedToken<'a> {
    pub name: &'a str,
    /// On whose behalf it will act; whoever asks if none is named.
    pub username: Option<&'a str>,
    pub scope: &'a str,
    /// When it ends; never if none is named.
    pub days: Option<i64>,
}

/// A browser in which somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// The same.
    pub expires_at: i64,
    /// Where they signed in from.
    pub address: String,
}

/// What there is to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// Kinds of things.
    pub kinds: Vec<&'static str>,
    pub permissions: Vec<&'static str>,
    /// Scopes of tokens.
    pub scopes: Vec<&'static str>,
}

/// What is done with users, roles and tokens, for whoever sent the request that is being answered: what is not theirs to
/// do is refused with [`PermissionDenied`](crate::ErrorCode::PermissionDenied).
#[async_trait]
pub trait Team: Send + Sync {
    async fn myself(&self) -> Result<Myself>;
    fn choices(&self) -> Choices;

    /// Everybody, in the order in which they came.
    async fn members(&self) -> Result<Vec<Member>>;
    /// Makes a user; a service account, which has tokens, if there is no password.
    async fn create_member(&self, username: &str, password: Option<&str>) -> Result<()>;
    async fn delete_member(&self, username: &str) -> Result<()>;
    async fn set_admin(&self, username: &str, is_admin: bool) -> Result<()>;
    /// Replaces a password. Who replaces their own has to know it.
    async fn set_password(
        &self,
        username: &str,
        password: &str,
        current: Option<&str>,
    ) -> Result<()>;
    /// Where somebody is signed in.
    async fn sessions(&self, username: &str) -> Result<Vec<Session>>;
    async fn end_sessions(&self, username: &str) -> Result<()>;

    /// Grants a permission to one user alone.
    async fn grant(&self, username: &str, thing: Thing<'_>, permission: &str) -> Result<()>;
    async fn revoke(&self, username: &str, thing: Thing<'_>) -> Result<()>;
    /// What somebody may do with a thing, whichever role or default says so.
    async fn permission(&self, username: &str, thing: Thing<'_>) -> Result<String>;

    /// All roles, also those of one user alone.
    async fn roles(&self) -> Result<Vec<Role>>;
    /// Makes a role without grants; returns its id.
    async fn create_role(&self, name: &str, description: &str) -> Result<i64>;
    async fn delete_role(&self, role_id: i64) -> Result<()>;
    async fn add_grant(&self, role_id: i64, thing: Thing<'_>, permission: &str) -> Result<()>;
    async fn remove_grant(&self, grant_id: i64) -> Result<()>;
    async fn assign(&self, username: &str, role_id: i64) -> Result<()>;
    async fn unassign(&self, username: &str, role_id: i64) -> Result<()>;

    /// All groups, without grants; for who manages nothing, those that they are in.
    async fn groups(&self) -> Result<Vec<Group>>;
    /// One of them with everything that is granted to it.
    async fn group(&self, name: &str) -> Result<Group>;
    /// Makes a group of nobody; returns its id.
    async fn create_group(&self, name: &str, description: &str) -> Result<i64>;
    async fn delete_group(&self, name: &str) -> Result<()>;
    async fn add_to_group(&self, name: &str, username: &str) -> Result<()>;
    async fn remove_from_group(&self, name: &str, username: &str) -> Result<()>;
    /// Gives a role to whoever is in a group.
    async fn assign_to_group(&self, name: &str, role_id: i64) -> Result<()>;
    async fn unassign_from_group(&self, name: &str, role_id: i64) -> Result<()>;
    /// Grants a permission to one group alone.
    async fn grant_to_group(&self, name: &str, thing: Thing<'_>, permission: &str) -> Result<()>;
    async fn revoke_from_group(&self, name: &str, thing: Thing<'_>) -> Result<()>;

    /// One's own tokens; those of everybody for administrators.
    async fn tokens(&self) -> Result<Vec<AccessToken>>;
    /// Makes a token; returns its secret, which is not kept.
    async fn create_token(&self, wanted: WantedToken<'_>) -> Result<String>;
    async fn delete_token(&self, name: &str) -> Result<()>;
}
