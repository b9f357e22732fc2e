//! What is known of a table's columns before their values are asked for: how many there are, and of which kind.
//!
//! How many different values a column has is the dearest question of all, and of most columns with many of them the first
//! rows answer it: there are more than are counted one by one. The others are grouped, which costs as little as few groups do.

use trainyard_drift::is_called_row_names;

use crate::error::{Error, Result};
use crate::limits::{
    COLUMNS_A_STATEMENT, FIRST_ROWS, LABEL_CHARACTERS_MAX, POINTS, ROWS_BESIDE, ROWS_MAX,
};
use crate::session::Session;
use crate::shape::{Form, Shape};
use crate::source::Source;
use crate::statements::{self, NUMBERS_A_COLUMN};

/// Different texts up to which a column is one of labels, however many of its values they are.
const LABELS_FEW: u64 = 100;

/// What is known of a column before its values are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Values, those that are no number among them.
    pub(crate) present: u64,
    pub(crate) distinct: Distinct,
    nan: u64,
    pub(crate) infinite: [u64; 2],
    /// Characters of the longest text.
    length: u64,
}

/// How many different values there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distinct {
    Exactly(u64),
    /// More than are counted one by one.
    Many,
}

impl Distinct {
    /// As many as there are at least.
    pub(crate) fn least(self) -> u64 {
        match self {
            Self::Exactly(count) => count,
            Self::Many => POINTS as u64 + 1,
        }
    }
}

impl Counts {
    fn of(numbers: &[u64; NUMBERS_A_COLUMN]) -> Self {
        let [present, nan, low, high, length] = *numbers;
        Self { present, distinct: Distinct::Exactly(0), nan, infinite: [low, high], length }
    }

    pub(crate) fn are_all_finite(&self) -> bool {
        self.finite() == self.present
    }

    pub(crate) fn finite(&self) -> u64 {
        self.present.saturating_sub(self.nan + self.infinite.iter().sum::<u64>())
    }

    /// Whether more finite values are different than are counted one by one.
    pub(crate) fn is_continuous(&self) -> bool {
        let Distinct::Exactly(distinct) = self.distinct else { return true };
        let others = [self.nan, self.infinite[0], self.infinite[1]];
        let others = others.iter().filter(|count| **count > 0).count() as u64;
        distinct.saturating_sub(others) > POINTS as u64
    }

    /// Whether the column names or numbers so many rows, which then are too many for its values to be counted.
    pub(crate) fn number_rows(&self, shape: &Shape, rows: u64) -> bool {
        let is_long = self.distinct.least() > POINTS as u64 || self.stays().is_some();
        let is_another_in_each = self.present == rows && self.distinct == Distinct::Exactly(rows);
        may_number_rows(shape) && is_long && is_another_in_each
    }

    /// Why a column of texts stays where it is.
    pub(crate) fn stays(&self) -> Option<String> {
        if self.length > LABEL_CHARACTERS_MAX {
            return Some(format!(
                "it has a text of {} characters; labels of up to {LABEL_CHARACTERS_MAX} leave the engine",
                self.length
            ));
        }
        let different = match self.distinct {
            Distinct::Many => Some(format!("more than {POINTS}")),
            Distinct::Exactly(count) => (count > POINTS as u64).then(|| count.to_string()),
        };
        if let Some(different) = different {
            return Some(format!(
                "it has {different} different texts; up to {POINTS} labels leave the engine"
            ));
        }
        let distinct = self.distinct.least();
        let is_free = distinct > LABELS_FEW && distinct > self.present / 2;
        is_free.then(|| {
            format!(
                "{distinct} of its {} texts are different: free text does not leave the engine",
                self.present
            )
        })
    }
}

/// Whether a column may name or number rows, by its name and type.
fn may_number_rows(shape: &Shape) -> bool {
    let is_whole = shape.form == Form::Text || shape.data_type.is_integer();
    is_whole && is_called_row_names(&shape.name)
}

