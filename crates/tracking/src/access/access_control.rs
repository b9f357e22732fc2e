//! Access control of one server: its parts, put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use trainyard_mlflow::team::Team;
use trainyard_mlflow::uri::TrackingUri;
use trainyard_mlflow::{Error, Result, Tracking, WebhookLog};

use super::config::AccessConfig;
use super::directory::Directory;
use super::guarded::{guarded, guarded_log};
use super::oidc::{self, Oidc};
use super::permission::Permission;
use super::resource::Kind;
use super::roles_sql::NewGrant;
use super::rows::UserRow;
use super::schema::WORKSPACE;
use super::sign_in::SignIn;
use super::{groups_sql, password, roles_sql, routes, token, users_sql};
use crate::audit::AuditLog;
use crate::governance::Approvers;
use crate::server::Authorize;
use crate::store::ReadLimits;

/// A password that older versions of MLflow came with, and everybody knows.
const WELL_KNOWN: &str = "password1234";

/// How often changes are looked for that were made beside the server.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Users, roles and permissions of a server.
#[derive(Clone)]
pub struct AccessControl {
    directory: Arc<Directory>,
    sign_in: Arc<SignIn>,
}

impl fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessControl").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// A token that was just made.
#[derive(Clone)]
pub struct NewToken {
    /// What it presents. It is not kept, so nobody can look it up later.
    pub secret: String,
    /// When it ends, in milliseconds since the Unix epoch; none if it does not.
    pub expires_at: Option<i64>,
}

