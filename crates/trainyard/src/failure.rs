//! A verb's failure as the user sees it: one paragraph, a hint, an exit code.

use std::process::ExitCode;

use crate::printer;

/// Why a verb failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Something went wrong on the way (exit code 1).
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// What the user gave is wrong (exit code 2).
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the failure and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        printer::failure(&self.message, self.hint.as_deref());
        ExitCode::from(self.code)
    }
}

impl From<trainyard_deploy::Error> for Failure {
    fn from(error: trainyard_deploy::Error) -> Self {
        trainyard_pipeline::Error::from(error).into()
    }
}

impl From<trainyard_pipeline::Error> for Failure {
    fn from(error: trainyard_pipeline::Error) -> Self {
        Self { message: error.message(), hint: error.hint(), code: error.exit_code() }
    }
}
