//! The API of users for pages: what a page asks goes to the API's own handler, so that everything is checked, refused and
//! written down in one place.

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::to_bytes;
use axum::extract::State;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use trainyard_mlflow::team::{
    AccessToken, Choices, Group, Member, Myself, Role, Session, Team, Thing, WantedToken,
};
use trainyard_mlflow::{Error, Result};

use super::asked::{Answer, Asked, Users};
use super::{doors, grants, groups, roles, tokens, users};
use crate::access::directory::Directory;
use crate::access::permission::Permission;
use crate::access::resource::Kind;
use crate::access::schema::WORKSPACE;
use crate::access::scope::SCOPES;
use crate::access::sign_in::SignIn;
use crate::origin::Origin;

/// Largest answer of a handler: a few hundred bytes of each of some hundred thousand users.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The API for pages.
pub(crate) fn team(directory: Arc<Directory>, sign_in: Arc<SignIn>) -> Arc<dyn Team> {
    Arc::new(Users { directory, sign_in })
}

/// A handler at work.
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What a handler answers.
async fn told<T: DeserializeOwned>(answering: Answering) -> Result<T> {
    let answer = answering.await?;
    let body = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
    let read = body.map_err(|error| error.to_string()).and_then(|body| {
        serde_json::from_slice(&body).map_err(|error: serde_json::Error| error.to_string())
    });
    read.map_err(|error| Error::internal(format!("an answer of the API cannot be read: {error}")))
}

async fn done(answering: Answering) -> Result<()> {
    told::<IgnoredAny>(answering).await.map(|_nothing| ())
}

#[derive(Deserialize)]
struct Members {
    users: Vec<Member>,
}

#[derive(Deserialize)]
struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Deserialize)]
struct Effective {
    permission: String,
}

#[derive(Deserialize)]
struct Roles {
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct MadeRole {
    role: Role,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct MadeGroup {
    group: Group,
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<AccessToken>,
}

#[derive(Deserialize)]
struct MadeToken {
    secret: String,
}

impl Users {
    fn state(&self) -> State<Self> {
        State(self.clone())
    }
}

#[async_trait]
impl Team for Users {
    async fn myself(&self) -> Result<Myself> {
        self.directory.rights(|rights| {
            let username = rights.user.row.username.clone();
            Myself {
                is_admin: rights.is_admin,
                manages: rights.manages(WORKSPACE),
                makes_tokens: tokens::may_manage(rights, &username),
                account: format!("{}/account", self.sign_in.prefix),
                username,
            }
        })
    }

    fn choices(&self) -> Choices {
        Choices {
            kinds: Kind::names().collect(),
            permissions: Permission::names().collect(),
            scopes: SCOPES.to_vec(),
        }
    }

    async fn members(&self) -> Result<Vec<Member>> {
        let found: Members = told(Box::pin(users::list(self.state()))).await?;
        Ok(found.users)
    }

    async fn create_member(&self, username: &str, password: Option<&str>) -> Result<()> {
        let Some(password) = password else {
            let asked = Asked::of(json!({ "username": username }));
            return done(Box::pin(tokens::create_account(self.state(), asked))).await;
        };
        let asked = Asked::of(json!({ "username": username, "password": password }));
        done(Box::pin(users::create(self.state(), asked))).await
    }

    async fn delete_member(&self, username: &str) -> Result<()> {
        let asked = Asked::of(json!({ "username": username }));
        done(Box::pin(users::delete(self.state(), asked))).await
    }

    async fn set_admin(&self, username: &str, is_admin: bool) -> Result<()> {
        let asked = Asked::of(json!({ "username": username, "is_admin": is_admin }));
        done(Box::pin(users::update_admin(self.state(), asked))).await
    }

    async fn set_password(
        &self,
        username: &str,
        password: &str,
        current: Option<&str>,
    ) -> Result<()> {
        let asked = Asked::of(json!({
            "username": username,
            "password": password,
            "current_password": current,
        }));
        // Wrong ones are counted by address.
        let from = Origin::current().address().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let this = self.clone();
        let replaced = async move { Box::pin(users::replace_password(&this, from, &asked)).await };
        done(Box::pin(replaced)).await
    }

    async fn sessions(&self, username: &str) -> Result<Vec<Session>> {
        let asked = Asked::of(json!({ "username": username }));
        let found: Sessions = told(Box::pin(doors::sessions(self.state(), asked))).await?;
        Ok(found.sessions)
    }

    async fn end_sessions(&self, username: &str) -> Result<()> {
        let asked = Asked::of(json!({ "username": username }));
        done(Box::pin(doors::end_sessions(self.state(), asked))).await
    }

    async fn grant(&self, username: &str, thing: Thing<'_>, permission: &str) -> Result<()> {
        let asked = Asked::of(json!({
            "username": username,
            "resource_type": thing.kind,
            "resource_id": thing.id,
            "permission": permission,
        }));
        done(Box::pin(grants::grant(self.state(), asked))).await
    }

    async fn revoke(&self, username: &str, thing: Thing<'_>) -> Result<()> {
        done(Box::pin(grants::revoke(self.state(), of_thing(username, thing)))).await
    }

    async fn permission(&self, username: &str, thing: Thing<'_>) -> Result<String> {
        let asked = of_thing(username, thing);
        let found: Effective = told(Box::pin(grants::effective(self.state(), asked))).await?;
        Ok(found.permission)
    }

    async fn roles(&self) -> Result<Vec<Role>> {
        let asked = Asked::about(WORKSPACE);
        let found: Roles = told(Box::pin(roles::list(self.state(), asked))).await?;
        Ok(found.roles)
    }

    async fn create_role(&self, name: &str, description: &str) -> Result<i64> {
        let description = Some(description).filter(|text| !text.is_empty());
        let asked = Asked::of(json!({
            "name": name,
            "workspace": WORKSPACE,
            "description": description,
        }));
        let made: MadeRole = told(Box::pin(roles::create(self.state(), asked))).await?;
        Ok(made.role.id)
    }

    async fn delete_role(&self, role_id: i64) -> Result<()> {
        let asked = Asked::of(json!({ "role_id": role_id }));
        done(Box::pin(roles::delete(self.state(), asked))).await
    }

    async fn add_grant(&self, role_id: i64, thing: Thing<'_>, permission: &str) -> Result<()> {
        let asked = Asked::of(json!({
            "role_id": role_id,
            "resource_type": thing.kind,
            "resource_pattern": thing.id,
            "permission": permission,
        }));
        done(Box::pin(roles::add_grant(self.state(), asked))).await
    }

    async fn remove_grant(&self, grant_id: i64) -> Result<()> {
        let asked = Asked::of(json!({ "role_permission_id": grant_id }));
        done(Box::pin(roles::remove_grant(self.state(), asked))).await
    }

    async fn assign(&self, username: &str, role_id: i64) -> Result<()> {
        let asked = Asked::of(json!({ "username": username, "role_id": role_id }));
        done(Box::pin(roles::assign(self.state(), asked))).await
    }

    async fn unassign(&self, username: &str, role_id: i64) -> Result<()> {
        let asked = Asked::of(json!({ "username": username, "role_id": role_id }));
        done(Box::pin(roles::unassign(self.state(), asked))).await
    }

    async fn groups(&self) -> Result<Vec<Group>> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let asked = Asked::of(json!({ "max_results": 1000, "page_token": token }));
            let page: Groups = told(Box::pin(groups::list(self.state(), asked))).await?;
            all.extend(page.groups);
            if page.next_page_token.is_none() {
                return Ok(all);
            }
            token = page.next_page_token;
        }
    }

