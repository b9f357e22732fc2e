//! What is kept of windows beside the log: their results in one file, and a summary of each.
//!
//! They are kept longer than rows: a window of which rows were removed stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trainyard_base::file::{Access, replace};
use trainyard_drift::{About, Measure, Profile, Window, WindowLength, WindowResult, metric};

use super::super::segments::SEGMENTS_MAX;
use super::memory::Memory;
use super::rows::Found;
use crate::quality::WindowQuality;
use crate::{Error, Result};

/// The file of results, that of the lock, and how summaries begin and end.
const RESULTS: &str = "windows.json";
const LOCK: &str = ".lock";

/// Version of the file that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Bytes of results: a kilobyte for each of a thousand columns and hundreds of windows.
const RESULTS_BYTES_MAX: u64 = 512 << 20;

/// Windows that are kept, the newest: two years of hours.
const KEPT_MAX: usize = 20_000;

/// Windows without rows that rules are asked about: by then what they say does not change any more.
const SILENT_MAX: usize = 1000;

/// A window that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptWindow {
    /// What was found.
    #[serde(flatten)]
    pub result: WindowResult,
    /// The times of its rows added up, to tell whether others came since.
    pub(super) time_sum: i64,
    /// The settings by which it was looked at, as a hash.
    pub(super) settings: String,
}

/// All windows that were looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// `trainyard.windows`.
    pub schema: String,
    /// 1.
    pub schema_version: u32,
    /// The model, if it is known.
    pub title: String,
    /// What windows are compared with.
    pub reference: String,
    /// Where their rows come from.
    pub current: String,
    /// How long they are.
    pub window: WindowLength,
    /// The run that has them as metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What those who are told know of alerts.
    #[serde(flatten)]
    pub memory: Memory,
    /// The same of those who know something else, by id: they were away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) others: BTreeMap<String, Memory>,
    /// What the files of a table looked like at the last look, by which it is known whether values of it may be others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<String>,
    /// Windows that were looked at and are not in the run yet: the store was away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unlogged: BTreeSet<Window>,
    /// The windows, in the order of time.
    pub windows: Vec<KeptWindow>,
}

impl History {
    pub(super) fn new(window: WindowLength) -> Self {
        Self {
            schema: "trainyard.windows".to_owned(),
            schema_version: VERSION,
            title: String::new(),
            reference: String::new(),
            current: String::new(),
            window,
            run_id: None,
            memory: Memory::default(),
            others: BTreeMap::new(),
            stamp: None,
            unlogged: BTreeSet::new(),
            windows: Vec::new(),
        }
    }

    /// The results alone.
    pub fn results(&self) -> Vec<WindowResult> {
        self.windows.iter().map(|kept| kept.result.clone()).collect()
    }

    /// Windows of time without rows that ended since the last one with rows: that nothing comes any more is a number of
    /// rows, too. None where that one is still open.
    pub(super) fn silent(&self, until: i64) -> Vec<WindowResult> {
        let (Some(last), Some(length)) = (self.windows.last(), self.window.milliseconds()) else {
            return Vec::new();
        };
        let mut silent = Vec::new();
        let mut begins = last.result.window.ends;
        while !last.result.is_open && silent.len() < SILENT_MAX {
            let window = Window { begins, ends: begins.saturating_add(length) };
            if window.ends > until {
                break;
            }
            let mut result = WindowResult::new(window, 0);
            result.extend([Measure::new(About::Data, metric::ROWS, 0.0)]);
            silent.push(result);
            begins = window.ends;
        }
        silent
    }

    /// Whether a window is to be looked at (again): it is new, was open, has more rows or other ones, or the settings
    /// changed. One with fewer rows than it had stays as it is: rows are removed with time.
    pub(super) fn wants(&self, found: &Found, settings: &str) -> bool {
        let Some(kept) = self.of(found.window) else { return true };
        let is_same = kept.result.rows == found.rows && kept.time_sum == found.time_sum;
        let is_changed = !is_same || kept.result.is_open || kept.settings != settings;
        found.rows >= kept.result.rows && is_changed
    }

