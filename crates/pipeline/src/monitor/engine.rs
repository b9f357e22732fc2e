//! A side that lies in an engine: what left it, and what is said of that.

use trainyard_drift::{Finding, FindingKind, Profile, Severity};
use trainyard_engine::{Limits, POINTS, Source, Summary, summarize};
use trainyard_mlflow::uri::without_credentials;

use crate::{Error, Result};

/// What is known of a side's engine, beside the profile that left it.
#[derive(Debug)]
pub(super) struct InEngine {
    quantised: Vec<String>,
    stayed: Vec<(String, String)>,
    numbering: Vec<String>,
    told: String,
}

/// Sums up a table in its engine; no rows are an error unless they may be none.
pub(super) fn open(
    source: &str,
    limits: &Limits,
    allow_no_rows: bool,
) -> Result<(Profile, InEngine)> {
    let source = Source::parse(source)?;
    let Summary { profile, quantised, stayed, numbering, told } = summarize(&source, limits)?;
    if profile.rows() == 0 && !allow_no_rows {
        return Err(Error::Missing {
            what: format!("{} has no rows", source.shown()),
            hint: "check what fills it, or the conditions of the query".to_owned(),
        });
    }
    Ok((profile, InEngine { quantised, stayed, numbering, told }))
}

/// A source as it may be shown: of an engine its table, of others what holds no key.
pub(super) fn shown(source: &str) -> String {
    if !Source::is_one(source) {
        return without_credentials(source);
    }
    Source::parse(source).map_or_else(|_| without_credentials(source), |source| source.shown())
}

/// A source as it may be written into a file.
pub(super) fn written(source: &str) -> String {
    if !Source::is_one(source) {
        return without_credentials(source);
    }
    Source::parse(source).map_or_else(|_| without_credentials(source), |source| source.written())
}

impl InEngine {
    /// Why a column stayed in the engine, if it did.
    pub(super) fn stayed(&self, name: &str) -> Option<&str> {
        self.stayed.iter().find(|(column, _)| column == name).map(|(_, reason)| reason.as_str())
    }

    /// Whether quantiles stand for the values of a column.
    pub(super) fn is_quantised(&self, name: &str) -> bool {
        self.quantised.iter().any(|column| column == name)
    }

    /// Whether a column names or numbers the rows, so that there is nothing to compare.
    pub(super) fn numbers_rows(&self, name: &str) -> bool {
        self.numbering.iter().any(|column| column == name)
    }

    /// What ran where, and how exact it is, of a side with this name.
    pub(super) fn told(&self, side: &str) -> String {
        let mut told = format!("{side} {}", self.told);
        let names = |names: &[String]| {
            names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
        };
        if !self.quantised.is_empty() {
            let columns = names(&self.quantised);
            told = format!(
                "{told}; {POINTS} quantiles stand for {columns} (a rank is wrong by 1 in {POINTS} at most)"
            );
        }
        if !self.numbering.is_empty() {
            told = format!(
                "{told}; without {}, by name and values those of rows",
                names(&self.numbering)
            );
        }
        told
    }
}

/// The same as a finding.
pub(super) fn finding(engine: Option<&InEngine>, side: &str) -> Option<Finding> {
    let message = engine?.told(side);
    Some(Finding { kind: FindingKind::ReadAs, severity: Severity::Note, message })
}
