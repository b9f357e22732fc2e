//! Histories of metrics: a file for each, a line for each value. They may be of any size, so they are read
//! line by line, and what is counted is counted in a bounded memory.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use trainyard_mlflow::entities::Metric;

use super::problem::{Problem, Problems, Read};

/// Bytes of a line: three numbers, a run's id, the name and digest of a dataset.
const LINE_MAX: u64 = 8 << 10;
/// Values that are told apart at a time: 16 bytes each, so some 30 MB.
const HELD_MAX: u64 = 1_000_000;

/// Whose history it is: the lines of logged models say of which run they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Run,
    LoggedModel,
}

/// The values of one metric.
pub(super) struct MetricFile {
    reader: BufReader<File>,
    path: PathBuf,
    key: String,
    owner: Owner,
    line: u64,
    broken: bool,
}

impl MetricFile {
    pub(super) fn open(key: &str, path: &Path, owner: Owner) -> Read<Self> {
        let failed = |error: std::io::Error| Problem::new(path, error.to_string());
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Problem::new(path, "not a file"));
        }
        let reader = BufReader::new(File::open(path).map_err(failed)?);
        let (key, path) = (key.to_owned(), path.to_owned());
        Ok(Self { reader, path, key, owner, line: 0, broken: false })
    }

    /// The next values, at most so many; none at the end. Lines that are no values are noted.
    pub(super) fn next_values(&mut self, most: usize, problems: &mut Problems) -> Vec<Metric> {
        let values = self.filter_map(|value| problems.note(value));
        values.take(most).collect()
    }

    fn read_line(&mut self) -> Read<Option<String>> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(LINE_MAX + 1).read_until(b'\n', &mut bytes);
        read.map_err(|error| self.problem(&error.to_string()))?;
        self.line += 1;
        if bytes.len() as u64 > LINE_MAX {
            return Err(self.problem(&format!("more than {LINE_MAX} bytes in a line")));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8(bytes).map_err(|_| self.problem("not UTF-8"))?;
        Ok(Some(line))
    }

    fn problem(&self, reason: &str) -> Problem {
        Problem::new(&self.path, format!("line {}: {reason}", self.line))
    }
}

impl Iterator for MetricFile {
    type Item = Read<Metric>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.broken {
            match self.read_line() {
                Ok(None) => return None,
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => {
                    let value = parse(&self.key, line.trim(), self.owner);
                    return Some(value.ok_or_else(|| {
                        let shown: String = line.trim().chars().take(80).collect();
                        self.problem(&format!("{shown:?} is no value of a metric"))
                    }));
                }
                // Where a line does not end nobody knows where the next one begins.
                Err(problem) => {
                    self.broken = true;
                    return Some(Err(problem));
                }
            }
        }
        None
    }
}

/// `timestamp value [step [dataset digest]]` of a run, `timestamp value step run [dataset digest]` of a logged
/// model. Names of datasets may have spaces in them.
fn parse(key: &str, line: &str, owner: Owner) -> Option<Metric> {
    let parts: Vec<&str> = line.split(' ').collect();
    let (numbers, rest) = parts.split_at(parts.len().min(3));
    let (timestamp, value, step) = match numbers {
        [timestamp, value] if owner == Owner::Run => (timestamp, value, "0"),
        [timestamp, value, step] => (timestamp, value, *step),
        _ => return None,
    };
    let mut metric =
        Metric::new(key, value.parse().ok()?, timestamp.parse().ok()?, step.parse().ok()?);
    let dataset = match (owner, rest) {
        (Owner::Run, dataset) => dataset,
        (Owner::LoggedModel, [run_id, dataset @ ..]) if !run_id.is_empty() => {
            metric.run_id = Some((*run_id).to_owned());
            dataset
        }
        (Owner::LoggedModel, _) => return None,
    };
    match dataset {
        [] => {}
        [name @ .., digest] if !name.is_empty() => {
            metric.dataset_name = Some(name.join(" "));
            metric.dataset_digest = Some((*digest).to_owned());
        }
        _ => return None,
    }
    Some(metric)
}

/// What the database's key of a value is made of, in 128 bits.
fn fingerprint(metric: &Metric, owner: Owner) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, metric.timestamp, metric.step).hash(&mut hasher);
        match owner {
            // All that is not a number is one value, and so are both zeros.
            Owner::Run if metric.value.is_nan() => "nan".hash(&mut hasher),
            Owner::Run => {
                let stored = metric.value.clamp(f64::MIN, f64::MAX) + 0.0;
                stored.to_bits().hash(&mut hasher);
            }
            Owner::LoggedModel => metric.run_id.hash(&mut hasher),
        }
        hasher.finish()
    };
    (u128::from(half(0)) << 64) | u128::from(half(1))
}

