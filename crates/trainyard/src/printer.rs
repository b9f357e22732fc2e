//! The one place that writes to the terminal.
//!
//! Progress goes to stderr, drawn on a terminal and as plain lines elsewhere; results go to stdout. Colours follow
//! `NO_COLOR` and are never needed to understand a line. Sentences lose the credentials of URIs here,
//! whoever wrote them.

use std::fmt;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use trainyard_mlflow::secrets::hide;
use trainyard_pipeline::Event;
use trainyard_pipeline::predict::Done;

use crate::failure::Failure;

pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// A line of the result, on stdout. A closed pipe (`| head`) is no error of ours.
pub(crate) fn line(text: &str) {
    let _closed_pipe = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes to stderr. A terminal that was closed meanwhile is no reason for a server to end otherwise than in order.
fn say(text: fmt::Arguments<'_>) {
    let _closed_terminal = anstream::stderr().lock().write_fmt(text);
}

/// Whether results may have colours.
pub(crate) fn stdout_has_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Columns of a page that is looked at: those of the narrowest terminal that people use.
const COLUMNS: usize = 80;

/// How a page is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Where lines are wrapped; nowhere where no person reads them.
    pub(crate) columns: Option<usize>,
    /// Whether it may have colours.
    pub(crate) has_colour: bool,
}

/// How a page on stdout is laid out.
pub(crate) fn stdout_look() -> Look {
    let columns = std::io::stdout().is_terminal().then_some(COLUMNS);
    Look { columns, has_colour: stdout_has_colour() }
}

/// How a page is laid out that is drawn again and again; none where stdout is no terminal.
pub(crate) fn stdout_screen() -> Option<Look> {
    std::io::stdout().is_terminal().then(stdout_look)
}

/// Draws a page over the one before.
pub(crate) fn redraw(lines: &[String]) {
    // Home, each line with what is left of the old one cut off, then what is left of the old page: nothing flickers.
    let page = lines.join("\x1b[K\n");
    let mut out = std::io::stdout().lock();
    let _closed_pipe = write!(out, "\x1b[H{page}\x1b[K\n\x1b[J").and_then(|()| out.flush());
}

/// What to do next, on stderr.
pub(crate) fn hint(text: &str) {
    say(format_args!("{CYAN}hint:{CYAN:#} {}\n", hide(text)));
}

/// What to do next, where a person reads it.
pub(crate) fn terminal_hint(text: &str) {
    if std::io::stderr().is_terminal() {
        hint(text);
    }
}

/// Longest answer of a person that is read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Whether this runs in a job of a CI. Some give a terminal to their jobs: nobody sits at it.
pub(crate) fn is_job() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether a person is there who reads what is asked and can answer.
pub(crate) fn can_ask() -> bool {
    !is_job() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on stderr and waits for a line; none where the answers have ended.
pub(crate) fn question(text: &str) -> std::io::Result<Option<String>> {
    say(format_args!("{}", hide(text)));
    let mut line = String::new();
    let bytes = std::io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line)?;
    Ok((bytes > 0).then_some(line))
}

/// A result for machines: one line of JSON on stdout.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::runtime(format!("the result is no JSON: {error}")))?;
    line(&text);
    Ok(())
}

/// Something to know, on stderr.
pub(crate) fn note(text: &str) {
    say(format_args!("{}\n", hide(text)));
}

/// A wrong command line, as it was rendered, on stderr.
pub(crate) fn mistake(rendered: &str) {
    say(format_args!("{}", hide(rendered)));
}

/// A text without the credentials of URIs, and without what could steer the terminal: some quote what clients sent.
fn sentence(text: &str) -> String {
    let is_kept = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    let shown = |character: char| if is_kept(character) { character } else { '\u{fffd}' };
    // Ends of lines as other systems write them.
    hide(text).replace("\r\n", "\n").chars().map(shown).collect()
}

/// Something to know that is no failure, on stderr.
pub(crate) fn warning(text: &str) {
    say(format_args!("{YELLOW}warning:{YELLOW:#} {}\n", sentence(text)));
}

/// A failure with its hint, on stderr.
pub(crate) fn failure(message: &str, hint_text: Option<&str>) {
    say(format_args!("{RED}error:{RED:#} {}\n", sentence(message)));
    if let Some(text) = hint_text {
        say(format_args!("\n"));
        hint(text);
    }
}

/// `1.2 s`, `340 ms`, `2 min 5 s`.
pub(crate) fn took(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

/// A longer time in its two largest units: `12 s`, `5 min`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A bar on the terminal, if stderr is one, once what it shows takes long enough to be seen.
fn patient_bar(template: &str) -> Option<ProgressBar> {
    /// What is done sooner needs no bar.
    const PATIENCE: Duration = Duration::from_millis(300);
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(None, indicatif::ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let shown = bar.clone();
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        if !shown.is_finished() {
            shown.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            shown.enable_steady_tick(Duration::from_millis(100));
        }
    });
    Some(bar)
}

/// Shows how many columns are compared, on a terminal.
#[derive(Debug)]
pub(crate) struct Columns(Option<ProgressBar>);

impl Columns {
    pub(crate) fn new() -> Self {
        Self(patient_bar(
            "{spinner} reading and comparing {pos}/{len} columns [{wide_bar}] {elapsed}",
        ))
    }

