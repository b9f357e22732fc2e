//! `trainyard deploy logs`: what instances, the gateway and the supervisor say.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_deploy::{LogLine, LogOf, LogOptions};
use trainyard_mlflow::secrets::hide;
use trainyard_pipeline::service;

use super::project::ProjectArguments;
use super::shutdown_signal;
use crate::failure::Failure;
use crate::printer;

/// Lines that are shown where nobody says how many, nor since when.
const USUAL_LINES: usize = 50;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard deploy logs -f\n  trainyard deploy logs --since 10m --instance gateway --instance r3"
)]
pub(super) struct LogsArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Go on with the lines that come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only lines written within this time
    #[arg(long, value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    since: Option<Duration>,
    /// Whose: the id of an instance, gateway or supervisor; by default the instances that serve; may be repeated
    #[arg(long, value_name = "ID|gateway|supervisor")]
    instance: Vec<LogOf>,
    /// How many lines of each, the last ones [default: 50, or all with --since]
    #[arg(long, short = 'n', value_name = "COUNT")]
    lines: Option<usize>,
}

pub(super) async fn logs(arguments: &LogsArguments) -> Result<ExitCode, Failure> {
    let project = arguments.project.open_project()?;
    let usual = arguments.since.is_none().then_some(USUAL_LINES);
    let options = LogOptions {
        of: arguments.instance.clone(),
        lines: arguments.lines.or(usual),
        since: arguments.since,
        follow: arguments.follow,
    };
    let mut names = Names { one: None, are_several: arguments.instance.len() > 1 };
    let mut tell = |line: LogLine| printer::line(&names.told(&line));
    let service = service(&project);
    let telling = trainyard_deploy::logs(&service, &options, &mut tell);
    tokio::select! {
        biased;
        () = shutdown_signal(), if arguments.follow => {}
        told = telling => told?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose lines came so far: from the second on, each line says whose it is.
struct Names {
    one: Option<String>,
    are_several: bool,
}

impl Names {
    fn told(&mut self, line: &LogLine) -> String {
        let one = self.one.get_or_insert_with(|| line.of.clone());
        self.are_several |= *one != line.of;
        // Ours are written without credentials; those of a training or scoring program may not be.
        let text = hide(&line.text);
        if self.are_several { format!("{:<10} | {text}", line.of) } else { text.into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_say_whose_they_are() {
        let line = |of: &str, text: &str| LogLine { of: of.to_owned(), text: text.to_owned() };
        let mut names = Names { one: None, are_several: false };
        assert_eq!(names.told(&line("r1", "a")), "a");
        assert_eq!(names.told(&line("r2", "b")), "r2         | b");
        assert_eq!(names.told(&line("r1", "c")), "r1         | c");
        let hidden = names.told(&line("gateway", "GET http://ana:s3cret@host/"));
        assert!(hidden.starts_with("gateway    | ") && !hidden.contains("s3cret"), "{hidden}");
    }
}