/// How many different values there are: a client that logs a value for a run and for a model writes the run's
/// line twice. Those that `keep` refuses are left out.
pub(super) fn distinct(
    key: &str,
    path: &Path,
    owner: Owner,
    keep: &dyn Fn(&Metric) -> bool,
    problems: &mut Problems,
) -> u64 {
    distinct_within(HELD_MAX, problems, &mut |problems, each| {
        let Some(file) = problems.note(MetricFile::open(key, path, owner)) else { return };
        for value in file {
            if let Some(value) = problems.note(value).filter(keep) {
                each(fingerprint(&value, owner));
            }
        }
    })
}

/// Reads everything from its beginning, and says each fingerprint.
type ReadAll<'a> = dyn FnMut(&mut Problems, &mut dyn FnMut(u128)) + 'a;

/// The same with at most so many values told apart at a time: what has more is read once for each part of them.
fn distinct_within(held_max: u64, problems: &mut Problems, read_all: &mut ReadAll<'_>) -> u64 {
    let (mut held, mut values) = (HashSet::new(), 0_u64);
    read_all(problems, &mut |print| {
        values += 1;
        if values <= held_max {
            held.insert(print);
        }
    });
    if values <= held_max {
        return held.len() as u64;
    }
    let parts = u128::from(values.div_ceil(held_max));
    let mut count = 0;
    for part in 0..parts {
        held.clear();
        // What is wrong was noted the first time.
        read_all(&mut Problems::default(), &mut |print| {
            if print % parts == part {
                held.insert(print);
            }
        });
        count += held.len() as u64;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn lines_of_all_versions_are_values() {
        let (_folder, path) =
            file("1 0.5\n2 nan 3\n3 -inf -4\n\n4 1e3 5 my data d1\nbad\n5 0.25 6 d d2\n6 1 7");
        let mut problems = Problems::default();
        let mut file = MetricFile::open("m", &path, Owner::Run).unwrap();
        let values = file.next_values(4, &mut problems);
        let steps: Vec<(i64, i64)> =
            values.iter().map(|value| (value.timestamp, value.step)).collect();
        assert_eq!(steps, [(1, 0), (2, 3), (3, -4), (4, 5)]);
        assert!(values[1].value.is_nan() && values[2].value == f64::NEG_INFINITY);
        let dataset = (values[3].dataset_name.as_deref(), values[3].dataset_digest.as_deref());
        assert_eq!(dataset, (Some("my data"), Some("d1")));
        assert_eq!(file.next_values(4, &mut problems).len(), 2);
        assert_eq!(file.next_values(4, &mut problems).len(), 0);
        let said = problems.first()[0].to_string();
        assert!(said.contains("line 6: \"bad\""), "{said}");
    }

    #[test]
    fn lines_of_logged_models_name_their_run() {
        let (_folder, path) = file("1 0.5 0 r1\n1 0.5 0 r1 d x1\n1 0.5 0 r2\n1 0.5 0\n");
        let mut problems = Problems::default();
        let mut file = MetricFile::open("m", &path, Owner::LoggedModel).unwrap();
        let values = file.next_values(9, &mut problems);
        let runs: Vec<Option<&str>> = values.iter().map(|value| value.run_id.as_deref()).collect();
        assert_eq!(runs, [Some("r1"), Some("r1"), Some("r2")]);
        assert_eq!(problems.total(), 1);
        let all = |_: &Metric| true;
        let count = distinct("m", &path, Owner::LoggedModel, &all, &mut Problems::default());
        assert_eq!(count, 2, "the database's key is metric, time, step and run");
    }

    #[test]
    fn a_line_that_does_not_end_ends_the_file() {
        let (_folder, path) = file(&format!("1 1 1\n{}", "1".repeat(100_000)));
        let mut problems = Problems::default();
        let mut file = MetricFile::open("m", &path, Owner::Run).unwrap();
        assert_eq!(file.next_values(100, &mut problems).len(), 1);
        assert_eq!(problems.total(), 1);
    }

    #[test]
    fn values_that_are_there_twice_count_once_however_few_are_held() {
        let (_folder, path) =
            file(&"1 0.0 1\n1 -0.0 1\n1 nan 1\n2 nan 1\n1 nan 1\n3 7 0\n".repeat(9));
        let all = |_: &Metric| true;
        assert_eq!(distinct("m", &path, Owner::Run, &all, &mut Problems::default()), 4);
        for held_max in [1, 2, 5, 1000] {
            let mut problems = Problems::default();
            let count = distinct_within(held_max, &mut problems, &mut |_problems, each| {
                for number in 0..100_u128 {
                    each(number % 37);
                }
            });
            assert_eq!(count, 37, "{held_max}");
        }
    }
}
