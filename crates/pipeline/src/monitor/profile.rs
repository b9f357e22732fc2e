//! A reference read once: all of it, sorted or counted, as a file.

use std::path::Path;

use chrono::Utc;
use rayon::prelude::*;
use trainyard_data::write_atomically;
use trainyard_drift::{Column, Kind, Options, Profile, RowCounts, column_names};

use super::read_as;
use super::settings::Settings;
use super::source::{Data, Reading, open};
use crate::{Error, Result};

/// A profile, and what was guessed when its sources were read, a sentence each.
#[derive(Debug)]
pub struct Profiled {
    pub profile: Profile,
    pub notes: Vec<String>,
}

/// One profile of all sources, tables or profiles, with how columns are compared as flags and file say:
/// decided now, so that days compare. With `points` it keeps at most so many distinct numbers a column.
pub async fn profile_of(
    sources: &[String],
    flags: Settings,
    config: Option<&Path>,
    points: Option<usize>,
) -> Result<Profiled> {
    let file = config.map(Settings::read).transpose()?;
    let settings = flags.over(file.unwrap_or_default());
    settings.check().map_err(Error::Settings)?;
    let options = settings.options();
    let reading = Reading {
        columns: settings.columns.clone(),
        rows: settings.rows(Utc::now()),
        memory: Some(settings.memory()),
        text: Box::new(settings.text()),
        engine: settings.engine_limits(),
        ..Reading::default()
    };
    let temporary = tempfile::env::temp_dir();
    let mut merged: Option<Profile> = None;
    let mut notes = Vec::new();
    for source in sources {
        let source = &settings.in_engine(source);
        let data = open(source, &temporary, &reading).await?;
        let profile = profile(&data, &options)?;
        notes.extend(read_as::sentences(&data));
        notes.extend(data.engine().map(|engine| engine.told("the table")));
        merged = Some(match merged {
            None => profile,
            Some(before) => {
                before.merged(&profile).ok_or_else(|| unlike(&before, &profile, source))?
            }
        });
    }
    let mut profile = merged.unwrap_or_default().pin(&options);
    if let Some(points) = points {
        profile = profile.quantised(points);
    }
    match settings.columns.iter().flatten().find(|name| profile.column(name).is_none()) {
        None => Ok(Profiled { profile, notes }),
        Some(name) => Err(Error::Missing {
            what: format!("there is no column {name:?}"),
            hint: "check the spelling in --columns".to_owned(),
        }),
    }
}

/// Why a source cannot be added to those before it.
fn unlike(before: &Profile, profile: &Profile, source: &str) -> Error {
    const CHOOSE: &str = "choose the columns that all have with --columns";
    let wrong = |what: String, hint: &str| Error::Missing { what, hint: hint.to_owned() };
    let new = |(name, _): &&(String, _)| before.column(name).is_none();
    if let Some((name, _)) = profile.columns().iter().find(new) {
        return wrong(format!("the sources before {source} have no column {name:?}"), CHOOSE);
    }
    for (name, column) in before.columns() {
        let Some(other) = profile.column(name) else {
            return wrong(format!("{source} has no column {name:?}"), CHOOSE);
        };
        if column.is_sample() || other.is_sample() {
            return wrong(
                format!("the values of {name:?} are a sample, in {source} or before"),
                "take all rows with --engine-sample off, or one query of all of them",
            );
        }
        if column.merged(other).is_none() {
            let (was, is) = (column.data_type(), other.data_type());
            return wrong(
                format!("{name:?} is {is} in {source}, and {was} before"),
                "correct the source, or leave the column out with --columns",
            );
        }
    }
    wrong(format!("{source} has columns of the same name"), "rename one of them")
}

/// All of a side, sorted or counted; of a profile, what it holds already.
pub(super) fn profile(data: &Data, options: &Options) -> Result<Profile> {
    if let Some(profile) = data.profile() {
        return Ok(profile.clone());
    }
    let names: Vec<&str> = data.names();
    let columns = column_names(names.iter().copied(), [], options);
    let columns = columns
        .into_par_iter()
        .filter(|name| names.contains(&name.as_str()))
        .filter_map(|name| match data.column(&name, &Options::default(), u64::MAX) {
            Ok(column) => column.map(|column| Ok((name, column))),
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<Vec<_>>>()?;
    let profile = Profile::from_columns(data.rows(), columns);
    let counts = row_counts(&profile, data);
    Ok(profile.with_row_counts(counts))
}

/// How often whole rows occur: they are gone once columns are sorted.
fn row_counts(profile: &Profile, data: &Data) -> Option<RowCounts> {
    let kinds = profile.pinned(&Options::default()).kinds;
    // As when a table is compared: what names the rows tells copies apart.
    let is_compared = |name: &str| kinds.get(name) != Some(&Kind::Unknown);
    let compared: Vec<&(String, Column)> =
        profile.columns().iter().filter(|(name, _)| is_compared(name)).collect();
    if compared.iter().any(|(_, column)| column.distinct() == profile.rows()) {
        return Some(RowCounts::all_different(profile.rows()));
    }
    let names: Vec<&str> = compared.iter().map(|(name, _)| name.as_str()).collect();
    data.row_counts(&names, 0.0)
}

/// Writes a profile; it appears whole or not at all. Returns its bytes.
pub fn write_profile(path: &Path, profile: &Profile) -> Result<u64> {
    let mut bytes = Vec::new();
    profile.write(&mut bytes).map_err(|source| Error::Profile { path: path.to_owned(), source })?;
    write_atomically(path, |file| file.write_all(&bytes))?;
    Ok(bytes.len() as u64)
}
