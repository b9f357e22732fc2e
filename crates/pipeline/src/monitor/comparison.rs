//! Two sides, compared column by column in the memory that there is.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use trainyard_base::words::log_columns::PREDICTION;
use trainyard_drift::{
    Compat, DatasetDrift, Finding, FindingKind, Options, Severity, column_names, conclude,
    unreadable, with_pandas_types,
};
use trainyard_report::drift::Meta;

use super::by_quantiles::compared;
use super::engine;
use super::quality::Quality;
use super::source::Data;
use super::{log, read_as};
use crate::{Error, Result};

/// Two sides to compare.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) reference: Data,
    pub(super) current: Data,
    pub(super) meta: Meta,
    /// Version in production whose predictions are current, if they are.
    pub(super) version: Option<String>,
    /// Rows in windows of time before that of current, the last first.
    pub(super) windows: Vec<u64>,
}

/// A comparison and its reports.
#[derive(Debug, Clone)]
pub struct Monitored {
    pub drift: DatasetDrift,
    pub meta: Meta,
    /// The page, HTML.
    pub page: String,
    /// Version in production whose predictions were compared, if they were.
    pub version: Option<String>,
}

/// Bytes that one row of one column takes while it is compared: as it is read, as it is sorted, and
/// the sort's second copy.
const BYTES_A_VALUE: u64 = 24;

/// Which columns of two sides are compared, and how.
pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) names: Vec<String>,
    /// Finding on columns that are left out.
    pub(super) left_out: Option<Finding>,
    /// Whether current is a prediction log.
    pub(super) is_log: bool,
}

/// Decides by the names of both sides.
///
/// A prediction log holds no truth: columns that only the reference has (the target) are left out then, not
/// reported missing. So is the target in every other table that lacks it, as tables of production do, unless it is asked
/// for by name: what nobody can know yet is not judged.
pub(super) fn plan(sides: &Sides, options: &Options) -> Plan {
    let Sides { reference, current, .. } = sides;
    let mut options = with_pandas_types(options, current.pandas());
    let (before, after) = (reference.names(), current.names());
    let mut left_out = None;
    let is_log = log::is_prediction_log(after.iter().copied());
    options.is_window |= is_log;
    if is_log {
        options.prediction.get_or_insert_with(|| PREDICTION.to_owned());
    }
    if is_log && options.columns.is_none() {
        let (both, lacking): (Vec<&str>, Vec<&str>) =
            before.iter().copied().partition(|name| after.contains(name));
        let lacking = column_names(lacking, [], &Options::default());
        left_out = lacks(&lacking, options.target.as_deref());
        options.columns = Some(both.into_iter().map(str::to_owned).collect());
    }
    if let Some(profile) = reference.profile()
        && options.compat != Compat::Evidently
    {
        options = profile.pinned(&options);
    }
    let target = options.target.as_deref().filter(|target| {
        let is_asked_for = options.columns.is_some() || options.compat == Compat::Evidently;
        !is_log && !is_asked_for && before.contains(target) && !after.contains(target)
    });
    let mut names = column_names(before.iter().copied(), after, &options);
    if let Some(target) = target {
        names.retain(|name| name != target);
        left_out = Some(Finding {
            kind: FindingKind::MissingColumn,
            severity: Severity::Note,
            message: format!("current has no {target:?}, the target: it is not judged"),
        });
    }
    let engines = || [reference, current].into_iter().filter_map(Data::engine);
    names.retain(|name| !engines().any(|engine| engine.numbers_rows(name)));
    Plan { options, names, left_out, is_log }
}

/// How many columns are compared at once in so many bytes of memory, and the bytes for one side of one.
pub(super) fn threads_and_memory(sides: &Sides, memory: u64) -> (usize, u64) {
    let rows = sides.reference.rows() + sides.current.rows();
    let threads = (memory / (rows * BYTES_A_VALUE).max(1))
        .clamp(1, rayon::current_num_threads() as u64) as usize;
    (threads, memory / threads as u64 / 2)
}

/// Compares the sides column by column, as many at once as the memory allows.
/// `progress` is told how many columns of how many are done. A column that cannot be read fails; the others go on.
pub(super) fn compare(
    sides: &Sides,
    options: &Options,
    quality: &Quality,
    memory: u64,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<DatasetDrift> {
    let Sides { reference, current, .. } = sides;
    let Plan { options, names, left_out, is_log } = plan(sides, options);
    let quality = Quality { may_repeat: is_log, ..quality.clone() };
    let (threads, memory) = threads_and_memory(sides, memory);
    let done = AtomicUsize::new(0);
    let column = |name: &String| {
        let read = |side: &Data| side.column(name, &options, memory);
        let mut drift = match rayon::join(|| read(reference), || read(current)) {
            (Ok(old), Ok(new)) => {
                let are_quantiles = [reference, current].map(|side| side.has_quantiles(name));
                compared(name, [old.as_ref(), new.as_ref()], are_quantiles, &options)
            }
            (Err(error), _) | (_, Err(error)) => unreadable(name, &error.message(), &options),
        };
        let readings = [reference, current].map(|side| side.reading(name));
        let is_profile = reference.profile().is_some();
        let findings = read_as::on_column(&drift, readings[0], readings[1], is_profile);
        drift.findings.extend(findings);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, names.len());
        drift
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Error::io("threads", std::io::Error::other(error)))?;
    let columns = pool.install(|| names.par_iter().map(column).collect());
    let mut drift = conclude(columns, reference.rows(), current.rows(), &options);
    drift.findings.extend(left_out);
    let findings = quality.findings([reference, current], &drift, &options, memory);
    drift.findings.extend(findings);
    drift.findings.extend(read_as::on_files(&reference.remarks(), &current.remarks()));
    let sides = [(reference, "the reference"), (current, "current")];
    drift.findings.extend(sides.into_iter().filter_map(|(side, name)| match side.engine() {
        Some(engine) => engine::finding(Some(engine), name),
        None => engine::of_sample(side.profile()?, name),
    }));
    Ok(drift)
}

/// Finding on columns that a prediction log lacks beside the target: of inputs of the model it would be that
/// they are no longer logged. Where no target is known, one column may be it.
fn lacks(columns: &[String], target: Option<&str>) -> Option<Finding> {
    let lacking: Vec<&String> =
        columns.iter().filter(|name| Some(name.as_str()) != target).collect();
    let (first, others) = lacking.split_first()?;
    if target.is_none() && others.is_empty() {
        return None;
    }
    let more =
        if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    Some(Finding {
        kind: FindingKind::MissingColumn,
        severity: Severity::Warning,
        message: format!(
            "the prediction log lacks {first:?}{more}, which the reference has; left out"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_may_lack_the_target_and_nothing_else() {
        let lacks = |columns: &[&str], target| {
            let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
            lacks(&columns, target)
        };
        assert_eq!(lacks(&["class"], Some("class")), None);
        assert_eq!(lacks(&["class"], None), None);
        assert_eq!(lacks(&[], None), None);
        let said = |columns: &[&str], target| lacks(columns, target).unwrap().message;
        assert!(said(&["class", "age"], Some("class")).contains("lacks \"age\", which"));
        assert!(said(&["class", "age"], None).contains("lacks \"class\" and 1 more"));
    }
}