/// Without the secret.
impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl AccessControl {
    /// Opens the database of users, or makes one, with an administrator in it if there is none of the name
    /// that is configured.
    pub async fn open(config: &AccessConfig) -> crate::Result<Self> {
        let control = Self::open_without_admin(config).await?;
        control.bootstrap(config).await?;
        if let Some(oidc) = &control.sign_in.oidc {
            oidc.make_accounts().await?;
        }
        Ok(control)
    }

    /// The same, as it is: for whoever only looks, or makes the administrator.
    pub async fn open_without_admin(config: &AccessConfig) -> crate::Result<Self> {
        let uri: TrackingUri = config.database_uri.parse()?;
        let default_permission = Permission::read(&config.default_permission)?;
        let (oidc, prefix) = (config.oidc.clone(), config.static_prefix.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let directory = Directory::open(&uri, ReadLimits::default(), default_permission)?;
            let directory = Arc::new(directory);
            let oidc = match &oidc {
                Some(oidc) => Some(Oidc::new(oidc, Arc::clone(&directory))?),
                None => None,
            };
            let sign_in = Arc::new(SignIn::new(Arc::clone(&directory), oidc, prefix)?);
            Ok::<_, crate::Error>(Self { directory, sign_in })
        });
        let control = opened.await.map_err(|error| {
            crate::Error::database(format!("opening users broke off: {error}"))
        })??;
        control.directory.read_all().await?;
        Ok(control)
    }

    async fn bootstrap(&self, config: &AccessConfig) -> Result<()> {
        let Some(name) = config.admin_username.clone() else {
            return Err(Error::invalid(
                "no administrator is configured: set MLFLOW_AUTH_ADMIN_USERNAME, or admin_username in the \
                 file that MLFLOW_AUTH_CONFIG_PATH names",
            ));
        };
        if self.directory.index().users.contains_key(&name) {
            return Ok(());
        }
        let has_others = config.oidc.as_ref().is_some_and(oidc::OidcConfig::names_admins);
        if has_others && config.admin_password.is_none() {
            return Ok(());
        }
        let Some(secret) = config.admin_password.clone().filter(|secret| secret != WELL_KNOWN)
        else {
            return Err(Error::invalid(format!(
                "the administrator '{name}' has yet to be made, and there is no password that comes with the \
                 program: set MLFLOW_AUTH_ADMIN_PASSWORD (not to '{WELL_KNOWN}'), or admin_password in the file \
                 that MLFLOW_AUTH_CONFIG_PATH names"
            )));
        };
        let kept = password::hashed(secret).await?;
        let made = self
            .directory
            .change(move |connection| users_sql::bootstrap(connection, &name, &kept))
            .await?;
        if made {
            tracing::info!("made the administrator");
        }
        Ok(())
    }

    /// Whoever decides which requests pass.
    pub fn authorize(&self) -> Arc<dyn Authorize> {
        Arc::clone(&self.sign_in) as _
    }

    /// Names the log into which changes of users, roles, grants and tokens come, and sign-ins: that of the server's
    /// database. What an earlier server left is in it when this returns, and what is changed beside the server comes
    /// within a second.
    pub async fn write_down_in(&self, log: AuditLog) -> Result<()> {
        Box::pin(self.directory.write_down_in(log)).await?;
        let directory = Arc::downgrade(&self.directory);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_PERIOD).await;
                // For as long as there is a server.
                let Some(directory) = directory.upgrade() else { return };
                directory.look_after_log().await;
            }
        });
        Ok(())
    }

    /// A store that does for each sender of a request what is theirs to do.
    pub fn guard(&self, tracking: Tracking) -> Tracking {
        guarded(tracking, Arc::clone(&self.directory))
    }

    /// Whose approvals count: of those who may still give them.
    pub fn approvers(&self) -> Arc<dyn Approvers> {
        Arc::clone(&self.directory) as _
    }

    /// The webhooks of a server, for those who may look at them: administrators, as by the API.
    pub fn guard_webhooks(&self, log: Arc<dyn WebhookLog>) -> Arc<dyn WebhookLog> {
        guarded_log(log, Arc::clone(&self.directory))
    }

    /// The same users, roles, permissions and tokens as by [`routes`](Self::routes), for pages.
    pub fn team(&self) -> Arc<dyn Team> {
        routes::team(Arc::clone(&self.directory), Arc::clone(&self.sign_in))
    }

    /// The routes of users, roles, permissions and tokens.
    pub fn routes(&self) -> Router {
        routes::router(Arc::clone(&self.directory), Arc::clone(&self.sign_in))
    }

    /// Makes a user; without a password it is a service account, which has tokens.
    pub async fn create_user(
        &self,
        name: &str,
        password: Option<String>,
        is_admin: bool,
    ) -> Result<()> {
        let name = name.to_owned();
        let kept = match password {
            Some(password) => password::hashed(password).await?,
            None => password::NONE.to_owned(),
        };
        self.directory
            .change(move |connection| {
                users_sql::create_user(connection, &name, &kept, is_admin).map(|_user| ())
            })
            .await
    }

    /// Replaces a password.
    pub async fn set_password(&self, name: &str, password: String) -> Result<()> {
        let (name, kept) = (name.to_owned(), password::hashed(password).await?);
        self.directory
            .change(move |connection| users_sql::set_password(connection, &name, &kept))
            .await
    }

    /// Makes a user an administrator, or no longer one.
    pub async fn set_admin(&self, name: &str, is_admin: bool) -> Result<()> {
        let name = name.to_owned();
        self.directory
            .change(move |connection| users_sql::set_admin(connection, &name, is_admin))
            .await
    }

    /// Says that somebody of a provider is a user: `issuer` is its URL, and `subject` what it calls them.
    pub async fn link(&self, name: &str, issuer: &str, subject: &str) -> Result<()> {
        let [name, issuer, subject] = [name, issuer, subject].map(str::to_owned);
        self.directory
            .change(move |connection| oidc::join(connection, &name, &issuer, &subject))
            .await
    }

    /// Ends all sessions of a user on pages; returns how many there were.
    pub async fn end_sessions(&self, name: &str) -> Result<usize> {
        self.sign_in.sessions.end_all(name).await
    }

    /// Removes a user, with what they were granted and their tokens.
    pub async fn delete_user(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.directory.change(move |connection| users_sql::delete_user(connection, &name)).await
    }

    /// Names of all users, and whether each is an administrator.
    pub fn users(&self) -> Vec<(String, bool)> {
        let index = self.directory.index();
        let mut users: Vec<&UserRow> = index.users.values().map(|user| &user.row).collect();
        users.sort_by_key(|user| user.id);
        users.into_iter().map(|user| (user.username.clone(), user.is_admin)).collect()
    }

    /// Makes a group of nobody.
    pub async fn create_group(&self, name: &str, description: Option<&str>) -> Result<()> {
        let (name, description) = (name.to_owned(), description.map(str::to_owned));
        self.directory
            .change(move |connection| {
                groups_sql::create_group(connection, &name, description.as_deref()).map(|_group| ())
            })
            .await
    }

    /// Removes a group, with what was granted to it.
    pub async fn delete_group(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.directory.change(move |connection| groups_sql::delete_group(connection, &name)).await
    }

    /// Takes users into a group, or out of it: all of them, or if that cannot be said of one, none.
    pub async fn set_members(
        &self,
        group: &str,
        usernames: &[String],
        are_members: bool,
    ) -> Result<()> {
        let (group, usernames) = (group.to_owned(), usernames.to_vec());
        let change = if are_members { groups_sql::add_member } else { groups_sql::remove_member };
        self.directory
            .change(move |connection| {
                for username in &usernames {
                    change(connection, &group, username)?;
                }
                Ok(())
            })
            .await
    }

    /// Gives a role to whoever is in a group, or takes it from them.
    pub async fn set_group_role(&self, group: &str, role: &str, has_role: bool) -> Result<()> {
        let [group, role] = [group, role].map(str::to_owned);
        let change = if has_role { groups_sql::give_role } else { groups_sql::take_role };
        self.directory
            .change(move |connection| {
                let role_id = roles_sql::role_of_name(connection, WORKSPACE, &role)?.id;
                change(connection, &group, role_id)
            })
            .await
    }

    /// Grants a group a permission on a thing, or on all of a kind by `*`.
    pub async fn grant_to_group(
        &self,
        group: &str,
        (kind, id): (&str, &str),
        permission: &str,
    ) -> Result<()> {
        let (group, grant) = (group.to_owned(), NewGrant::read(kind, id, permission)?);
        self.directory
            .change(move |connection| groups_sql::grant_to_group(connection, &group, &grant))
            .await
    }

    /// Takes from a group what was granted to it alone.
    pub async fn revoke_from_group(&self, group: &str, (kind, id): (&str, &str)) -> Result<()> {
        let (group, id, kind) = (group.to_owned(), id.to_owned(), Kind::read(kind)?);
        self.directory
            .change(move |connection| groups_sql::revoke_from_group(connection, &group, kind, &id))
            .await
    }

    /// Names of all groups, each with the names of those in it.
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let index = self.directory.index();
        let groups = index.groups.values();
        groups.map(|group| (group.row.name.clone(), group.members.clone())).collect()
    }

    /// Makes a token by which a program acts on behalf of `owner`: `READ`, `EDIT` or `MANAGE` is the most that it
    /// may do with things, `ADMIN` lets it do with users what its owner may. It ends after so many days, or never.
    pub async fn create_token(
        &self,
        name: &str,
        owner: &str,
        scope: &str,
        days: Option<i64>,
    ) -> Result<NewToken> {
        let (secret, row) = token::new(name, owner, scope, days)?;
        let expires_at = row.expires_at;
        self.directory
            .change(move |connection| users_sql::create_token(connection, &row).map(|_row| ()))
            .await?;
        Ok(NewToken { secret, expires_at })
    }

    /// Removes a token.
    pub async fn delete_token(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.directory.change(move |connection| users_sql::delete_token(connection, &name)).await
    }
}
