//! `trainyard monitor --window`: production data over time.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use trainyard_pipeline::monitor::{MonitorJob, WindowLength, tried};
use trainyard_report::drift as report;

use crate::exit::DRIFT;
use crate::failure::Failure;
use crate::printer::{self, Columns};

/// Flags of windows beside those that a file may hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Windows")]
pub(super) struct WindowArguments {
    /// Say how often the rules on windows would have fired, by what is kept of windows, and stop
    #[arg(long, conflicts_with = "print_config")]
    pub(super) try_rules: bool,
    /// Look again at all windows whose rows are there, not only at those that are new or not what they were
    #[arg(long, conflicts_with_all = ["print_config", "try_rules"])]
    pub(super) again: bool,
}

/// What is wanted of a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) try_rules: bool,
    pub(super) is_json: bool,
    pub(super) no_log: bool,
}

/// Looks at windows, or tries the rules on those that are kept.
pub(super) async fn run(
    job: &MonitorJob,
    length: WindowLength,
    asked: Asked,
    page: Option<&Path>,
) -> Result<ExitCode, Failure> {
    if asked.try_rules {
        return try_rules(job, length, asked.is_json);
    }
    let columns = Columns::new();
    let looked = Box::pin(job.over_time(length, &|done, total| columns.show(done, total))).await;
    columns.finish();
    let mut over_time = looked?;
    // Neither a full disk nor a store that does not answer keeps an alert back.
    let page = job.write_windows(&over_time, page);
    let logged =
        if asked.no_log { Ok(None) } else { Box::pin(job.log_windows(&mut over_time)).await };
    if asked.is_json {
        printer::line(&over_time.json()?);
    } else {
        let results = over_time.history.results();
        printer::line(report::windows_text(&results, length, &over_time.alerts).trim_end());
    }
    if over_time.kept_as_before > 0 {
        let windows = match over_time.kept_as_before {
            1 => "1 window is".to_owned(),
            windows => format!("{windows} windows are"),
        };
        printer::note(&format!(
            "{windows} kept as found before; --again looks at all that have rows"
        ));
    }
    if over_time.rows_without_time > 0 {
        let rows = over_time.rows_without_time;
        printer::warning(&format!("{rows} rows have no time, and are in no window"));
    }
    if !over_time.news().is_empty() {
        printer::warning(&over_time.news_text(over_time.news()));
    }
    job.tell(&mut over_time).await?;
    let page = page?;
    logged?;
    printer::note(&format!("page: {}", page.display()));
    match job.windows_fail(&over_time) {
        None => Ok(ExitCode::SUCCESS),
        Some(reason) => {
            printer::failure(&reason, Some("the page has all windows"));
            Ok(ExitCode::from(DRIFT))
        }
    }
}

fn try_rules(job: &MonitorJob, length: WindowLength, is_json: bool) -> Result<ExitCode, Failure> {
    let history = job.kept(length)?;
    if history.windows.is_empty() {
        return Err(Failure::input("no windows are kept yet, on which rules could be tried")
            .hint("look at windows first: the same command without --try-rules"));
    }
    let lines = tried(&job.rules(), &history);
    if is_json {
        printer::json(&lines)?;
    } else {
        printer::line(&lines.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}