    /// Whether a window may be looked at again: no row of it was removed.
    pub(super) fn may_look_again(&self, found: &Found) -> bool {
        self.of(found.window).is_none_or(|kept| found.rows >= kept.result.rows)
    }

    /// Whether a look found what is kept of its window, but for what labels say: there is nothing new in it.
    pub(super) fn says(&self, looked: &KeptWindow) -> bool {
        self.of(looked.result.window).is_some_and(|kept| {
            kept.time_sum == looked.time_sum
                && kept.settings == looked.settings
                && is_same_finding(&kept.result, &looked.result)
        })
    }

    /// Whether a window was looked at with as many rows, and none come to it any more.
    pub(super) fn knows(&self, found: &Found) -> bool {
        let kept = self.of(found.window);
        kept.is_some_and(|kept| kept.result.rows >= found.rows && !kept.result.is_open)
    }

    /// Whether a window was looked at as a whole, when nothing of it was gone.
    pub(super) fn knows_whole(&self, window: Window) -> bool {
        self.of(window).is_some_and(|kept| kept.result.is_whole())
    }

    /// The last window.
    pub(super) fn last(&self) -> Option<Window> {
        self.windows.last().map(|kept| kept.result.window)
    }

    pub(super) fn of(&self, window: Window) -> Option<&KeptWindow> {
        let place = self.windows.binary_search_by_key(&window, |kept| kept.result.window);
        self.windows.get(place.ok()?)
    }

    /// The segments of windows that were looked at by these settings, those of the newest first.
    pub(super) fn segments(&self, settings: &str) -> Vec<String> {
        let mut segments: Vec<String> = Vec::new();
        for kept in self.windows.iter().rev().filter(|kept| kept.settings == settings) {
            // What labels said of a segment is no reason to ask them again.
            let is_rows = |one: &&Measure| one.about == About::Data && one.metric == metric::ROWS;
            let measures = kept.result.measures.iter().filter(is_rows);
            for segment in measures.filter_map(|measure| measure.segment.as_ref()) {
                if segments.len() < SEGMENTS_MAX && !segments.contains(segment) {
                    segments.push(segment.clone());
                }
            }
        }
        segments
    }

    /// Gives windows that were looked at again what labels said of them before: what they say now is news only where it is
    /// something else.
    pub(super) fn keep_quality(&self, looked: &mut [KeptWindow]) {
        for KeptWindow { result, .. } in looked.iter_mut().filter(|one| !one.result.is_partial) {
            let Some(KeptWindow { result: before, .. }) = self.of(result.window) else { continue };
            let is_of_labels =
                |one: &&Measure| matches!(one.about, About::Quality | About::Estimate);
            result.labelled = before.labelled;
            result.extend(before.measures.iter().filter(is_of_labels).cloned());
        }
    }

    /// Puts what labels and estimates say of windows whose rows are all there in the place of what they said; returns
    /// those of which it is something else.
    pub(super) fn judge(&mut self, judged: Vec<WindowQuality>, found: &[Found]) -> Vec<Window> {
        let mut changed = Vec::new();
        for WindowQuality { window, labelled, measures } in judged {
            let there = found.binary_search_by_key(&window, |one| one.window).ok();
            let rows = there.and_then(|place| found.get(place)).map(|one| one.rows);
            let place = self.windows.binary_search_by_key(&window, |kept| kept.result.window).ok();
            let Some(kept) = place.and_then(|place| self.windows.get_mut(place)) else { continue };
            let result = &mut kept.result;
            let is_there = rows == Some(result.rows) && !result.is_partial;
            if is_there && result.put_quality(labelled, measures) {
                changed.push(window);
            }
        }
        changed
    }

    /// Says of windows that were open, and lost rows before they were looked at again, that they have ended: they stay as
    /// they were, and are judged so.
    pub(super) fn close(&mut self, has_ended: impl Fn(Window) -> bool, found: &[Found]) {
        for kept in &mut self.windows {
            let result = &mut kept.result;
            let there = found.binary_search_by_key(&result.window, |one| one.window).ok();
            let rows = there.and_then(|place| found.get(place)).map_or(0, |one| one.rows);
            if rows < result.rows && has_ended(result.window) {
                result.is_open = false;
            }
        }
    }

