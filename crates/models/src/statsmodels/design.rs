//! The design of a formula: which numbers a row becomes.
//!
//! A results file holds the formula, the rows of training and the design that these became, each column under a name that
//! says what it is. The names are read, the levels of categories are taken from the rows of training, and what that makes
//! of these rows is held against the design in the file: a formula that is read wrongly is refused when it is loaded.

use std::collections::HashMap;

use super::expression::Expression;
use super::names::{NamedFactor, NamedLevel, factors};
use crate::any::Cell;
use crate::input::Cells;
use crate::python::pandas::{Frame, Kind, Values};
use crate::sklearn::{Key, keys};
use crate::{Error, Result};

/// Columns of one design, and factors that they are made of.
const COLUMNS_MAX: usize = 10_000;
const FACTORS_MAX: usize = 1_000;

/// Bytes of the name of a column; those that people have are some dozens.
const NAME_MAX: usize = 2_000;

/// Bytes of the levels of all factors.
const LEVELS_MAX: usize = 64 << 20;

/// Rows of training, and cells of them, that are held against the design in the file.
const ROWS_CHECKED: usize = 10_000;
const CELLS_CHECKED: usize = 1 << 24;

/// Cells of the design of one request.
const CELLS_MAX: usize = 1 << 27;

/// How far numbers may be from those in the file, relative to the larger of them and one.
const TOLERANCE: f64 = 1e-9;

/// The columns that a formula makes of a row.
#[derive(Debug)]
pub(super) struct Design {
    factors: Vec<Factor>,
    /// Each column is a product.
    columns: Vec<Vec<Part>>,
}

/// What columns are made of.
#[derive(Debug)]
struct Factor {
    /// As the formula has it.
    code: String,
    expression: Expression,
    /// Where it is categorical.
    levels: Option<Levels>,
}

/// The place of a factor, and the level that a column is for.
type NamedPart = (usize, Option<NamedLevel>);

/// The levels of a categorical factor.
#[derive(Debug)]
struct Levels {
    places: HashMap<Key, usize>,
    /// As names of columns have them.
    written: HashMap<String, usize>,
}

/// One factor in a column.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Its number.
    Number(usize),
    /// One where it has this level.
    Level { factor: usize, level: usize },
    /// That, and -1 where it has the level without a column.
    Sum { factor: usize, level: usize, omitted: usize },
}

/// A factor of some rows.
enum Evaluated {
    Numbers(Vec<f64>),
    /// Places of levels; none where the value is missing.
    Levels(Vec<Option<usize>>),
}