/// The rows, and what is to be known of each column first.
pub(crate) fn count(
    session: &mut Session<'_>,
    source: &Source,
    relation: &str,
    shapes: &[Shape],
) -> Result<(u64, Vec<Counts>)> {
    let what = "how many values there are";
    let mut counts = Vec::with_capacity(shapes.len());
    let mut rows = None;
    for shapes in shapes.chunks(COLUMNS_A_STATEMENT) {
        let shapes: Vec<&Shape> = shapes.iter().collect();
        let sql = statements::counts(source.engine(), relation, &shapes);
        let numbers = session.numbers(what, &sql, 1 + shapes.len() * NUMBERS_A_COLUMN)?;
        let (found, numbers) = (numbers[0], &numbers[1..]);
        counts.extend(numbers.as_chunks().0.iter().map(Counts::of));
        if rows.replace(found).is_some_and(|before| before != found) {
            return Err(changed(source, "its number of rows"));
        }
    }
    let rows = match rows {
        Some(rows) => rows,
        None => session.numbers(what, &statements::rows(relation), 1)?[0],
    };
    if rows > ROWS_MAX {
        return Err(Error::TooLarge {
            place: source.shown(),
            found: rows,
            what: "rows",
            most: ROWS_MAX,
        });
    }
    distinct(session, source, relation, shapes, rows, &mut counts)?;
    Ok((rows, counts))
}

/// How many values of each column are different.
fn distinct(
    session: &mut Session<'_>,
    source: &Source,
    relation: &str,
    shapes: &[Shape],
    rows: u64,
    counts: &mut [Counts],
) -> Result<()> {
    let engine = source.engine();
    let what = "how many values are different";
    let mut open: Vec<usize> = (0..shapes.len())
        .filter(|index| shapes[*index].form != Form::Other && counts[*index].present > 0)
        .collect();
    if rows > 2 * FIRST_ROWS && engine.reads_first_rows() {
        // Of what may number rows it is to be known exactly.
        let (exactly, first): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|index| may_number_rows(&shapes[**index]));
        open = exactly;
        for together in first.chunks(COLUMNS_A_STATEMENT) {
            let asked: Vec<&Shape> = together.iter().map(|index| &shapes[*index]).collect();
            let sql = statements::distinct_of_first(relation, &asked);
            let numbers = session.numbers(what, &sql, asked.len())?;
            for (index, found) in together.iter().zip(numbers) {
                if found > POINTS as u64 + ROWS_BESIDE {
                    counts[*index].distinct = Distinct::Many;
                } else {
                    open.push(*index);
                }
            }
        }
    }
    for together in open.chunks(COLUMNS_A_STATEMENT) {
        let asked: Vec<&Shape> = together.iter().map(|index| &shapes[*index]).collect();
        let sql = statements::distinct(engine, relation, &asked);
        let numbers = session.numbers(what, &sql, asked.len())?;
        for (index, found) in together.iter().zip(numbers) {
            counts[*index].distinct = Distinct::Exactly(found);
        }
    }
    Ok(())
}

pub(crate) fn changed(source: &Source, what: &str) -> Error {
    Error::Changed { place: source.shown(), what: what.to_owned() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn counts(distinct: u64) -> Counts {
        let distinct = Distinct::Exactly(distinct);
        Counts { present: 100_000, distinct, nan: 0, infinite: [0, 3], length: 7 }
    }

    #[test]
    fn free_text_and_many_labels_stay() {
        assert_eq!(counts(10_000).stays(), None);
        assert!(counts(10_001).stays().unwrap().contains("10001 different texts"));
        let many = Counts { distinct: Distinct::Many, ..counts(0) };
        assert!(many.stays().unwrap().contains("more than 10000 different texts"));
        assert!(Counts { length: 1001, ..counts(2) }.stays().is_some());
        assert!(Counts { present: 300, ..counts(151) }.stays().unwrap().contains("free text"));
        assert_eq!(Counts { present: 100, ..counts(100) }.stays(), None);
    }

    #[test]
    fn infinite_values_are_no_quantiles() {
        assert!(!counts(10_001).is_continuous() && counts(10_002).is_continuous());
        assert!(Counts { distinct: Distinct::Many, ..counts(0) }.is_continuous());
    }

    #[test]
    fn row_numbers_are_known_by_name_and_values() {
        let shape = |name: &str| Shape {
            name: name.to_owned(),
            expression: String::new(),
            data_type: arrow_schema::DataType::Int64,
            form: Form::Ordered,
        };
        let all = counts(100_000);
        assert!(all.number_rows(&shape("index"), 100_000));
        assert!(!all.number_rows(&shape("id"), 100_000));
        assert!(!all.number_rows(&shape("index"), 100_001));
        assert!(!counts(99_999).number_rows(&shape("index"), 100_000));
    }
}
