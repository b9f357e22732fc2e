//! From columns of a table to the numbers that an algorithm sees, and what has to be remembered to
//! do the same to a request: medians and categories.
//!
//! Encoded features come in the order in which the exported graph makes them: first one for each
//! numeric column, then one for each category of each categorical column.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{Array as _, ArrayRef, RecordBatch};

use crate::column::Column;
use crate::config::{MissingValues, TrainConfig};
use crate::matrix::Matrix;
use crate::{Error, Result};

/// Most different values of a categorical column: each becomes a feature of its own.
pub const CATEGORIES_MAX: usize = 1_000;
/// Most encoded values of a table: 2 GiB of 32-bit floats.
const VALUES_MAX: usize = 1 << 29;

/// How one column becomes features.
#[derive(Debug, Clone, PartialEq)]
pub enum Encoding {
    /// The number itself (booleans as 0 and 1); a missing one is replaced by the median.
    Number {
        /// Type of the column in a request.
        kind: NumberKind,
        /// Median of the training rows.
        median: f32,
    },
    /// One feature a category, 1 for the one that a row has. A missing or new category has none.
    TextCategories(Vec<String>),
    /// The same for whole numbers.
    WholeCategories(Vec<i64>),
}

/// Types of numeric columns, as a request brings them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberKind {
    /// 64-bit floats.
    Double,
    /// 64-bit integers.
    Long,
    /// Booleans.
    Boolean,
}

/// A feature column and its encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureColumn {
    /// Name in the table and in requests.
    pub name: String,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// Everything needed to encode a table, learnt from the training rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoder {
    /// Feature columns in the table's order.
    pub columns: Vec<FeatureColumn>,
    /// Whether missing numbers are replaced.
    pub impute: bool,
}

impl Encoder {
    /// Looks at the training rows. Returns also what is worth a warning.
    pub fn fit(
        table: &RecordBatch,
        features: &[String],
        config: &TrainConfig,
    ) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        let mut columns = Vec::with_capacity(features.len());
        for name in features {
            let column = read(table, name)?;
            if column.missing().count() == column.len() {
                return Err(Error::NoValues { column: name.clone(), rows: column.len() });
            }
            let encoding = if config.categorical.contains(name) {
                categories(name, &column)?
            } else {
                automatic(name, &column, config)?
            };
            if is_constant(&column) {
                warnings.push(format!("column {name:?} has the same value in every row"));
            }
            columns.push(FeatureColumn { name: name.clone(), encoding });
        }
        let encoder = Self { columns, impute: config.missing == MissingValues::Impute };
        let width = encoder.width();
        if width.saturating_mul(table.num_rows()) > VALUES_MAX {
            return Err(Error::TooLarge {
                rows: table.num_rows(),
                columns: width,
                limit: VALUES_MAX,
            });
        }
        Ok((encoder, warnings))
    }

    /// Number of encoded features.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|column| column.encoding.width()).sum()
    }

    /// Names of the encoded features, in order: the column's, or `column=category`.
    pub fn feature_names(&self) -> Vec<String> {
        let numbers = self.numeric().map(|(column, _, _)| column.name.clone());
        let categories = self.columns.iter().flat_map(|column| {
            let categories = match &column.encoding {
                Encoding::Number { .. } => Vec::new(),
                Encoding::TextCategories(categories) => categories.clone(),
                Encoding::WholeCategories(categories) => {
                    categories.iter().map(ToString::to_string).collect()
                }
            };
            categories.into_iter().map(|category| format!("{}={category}", column.name))
        });
        numbers.chain(categories).collect()
    }

    /// The numeric columns with type and median.
    pub(crate) fn numeric(&self) -> impl Iterator<Item = (&FeatureColumn, NumberKind, f32)> {
        self.columns.iter().filter_map(|column| match column.encoding {
            Encoding::Number { kind, median } => Some((column, kind, median)),
            _ => None,
        })
    }

    /// Whether every column is a number that fits in one tensor with the others.
    pub fn is_one_tensor(&self) -> bool {
        self.numeric().filter(|(_, kind, _)| *kind != NumberKind::Boolean).count()
            == self.columns.len()
    }

    /// Encodes rows of a table that has the feature columns, by name.
    pub fn encode(&self, table: &RecordBatch) -> Result<Matrix> {
        let mut matrix = Matrix::new(table.num_rows());
        for (column, _, median) in self.numeric() {
            let values = read(table, &column.name)?;
            let mut encoded = Vec::with_capacity(values.len());
            for row in 0..values.len() {
                encoded.push(match values.number(row) {
                    Some(value) => single(&column.name, row, value)?,
                    None if !values.is_missing(row) => {
                        return Err(not_a_number(&column.name, &values, row));
                    }
                    None if self.impute => median,
                    None => {
                        return Err(Error::MissingValues {
                            column: column.name.clone(),
                            row: row + 1,
                            count: values.missing().count(),
                        });
                    }
                });
            }
            matrix.push_column(encoded);
        }
        for column in &self.columns {
            let names: Vec<String> = match &column.encoding {
                Encoding::Number { .. } => continue,
                Encoding::TextCategories(categories) => categories.clone(),
                Encoding::WholeCategories(categories) => {
                    categories.iter().map(ToString::to_string).collect()
                }
            };
            let values = read(table, &column.name)?;
            let index: BTreeMap<&str, usize> =
                names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
            let found: Vec<Option<usize>> = (0..values.len())
                .map(|row| index.get(values.text(row).as_str()).copied())
                .collect();
            for category in 0..names.len() {
                let is_it = |&found: &Option<usize>| f32::from(u8::from(found == Some(category)));
                matrix.push_column(found.iter().map(is_it));
            }
        }
        Ok(matrix)
    }
}