impl Design {
    /// The design that `data` of a model says: its names of columns, with the levels that its rows of training have.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with the part of the formula that is not known here.
    pub(super) fn read(made: &Frame<'_>, training: &Frame<'_>) -> Result<Self> {
        let names: Option<Vec<&str>> = made.columns.iter().map(text).collect();
        let names = names.filter(|names| {
            names.len() <= COLUMNS_MAX && names.iter().all(|name| name.len() <= NAME_MAX)
        });
        let names = names.ok_or_else(|| unreadable("the names of its columns"))?;
        let mut reading = Reading { training, factors: Vec::new(), left: LEVELS_MAX };
        let mut named = Vec::with_capacity(names.len());
        for name in names {
            let parts = factors(name, |code, level| {
                let factor = reading.factor(code)?;
                let levels = reading.levels(factor)?;
                Ok(levels.written.contains_key(level))
            });
            let parts = parts.and_then(|parts| {
                let place = |part: NamedFactor<'_>| -> Result<NamedPart, String> {
                    Ok((reading.factor(part.code)?, part.level))
                };
                parts.into_iter().map(place).collect::<Result<Vec<_>, String>>()
            });
            named.push(
                parts.map_err(|what| unsupported(&format!("{what} in the column {name:?}")))?,
            );
        }
        let factors = reading.factors;
        let omitted = omitted(&factors, &named)?;
        let part = |(factor, level): &NamedPart| {
            let Some(level) = level else { return Some(Part::Number(*factor)) };
            let place = *factors.get(*factor)?.levels.as_ref()?.written.get(&level.level)?;
            if !level.is_sum {
                return Some(Part::Level { factor: *factor, level: place });
            }
            let omitted = *omitted.get(factor)?;
            Some(Part::Sum { factor: *factor, level: place, omitted })
        };
        let columns = named.iter().map(|parts| parts.iter().map(part).collect());
        let columns: Option<Vec<Vec<Part>>> = columns.collect();
        let columns = columns.ok_or_else(|| unreadable("the levels of its columns"))?;
        let design = Self { factors, columns };
        design.check_kinds()?;
        design.check(made, training)?;
        Ok(design)
    }

    /// Numbers a row becomes.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Bytes held, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        let levels = self.factors.iter().filter_map(|factor| factor.levels.as_ref());
        let levels: usize = levels.map(Levels::size_bytes).sum();
        levels + self.columns.iter().map(|parts| size_of_val(parts.as_slice())).sum::<usize>()
    }

    /// The columns that rows must have.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &str> {
        self.factors.iter().flat_map(|factor| factor.expression.columns())
    }

    /// The numbers of each row, row-major. A row that misses a value has NaN in all of them, as in Python.
    ///
    /// # Errors
    ///
    /// What is wrong with the rows: a column that is not there or of another type, a level that training had not.
    pub(super) fn rows(
        &self,
        rows: usize,
        column: &impl Fn(&str) -> Result<Cells, String>,
    ) -> Result<Vec<f64>, String> {
        if rows.checked_mul(self.columns.len()).is_none_or(|cells| cells > CELLS_MAX) {
            let width = self.columns.len();
            return Err(format!(
                "{rows} rows of {width} columns are too much at once; send fewer rows"
            ));
        }
        let factors = self.factors.iter().map(|factor| factor.evaluate(rows, column));
        let factors: Vec<Evaluated> = factors.collect::<Result<_, String>>()?;
        let mut values = Vec::with_capacity(rows.saturating_mul(self.columns.len()));
        for row in 0..rows {
            if factors.iter().any(|factor| factor.is_missing(row)) {
                values.extend(std::iter::repeat_n(f64::NAN, self.columns.len()));
                continue;
            }
            let each = self.columns.iter();
            values.extend(
                each.map(|parts| {
                    parts.iter().map(|part| part.value(&factors, row)).product::<f64>()
                }),
            );
        }
        Ok(values)
    }

    /// Refuses a factor that is a number in one column and a category in another.
    fn check_kinds(&self) -> Result<()> {
        for part in self.columns.iter().flatten() {
            if let Part::Number(at) = part
                && let Some(factor) = self.factors.get(*at)
                && factor.levels.is_some()
            {
                let code = &factor.code;
                return Err(unsupported(&format!("{code} as a number and as a category")));
            }
        }
        Ok(())
    }

    /// Holds what this makes of the rows of training against what is in the file.
    fn check(&self, made: &Frame<'_>, training: &Frame<'_>) -> Result<()> {
        let rows = ROWS_CHECKED.min(CELLS_CHECKED / self.columns.len().max(1));
        let found = made.length().unwrap_or(0);
        let total = training.length().unwrap_or(found);
        let rows = total.min(rows);
        let column = |at: usize| made.head(at, rows).map(numbers);
        let columns: Option<Vec<Vec<f64>>> = (0..self.columns.len()).map(column).collect();
        let columns = columns.ok_or_else(|| unreadable("the rows of its design"))?;
        let column = |name: &str| -> Result<Cells, String> {
            let values = training.place(name).and_then(|at| training.head(at, rows));
            let values = values.ok_or_else(|| format!("no column {name:?}"))?;
            Ok(Cells::of(values.cells))
        };
        let values = self.rows(rows, &column).map_err(|reason| unsupported(&reason))?;
        // Rows that missed something, the answer too, are not in the design.
        let mut skipped = total.saturating_sub(found);
        let mut at = 0;
        for row in values.chunks_exact(self.columns.len().max(1)) {
            let is_same = row.iter().zip(&columns).all(|(x, column)| {
                column.get(at).is_some_and(|y| (x - y).abs() <= TOLERANCE * y.abs().max(1.0))
            });
            if is_same {
                at += 1;
            } else if skipped > 0 {
                skipped -= 1;
            } else {
                return Err(unsupported("a design that its formula does not make here"));
            }
        }
        Ok(())
    }
}

