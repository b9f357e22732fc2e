//! A side that lies in an engine: what left it, and what is said of that.

use tokio::sync::oneshot;
use trainyard_drift::{Column, Finding, FindingKind, Profile, Severity};
use trainyard_engine::{Error as EngineError, Limits, POINTS, Sampled, Source, Summary, summarize};
use trainyard_mlflow::uri::without_credentials;

use crate::{Error, Result};

/// What is known of a side's engine, beside the profile that left it.
#[derive(Debug)]
pub(super) struct InEngine {
    quantised: Vec<String>,
    sampled: Option<Sampled>,
    stayed: Vec<(String, String)>,
    numbering: Vec<String>,
    told: String,
}

/// Sums up a table in its engine; no rows are an error unless they may be none. That may take an hour, in which whoever
/// waits goes on with other things, and stops when it is told to.
pub(super) async fn open(
    source: &str,
    limits: Limits,
    allow_no_rows: bool,
) -> Result<(Profile, InEngine)> {
    let source = Source::parse(source)?;
    let (done, answer) = oneshot::channel();
    let asked = source.clone();
    // A thread of the runtime would be waited for when it ends.
    std::thread::Builder::new()
        .name("engine side".to_owned())
        .spawn(move || {
            let _nobody = done.send(summarize(&asked, &limits));
        })
        .map_err(EngineError::from)?;
    let summary = answer.await.map_err(|_| EngineError::Answer {
        place: source.place().to_owned(),
        what: "a table".to_owned(),
        reason: "its thread panicked".to_owned(),
    })?;
    let Summary { profile, quantised, sampled, stayed, numbering, told } = summary?;
    if profile.rows() == 0 && !allow_no_rows {
        return Err(Error::Missing {
            what: format!("{} has no rows", source.shown()),
            hint: "check what fills it, or the conditions of the query".to_owned(),
        });
    }
    Ok((profile, InEngine { quantised, sampled, stayed, numbering, told }))
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
        if let Some(sampled) = &self.sampled {
            told = format!(
                "{told}; of {} the quantiles are of a sample, about {} rows drawn by chance, {} values or more a column (a rank is wrong \
                 by {:.2} % of the rows at most, in all of them, with {:.0} % probability; rows, missing and infinite values, the \
                 smallest and the largest are those of all rows; --engine-sample off takes all)",
                names(&sampled.columns),
                sampled.rows,
                sampled.values_min,
                100.0 * sampled.rank_error,
                100.0 * sampled.probability
            );
        }
        let is_exact = |name: &&String| {
            self.sampled.as_ref().is_none_or(|sampled| !sampled.columns.contains(*name))
        };
        let exact: Vec<String> = self.quantised.iter().filter(is_exact).cloned().collect();
        if !exact.is_empty() {
            let columns = names(&exact);
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

/// What is to be said of a profile that was written of a sample: which of its columns have fewer values than their rows.
pub(super) fn of_sample(profile: &Profile, side: &str) -> Option<Finding> {
    let drawn: Vec<&(String, Column)> =
        profile.columns().iter().filter(|(_, column)| column.is_sample()).collect();
    let fewest = drawn.iter().map(|(_, column)| column.len()).min()?;
    let names: Vec<String> = drawn.iter().map(|(name, _)| format!("{name:?}")).collect();
    let message = format!(
        "{side} is a profile of {} rows in which {} are a sample of {fewest} values or more a column, drawn by an engine; tests go by these",
        profile.rows(),
        names.join(", ")
    );
    Some(Finding { kind: FindingKind::ReadAs, severity: Severity::Note, message })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use trainyard_testkit::engines::packaged_driver;

    use super::*;

    /// An engine may take an hour, and a program be told to stop meanwhile.
    #[tokio::test]
    async fn others_go_on_while_an_engine_is_asked() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = format!("postgresql://{}/db?table=t", silent.local_addr().unwrap());
        let driver = Some(packaged_driver("adbc_driver_postgresql"));
        let limits = Limits { driver, ..Limits::default() };
        tokio::select! {
            biased;
            answer = open(&source, limits, false) => panic!("it answered: {answer:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
}
