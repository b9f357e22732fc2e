//! `trainyard login`: sign in at a tracking server's provider, and print a token for MLflow's clients.

use std::process::ExitCode;

use clap::Args;
use trainyard_mlflow::client::{Login, LoginToken, ProviderToken, SignInProvider};

use super::hash_password::read_secret;
use crate::failure::Failure;
use crate::printer;

/// Sign in at a tracking server, and print a token for MLflow's clients.
#[derive(Debug, Args)]
#[command(
    after_help = "A person enters a code at the server's sign-in provider. A job of GitHub Actions that has `id-token: write` is asked nothing.\n\nExample:\n  export MLFLOW_TRACKING_URI=https://mlflow.example.com\n  export MLFLOW_TRACKING_TOKEN=\"$(trainyard login)\""
)]
pub(crate) struct Arguments {
    /// The tracking server
    #[arg(value_name = "URL", env = "MLFLOW_TRACKING_URI")]
    server: String,
    /// Provider to sign in at, if the server has several
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Whom the token of a CI job is for, if that is not the server's URL; the server's word is not enough for it
    #[arg(long, value_name = "AUDIENCE", conflicts_with = "token_stdin")]
    audience: Option<String>,
    /// Take the provider's token from stdin, of a CI that gives one in another way
    #[arg(long)]
    token_stdin: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let login = Login::open(&arguments.server)?;
    let token = Box::pin(token(&login, &arguments)).await?;
    let made = login.exchange(&token).await?;
    told(&made);
    printer::line(&made.secret);
    Ok(ExitCode::SUCCESS)
}

/// A provider's token: of the job that this runs in, or of whoever enters a code.
async fn token(login: &Login, arguments: &Arguments) -> Result<ProviderToken, Failure> {
    if arguments.token_stdin {
        let token = read_secret();
        let token = token.map_err(|error| Failure::runtime(format!("stdin: {error}")))?;
        return Ok(ProviderToken::alone(token));
    }
    let mut providers = login.providers().await?;
    if let Some(name) = &arguments.provider {
        providers.retain(|provider| provider.name == *name);
    }
    for provider in &providers {
        if let Some(token) = provider.token_of_job(login, arguments.audience.as_deref()).await? {
            return Ok(token);
        }
    }
    let of_people = |provider: &&SignInProvider| provider.device_client_id.is_some();
    let mut asking = providers.iter().filter(of_people);
    let provider = match (asking.next(), asking.next()) {
        (Some(provider), None) => provider,
        (None, _) => {
            return Err(Failure::input(
                "this server has no provider at which people sign in by a code",
            )
            .hint("make a token: trainyard user token NAME --of USER --days 30"));
        }
        (Some(_), Some(_)) => {
            let names = providers.iter().filter(of_people).map(|provider| provider.name.as_str());
            let names: Vec<&str> = names.collect();
            return Err(Failure::input("this server has several providers")
                .hint(format!("choose one: --provider {}", names.join(", or "))));
        }
    };
    if printer::is_job() {
        return Err(Failure::input(
            "nobody enters a code in a job of a CI, and this one has no token that says who it is",
        )
        .hint("at GitHub the job needs `permissions: id-token: write`; elsewhere give its token: --token-stdin"));
    }
    let code = provider.device_code().await?;
    let place = code.complete_uri.as_ref().unwrap_or(&code.verification_uri);
    printer::note(&format!("open {place} and enter the code {}", code.user_code));
    Ok(code.entered().await?)
}

fn told(made: &LoginToken) {
    let end = made.token.expires_at.and_then(chrono::DateTime::from_timestamp_millis);
    let end = end.map_or_else(String::new, |end| format!(", until {}", end.format("%H:%M UTC")));
    printer::note(&format!(
        "signed in as {} ({}{end}); the token is called {}",
        made.token.username, made.token.scope, made.token.name
    ));
}
