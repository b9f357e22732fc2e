//! What `init` asks a person at a terminal: the table, the column, the model's name. What was guessed is offered, so that
//! Enter agrees. Whoever gives a flag, or has no terminal, is asked nothing.

use std::path::Path;

use trainyard_pipeline::{InitOptions, Scaffold};

use crate::failure::Failure;
use crate::printer;

/// Answers that are none of what can be chosen, before it gives up.
const SLIPS_MAX: usize = 3;

/// Most of what can be chosen that is shown.
const SHOWN_MAX: usize = 20;

/// The options with what a person says; as they are where a project is there already.
pub(super) fn answered(folder: &Path, mut options: InitOptions) -> Result<InitOptions, Failure> {
    let Some(mut guesses) = Scaffold::plan(folder, &options)?.guesses else { return Ok(options) };
    if !guesses.has_command {
        if guesses.tables.len() > 1 {
            options.data = choice("table to train on", &guesses.tables, guesses.data.as_deref())?;
            // Another table has other columns.
            if options.data != guesses.data
                && let Some(others) = Scaffold::plan(folder, &options)?.guesses
            {
                guesses = others;
            }
        }
        if !guesses.columns.is_empty() {
            options.target =
                choice("column to predict", &guesses.columns, guesses.target.as_deref())?;
        }
    }
    options.name = answer("name of the model", Some(&guesses.name))?;
    Ok(options)
}

/// One of several.
fn choice(what: &str, among: &[String], usual: Option<&str>) -> Result<Option<String>, Failure> {
    let names: Vec<String> = among.iter().take(SHOWN_MAX).map(|name| format!("{name:?}")).collect();
    let more = if among.len() > SHOWN_MAX { ", …" } else { "" };
    let choices = format!("{}{more}", names.join(", "));
    printer::note(&format!("{what}: one of {choices}"));
    for _ in 0..SLIPS_MAX {
        let Some(given) = answer(what, usual)? else { return Ok(None) };
        if among.contains(&given) {
            return Ok(Some(given));
        }
        let meant = trainyard_base::did_you_mean(&given, among.iter().map(String::as_str));
        printer::warning(&format!("there is no {given:?}{meant}"));
    }
    Err(Failure::input(format!("there is no {what} that was answered, and nothing was written"))
        .hint(format!("it is one of {choices}")))
}

/// The answer to a question, or the usual one.
fn answer(what: &str, usual: Option<&str>) -> Result<Option<String>, Failure> {
    let offer = usual.map(|usual| format!(" [{usual:?}]")).unwrap_or_default();
    let given = printer::question(&format!("{what}{offer}: "))
        .map_err(|error| Failure::runtime(format!("cannot read the answer: {error}")))?;
    let Some(given) = given else {
        return Err(Failure::input("a question has no answer, and nothing was written")
            .hint("flags answer before it is asked: trainyard init --help"));
    };
    let given = given.trim();
    Ok(if given.is_empty() { usual.map(str::to_owned) } else { Some(given.to_owned()) })
}
