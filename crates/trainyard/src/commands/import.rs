//! `trainyard server import`: what MLflow kept in files, into the database of a server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use trainyard_tracking::import::{
    ArtifactsAre, Counts, Kind, Options, Problems, Report, Survey, Target, import, survey,
};
use trainyard_tracking::{Lending, OpenOptions};

use super::backend_store::BackendStore;
use crate::exit::FAILED;
use crate::failure::Failure;
use crate::printer;

/// Files that are named one by one when they cannot be imported.
const SHOWN_MAX: usize = 20;

/// A file store, and the server's database that it goes into.
///
/// Experiments, runs with the histories of their metrics, datasets, logged models, the registry and artifacts keep
/// their ids, times and stages. What is in the database already is not changed: an import that broke off is done
/// again, and a second one does nothing. In the end what is in the database is counted; exit code 1 says that it
/// is not what is in the files.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard server import ./mlruns --dry-run\n  trainyard server import ./mlruns"
)]
pub(crate) struct Arguments {
    /// Folder that MLflow kept everything in
    #[arg(value_name = "MLRUNS")]
    source: PathBuf,
    #[command(flatten)]
    store: BackendStore,
    /// Database of registered models and versions, if it is another one
    #[arg(long, env = "MLFLOW_REGISTRY_STORE_URI", value_name = "URI")]
    registry_store_uri: Option<String>,
    /// Root of new experiments' artifacts, as the server has it
    #[arg(
        long,
        env = "MLFLOW_DEFAULT_ARTIFACT_ROOT",
        default_value = "mlflow-artifacts:/",
        value_name = "URI"
    )]
    default_artifact_root: String,
    /// Where mlflow-artifacts:/ is kept, as the server has it
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_DESTINATION",
        default_value = "./mlartifacts",
        value_name = "URI"
    )]
    artifacts_destination: String,
    /// Where the server may read and write artifacts besides these two, as it has it
    #[arg(
        long = "allowed-artifact-root",
        env = "TRAINYARD_ALLOWED_ARTIFACT_ROOTS",
        value_delimiter = ',',
        value_name = "URIS"
    )]
    allowed_artifact_roots: Vec<String>,
    /// Copy artifacts to where new ones go, or leave them in the folder, which must be below a root of the server
    #[arg(long, value_enum, default_value_t = Artifacts::Copy, value_name = "HOW")]
    artifacts: Artifacts,
    /// Leave out files that cannot be read, and name them, instead of writing nothing
    #[arg(long)]
    skip_broken: bool,
    /// Let runs go into the experiment of the database that has the same name
    #[arg(long)]
    merge_experiments: bool,
    /// Read and count everything, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Artifacts {
    Copy,
    InPlace,
}

impl Arguments {
    fn options(&self) -> Options {
        Options {
            artifacts_are: match self.artifacts {
                Artifacts::Copy => ArtifactsAre::Copied,
                Artifacts::InPlace => ArtifactsAre::LeftInPlace,
            },
            skip_broken: self.skip_broken,
            merge_experiments: self.merge_experiments,
        }
    }

    fn target(&self) -> Result<Target, Failure> {
        let options = OpenOptions {
            default_artifact_root: Some(self.default_artifact_root.clone()),
            artifacts_destination: Some(self.artifacts_destination.clone()),
            ..OpenOptions::default()
        };
        let roots = self.allowed_artifact_roots.iter().filter(|root| !root.is_empty());
        let lending = Lending {
            registry_uri: self.registry_store_uri.clone(),
            artifact_roots: roots.cloned().collect(),
            private_files: self.store.file().cloned().into_iter().collect(),
        };
        Ok(Target::open(&self.store.uri()?, options, &lending)?)
    }
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let options = arguments.options();
    let bar = printer::Runs::new("reading", None);
    let found = survey(&arguments.source, options.artifacts_are, &|counts| show(&bar, counts));
    bar.finish();
    let found = found?;
    name(&found.problems);
    if found.traces > 0 {
        printer::note(&format!("{} traces are not imported", found.traces));
    }
    if arguments.dry_run {
        return Ok(tell_dry_run(&found, options));
    }
    if found.problems.total() > 0 && !options.skip_broken {
        let message = format!(
            "{} files or folders cannot be imported; nothing was written",
            found.problems.total()
        );
        return Err(Failure::runtime(message)
            .hint("repair or remove them, or leave them out with --skip-broken"));
    }
    let target = arguments.target()?;
    let bar = printer::Runs::new("importing", Some(found.counts.get(Kind::Runs)));
    let report =
        import(&arguments.source, &found, &target, options, &|counts| show(&bar, counts)).await;
    bar.finish();
    tell(&report?, &found)
}

fn show(bar: &printer::Runs, counts: &Counts) {
    let (values, files) = (counts.get(Kind::MetricValues), counts.get(Kind::Files));
    bar.show(counts.get(Kind::Runs), format!("{values} metric values, {files} files"));
}

/// Names what cannot be read.
fn name(problems: &Problems) {
    for problem in problems.first().iter().take(SHOWN_MAX) {
        printer::warning(&problem.to_string());
    }
    let more = problems.total().saturating_sub(SHOWN_MAX as u64);
    if more > 0 {
        printer::warning(&format!("and {more} more that cannot be imported"));
    }
}

fn tell_dry_run(found: &Survey, options: Options) -> ExitCode {
    for (kind, name) in Kind::ALL {
        let count = found.counts.get(kind);
        if count > 0 {
            printer::line(&format!("{name:<22} {count:>12}"));
        }
    }
    if found.problems.total() > 0 && !options.skip_broken {
        return ExitCode::from(FAILED);
    }
    ExitCode::SUCCESS
}

/// Says how much is in the database of what is in the files.
fn tell(report: &Report, found: &Survey) -> Result<ExitCode, Failure> {
    for note in &report.notes {
        printer::note(note);
    }
    printer::line(&format!("{:<22} {:>12} {:>12}", "", "files", "database"));
    for (kind, name) in Kind::ALL {
        let (read, stored) = (report.read.get(kind), report.stored.get(kind));
        if read > 0 || stored > 0 {
            printer::line(&format!("{name:<22} {read:>12} {stored:>12}"));
        }
    }
    for difference in &report.differences {
        printer::warning(difference);
    }
    if report.differences_total > 0 {
        return Err(Failure::runtime(format!(
            "{} things are not in the database as they are in the files",
            report.differences_total
        )));
    }
    // Whoever still writes into the folder is not done with it.
    if report.read != found.counts || report.problems.total() > found.problems.total() {
        return Err(Failure::runtime("the files changed while they were imported")
            .hint("end the programs that still log to the folder, and import again"));
    }
    Ok(ExitCode::SUCCESS)
}
