//! Who reads which class: every family of estimators has a table of its readers.

use super::estimator::{Estimator, Fields};
use crate::python::Value;
use crate::{Error, Result};

/// Depth to which estimators hold each other: pipelines in ensembles in pipelines.
const DEPTH_MAX: usize = 30;

/// An estimator of any kind.
pub(super) type Boxed = Box<dyn Estimator>;

/// How a fitted estimator is read.
type Read = fn(Fields<'_>, Nested) -> Result<Boxed>;

/// Reads the estimators of some classes.
pub(super) struct Reader {
    /// Names of the classes, without their modules, a space between them.
    pub(super) classes: &'static str,
    /// What of them is evaluated, where that is not all; docs/models.md says it.
    pub(super) note: &'static str,
    pub(super) names: Names,
    pub(super) read: Read,
}

/// Whose names the columns of an input must have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// Those that the estimator itself was fitted to.
    Own,
    /// None: it picks its columns from whatever there is.
    Picked,
    /// It looks at no name; a pipeline looks at its next step.
    Unseen,
    /// Those of the steps of a pipeline.
    Steps,
    /// Those of the estimators that it hands its input on to: the attributes that lead to them.
    Inner(&'static [&'static str]),
}

impl Reader {
    pub(super) const fn new(classes: &'static str, read: Read) -> Self {
        Self { classes, note: "", names: Names::Own, read }
    }

    pub(super) const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    pub(super) const fn names(self, names: Names) -> Self {
        Self { names, ..self }
    }
}

/// Reads the estimators that an estimator holds.
#[derive(Clone, Copy)]
pub(super) struct Nested {
    read: Read,
    depth: usize,
}

impl Nested {
    /// For an estimator that nothing holds; `read` reads one of any class.
    pub(super) fn new(read: Read) -> Self {
        Self { read, depth: 0 }
    }

    /// An estimator that the one at hand holds.
    pub(super) fn load(self, value: Value<'_>) -> Result<Boxed> {
        let fields = Fields(value);
        if value.class().is_none() {
            return Err(Error::Unsupported {
                what: format!("a model that is {}", value.describe()),
                hint: "write the fitted estimator alone, without what it was kept in".to_owned(),
            });
        }
        if self.depth > DEPTH_MAX {
            return Err(
                fields.malformed(format!("estimators hold each other deeper than {DEPTH_MAX}"))
            );
        }
        (self.read)(fields, Self { depth: self.depth + 1, ..self })
    }
}
