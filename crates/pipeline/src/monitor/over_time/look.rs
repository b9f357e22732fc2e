//! A look at all windows: which are new or reopened, what is found in them, and what of it is news.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use trainyard_base::words::log_columns::TIME;
use trainyard_data::{STDIN, instant};
use trainyard_drift::{
    About, AlertRule, Correction, Episode, News, Options, Window, WindowLength, WindowResult,
    episodes, metric, news,
};
use trainyard_serve::LogReading;

use super::super::comparison::{Sides, compare};
use super::super::job::MonitorJob;
use super::super::quality::Quality;
use super::super::segments::conditions;
use super::super::settings::Settings;
use super::defined::Defined;
use super::kept::{Folder, History, KeptWindow};
use super::memory::Memory;
use super::pass::{Seen, columns, pass};
use super::rows::{Found, Placed};
use super::summed::names;
use super::untold::Untold;
use crate::notify::Receiver;
use crate::{Error, Result};

/// Where histories are kept, in the folder of a prediction log or beside the page.
const FOLDER: &str = "windows";

/// Files of a folder by which it is known whether a table was changed; of more, nobody knows it of the others.
const STAMPED_MAX: usize = 10_000;

/// Characters of a hash of settings: nobody wants two settings to have one.
const HASH_CHARS: usize = 16;

/// What is known of all windows after a look.
#[derive(Debug, Serialize)]
pub struct OverTime {
    /// All windows, those of earlier looks too.
    #[serde(flatten)]
    pub history: History,
    /// What was beyond what the rules want, over all windows.
    pub alerts: Vec<Episode>,
    /// What somebody is to be told.
    #[serde(skip)]
    pub(super) untold: Untold,
    /// Windows whose rows are there and that were not looked at now: what is kept of them is as it was found before.
    pub kept_as_before: usize,
    /// The windows that were looked at now, or of which labels say something else now.
    pub looked_at: Vec<Window>,
    /// Rows without a time, which are in no window.
    pub rows_without_time: u64,
    /// The last window that ended, if nothing came to the log in it.
    #[serde(skip)]
    pub(super) silent: Option<Window>,
    #[serde(skip)]
    pub(super) folder: Folder,
}

impl MonitorJob {
    /// The length of windows that is asked for, by flag or file.
    pub fn window(&self) -> Option<WindowLength> {
        self.settings.window
    }

