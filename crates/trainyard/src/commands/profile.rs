//! `trainyard profile`: a reference read once, kept as a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Error};
use trainyard_pipeline::monitor::{
    COMPARISON_FLAGS, Profiled, Settings, profile_of, write_profile,
};

use crate::failure::Failure;
use crate::printer;

/// Read a reference once and store what monitoring needs of it.
///
/// A profile holds every column sorted or counted, and how it is compared (kind, method, threshold),
/// decided now, so that days compare. Give it to `monitor` as the reference; several sources, profiles
/// among them, are merged into one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard profile data/train.csv -o reference.profile\n  trainyard monitor --reference reference.profile --current data/production_logs.csv\n  trainyard profile monday.profile tuesday.profile -o week.profile"
)]
pub(crate) struct Arguments {
    /// CSV or Parquet file, folder, glob, s3://…, - for stdin, a profile, or a table of an engine
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<String>,
    /// Where the profile is written
    #[arg(long, short, value_name = "FILE", default_value = "reference.profile")]
    output: PathBuf,
    /// Keep at most this many distinct numbers a column: a smaller file, scores close instead of exact
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(100..))]
    quantise: Option<u32>,
    #[command(flatten)]
    settings: Settings,
    /// A file with a [monitor] table, as in trainyard.toml; flags go over it
    #[arg(long, value_name = "FILE", help_heading = "Method")]
    config: Option<PathBuf>,
}

/// Takes the flags out of sight that say how two sides are compared: there is one side here.
pub(crate) fn narrowed(command: Command) -> Command {
    command.mut_args(|argument| {
        if COMPARISON_FLAGS.contains(&argument.get_id().as_str()) {
            argument.hide(true)
        } else {
            argument
        }
    })
}

/// Refuses flags that say how two sides are compared.
pub(crate) fn refuse_comparison(command: &mut Command, given: &ArgMatches) -> Result<(), Error> {
    let is_given = |argument: &&Arg| {
        let id = argument.get_id().as_str();
        COMPARISON_FLAGS.contains(&id) && given.value_source(id) == Some(ValueSource::CommandLine)
    };
    let Some(flag) = command.get_arguments().find(is_given) else { return Ok(()) };
    let message = format!(
        "--{} is about the comparison of two sides, and a profile is one: give it to `trainyard monitor`",
        flag.get_long().unwrap_or_default()
    );
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { sources, output, quantise, settings, config } = arguments;
    let points = quantise.map(|points| points as usize);
    let Profiled { profile, notes } =
        profile_of(&sources, settings, config.as_deref(), points).await?;
    let bytes = write_profile(&output, &profile)?;
    printer::line(&format!(
        "{}: {} rows, {} columns, {} KB",
        output.display(),
        profile.rows(),
        profile.columns().len(),
        bytes.div_ceil(1000)
    ));
    for note in notes {
        printer::note(&note);
    }
    Ok(ExitCode::SUCCESS)
}