    /// Puts windows in their places, instead of what was there, and drops those that are too old to be kept.
    pub(super) fn put(&mut self, looked: Vec<KeptWindow>) {
        let windows: BTreeSet<Window> = looked.iter().map(|kept| kept.result.window).collect();
        self.windows.retain(|kept| !windows.contains(&kept.result.window));
        self.windows.extend(looked);
        self.windows.sort_by_key(|kept| kept.result.window);
        let old = self.windows.len().saturating_sub(KEPT_MAX);
        self.windows.drain(..old);
    }
}

/// Whether two looks found the same in the rows of a window, whatever the window before it is by now: a late row reopens
/// its own window and no other.
fn is_same_finding(before: &WindowResult, now: &WindowResult) -> bool {
    let is_of_rows =
        |one: &&Measure| !matches!(one.about, About::Quality | About::Estimate | About::Change);
    let of_rows = |result: &WindowResult| -> Vec<Measure> {
        result.measures.iter().filter(is_of_rows).cloned().collect()
    };
    let is_same = |(before, now): (&Measure, &Measure)| {
        let as_before = Measure { value: before.value, reference: before.reference, ..now.clone() };
        let references = [before, now].map(|one| one.reference.unwrap_or(f64::INFINITY));
        *before == as_before
            && is_near(before.value, now.value)
            && (before.reference == now.reference || is_near(references[0], references[1]))
    };
    let (old, new) = (of_rows(before), of_rows(now));
    old.len() == new.len()
        && old.iter().zip(&new).all(is_same)
        && (before.rows, before.is_open, before.is_partial, &before.remarks)
            == (now.rows, now.is_open, now.is_partial, &now.remarks)
}

/// Whether two numbers are one, of which one was written down and read back.
fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-12 * one.abs().max(other.abs())
}