    async fn group(&self, name: &str) -> Result<Group> {
        let asked = Asked::of(json!({ "name": name }));
        let found: MadeGroup = told(Box::pin(groups::by_name(self.state(), asked))).await?;
        Ok(found.group)
    }

    async fn create_group(&self, name: &str, description: &str) -> Result<i64> {
        let description = Some(description).filter(|text| !text.is_empty());
        let asked = Asked::of(json!({ "name": name, "description": description }));
        let made: MadeGroup = told(Box::pin(groups::create(self.state(), asked))).await?;
        Ok(made.group.id)
    }

    async fn delete_group(&self, name: &str) -> Result<()> {
        let asked = Asked::of(json!({ "name": name }));
        done(Box::pin(groups::delete(self.state(), asked))).await
    }

    async fn add_to_group(&self, name: &str, username: &str) -> Result<()> {
        let asked = Asked::of(json!({ "name": name, "username": username }));
        done(Box::pin(groups::add_member(self.state(), asked))).await
    }

    async fn remove_from_group(&self, name: &str, username: &str) -> Result<()> {
        let asked = Asked::of(json!({ "name": name, "username": username }));
        done(Box::pin(groups::remove_member(self.state(), asked))).await
    }

    async fn assign_to_group(&self, name: &str, role_id: i64) -> Result<()> {
        let asked = Asked::of(json!({ "name": name, "role_id": role_id }));
        done(Box::pin(groups::give_role(self.state(), asked))).await
    }

    async fn unassign_from_group(&self, name: &str, role_id: i64) -> Result<()> {
        let asked = Asked::of(json!({ "name": name, "role_id": role_id }));
        done(Box::pin(groups::take_role(self.state(), asked))).await
    }

    async fn grant_to_group(&self, name: &str, thing: Thing<'_>, permission: &str) -> Result<()> {
        let asked = Asked::of(json!({
            "name": name,
            "resource_type": thing.kind,
            "resource_id": thing.id,
            "permission": permission,
        }));
        done(Box::pin(groups::grant(self.state(), asked))).await
    }

    async fn revoke_from_group(&self, name: &str, thing: Thing<'_>) -> Result<()> {
        let asked = Asked::of(json!({
            "name": name,
            "resource_type": thing.kind,
            "resource_id": thing.id,
        }));
        done(Box::pin(groups::revoke(self.state(), asked))).await
    }

    async fn tokens(&self) -> Result<Vec<AccessToken>> {
        let found: Tokens = told(Box::pin(tokens::list(self.state()))).await?;
        Ok(found.tokens)
    }

    async fn create_token(&self, wanted: WantedToken<'_>) -> Result<String> {
        let asked = Asked::of(json!({
            "name": wanted.name,
            "username": wanted.username,
            "scope": wanted.scope,
            "expires_in_days": wanted.days,
        }));
        let made: MadeToken = told(Box::pin(tokens::create(self.state(), asked))).await?;
        Ok(made.secret)
    }

    async fn delete_token(&self, name: &str) -> Result<()> {
        let asked = Asked::of(json!({ "name": name }));
        done(Box::pin(tokens::delete(self.state(), asked))).await
    }
}

fn of_thing(username: &str, thing: Thing<'_>) -> Asked {
    Asked::of(json!({
        "username": username,
        "resource_type": thing.kind,
        "resource_id": thing.id,
    }))
}
