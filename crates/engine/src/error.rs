//! Why an engine's table could not be summed up. No text holds a password: they are taken out where errors are made.

use std::path::PathBuf;
use std::time::Duration;

use trainyard_base::{Advice, Advise, Fault};

use crate::limits::{DRIVER_VARIABLE, ROWS_MAX, WINDOWS_MAX};

/// The result of asking an engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an engine's table could not be summed up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URI does not say which table.
    #[error("{place}: {reason}")]
    Source {
        /// The engine, without what follows `?`.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A condition on rows is wrong.
    #[error(transparent)]
    Condition(#[from] trainyard_data::Error),
    /// This program loads no libraries.
    #[error("this program is static, and cannot load the ADBC driver of {engine}")]
    Static {
        /// The engine's name.
        engine: &'static str,
        /// How its driver is installed.
        install: &'static str,
    },
    /// The driver is not there.
    #[error("{engine} needs its ADBC driver, and {library} is not in {looked}")]
    NoDriver {
        /// The engine's name.
        engine: &'static str,
        /// What the library is called.
        library: &'static str,
        /// Where it was looked for.
        looked: String,
        /// How it is installed.
        install: &'static str,
    },
    /// The driver is there and of no use.
    #[error("the driver {} cannot be loaded: {reason}", path.display())]
    Driver {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// The engine does not let us in, or is not there.
    #[error("cannot open {place}: {reason}")]
    Connect {
        /// The engine.
        place: String,
        /// What the driver says.
        reason: String,
    },
    /// A statement failed.
    #[error("{place} cannot say {what}: {reason}")]
    Statement {
        /// The engine.
        place: String,
        /// What it was asked.
        what: String,
        /// What it answered.
        reason: String,
    },
    /// The engine took longer than it may.
    #[error("{place} has not answered within {limit:?}")]
    TimedOut {
        /// The engine.
        place: String,
        /// How long it had.
        limit: Duration,
    },
    /// Two statements saw different rows.
    #[error("{place} changed while it was read: {what}")]
    Changed {
        /// The engine and the table.
        place: String,
        /// What does not fit.
        what: String,
    },
    /// Rows cannot be put into windows.
    #[error("windows of {place} cannot be made by {column:?}: {reason}")]
    Time {
        /// The engine and the table.
        place: String,
        /// The column of times that was named.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// More than can be held here.
    #[error("{place} has {found} {what}, and {most} can be compared")]
    TooLarge {
        /// The engine and the table.
        place: String,
        /// How many.
        found: u64,
        /// Of what.
        what: &'static str,
        /// The limit.
        most: u64,
    },
    /// Earlier looks go on in drivers that cannot stop.
    #[error(
        "{place} is not asked: {left} looks at engines took longer than they may, and have not ended yet"
    )]
    Busy {
        /// The engine.
        place: String,
        /// How many looks.
        left: usize,
    },
    /// An answer that no such statement has.
    #[error("{place} answered {what} with something else: {reason}")]
    Answer {
        /// The engine.
        place: String,
        /// What it was asked.
        what: String,
        /// What came.
        reason: String,
    },
    /// No thread could be started.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Source { .. } => Advice::input(
                "name a table (ENGINE?table=schema.name) or a query, which comes last (ENGINE?query=select …)",
            ),
            Self::Condition(error) => error.advice(),
            Self::Time { .. } => {
                Advice::input("name a column of dates or timestamps: --time-column")
            }
            // Drivers are the user's to name, as files are.
            Self::Static { install, .. } => Advice::input(format!(
                "take a dynamic program (…-x86_64-linux-glibc.gz of a release, or one built here: `trainyard help install`), and \
                 then the driver: {install}"
            )),
            Self::NoDriver { install, .. } => Advice::input(format!(
                "{install}; or name the library or its folder: --engine-driver PATH, {DRIVER_VARIABLE}"
            )),
            Self::Driver { .. } => {
                Advice::input("install the driver for this machine, or name another library")
            }
            Self::Connect { .. } => Advice::environment(
                "check address, name and password; PGPASSFILE and PGPASSWORD count, and TRAINYARD_ENGINE keeps an address \
                 out of the list of processes",
            ),
            Self::Statement { .. } => Advice::input(
                "names are taken as they are written, capital letters too; `trainyard help monitoring` says which types are read",
            ),
            Self::TimedOut { .. } => Advice::environment(
                "give it longer (--engine-timeout 3h), fewer columns, or a query of fewer rows",
            ),
            Self::Busy { .. } => Advice::environment(
                "wait until they end, or start the program anew; give the engine longer (--engine-timeout 3h)",
            ),
            Self::Changed { .. } => Advice::environment(
                "compare a table that is at rest, or a query of rows that are complete",
            ),
            Self::TooLarge { most, .. } if *most == ROWS_MAX => {
                Advice::input("compare a part of it: ?query=select … where …")
            }
            Self::TooLarge { most, .. } if *most == WINDOWS_MAX as u64 => {
                Advice::input("make them longer with --window, or look at fewer with --since")
            }
            Self::TooLarge { .. } => Advice::input("name those that count: --columns a,b"),
            Self::Answer { .. } => Fault::Program.into(),
            Self::Thread(_) => Fault::Environment.into(),
        }
    }
}