    /// Looks at the windows that are new, were open, or have other rows than before, and keeps what is found. Where files of
    /// a table are not what they were, all windows are looked at again, of which those count that are something else.
    /// `progress` is told how many columns of how many are done.
    pub async fn over_time(
        &self,
        length: WindowLength,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<OverTime> {
        let now = Utc::now();
        self.check_windows(length)?;
        let mut job = self.of_windows();
        let folder = Folder::open(&job.history_below(), length)?;
        let mut history = folder.read(length)?;
        let span = Span::of(&job.settings, now, length);
        let summaries = job.summaries(length, span.since, span.until)?;
        job.summed = job.settings.from_summaries.then(|| names(&summaries.windows));
        let in_engine = job.windows_in_engine(length, now).await?;
        if let Some(table) = &in_engine {
            job.summed = Some(table.names.clone());
        }
        let sides = Box::pin(job.sides(None)).await?;
        let mut placed = match &in_engine {
            Some(table) => table.placed(),
            None => job.placed(&sides, length)?,
        };
        // Labels are of rows.
        let of_rows = placed.windows.clone();
        let there: BTreeSet<Window> = of_rows.iter().map(|found| found.window).collect();
        placed.add(summaries, length)?;
        let settings = job.settings_hash(&sides);
        let is_log = job.log_folder().is_some();
        let stamp = job.stamp();
        let is_new = wanted(&placed, &history, &span, &settings, false);
        let may_differ = stamp.is_some() && stamp != history.stamp;
        let mut is_wanted = if may_differ || job.looks_again {
            job.again_wanted(&sides, &placed, &history, &span, &settings)
        } else {
            is_new.clone()
        };
        let partial = partial(&placed, &mut is_wanted, &settings);
        let memory = job.settings.memory();
        let names = columns(&sides, &placed, count(&is_wanted), &job.options())?;
        placed.load(&mut is_wanted, &names, memory, &|found| history.knows(found))?;
        if let Some(table) = &in_engine {
            Box::pin(table.load(&mut placed, &is_wanted, &names, memory)).await?;
        }
        placed.keep(&is_wanted);
        let before = |place: usize| folder.summary(window_before(place, &placed, &history)?);
        let wanted = placed.windows.iter().zip(&is_wanted).filter(|(_, is_wanted)| **is_wanted);
        let last = wanted.map(|(found, _)| found.window).max().max(history.last());
        let seen = pass(&sides, &placed, &is_wanted, &before, &job.options(), memory, progress)?;
        // The others would be removed at once, and each takes the disk some milliseconds.
        let is_kept = |window: Window| there.contains(&window) || Some(window) == last;
        let mut looked = found(&placed, seen, &span, &settings, &folder, is_kept)?;
        let of_labels = job.metrics_of_labels(&sides.current.names())?;
        let defined = Defined::of(&job.settings, &of_labels.metrics)?;
        let place = |one: &KeptWindow| placed.place(one.result.window);
        let results = looked.iter_mut().filter_map(|one| Some((place(one)?, &mut one.result)));
        defined.add(&sides, &placed, None, results)?;
        job.miss_labels(length, &of_labels, looked.iter_mut().map(|one| &mut one.result));
        history.title.clone_from(&sides.meta.title);
        history.reference.clone_from(&sides.meta.reference);
        history.current.clone_from(&sides.meta.current);
        Box::pin(job.add_segments(sides, length, &defined, &mut looked)).await?;
        if !job.looks_again {
            looked.retain(|one| place(one).is_none_or(|at| is_new[at]) || !history.says(one));
        }
        looked.extend(partial);
        let mut looked_at: Vec<Window> = looked.iter().map(|kept| kept.result.window).collect();
        if job.has_labels(length) {
            history.keep_quality(&mut looked);
        }
        let kept_as_before = there.iter().filter(|window| !looked_at.contains(window)).count();
        history.stamp = stamp;
        history.put(looked);
        // They tell of few rows, which summaries of the log that outlive rows do not.
        folder.keep_summaries(&there.into_iter().chain(history.last()).collect());
        let has_ended = |window| length.milliseconds().is_some() && span.has_ended(window);
        history.close(has_ended, &placed.windows);
        // Labels come when rows do not.
        let segments = history.segments(&settings);
        let judged = Box::pin(job.judged_windows(length, &of_labels, &segments)).await?;
        let relabelled = history.judge(judged, &of_rows);
        looked_at.extend(&relabelled);
        looked_at.sort_unstable();
        looked_at.dedup();
        // A table has ended; a log goes on.
        let silent = if is_log { silent(&history, &span, &placed) } else { Vec::new() };
        let last_silent = silent.last().map(|result| result.window);
        let mut results = history.results();
        results.extend(silent);
        let alerts = episodes(&job.rules(), &results);
        let last_ended = last_ended(&results);
        let news = |memory: &Memory| job.news(&alerts, memory, now);
        let untold = Untold::of(&mut history, &relabelled, last_ended, news);
        if job.tracking.is_some() {
            history.unlogged.extend(&looked_at);
        }
        folder.write(&history)?;
        Ok(OverTime {
            history,
            alerts,
            untold,
            kept_as_before,
            looked_at,
            rows_without_time: placed.untimed,
            silent: last_silent,
            folder,
        })
    }

    /// All windows whose rows are there; where nobody asked for them and they are too many at once, those that are new.
    fn again_wanted(
        &self,
        sides: &Sides,
        placed: &Placed,
        history: &History,
        span: &Span,
        settings: &str,
    ) -> Vec<bool> {
        let all = wanted(placed, history, span, settings, true);
        if self.looks_again || columns(sides, placed, count(&all), &self.options()).is_ok() {
            return all;
        }
        wanted(placed, history, span, settings, false)
    }

    /// What was kept, without a look.
    pub fn kept(&self, length: WindowLength) -> Result<History> {
        Folder::open(&self.of_windows().history_below(), length)?.read(length)
    }

    /// The rules that count.
    pub fn rules(&self) -> Vec<AlertRule> {
        let mut rules = self.settings.alerts.clone().unwrap_or_else(AlertRule::usual);
        let unknown = AlertRule::unknown();
        let is_about_it = |rule: &AlertRule| rule.metric == unknown.metric;
        if !self.settings.metrics.is_empty() && !rules.iter().any(is_about_it) {
            rules.push(unknown);
        }
        rules
    }

    /// Rules that flags and file together must keep.
    fn check_windows(&self, length: WindowLength) -> Result<()> {
        let wrong = |reason: &str| Err(Error::Settings(reason.to_owned()));
        if length.milliseconds().is_some() {
            return Ok(());
        }
        if self.settings.segments.is_some() {
            return wrong("--segment needs windows of time: --window 1d");
        }
        if self.rules().iter().any(|rule| rule.lasting.is_some()) {
            return wrong("monitor.alert: `for` needs windows of time; say `windows = 2`");
        }
        Ok(())
    }

    /// The job that reads what windows are made of: all versions of a log, and no others than its files.
    fn of_windows(&self) -> Self {
        let mut job = Self { is_of_windows: true, ..self.clone() };
        if let Some(project) = &job.project
            && !job.names_sides
            && job.settings.current.is_none()
        {
            let log = project.prediction_log().to_string_lossy().into_owned();
            job.settings.current = Some(log);
        }
        job
    }

    /// The folder below which histories are: that of a prediction log, or that of the page.
    fn history_below(&self) -> PathBuf {
        if let Some(folder) = &self.settings.history {
            return folder.clone();
        }
        if let Some(log) = self.log_folder() {
            return log.join(FOLDER);
        }
        let page = self.settings.report();
        page.parent().unwrap_or(Path::new("")).join(FOLDER)
    }

    /// The folder of the prediction log that windows are made of, if they are.
    pub(super) fn log_folder(&self) -> Option<PathBuf> {
        let source = self.current_source();
        let is_stdin = source == STDIN;
        let path = PathBuf::from(source);
        (!is_stdin && path.is_dir() && LogReading::begin(&path).is_some()).then_some(path)
    }

    /// What the files of a table look like, names, sizes and times of change; none of what is no file or folder of files,
    /// and of logs, whose files are only ever added and removed.
    fn stamp(&self) -> Option<String> {
        let path = PathBuf::from(self.current_source());
        if self.current_source() == STDIN || self.summed.is_some() || self.log_folder().is_some() {
            return None;
        }
        let mut files = vec![path.clone()];
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).ok()?.take(STAMPED_MAX);
            files = entries.flatten().map(|entry| entry.path()).collect();
            files.sort_unstable();
        }
        let mut hash = Sha256::new();
        for file in files {
            let about = std::fs::metadata(&file).ok()?;
            let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            let (name, bytes) = (file.display(), about.len());
            hash.update(format!("{name} {bytes} {}\n", changed.as_nanos()));
        }
        Some(hex::encode(hash.finalize()))
    }

    /// Where the rows of windows are.
    pub(super) fn current_source(&self) -> String {
        let source = self.settings.current.as_deref().unwrap_or_default();
        match &self.project {
            Some(project) if !self.names_sides => project.source(source),
            _ => source.to_owned(),
        }
    }

    /// Puts the rows of current into windows.
    fn placed(&self, sides: &Sides, length: WindowLength) -> Result<Placed> {
        if self.summed.is_some() {
            return Ok(Placed::nowhere(TIME));
        }
        if sides.current.profile().is_some() {
            return Err(Error::Missing {
                what: "a profile has no rows that could be put into windows".to_owned(),
                hint: "give the table, or the folder of the prediction log".to_owned(),
            });
        }
        let log_time = sides.current.names().contains(&TIME).then_some(TIME);
        if let WindowLength::Rows(rows) = length {
            let mut placed = Placed::by_rows(sides.current.rows(), rows)?;
            if let Some(column) = log_time {
                placed.add_times(&sides.current, column)?;
            }
            return Ok(placed);
        }
        let column = self.settings.time_column.as_deref().or(log_time);
        let column = column.ok_or_else(|| Error::Missing {
            what: format!("windows of {length} need a column of times"),
            hint: "name it with --time-column, or count rows: --window '10000 rows'".to_owned(),
        })?;
        Placed::by_time(&sides.current, column, length)
    }

    /// Adds what is found in parts of the windows that were looked at.
    async fn add_segments(
        &self,
        sides: Sides,
        length: WindowLength,
        defined: &Defined,
        looked: &mut [KeptWindow],
    ) -> Result<()> {
        let Some(asked) = &self.settings.segments else { return Ok(()) };
        if looked.is_empty() {
            return Ok(());
        }
        let memory = self.settings.memory();
        let options = Options { correction: Correction::None, ..self.options() };
        let whole = compare(&sides, &options, &Quality::default(), memory, &|_, _| {})?;
        drop(sides);
        for name in conditions(asked, &whole)? {
            let mut job = Self { is_segment: true, ..self.clone() };
            job.settings.conditions.get_or_insert_default().push(name.clone());
            let sides = Box::pin(job.sides(None)).await?;
            let mut placed = job.placed(&sides, length)?;
            let is_wanted: Vec<bool> = placed
                .windows
                .iter()
                .map(|found| looked.iter().any(|kept| kept.result.window == found.window))
                .collect();
            placed.keep(&is_wanted);
            let seen = pass(&sides, &placed, &is_wanted, &|_| None, &options, memory, &|_, _| {})?;
            for (found, seen) in placed.windows.iter().zip(seen) {
                let place = looked.iter_mut().find(|kept| kept.result.window == found.window);
                let (Some(kept), Some(seen)) = (place, seen) else { continue };
                kept.result.add_drift(&seen.drift, Some(&name));
                for change in &seen.changes {
                    kept.result.add_change(change, Some(&name));
                }
            }
            let place = |one: &KeptWindow| placed.place(one.result.window);
            let results = looked.iter_mut().filter_map(|one| Some((place(one)?, &mut one.result)));
            defined.add(&sides, &placed, Some(&name), results)?;
        }
        Ok(())
    }

    /// What decides of what is found, as a hash: when it changes, windows are looked at anew.
    fn settings_hash(&self, sides: &Sides) -> String {
        let decisive = decisive(&self.settings);
        let text = format!("{decisive} {} {}", sides.meta.reference, sides.reference.rows());
        let mut hash = hex::encode(Sha256::digest(text));
        hash.truncate(HASH_CHARS);
        hash
    }

    /// What of the alerts is news at this time to somebody who was told so much.
    fn news(&self, alerts: &[Episode], memory: &Memory, now: DateTime<Utc>) -> News {
        let now = now.timestamp_micros();
        let silences: Vec<_> = self
            .settings
            .silences
            .iter()
            .filter(|one| one.until.as_deref().and_then(instant).is_none_or(|until| now < until))
            .collect();
        let is_silenced = |one: &Episode| silences.iter().any(|by| by.covers(one));
        let is_recent = |one: &Episode| {
            let by_labels = matches!(one.series.about, About::Quality | About::Estimate);
            let has_ended = |until| one.ended.is_some_and(|ended| ended > until);
            memory.told_until.is_some_and(|until| {
                has_ended(until) || (by_labels && memory.relabelled.contains(&one.fired))
            })
        };
        news(alerts, &memory.told, is_silenced, is_recent)
    }
}

