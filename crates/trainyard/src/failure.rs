//! A verb's failure as the user sees it: one paragraph, a hint, an exit code.

use trainyard_base::Advise as _;

use crate::exit::{FAILED, INPUT};

/// Why a verb failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) code: u8,
}

impl Failure {
    /// Something went wrong on the way.
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: FAILED }
    }

    /// What the user gave is wrong.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: INPUT }
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What the rooms below say, each in its own words.
impl<E: Into<trainyard_pipeline::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { message: error.message(), hint: error.hint(), code: error.exit_code() }
    }
}