    pub(crate) fn show(&self, done: usize, total: usize) {
        if let Some(bar) = &self.0 {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows how many runs are read or imported, on a terminal.
#[derive(Debug)]
pub(crate) struct Runs(Option<ProgressBar>);

impl Runs {
    /// `total` if it is known.
    pub(crate) fn new(doing: &'static str, total: Option<u64>) -> Self {
        let bar = patient_bar(match total {
            Some(_) => "{spinner} {prefix}: {pos}/{len} runs, {msg} [{wide_bar}] {elapsed}",
            None => "{spinner} {prefix}: {pos} runs, {msg} {elapsed}",
        });
        if let Some(bar) = &bar {
            bar.set_prefix(doing);
            if let Some(total) = total {
                bar.set_length(total);
            }
        }
        Self(bar)
    }

    pub(crate) fn show(&self, runs: u64, besides: String) {
        if let Some(bar) = &self.0 {
            bar.set_position(runs);
            bar.set_message(besides);
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows how much of a table is scored, on a terminal.
#[derive(Debug)]
pub(crate) struct Scoring(Option<ProgressBar>);

impl Scoring {
    pub(crate) fn new() -> Self {
        Self(patient_bar(
            "{spinner} scoring: {percent} % [{wide_bar}] {msg} rows, {elapsed}, {eta} left",
        ))
    }

    pub(crate) fn show(&self, done: Done) {
        if let Some(bar) = &self.0 {
            bar.set_length(done.bytes_total);
            bar.set_position(done.bytes);
            bar.set_message(done.rows.to_string());
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows a pipeline's events: on a terminal the step that goes on, elsewhere a line for each that ended and for what
/// was done on the way, so that the log of a runner says where it is.
#[derive(Debug)]
pub(crate) struct Progress {
    enabled: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { enabled: std::io::stderr().is_terminal(), bar: Mutex::new(None) }
    }

    /// Draws one event.
    pub(crate) fn show(&self, event: &Event) {
        if !self.enabled {
            if let Some(line) = logged(event) {
                note(&line);
            }
            return;
        }
        match event {
            Event::Started(step) => self.start(step.title()),
            Event::Progress { step, message, share } => {
                let text = match share {
                    Some(share) => format!("{}: {message} {:.0} %", step.title(), share * 100.0),
                    None => format!("{}: {message}", step.title()),
                };
                self.with_bar(|bar| bar.set_message(text));
            }
            Event::Output { line } => self.above(&format!("  {line}")),
            Event::Done { step, message, took: duration } => self.finish(&format!(
                "{GREEN}✔{GREEN:#} {:<14} {message}  ({})",
                step.title(),
                took(*duration)
            )),
            Event::Skipped { step, reason } => {
                self.finish(&format!("{YELLOW}–{YELLOW:#} {:<14} {reason}", step.title()));
            }
            Event::Failed { step, took: duration } => {
                self.finish(&format!(
                    "{RED}✘{RED:#} {:<14} failed after {}",
                    step.title(),
                    took(*duration)
                ));
            }
        }
    }

    fn start(&self, title: &str) {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        if let Ok(mut slot) = self.bar.lock() {
            *slot = Some(bar);
        }
    }

    fn with_bar(&self, action: impl FnOnce(&ProgressBar)) {
        if let Ok(slot) = self.bar.lock()
            && let Some(bar) = slot.as_ref()
        {
            action(bar);
        }
    }

    /// A line above the spinner, if there is one.
    fn above(&self, text: &str) {
        let print = || say(format_args!("{}\n", hide(text)));
        match self.bar.lock().ok().as_ref().and_then(|slot| slot.as_ref()) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn finish(&self, text: &str) {
        if let Ok(mut slot) = self.bar.lock()
            && let Some(bar) = slot.take()
        {
            bar.finish_and_clear();
        }
        say(format_args!("{}\n", hide(text)));
    }
}

/// An event as a line of a log; none for what only makes sense on a terminal.
fn logged(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started(_) | Event::Progress { share: Some(_), .. } => return None,
        Event::Progress { step, message, share: None } => format!("{}: {message}", step.title()),
        Event::Output { line } => format!("  {line}"),
        Event::Done { step, message, took: duration } => {
            format!("{}: done, {message} ({})", step.title(), took(*duration))
        }
        Event::Skipped { step, reason } => format!("{}: skipped, {reason}", step.title()),
        Event::Failed { step, took: duration } => {
            format!("{}: failed after {}", step.title(), took(*duration))
        }
    })
}

#[cfg(test)]
mod tests {
    use trainyard_pipeline::Step;

    use super::*;

    #[test]
    fn what_is_quoted_does_not_steer_the_terminal() {
        let text = sentence("accuracy where \"side\" = \"\u{1b}[2J\"\n\tof http://me:secret@host");
        assert!(text.contains("\n\tof http://") && text.contains("[2J"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("secret"), "{text}");
    }

    #[test]
    fn a_step_is_a_line_of_a_log() {
        let took = Duration::from_millis(1200);
        let done = Event::Done { step: Step::Deploy, message: "version 3".to_owned(), took };
        assert_eq!(logged(&done).unwrap(), "deploy: done, version 3 (1.2 s)");
        let progress =
            |share| Event::Progress { step: Step::Train, message: "fold 2".to_owned(), share };
        assert_eq!(logged(&progress(None)).unwrap(), "train: fold 2");
        assert_eq!(logged(&progress(Some(0.5))), None);
        assert_eq!(logged(&Event::Started(Step::Gate)), None);
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (3599, "59 min"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