/// The folder of a history; one look at a time has it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// The folder of windows of a length below this one.
    ///
    /// # Errors
    ///
    /// Where another look has it.
    pub(super) fn open(below: &Path, length: WindowLength) -> Result<Self> {
        let path = below.join(length.to_string().replace(' ', "-"));
        std::fs::create_dir_all(&path).map_err(|source| Error::io(&path, source))?;
        let file = path.join(LOCK);
        let lock = File::options().create(true).append(true).open(&file);
        let lock = lock.map_err(|source| Error::io(&file, source))?;
        match lock.try_lock() {
            // Some network disks have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Missing {
                what: format!("somebody looks at the windows in {} already", path.display()),
                hint: "wait until it is done, or keep others with --history DIR".to_owned(),
            }),
        }
    }

    /// What was found before; none where nobody looked.
    pub(super) fn read(&self, length: WindowLength) -> Result<History> {
        let path = self.path.join(RESULTS);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(History::new(length));
            }
            Err(error) => return Err(Error::io(&path, error)),
        };
        let bytes = file.metadata().map_err(|source| Error::io(&path, source))?.len();
        let wrong = |reason: String| Error::Missing {
            what: format!("{}: {reason}", path.display()),
            hint: "move the folder away: windows are then looked at anew, as far as there are rows"
                .to_owned(),
        };
        if bytes > RESULTS_BYTES_MAX {
            return Err(wrong(format!("{bytes} bytes, and at most {RESULTS_BYTES_MAX} are read")));
        }
        let history: History = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| wrong(format!("it is damaged: {error}")))?;
        if history.schema_version != VERSION {
            let found = history.schema_version;
            return Err(wrong(format!("it has version {found}, this program reads {VERSION}")));
        }
        Ok(history)
    }

    /// Keeps results, durably: the old ones or the new ones are there.
    pub(super) fn write(&self, history: &History) -> Result<()> {
        let path = self.path.join(RESULTS);
        let bytes = serde_json::to_vec(history)
            .map_err(|error| Error::io(&path, std::io::Error::other(error)))?;
        replace(&path, &bytes, Access::Private).map_err(|source| Error::io(&path, source))
    }

    /// Keeps the summary of a window.
    pub(super) fn write_summary(&self, window: Window, summary: &Profile) -> Result<()> {
        let path = self.summary_path(window);
        let mut bytes = Vec::new();
        summary
            .write(&mut bytes)
            .map_err(|source| Error::Profile { path: path.clone(), source })?;
        replace(&path, &bytes, Access::Private).map_err(|source| Error::io(&path, source))
    }

    /// The summary of a window; none where it is not there or damaged: what is held to it is then not held to it.
    pub(super) fn summary(&self, window: Window) -> Option<Profile> {
        let file = File::open(self.summary_path(window)).ok()?;
        Profile::read(&mut BufReader::new(file)).ok()
    }

    /// Removes the summaries of other windows than these. They hold values of rows, and are kept no longer than these but
    /// for the one that the next window is held to.
    pub(super) fn keep_summaries(&self, windows: &BTreeSet<Window>) {
        let kept: BTreeSet<PathBuf> = windows.iter().map(|one| self.summary_path(*one)).collect();
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_summary = path.extension().is_some_and(|ending| ending == "profile");
            if is_summary && !kept.contains(&path) {
                let _gone_already = std::fs::remove_file(path);
            }
        }
    }

    fn summary_path(&self, window: Window) -> PathBuf {
        self.path.join(format!("summary-{}.profile", window.begins))
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{AlertRule, episodes};

    use super::*;

    fn found(begins: i64, rows: u64, time_sum: i64) -> Found {
        Found { window: Window { begins, ends: begins + 10 }, rows, time_sum }
    }

    fn kept(found: &Found, is_open: bool) -> KeptWindow {
        let result = WindowResult { is_open, ..WindowResult::new(found.window, found.rows) };
        KeptWindow { result, time_sum: found.time_sum, settings: "a".to_owned() }
    }

    #[test]
    fn late_rows_reopen_their_window_and_removed_ones_do_not() {
        let mut history = History::new(WindowLength::Time(60_000));
        history.put(vec![kept(&found(10, 5, 7), false), kept(&found(0, 5, 7), true)]);
        assert!(history.wants(&found(20, 1, 1), "a"), "new");
        assert!(history.wants(&found(0, 5, 7), "a"), "open");
        assert!(!history.wants(&found(10, 5, 7), "a"), "known");
        assert!(history.wants(&found(10, 6, 9), "a"), "a late row");
        assert!(history.wants(&found(10, 5, 8), "a"), "other rows");
        assert!(history.wants(&found(10, 5, 7), "b"), "other settings");
        assert!(!history.wants(&found(10, 4, 5), "b"), "rows were removed");
        assert!(!history.wants(&found(10, 4, 5), "a"), "rows were removed");
    }

    #[test]
    fn labels_that_say_what_they_said_are_no_news_of_a_window_that_is_looked_at_again() {
        let mut history = History::new(WindowLength::Time(60_000));
        let segment =
            |segment: &str| Measure::new(About::Data, metric::ROWS, 2.0).of_segment(segment);
        let (window, there) = (found(0, 5, 7), [found(0, 5, 7)]);
        let judged = |value: f64| WindowQuality {
            window: window.window,
            labelled: Some(4),
            measures: vec![
                Measure::new(About::Quality, "accuracy", value),
                Measure::new(About::Quality, "accuracy", value).of_segment("gone = 1"),
            ],
        };
        let look = |history: &mut History, settings: &str, value: f64| {
            let mut looked = vec![kept(&window, false)];
            settings.clone_into(&mut looked[0].settings);
            looked[0].result.extend([segment("x = 1"), segment(settings)]);
            history.keep_quality(&mut looked);
            history.put(looked);
            history.judge(vec![judged(value)], &there).len()
        };
        assert_eq!(look(&mut history, "a", 0.5), 1);
        assert_eq!(look(&mut history, "b", 0.5), 0);
        assert_eq!(look(&mut history, "b", 0.25), 1);
        let result = &history.windows[0].result;
        assert_eq!(result.whole(About::Quality, metric::LABELLED_SHARE).unwrap().value, 0.8);
        assert_eq!(history.segments("b"), ["x = 1", "b"]);
        assert!(history.segments("a").is_empty());
    }

    #[test]
    fn a_look_that_finds_the_same_is_nothing_new() {
        let mut history = History::new(WindowLength::Time(60_000));
        let look = |value: f64, remark: &str| {
            let mut look = kept(&found(10, 5, 7), false);
            look.result.extend([Measure::new(About::Drift, metric::DRIFT_SHARE, value)]);
            look.result.remarks.push(remark.to_owned());
            look
        };
        assert!(!history.says(&look(0.1, "a")), "nobody looked");
        let mut labelled = look(0.1 + 0.2, "a");
        labelled.result.extend([Measure::new(About::Quality, "accuracy", 0.9)]);
        history.put(vec![labelled]);
        assert!(history.says(&look(0.3, "a")), "as it is read back");
        assert!(!history.says(&look(0.300_001, "a")) && !history.says(&look(0.3, "b")));
        let other = KeptWindow { settings: "b".to_owned(), ..look(0.3, "a") };
        assert!(!history.says(&other));
        assert!(
            history.may_look_again(&found(10, 5, 7)) && !history.may_look_again(&found(10, 4, 7))
        );
    }

    #[test]
    fn a_log_that_nothing_comes_to_any_more_has_windows_without_rows() {
        let mut history = History::new(WindowLength::Time(10));
        assert!(history.silent(1000).is_empty(), "nothing ever came");
        history.put(Vec::from([0, 10].map(|begins| kept(&found(begins, 5, 7), false))));
        let begins = |until: i64| -> Vec<i64> {
            history.silent(until).iter().map(|result| result.window.begins).collect()
        };
        assert!(begins(29).is_empty(), "a window that goes on");
        assert_eq!(begins(45), [20, 30]);
        assert_eq!(begins(i64::MAX).len(), SILENT_MAX);
        let silent = &history.silent(30)[0];
        assert_eq!(silent.whole(About::Data, metric::ROWS).unwrap().value, 0.0);
        let rule = AlertRule {
            metric: Some(metric::ROWS.to_owned()),
            below: Some(1.0),
            ..AlertRule::default()
        };
        assert_eq!(episodes(&[rule], &history.silent(30)).len(), 1);
        history.put(vec![kept(&found(20, 1, 7), true)]);
        assert!(history.silent(1000).is_empty(), "rows may still come");
    }

    #[test]
    fn a_window_that_lost_rows_while_it_was_open_is_not_open_for_ever() {
        let mut history = History::new(WindowLength::Time(60_000));
        history.put(Vec::from([0, 10, 20].map(|begins| kept(&found(begins, 5, 7), true))));
        history.close(|window| window.ends <= 20, &[found(10, 3, 4), found(20, 3, 4)]);
        let open: Vec<bool> = history.windows.iter().map(|kept| kept.result.is_open).collect();
        assert_eq!(open, [false, false, true]);
    }

    #[test]
    fn what_is_kept_is_read_back_by_one_at_a_time() {
        let below = tempfile::tempdir().unwrap();
        let length = WindowLength::Rows(100);
        let folder = Folder::open(below.path(), length).unwrap();
        assert!(Folder::open(below.path(), length).unwrap_err().to_string().contains("already"));
        assert_eq!(folder.read(length).unwrap(), History::new(length));
        let mut history = History::new(length);
        history.put(vec![kept(&found(0, 5, 7), false)]);
        folder.write(&history).unwrap();
        assert_eq!(folder.read(length).unwrap(), history);
        let window = Window { begins: 0, ends: 10 };
        assert!(folder.summary(window).is_none());
        folder.write_summary(window, &Profile::default()).unwrap();
        assert_eq!(folder.summary(window), Some(Profile::default()));
        folder.keep_summaries(&BTreeSet::from([window]));
        assert!(folder.summary(window).is_some());
        folder.keep_summaries(&BTreeSet::new());
        assert!(folder.summary(window).is_none());
        std::fs::write(folder.path.join(RESULTS), "{").unwrap();
        assert!(folder.read(length).unwrap_err().to_string().contains("damaged"));
    }
}