impl OverTime {
    /// The news in words, with why a window is broken: the number of its verdict says nothing of that.
    pub fn news_text(&self, news: &News) -> String {
        let mut text = news.text(self.history.window);
        let is_verdict =
            |one: &&Episode| one.series.metric == metric::VERDICT && one.series.segment.is_none();
        let broken =
            news.began.iter().chain(&news.passed).filter(is_verdict).find_map(|one| {
                self.history.of(one.fired).and_then(|kept| kept.result.why_broken())
            });
        if let Some(why) = broken {
            text.push_str("; broken, as ");
            text.push_str(why);
        }
        text
    }

    /// All that is known, as JSON.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::io("windows.json", std::io::Error::other(error)))
    }

    /// What is news to those who were told all until now.
    pub fn news(&self) -> &News {
        &self.untold.usual
    }

    /// Keeps that of all who are named these have heard the news.
    pub(super) fn remember(&mut self, all: &[Receiver], heard: &[Receiver]) -> Result<()> {
        std::mem::take(&mut self.untold).heard(&mut self.history, all, heard);
        self.folder.write(&self.history)
    }

    /// The last window that rows cannot come to any more.
    pub fn last_closed(&self) -> Option<&WindowResult> {
        self.history.windows.iter().rev().map(|kept| &kept.result).find(|result| !result.is_open)
    }
}

