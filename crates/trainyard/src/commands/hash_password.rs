//! `trainyard server hash-password`: a line for `--auth-file`.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use trainyard_tracking::server::auth::{self, Kind};

use crate::failure::Failure;
use crate::printer;

/// Longest line that is read: tokens of sign-in providers are the longest secrets.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// Make a line for --auth-file from a password or token on stdin.
///
/// What is written is an argon2id hash with a salt of its own, or the SHA-256 digest of a token of 32
/// characters or more, which must be random.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard server hash-password --user alice >> users\n  openssl rand -hex 32 | tee token | trainyard server hash-password --token ci >> users"
)]
pub(crate) struct Arguments {
    /// A user, who sends name and password
    #[arg(long, value_name = "NAME", required_unless_present = "token")]
    user: Option<String>,
    /// A token, which is sent as it is; the name is for people
    #[arg(long, value_name = "NAME", conflicts_with = "user")]
    token: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (kind, name) = match (&arguments.user, &arguments.token) {
        (Some(name), _) => (Kind::User, name),
        (None, Some(name)) => (Kind::Token, name),
        // clap asks for one of them.
        (None, None) => return Err(Failure::input("--user or --token is missing")),
    };
    let secret = read_secret().map_err(|error| Failure::runtime(format!("stdin: {error}")))?;
    let line = auth::entry(kind, name, &secret)?;
    printer::line(&line);
    Ok(ExitCode::SUCCESS)
}

/// The first line of stdin; a terminal does not show what is typed.
pub(super) fn read_secret() -> std::io::Result<String> {
    let stdin = std::io::stdin();
    let before = if stdin.is_terminal() {
        printer::note("password or token, then Enter (it is not shown):");
        let before = tcgetattr(&stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
        Some(before)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().take(LINE_BYTES_MAX).read_line(&mut line);
    if let Some(before) = before {
        tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    }
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
