//! What to do about an error, and whose turn it is.
//!
//! Each room's error decides both beside its variants, in one `match` without a wildcard: a new variant does
//! not compile before somebody has said whose fault it is. The text of an error holds no advice; whoever
//! prints it puts the hint where it belongs.

use std::fmt::Display;

/// Whose turn it is after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The user's: flags, project file, data or model are not what they should be.
    Input,
    /// That of what the program needs: the network, a disk, another server or program.
    Environment,
    /// Ours: a bug, or a limit that nobody could know.
    Program,
}

/// What an error says beside its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    pub fault: Fault,
    /// What to do, if there is something to do.
    pub hint: Option<String>,
}

impl Advice {
    /// The user's turn, and what to do.
    pub fn input(hint: impl Into<String>) -> Self {
        Self { fault: Fault::Input, hint: Some(hint.into()) }
    }

    /// Something that the program needs is not as it should be, and what to do.
    pub fn environment(hint: impl Into<String>) -> Self {
        Self { fault: Fault::Environment, hint: Some(hint.into()) }
    }
}

impl From<Fault> for Advice {
    fn from(fault: Fault) -> Self {
        Self { fault, hint: None }
    }
}

/// An error that knows what to do about it.
pub trait Advise: Display {
    /// Whose turn it is, and what to do.
    fn advice(&self) -> Advice;

    /// What to do, if there is something to do.
    fn hint(&self) -> Option<String> {
        self.advice().hint
    }

    /// Whose turn it is.
    fn fault(&self) -> Fault {
        self.advice().fault
    }

    /// Text and hint in one sentence, for a text that goes on.
    fn sentence(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self}; {hint}"),
            None => self.to_string(),
        }
    }

    /// Text and, on a line of its own, the hint: for logs and answers, which have one text.
    fn with_hint(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self}\nhint: {hint}"),
            None => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Error {
        #[error("{0} is no size")]
        Size(&'static str),
        #[error("a bug")]
        Bug,
    }

    impl Advise for Error {
        fn advice(&self) -> Advice {
            match self {
                Self::Size(_) => Advice::input("write 512MB"),
                Self::Bug => Fault::Program.into(),
            }
        }
    }

    #[test]
    fn a_hint_stands_where_it_is_wanted() {
        let size = Error::Size("lots");
        assert_eq!((size.fault(), size.hint().as_deref()), (Fault::Input, Some("write 512MB")));
        assert_eq!(size.sentence(), "lots is no size; write 512MB");
        assert_eq!(size.with_hint(), "lots is no size\nhint: write 512MB");
        assert_eq!(
            (Error::Bug.fault(), Error::Bug.with_hint()),
            (Fault::Program, "a bug".to_owned())
        );
    }
}