/// What of the settings decides, in words.
fn decisive(settings: &Settings) -> String {
    let decisive = Settings {
        current: None,
        engine_driver: None,
        engine_timeout: None,
        since: None,
        until: None,
        window: None,
        history: None,
        from_summaries: false,
        alerts: None,
        silences: Vec::new(),
        labels: None,
        on: None,
        target: None,
        prediction: None,
        labelled_reference: None,
        memory: None,
        prometheus: None,
        fail_on: Vec::new(),
        fail_on_drift: false,
        report: None,
        requests: None,
        ..settings.clone()
    };
    // What earlier versions did not have, and is not said, decides nothing: with it all windows would be looked at anew,
    // and rows that are gone as their summaries have them.
    format!("{decisive:?}")
        .replace("engine: None, ", "")
        .replace("engine_driver: None, engine_timeout: None, ", "")
        .replace("engine_sample: None, ", "")
        .replace("target: None, prediction: None, ", "target: None, ")
        .replace("metrics: {}, ", "")
}

/// The window before the one at a place: of those that are there, or of those that were looked at before.
fn window_before(place: usize, placed: &Placed, history: &History) -> Option<Window> {
    let window = placed.windows[place].window;
    if let Some(last) = place.checked_sub(1) {
        return Some(placed.windows[last].window);
    }
    history.windows.iter().rev().map(|kept| kept.result.window).find(|one| *one < window)
}

