//! The command line: all verbs and the flags they share.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory as _, Parser, Subcommand};

use crate::commands::{
    approvals, audit, completions, deploy, gateway, health, help, init, login, man, model, monitor,
    predict, profile, promote, quality, reference, registry, replay, retrain, run, serve, server,
    temporary, token, train, up, user,
};
use crate::exit::EXIT_CODES;
use crate::failure::Failure;
use crate::logging::LogFormat;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

/// From a training script to a governed, schema-enforced, monitored production API.
#[derive(Debug, Parser)]
#[command(
    name = "trainyard",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Say more on stderr (-v info, -vv debug)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Logging")]
    pub(crate) verbose: u8,
    /// How log lines are written
    #[arg(
        long,
        value_enum,
        default_value = "text",
        global = true,
        env = "TRAINYARD_LOG_FORMAT",
        help_heading = "Logging"
    )]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a working project into a folder
    Init(init::Arguments),
    /// Do it all: train, gate, promote, deploy, monitor
    Run(run::Arguments),
    /// Train, log and register a version
    Train(train::Arguments),
    /// Put a version through the gate and approve it for a release
    Promote(promote::Arguments),
    /// Release the approved version: beside the old one, judged, switched to, labelled Production
    Deploy(deploy::Arguments),
    /// Keep deployments up: start what should serve, start again what dies or hangs
    Up(up::Arguments),
    /// Compare production data with reference data and report drift
    Monitor(monitor::Arguments),
    /// Say whether a model is still good, by labels or by estimates without them
    Quality(quality::Arguments),
    /// Look for drift once, and train anew if it is time to
    Retrain(retrain::Arguments),
    /// Read a reference once and store what monitoring needs of it
    Profile(profile::Arguments),
    /// Serve a model over HTTP and follow its alias
    Serve(serve::Arguments),
    /// Score a whole table: files of any size, resumable, exactly once
    Predict(predict::Arguments),
    /// Answer logged requests again, by the versions that answered them
    Replay(replay::Arguments),
    /// Make model folders of model files
    Model(model::Arguments),
    /// Run the MLflow-compatible tracking server and registry
    Server(server::Arguments),
    /// See how the model registry was at a time
    Registry(registry::Arguments),
    /// See what waits for approval, ask for it, and give it
    Approvals(approvals::Arguments),
    /// See who changed what; verify, copy and shorten the log of it
    Audit(audit::Arguments),
    /// Make, list and revoke the tokens that a deployment's gateway asks for
    Token(token::Arguments),
    /// Make, list and remove users of a tracking server, and their tokens
    User(user::Arguments),
    /// Sign in at a tracking server, and print a token for MLflow's clients
    Login(login::Arguments),
    /// Ask a server whether it is ready (for HEALTHCHECK)
    Health(health::Arguments),
    /// Read a page of the manual
    Help(help::Arguments),
    /// Print what completes commands in a shell
    Completions(completions::Arguments),
    /// Write the manual's pages
    Man(man::Arguments),
    /// Run the gateway of a deployment (started by `deploy`)
    #[command(hide = true)]
    Gateway(gateway::Arguments),
}

/// The command line. A variable that is empty counts as unset: compose files and CI write it so. Help names
/// variables and never shows what is in them, which may be a password.
fn command() -> clap::Command {
    with_variables(&|name: &OsStr| std::env::var_os(name).is_none_or(|value| !value.is_empty()))
}

/// The command line of the reference, which is the same whatever is set where it is written.
fn everywhere() -> clap::Command {
    with_variables(&|_name: &OsStr| true)
}

/// The command line with those variables that count.
fn with_variables(counts: &dyn Fn(&OsStr) -> bool) -> clap::Command {
    fn with_those(command: clap::Command, counts: &dyn Fn(&OsStr) -> bool) -> clap::Command {
        let command = command.mut_args(|argument| {
            if argument.get_env().is_none_or(counts) {
                argument.hide_env_values(true)
            } else {
                argument.env(None)
            }
        });
        command.mut_subcommands(|verb| with_those(verb, counts))
    }
    with_those(Cli::command().mut_subcommand("profile", profile::narrowed), counts)
}

/// What was written on the command line.
///
/// # Errors
///
/// Help that was asked for, or what is wrong.
pub(crate) fn matches() -> Result<ArgMatches, clap::Error> {
    let mut command = command();
    let arguments = as_upstream(std::env::args_os().collect());
    let compares = arguments.get(1).is_some_and(|verb| verb == "monitor");
    let matches = command
        .try_get_matches_from_mut(arguments)
        .map_err(|error| if compares { of_two_tables(error) } else { error })?;
    if let Some(given) = matches.subcommand_matches("profile")
        && let Some(command) = command.find_subcommand_mut("profile")
    {
        profile::refuse_comparison(command, given)?;
    }
    Ok(matches)
}