impl Encoding {
    fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::TextCategories(categories) => categories.len(),
            Self::WholeCategories(categories) => categories.len(),
        }
    }
}

fn read(table: &RecordBatch, name: &str) -> Result<Column> {
    let array: &ArrayRef = table.column_by_name(name).ok_or_else(|| Error::MissingColumn {
        name: name.to_owned(),
        role: "feature",
        nearest: None,
        columns: table.schema_ref().fields().iter().map(|field| field.name().clone()).collect(),
    })?;
    Column::read(name, array)
}

/// Numbers and booleans are numbers, text is categories, unless most of it is numbers.
fn automatic(name: &str, column: &Column, config: &TrainConfig) -> Result<Encoding> {
    match column {
        Column::Text(_) => {
            refuse_stray_text(name, column)?;
            categories(name, column)
        }
        Column::Flag(_) => number(name, column, NumberKind::Boolean, config),
        Column::Whole(values) => {
            // With missing values a whole number becomes a float in Python, so in a request too.
            let kind = if values.null_count() == 0 { NumberKind::Long } else { NumberKind::Double };
            number(name, column, kind, config)
        }
        Column::Number(_) => number(name, column, NumberKind::Double, config),
        Column::Nothing(rows) => Err(Error::NoValues { column: name.to_owned(), rows: *rows }),
    }
}

fn number(name: &str, column: &Column, kind: NumberKind, config: &TrainConfig) -> Result<Encoding> {
    let missing = column.missing().next();
    if let (NumberKind::Boolean, Some(row), MissingValues::Impute) = (kind, missing, config.missing)
    {
        // A boolean in a request is true or false; there is no way to say that it is missing.
        return Err(Error::MissingBoolean {
            column: name.to_owned(),
            row: row + 1,
            count: column.missing().count(),
        });
    }
    let mut values: Vec<f64> = (0..column.len()).filter_map(|row| column.number(row)).collect();
    values.sort_by(f64::total_cmp);
    Ok(Encoding::Number { kind, median: median(&values) as f32 })
}

/// Median of sorted values: the middle one, or the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(half.wrapping_sub(1)), sorted.get(half)) {
        (1, _, Some(middle)) => *middle,
        (_, Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => 0.0,
    }
}

fn categories(name: &str, column: &Column) -> Result<Encoding> {
    let limit = |count: usize| {
        if count > CATEGORIES_MAX {
            Err(Error::TooManyCategories { column: name.to_owned(), count, limit: CATEGORIES_MAX })
        } else {
            Ok(())
        }
    };
    let present = || (0..column.len()).filter(|&row| !column.is_missing(row));
    match column {
        Column::Text(_) => {
            let categories: BTreeSet<String> = present().map(|row| column.text(row)).collect();
            limit(categories.len())?;
            Ok(Encoding::TextCategories(categories.into_iter().collect()))
        }
        Column::Whole(values) if values.null_count() == 0 => {
            let categories: BTreeSet<i64> = values.values().iter().copied().collect();
            limit(categories.len())?;
            Ok(Encoding::WholeCategories(categories.into_iter().collect()))
        }
        Column::Flag(_) | Column::Whole(_) | Column::Number(_) | Column::Nothing(_) => {
            Err(Error::BadParameter {
                name: "categorical".to_owned(),
                value: format!("{name:?}"),
                allowed: "columns of text, or of whole numbers without missing values".to_owned(),
            })
        }
    }
}