fn count(is_wanted: &[bool]) -> usize {
    is_wanted.iter().filter(|is_wanted| **is_wanted).count()
}

/// What was found in windows, with the summaries of some of them written down.
fn found(
    placed: &Placed,
    seen: Vec<Option<Seen>>,
    span: &Span,
    settings: &str,
    folder: &Folder,
    is_kept: impl Fn(Window) -> bool,
) -> Result<Vec<KeptWindow>> {
    let mut looked = Vec::new();
    for (found, seen) in placed.windows.iter().zip(seen) {
        let Some(Seen { drift, changes, summary }) = seen else { continue };
        let mut result = WindowResult::new(found.window, found.rows);
        result.is_open = span.is_open(found.window, found.rows);
        result.add_drift(&drift, None);
        for change in &changes {
            result.add_change(change, None);
        }
        if is_kept(found.window) {
            folder.write_summary(found.window, &summary)?;
        }
        let (time_sum, settings) = (found.time_sum, settings.to_owned());
        looked.push(KeptWindow { result, time_sum, settings });
    }
    Ok(looked)
}

/// Which windows are looked at now; all whose rows are there, if these are wanted.
fn wanted(
    placed: &Placed,
    history: &History,
    span: &Span,
    settings: &str,
    are_all: bool,
) -> Vec<bool> {
    let is_wanted = |(place, found): (usize, &Found)| {
        // What is known of a window is better than a doubt, or a part.
        let is_known = placed.is_in_doubt(place) && history.knows(found)
            || placed.partial(place).is_some() && history.knows_whole(found.window);
        let is_asked_for =
            history.wants(found, settings) || are_all && history.may_look_again(found);
        span.holds(found.window) && is_asked_for && !is_known
    };
    placed.windows.iter().enumerate().map(is_wanted).collect()
}