/// Factors as they are found in names.
struct Reading<'r, 'a> {
    training: &'r Frame<'a>,
    factors: Vec<Factor>,
    /// Bytes that levels may still have.
    left: usize,
}

impl Reading<'_, '_> {
    /// The place of a factor by its code.
    fn factor(&mut self, code: &str) -> Result<usize, String> {
        if let Some(at) = self.factors.iter().position(|factor| factor.code == code) {
            return Ok(at);
        }
        let expression = Expression::parse_factor(code)?;
        if self.factors.len() >= FACTORS_MAX {
            return Err(format!("more than {FACTORS_MAX} factors"));
        }
        let unknown = expression
            .columns()
            .into_iter()
            .find(|name| !self.training.columns.iter().any(|column| text(column) == Some(*name)));
        if let Some(name) = unknown {
            return Err(format!("{name:?}, which is no column of its data,"));
        }
        self.factors.push(Factor { code: code.to_owned(), expression, levels: None });
        Ok(self.factors.len() - 1)
    }

    /// The levels of a factor, read from the rows of training at first.
    fn levels(&mut self, at: usize) -> Result<&Levels, String> {
        let training = self.training;
        let factor = self.factors.get_mut(at).ok_or("a factor that is not there")?;
        if factor.levels.is_none() {
            let levels = Levels::read(&factor.expression, &factor.code, training)?;
            let left = self.left.checked_sub(levels.size_bytes());
            self.left = left.ok_or_else(|| format!("levels of more than {LEVELS_MAX} bytes"))?;
            factor.levels = Some(levels);
        }
        factor.levels.as_ref().ok_or_else(|| "a factor without levels".to_owned())
    }
}

impl Levels {
    fn size_bytes(&self) -> usize {
        let texts: usize = self.written.keys().map(|text| 2 * text.len()).sum();
        texts + self.places.len() * (size_of::<Key>() + size_of::<String>() + 16)
    }

    fn read(expression: &Expression, code: &str, training: &Frame<'_>) -> Result<Self, String> {
        let truth =
            || Values { cells: vec![Cell::Number(0.0), Cell::Number(1.0)], kind: Kind::Boolean };
        let values = match expression {
            Expression::Column(name) => {
                let head = |count| {
                    let values = training.place(name).and_then(|at| training.head(at, count));
                    values.ok_or_else(|| format!("the values of {name:?}"))
                };
                // Of categories no values are looked at.
                match head(0)?.kind {
                    Kind::Boolean => truth(),
                    Kind::Category(categories) => *categories,
                    _ => match head(usize::MAX)? {
                        Values { kind: Kind::Boolean, .. } => truth(),
                        values => values,
                    },
                }
            }
            _ if expression.is_comparison() => truth(),
            _ => return Err(format!("categories of the expression {code}")),
        };
        let mut levels = Self { places: HashMap::new(), written: HashMap::new() };
        for cell in &values.cells {
            let key = match cell {
                Cell::Missing => continue,
                Cell::Text(text) if is_nan(text) => continue,
                Cell::Number(x) => Key::number(*x),
                Cell::Text(text) => Key::text(Some(text)),
            };
            if levels.places.contains_key(&key) {
                continue;
            }
            let place = levels.places.len();
            levels.places.insert(key, place);
            if levels.written.insert(values.written(cell), place).is_some() {
                return Err(format!("levels of {code} that are written alike"));
            }
        }
        Ok(levels)
    }
}