/// Finds text among numbers in any of the features, before rows are held out: the slip may be in
/// either part, and its row is counted in the table as it was read.
pub(crate) fn refuse_stray_texts(
    table: &RecordBatch,
    features: &[String],
    config: &TrainConfig,
) -> Result<()> {
    for name in features.iter().filter(|name| !config.categorical.contains(name)) {
        let column = read(table, name)?;
        if matches!(column, Column::Text(_)) {
            refuse_stray_text(name, &column)?;
        }
    }
    Ok(())
}

/// A text column that is mostly numbers is a numeric column with a slip in it.
fn refuse_stray_text(name: &str, column: &Column) -> Result<()> {
    let is_number = |row: &usize| column.text(*row).trim().parse::<f64>().is_ok();
    let present = || (0..column.len()).filter(|&row| !column.is_missing(row));
    let numbers = present().filter(is_number).count();
    let texts = present().count() - numbers;
    match present().find(|row| !is_number(row)) {
        Some(row) if numbers > texts => Err(not_a_number(name, column, row)),
        _ => Ok(()),
    }
}

fn not_a_number(name: &str, column: &Column, row: usize) -> Error {
    Error::NotANumber { column: name.to_owned(), row: row + 1, value: column.text(row) }
}

/// A number in the precision that the model computes in.
fn single(name: &str, row: usize, value: f64) -> Result<f32> {
    let single = value as f32;
    if single.is_finite() {
        Ok(single)
    } else {
        Err(Error::OutOfRange { column: name.to_owned(), row: row + 1, value })
    }
}

fn is_constant(column: &Column) -> bool {
    let first = column.text(0);
    (0..column.len()).all(|row| column.text(row) == first)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray};

    use super::*;

    fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn fit(table: &RecordBatch, config: &TrainConfig) -> Result<Encoder> {
        let names: Vec<String> =
            table.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        Encoder::fit(table, &names, config).map(|(encoder, _)| encoder)
    }

    fn mixed() -> RecordBatch {
        table(vec![
            ("city", Arc::new(StringArray::from(vec![Some("b"), Some("a"), None, Some("b")]))),
            ("size", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(4.0), Some(2.0)]))),
            ("rooms", Arc::new(Int64Array::from(vec![3, 1, 2, 2]))),
            ("new", Arc::new(BooleanArray::from(vec![true, false, true, true]))),
        ])
    }

    #[test]
    fn numbers_first_then_categories() {
        let table = mixed();
        let encoder = fit(&table, &TrainConfig::default()).unwrap();
        assert_eq!(encoder.feature_names(), ["size", "rooms", "new", "city=a", "city=b"]);
        let matrix = encoder.encode(&table).unwrap();
        let mut row = Vec::new();
        matrix.read_row(1, &mut row);
        assert_eq!(row, [2.0, 1.0, 0.0, 1.0, 0.0], "the median of 1, 2, 4 fills the gap");
        matrix.read_row(2, &mut row);
        assert_eq!(row, [4.0, 2.0, 1.0, 0.0, 0.0], "a missing category has no feature");
        assert!(!encoder.is_one_tensor());
    }

    #[test]
    fn whole_numbers_can_be_categories() {
        let table = mixed();
        let config = TrainConfig { categorical: vec!["rooms".into()], ..TrainConfig::default() };
        let encoder = fit(&table, &config).unwrap();
        assert!(encoder.feature_names().contains(&"rooms=3".to_owned()));
        let config = TrainConfig { categorical: vec!["size".into()], ..TrainConfig::default() };
        assert!(fit(&table, &config).unwrap_err().to_string().contains("whole numbers"));
    }

    #[test]
    fn a_slip_in_a_numeric_column_is_named() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["1.5", "2", "n/k", "3"]));
        let table = table(vec![("size", column)]);
        let error = fit(&table, &TrainConfig::default()).unwrap_err();
        assert_eq!(error.to_string(), "column \"size\", row 3: \"n/k\" is not a number");
        let config = TrainConfig { categorical: vec!["size".into()], ..TrainConfig::default() };
        assert!(fit(&table, &config).is_ok());
    }

    #[test]
    fn limits_and_ranges() {
        let names: Vec<String> = (0..1_001).map(|index| format!("id-{index}")).collect();
        let ids = table(vec![("id", Arc::new(StringArray::from(names)))]);
        let error = fit(&ids, &TrainConfig::default()).unwrap_err().to_string();
        assert!(error.contains("1001 different values"), "{error}");

        let huge = table(vec![("x", Arc::new(Float64Array::from(vec![1.0, 1e300])))]);
        let encoder = fit(&huge, &TrainConfig::default()).unwrap();
        let error = encoder.encode(&huge).unwrap_err().to_string();
        assert!(error.starts_with("column \"x\", row 2: 1000"), "{error}");
    }
}
