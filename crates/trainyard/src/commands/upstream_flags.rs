//! Flags of `mlflow server` that mean something else here, or nothing.

use clap::Args;
use trainyard_tracking::access::AccessConfig;

use super::tls::TlsFiles;
use super::upstream_tls;
use crate::failure::Failure;
use crate::printer;

/// Flags of `mlflow server` about its Python processes: taken, so that its command lines work.
#[derive(Debug, Args)]
pub(super) struct Unused {
    #[arg(long, short, env = "MLFLOW_WORKERS", hide = true)]
    workers: Option<String>,
    #[arg(long, env = "MLFLOW_GUNICORN_OPTS", hide = true, allow_hyphen_values = true)]
    gunicorn_opts: Option<String>,
    #[arg(long, env = "MLFLOW_UVICORN_OPTS", hide = true, allow_hyphen_values = true)]
    uvicorn_opts: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    waitress_opts: Option<String>,
    #[arg(long, env = "MLFLOW_EXPOSE_PROMETHEUS", hide = true)]
    expose_prometheus: Option<String>,
    #[arg(long, hide = true)]
    dev: bool,
    /// Refused: whoever asks for them counts on being kept apart.
    #[arg(long, env = "MLFLOW_ENABLE_WORKSPACES", hide = true,
        value_parser = clap::builder::FalseyValueParser::new())]
    enable_workspaces: bool,
    /// What is so here anyway.
    #[arg(long, hide = true)]
    disable_workspaces: bool,
    /// `basic-auth`, which is here, and no Python program.
    #[arg(long, hide = true, value_name = "NAME")]
    pub(super) app_name: Option<String>,
}

impl Unused {
    /// The certificate, which is the one thing of them that is honoured.
    pub(super) fn certificate(&self) -> Result<Option<TlsFiles>, Failure> {
        upstream_tls::files(&[
            ("--gunicorn-opts", self.gunicorn_opts.as_deref()),
            ("--uvicorn-opts", self.uvicorn_opts.as_deref()),
        ])
    }

    /// How users sign in, where upstream's app for that is asked for. Another application of Python is no
    /// decoration: whoever asks for one counts on it.
    pub(super) fn access(&self) -> Result<Option<AccessConfig>, Failure> {
        match self.app_name.as_deref() {
            None => Ok(None),
            Some("basic-auth") => Ok(Some(AccessConfig::from_env()?)),
            Some(name) => Err(Failure::input(format!("--app-name {name} is a Python program"))
                .hint("for users, passwords and permissions: --app-name basic-auth")),
        }
    }

    /// Refuses what asks for workspaces, in words or by a client's variable, as upstream does with the latter.
    pub(super) fn refuse_workspaces(&self) -> Result<(), Failure> {
        if let Some(workspace) = trainyard_mlflow::client::workspace()? {
            return Err(Failure::input(format!(
                "MLFLOW_WORKSPACE={workspace} is for clients; unset it before the server starts"
            )));
        }
        if self.enable_workspaces && !self.disable_workspaces {
            return Err(Failure::input("--enable-workspaces: there are no workspaces here")
                .hint("a server for each group of people keeps them apart; docs: mlflow-compatibility, Workspaces"));
        }
        Ok(())
    }

    /// Says of each that was given why it changes nothing.
    pub(super) fn report(&self, has_certificate: bool) {
        let given = [
            ("--workers", self.workers.is_some()),
            ("--gunicorn-opts", self.gunicorn_opts.is_some() && !has_certificate),
            ("--uvicorn-opts", self.uvicorn_opts.is_some() && !has_certificate),
            ("--waitress-opts", self.waitress_opts.is_some()),
            ("--dev", self.dev),
        ];
        for (flag, _) in given.iter().filter(|(_, given)| *given) {
            printer::warning(&format!("{flag} is about Python processes; there are none here"));
        }
        if self.disable_workspaces {
            printer::note("--disable-workspaces: there are none here");
        }
        if self.expose_prometheus.is_some() {
            printer::note("metrics are at /metrics; --expose-prometheus needs no folder here");
        }
    }
}
