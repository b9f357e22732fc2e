//! What a pipeline tells whoever watches it.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Result;

/// The steps of a pipeline, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Train,
    Gate,
    Promote,
    Deploy,
    Traffic,
    Monitor,
}

impl Step {
    /// What a person reads while the step runs.
    pub fn title(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Gate => "gate",
            Self::Promote => "promote",
            Self::Deploy => "deploy",
            Self::Traffic => "send requests",
            Self::Monitor => "monitor",
        }
    }
}

/// Progress of a pipeline.
#[derive(Debug, Clone)]
pub enum Event {
    /// A step begins.
    Started(Step),
    /// What the step does now, and how far it is (0 to 1) where that is known.
    Progress { step: Step, message: String, share: Option<f64> },
    /// A line that the training program printed.
    Output { line: String },
    /// The step has done its work.
    Done { step: Step, message: String, took: Duration },
    /// The step was not needed, and why.
    Skipped { step: Step, reason: String },
    /// The step failed; the error follows as the pipeline's result.
    Failed { step: Step, took: Duration },
}

/// Whoever watches: a progress bar, a log, a test.
pub type Watcher<'a> = &'a (dyn Fn(Event) + Send + Sync);

impl Step {
    /// Does the step, tells the watcher how it went, and returns how long it took; `done` says what a step
    /// that went well did.
    pub(crate) async fn watched<T>(
        self,
        watcher: Watcher<'_>,
        work: impl Future<Output = Result<T>>,
        done: impl FnOnce(&T) -> String,
    ) -> Result<(T, Duration)> {
        let started = Instant::now();
        watcher(Event::Started(self));
        let outcome = work.await;
        let took = started.elapsed();
        watcher(match &outcome {
            Ok(value) => Event::Done { step: self, message: done(value), took },
            Err(_) => Event::Failed { step: self, took },
        });
        outcome.map(|value| (value, took))
    }

    /// Tells the watcher what the step does now.
    pub(crate) fn tell(self, watcher: Watcher<'_>, message: impl Into<String>) {
        watcher(Event::Progress { step: self, message: message.into(), share: None });
    }
}