/// Windows of a log in which nothing came, but for those with rows that could not be looked at now.
fn silent(history: &History, span: &Span, placed: &Placed) -> Vec<WindowResult> {
    let mut silent = history.silent(span.until);
    silent.retain(|one| !placed.windows.iter().any(|found| found.window == one.window));
    silent
}

fn last_ended(results: &[WindowResult]) -> Option<Window> {
    let ended = results.iter().filter(|result| !result.is_open);
    ended.map(|result| result.window).max()
}

/// Those of the wanted windows of which some is gone: they are told, and not looked at.
fn partial(placed: &Placed, is_wanted: &mut [bool], settings: &str) -> Vec<KeptWindow> {
    let mut partial = Vec::new();
    for (place, (found, is_wanted)) in placed.windows.iter().zip(is_wanted).enumerate() {
        let Some(why) = placed.partial(place).filter(|_| *is_wanted) else { continue };
        *is_wanted = false;
        let result = WindowResult::partial(found.window, found.rows, format!("partial: {why}"));
        let (time_sum, settings) = (found.time_sum, settings.to_owned());
        partial.push(KeptWindow { result, time_sum, settings });
    }
    partial
}

/// The stretch of time that whole windows must lie in, milliseconds since 1970.
struct Span {
    length: WindowLength,
    since: Option<i64>,
    /// Rows may come after it.
    until: i64,
}

impl Span {
    fn of(settings: &Settings, now: DateTime<Utc>, length: WindowLength) -> Self {
        let rows = settings.rows(now);
        let milliseconds = |text: Option<&String>| Some(instant(text?)?.div_euclid(1000));
        let now = now.timestamp_millis();
        let until = milliseconds(rows.until.as_ref()).map_or(now, |until| until.min(now));
        Self { length, since: milliseconds(rows.since.as_ref()), until }
    }

    /// Whether all of a window's rows were read.
    fn holds(&self, window: Window) -> bool {
        let is_of_time = self.length.milliseconds().is_some();
        !is_of_time || self.since.is_none_or(|since| since <= window.begins)
    }

    /// Whether no rows come to a window any more, all of whose rows were read.
    fn has_ended(&self, window: Window) -> bool {
        self.holds(window) && window.ends <= self.until
    }

    /// Whether rows may still come.
    fn is_open(&self, window: Window, rows: u64) -> bool {
        match self.length {
            WindowLength::Time(_) => window.ends > self.until,
            WindowLength::Rows(length) => rows < length,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_earlier_versions_did_not_have_and_nobody_says_decides_nothing() {
        let usual = decisive(&Settings::default());
        assert!(usual.starts_with("Settings { reference: None, current: None, columns: None, "));
        assert!(usual.contains("target: None, labelled_reference: None, alerts: None"), "{usual}");
        let engine_timeout = Some(Duration::from_secs(1));
        assert_eq!(decisive(&Settings { engine_timeout, ..Settings::default() }), usual);
        let engine = Some("spark://here".to_owned());
        assert_ne!(decisive(&Settings { engine, ..Settings::default() }), usual);
        let engine_sample = Some(trainyard_engine::Sample::Off);
        assert_ne!(decisive(&Settings { engine_sample, ..Settings::default() }), usual);
    }
}