/// `trainyard monitor old.csv new.csv`: what is meant is clear, and said.
fn of_two_tables(mut error: clap::Error) -> clap::Error {
    let is_word = |given: &ContextValue| match given {
        ContextValue::String(given) => !given.starts_with('-'),
        _ => false,
    };
    if error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::InvalidArg).is_some_and(is_word)
    {
        let tip = "tables are named by flags: --reference TABLE --current TABLE";
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        let _was_there = error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// `trainyard server -h 0.0.0.0`: `-h` is the host where `mlflow server` is meant, and compose files are written so.
/// Without an address it is help.
fn as_upstream(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_flag = |text: &OsString| text.to_str().is_some_and(|text| text.starts_with('-'));
    let runs_server = arguments.get(1).is_some_and(|verb| verb == "server")
        && arguments.get(2).is_some_and(is_flag);
    if !runs_server {
        return arguments;
    }
    let is_address = |text: &OsString| {
        text.to_str().is_some_and(|text| text == "localhost" || text.contains(['.', ':']))
    };
    for place in 2..arguments.len() {
        let is_host = arguments.get(place + 1).is_some_and(is_address);
        if let Some(flag) =
            arguments.get_mut(place).filter(|flag| flag.as_os_str() == "-h" && is_host)
        {
            *flag = "--host".into();
        }
    }
    arguments
}

/// What was written on the command line of another process of this program; `None` where there is a mistake in it.
fn parsed(words: &[OsString]) -> Option<ArgMatches> {
    command().try_get_matches_from_mut(as_upstream(words.to_vec())).ok()
}

/// The help of a verb, or of a verb of a verb; `None` where there is no such verb.
fn long_help(words: &[String]) -> Option<String> {
    let mut command = command();
    // Only then a verb knows whose it is.
    command.build();
    let mut found = &mut command;
    for word in words {
        found = found.find_subcommand_mut(word)?;
    }
    Some(found.render_long_help().to_string())
}

/// Verbs that are meant for people.
fn verbs() -> Vec<String> {
    let command = command();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| command.get_name().to_owned()).collect()
}

/// Runs the verb.
pub(crate) async fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Init(arguments) => init::run(arguments),
        Command::Run(arguments) => Box::pin(run::run(arguments)).await,
        Command::Train(arguments) => Box::pin(train::run(arguments)).await,
        Command::Promote(arguments) => Box::pin(promote::run(arguments)).await,
        Command::Deploy(arguments) => Box::pin(deploy::run(arguments)).await,
        Command::Up(arguments) => Box::pin(up::run(arguments)).await,
        Command::Monitor(arguments) => Box::pin(temporary::within(monitor::run(arguments))).await,
        Command::Quality(arguments) => Box::pin(temporary::within(quality::run(arguments))).await,
        Command::Retrain(arguments) => Box::pin(retrain::run(arguments)).await,
        Command::Profile(arguments) => Box::pin(temporary::within(profile::run(arguments))).await,
        Command::Serve(arguments) => Box::pin(serve::run(arguments)).await,
        Command::Predict(arguments) => Box::pin(temporary::within(predict::run(arguments))).await,
        Command::Replay(arguments) => Box::pin(temporary::within(replay::run(arguments))).await,
        Command::Model(arguments) => model::run(arguments),
        Command::Server(arguments) => Box::pin(server::run(arguments)).await,
        Command::Registry(arguments) => Box::pin(registry::run(arguments)).await,
        Command::Approvals(arguments) => Box::pin(approvals::run(arguments)).await,
        Command::Audit(arguments) => Box::pin(audit::run(arguments)).await,
        Command::Token(arguments) => token::run(&arguments),
        Command::User(arguments) => Box::pin(user::run(arguments)).await,
        Command::Login(arguments) => Box::pin(login::run(arguments)).await,
        Command::Health(arguments) => Box::pin(health::run(&arguments, parsed)).await,
        Command::Help(arguments) => {
            help::run(&arguments, &verbs(), long_help, || reference::reference(everywhere()))
        }
        Command::Completions(arguments) => Ok(completions::run(&arguments, &mut command())),
        Command::Man(arguments) => man::run(&arguments, command()),
        Command::Gateway(arguments) => Box::pin(gateway::run(arguments)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::health_subject::Subject;

    #[test]
    fn h_is_the_host_where_upstream_has_it_so() {
        for (given, read) in [
            ("server -h 0.0.0.0 -p 1", "server --host 0.0.0.0 -p 1"),
            ("server -p 1 -h localhost", "server -p 1 --host localhost"),
            ("server -h ::", "server --host ::"),
            ("server -h", "server -h"),
            ("server backup -h", "server backup -h"),
            ("server import -h ./mlruns", "server import -h ./mlruns"),
            ("serve -h 0.0.0.0", "serve -h 0.0.0.0"),
        ] {
            let words = |line: &str| -> Vec<OsString> {
                std::iter::once("trainyard").chain(line.split(' ')).map(OsString::from).collect()
            };
            assert_eq!(as_upstream(words(given)), words(read), "{given}");
        }
    }

    #[test]
    fn a_probe_asks_where_the_program_listens() {
        let of = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            Subject::of(&parsed(&words)?)
        };
        for (line, url) in [
            ("/trainyard serve --host 0.0.0.0 --port 8080", "http://127.0.0.1:8080/health"),
            ("/trainyard serve -m x --host 10.0.0.9 -p9", "http://10.0.0.9:9/health"),
            ("/trainyard server -h 0.0.0.0 -p 5000", "http://127.0.0.1:5000/health"),
            ("/trainyard server --host 127.0.0.1 --port 5000", "http://127.0.0.1:5000/health"),
            (
                "trainyard -v server --host :: --port=5001 --static-prefix /ml",
                "http://[::1]:5001/ml/health",
            ),
            (
                "trainyard server --host box --port 5000 --tls-cert a --tls-key b",
                "https://box:5000/health",
            ),
            (
                "trainyard server --host ::1 --port 1 --gunicorn-opts=--certfile=a\t--keyfile=b",
                "https://[::1]:1/health",
            ),
        ] {
            assert_eq!(of(line), Some(Subject::Url(url.to_owned())), "{line}");
        }
        // Nobody knows which port was taken, or what another verb would answer.
        for line in ["trainyard serve --port 0", "trainyard monitor", "trainyard serve --prot 1"] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
