//! `trainyard user`: users, groups and tokens of a tracking server, in its database, also while it runs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use trainyard_tracking::access::{AccessConfig, AccessControl};

use super::hash_password::read_secret;
use super::user_group;
use crate::failure::Failure;
use crate::printer;

/// Make, list and remove users of a tracking server, their groups and their tokens.
#[derive(Debug, Args)]
#[command(
    after_help = "A server that runs with --app-name basic-auth over the same database follows within a second.\n\nExample:\n  trainyard user create ada < password\n  trainyard user create ci --service\n  trainyard user token ci-train --of ci --scope EDIT --days 90 > token"
)]
pub(crate) struct Arguments {
    /// Database of users, if it is not the one that the settings of the server name
    #[arg(long, env = "TRAINYARD_USERS_URI", value_name = "URI", global = true)]
    database: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user, with the password on stdin
    Create(CreateArguments),
    /// Show all users
    List,
    /// Replace a password by the one on stdin
    Password(NameArguments),
    /// Make a user an administrator
    Promote(NameArguments),
    /// Make an administrator a user like others
    Demote(NameArguments),
    /// Remove a user, with what was granted to them and their tokens
    Delete(NameArguments),
    /// Make a token by which a program acts on behalf of a user, and print it
    Token(TokenArguments),
    /// Take a token away
    RevokeToken(NameArguments),
    /// Say that somebody of a sign-in provider is a user who is here already
    Link(LinkArguments),
    /// End all sessions of a user on pages
    SignOut(NameArguments),
    /// Groups of users, who have its roles and what is granted to it
    #[command(subcommand)]
    Group(user_group::Action),
}

#[derive(Debug, Args)]
struct LinkArguments {
    /// The user
    #[arg(value_name = "NAME")]
    name: String,
    /// URL of the provider, as --oidc has it
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// What the provider calls them (`sub`)
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
}

#[derive(Debug, Args)]
struct NameArguments {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
struct CreateArguments {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
    /// Who may do everything
    #[arg(long)]
    admin: bool,
    /// A program, which has tokens and no password
    #[arg(long, conflicts_with = "admin")]
    service: bool,
}

#[derive(Debug, Args)]
struct TokenArguments {
    /// Its name, for logs and to revoke it
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose it is
    #[arg(long, value_name = "USER")]
    of: String,
    /// The most that it may do: READ, EDIT or MANAGE, or ADMIN for users and roles, too
    #[arg(long, value_name = "SCOPE", default_value = "EDIT")]
    scope: String,
    /// Days after which it ends
    #[arg(long, value_name = "DAYS", required_unless_present = "forever")]
    days: Option<i64>,
    /// It never ends by itself
    #[arg(long, conflicts_with = "days")]
    forever: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut config = AccessConfig::from_env()?;
    if let Some(database) = arguments.database {
        config.database_uri = database;
    }
    let control = Box::pin(AccessControl::open_without_admin(&config)).await?;
    Box::pin(act(&control, arguments.action)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn act(control: &AccessControl, action: Action) -> Result<(), Failure> {
    match action {
        Action::Create(user) => {
            let password = if user.service { None } else { Some(secret()?) };
            control.create_user(&user.name, password, user.admin).await?;
        }
        Action::List => {
            for (name, is_admin) in control.users() {
                printer::line(&if is_admin { format!("{name} (administrator)") } else { name });
            }
        }
        Action::Password(user) => control.set_password(&user.name, secret()?).await?,
        Action::Promote(user) => control.set_admin(&user.name, true).await?,
        Action::Demote(user) => control.set_admin(&user.name, false).await?,
        Action::Delete(user) => control.delete_user(&user.name).await?,
        Action::Token(token) => {
            let made = control.create_token(&token.name, &token.of, &token.scope, token.days);
            printer::line(&made.await?.secret);
            printer::hint(
                "this is the only time that it is shown; clients take it as MLFLOW_TRACKING_TOKEN",
            );
        }
        Action::RevokeToken(token) => control.delete_token(&token.name).await?,
        Action::Link(link) => control.link(&link.name, &link.issuer, &link.subject).await?,
        Action::SignOut(user) => {
            let ended = control.end_sessions(&user.name).await?;
            printer::note(&format!("ended {ended}"));
        }
        Action::Group(action) => Box::pin(user_group::act(control, action)).await?,
    }
    Ok(())
}

fn secret() -> Result<String, Failure> {
    read_secret().map_err(|error| Failure::runtime(format!("stdin: {error}")))
}
