//! Arithmetic over something: over cells of a row, or over aggregates of a table.

/// A sum, product and the like. What has no value has none together with anything else, as in SQL.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<Leaf> {
    Number(f64),
    Leaf(Leaf),
    Negative(Box<Self>),
    Two(Box<Self>, Sign, Box<Self>),
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
    Times,
    Over,
}

impl Sign {
    /// Both as one; nothing where one is missing, and of a division by zero.
    pub(super) fn of(self, left: Option<f64>, right: Option<f64>) -> Option<f64> {
        let (left, right) = left.zip(right)?;
        match self {
            Self::Plus => Some(left + right),
            Self::Minus => Some(left - right),
            Self::Times => Some(left * right),
            Self::Over => (right != 0.0).then(|| left / right),
        }
    }
}

impl<Leaf> Tree<Leaf> {
    /// Calls `each` with all leaves.
    pub(super) fn for_each(&self, each: &mut dyn FnMut(&Leaf)) {
        match self {
            Self::Number(_) => {}
            Self::Leaf(leaf) => each(leaf),
            Self::Negative(inner) => inner.for_each(each),
            Self::Two(left, _, right) => {
                left.for_each(each);
                right.for_each(each);
            }
        }
    }
}