/// By factor whose coding is of sums: the one level that no column is for.
fn omitted(factors: &[Factor], named: &[Vec<NamedPart>]) -> Result<HashMap<usize, usize>> {
    let mut shown: HashMap<usize, Vec<bool>> = HashMap::new();
    for (factor, level) in named.iter().flatten() {
        let Some(level) = level.as_ref().filter(|level| level.is_sum) else { continue };
        let Some(levels) = factors.get(*factor).and_then(|factor| factor.levels.as_ref()) else {
            continue;
        };
        let shown = shown.entry(*factor).or_insert_with(|| vec![false; levels.places.len()]);
        let place = levels.written.get(&level.level);
        if let Some(mark) = place.and_then(|&place| shown.get_mut(place)) {
            *mark = true;
        }
    }
    let mut omitted = HashMap::new();
    for at in 0..factors.len() {
        let Some(shown) = shown.get(&at) else { continue };
        let mut rest = shown.iter().enumerate().filter(|(_, shown)| !**shown);
        match (rest.next(), rest.next()) {
            (Some((level, _)), None) => {
                omitted.insert(at, level);
            }
            _ => return Err(unsupported("a contrast of sums that omits not one level")),
        }
    }
    Ok(omitted)
}

impl Factor {
    fn evaluate(
        &self,
        rows: usize,
        column: &impl Fn(&str) -> Result<Cells, String>,
    ) -> Result<Evaluated, String> {
        let Some(levels) = &self.levels else {
            return Ok(Evaluated::Numbers(self.expression.numbers(rows, column)?));
        };
        let values = self.expression.values(rows, column)?;
        let mut places = Vec::with_capacity(rows);
        for (row, key) in keys(&values).iter().enumerate() {
            let place = levels.places.get(key).copied();
            let is_missing = match key {
                Key::Missing => true,
                Key::Text(text) => is_nan(text),
                Key::Number(_) => false,
            };
            if place.is_none() && !is_missing {
                return Err(format!(
                    "{}, row {row}: a level that the model does not know",
                    self.code
                ));
            }
            places.push(place);
        }
        Ok(Evaluated::Levels(places))
    }
}

impl Evaluated {
    fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(values) => values.get(row).is_none_or(|x| x.is_nan()),
            Self::Levels(places) => places.get(row).copied().flatten().is_none(),
        }
    }

    fn number(&self, row: usize) -> f64 {
        match self {
            Self::Numbers(values) => values.get(row).copied().unwrap_or(f64::NAN),
            Self::Levels(_) => f64::NAN,
        }
    }

    fn level(&self, row: usize) -> Option<usize> {
        match self {
            Self::Numbers(_) => None,
            Self::Levels(places) => places.get(row).copied().flatten(),
        }
    }
}

impl Part {
    fn value(self, factors: &[Evaluated], row: usize) -> f64 {
        let level = |at: usize| factors.get(at).and_then(|factor| factor.level(row));
        match self {
            Self::Number(at) => factors.get(at).map_or(f64::NAN, |factor| factor.number(row)),
            Self::Level { factor, level: one } => f64::from(u8::from(level(factor) == Some(one))),
            Self::Sum { factor, level: one, omitted } => match level(factor) {
                Some(level) if level == one => 1.0,
                Some(level) if level == omitted => -1.0,
                _ => 0.0,
            },
        }
    }
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

/// Whether a text is one that Python reads as no number: patsy takes it for a missing value, also where others are towns.
fn is_nan(text: &str) -> bool {
    let text = text.trim();
    text.strip_prefix(['+', '-']).unwrap_or(text).eq_ignore_ascii_case("nan")
}

/// The numbers of a column.
fn numbers(values: Values) -> Vec<f64> {
    let number = |cell| if let Cell::Number(x) = cell { x } else { f64::NAN };
    values.cells.into_iter().map(number).collect()
}

fn unreadable(what: &str) -> Error {
    unsupported(&format!("a file that does not say {what}"))
}

/// The refusal of a part of a formula.
pub(super) fn unsupported(what: &str) -> Error {
    let hint = "columns, C(), Q(), I() with arithmetic and NumPy's functions are read; other models are \
                served with Python workers (--python-workers)";
    Error::Unsupported {
        what: format!("a formula of statsmodels with {what}"),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_nan;

    #[test]
    fn texts_that_are_no_number_are_missing() {
        for text in ["nan", "NaN", " -nan\n"] {
            assert!(is_nan(text), "{text:?}");
        }
        for text in ["", "None", "NA", "nano", "--nan", "inf"] {
            assert!(!is_nan(text), "{text:?}");
        }
    }
}
