//! Logs go to stderr: warnings by default, more with `-v`, or as `TRAINYARD_LOG` says. URIs in them lose
//! their credentials on the way, whichever library wrote the line.

use std::io::{IsTerminal as _, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use trainyard_mlflow::secrets::hide;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Writes lines without the credentials in them. A line comes whole, in one call.
struct Careful<W>(W);

impl<W: Write> Write for Careful<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(hide(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Sets up logging for the process.
pub(crate) fn start(verbose: u8, format: LogFormat) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("TRAINYARD_LOG").unwrap_or_else(|_| {
        // The HTTP stack's own debug lines bury ours.
        EnvFilter::new(format!("{level},hyper=warn,hyper_util=warn,reqwest=warn,h2=warn"))
    });
    let colored = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Careful(std::io::stderr()))
        // Where a line cannot be written, a word about that cannot be, either: it would be a panic.
        .log_internal_errors(false)
        .with_ansi(colored);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
