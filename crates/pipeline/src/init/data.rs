//! What can be learnt from a table: which column is predicted, which are no features, and by what a model of it is
//! judged. A training is tried up to its fitting, so that what is written here trains.

use arrow_array::RecordBatch;
use trainyard_base::Advise as _;
use trainyard_data::{ReadOptions, files, read};
use trainyard_train::{
    CATEGORIES_MAX, ColumnSurvey, Content, Error as TrainError, Holdout, Preview, Task,
    TrainConfig, preview, survey,
};

use crate::{Error, Result};

/// Largest table that is looked at. `init` is to answer at once, and training looks for itself.
pub(super) const LOOK_BYTES_MAX: u64 = 256 << 20;

/// Names that a target has, whatever it is about.
const TARGETS: [&str; 6] = ["target", "label", "labels", "y", "class", "outcome"];

/// Rows from which a text that is different in each says that it names the row.
const NAMING_ROWS_MIN: usize = 20;

/// Columns that a training is tried without, one after the other. Each turn takes as long as a training before it fits.
const TURNS_MAX: usize = 30;

/// A table, looked at.
#[derive(Debug, Clone)]
pub(super) struct Learnable {
    /// Column to predict, if one can be told.
    pub(super) target: Option<String>,
    /// Whether nobody said that it is.
    pub(super) is_guess: bool,
    /// Columns that are no features, and why.
    pub(super) exclude: Vec<(String, String)>,
    /// Column all of whose rows with one value belong together.
    pub(super) id: Option<String>,
    /// A column of times.
    pub(super) time: Option<String>,
    /// Whether rows must be drawn at random to have all classes on both sides.
    pub(super) at_random: bool,
    /// What a training would find.
    pub(super) preview: Option<Preview>,
    /// What it would fail with.
    pub(super) trouble: Option<String>,
    /// Columns, but the target, with missing values.
    pub(super) with_gaps: usize,
    pub(super) rows: usize,
    pub(super) columns: Vec<String>,
}

impl Learnable {
    /// Looks at a table. `None` if it is too large for that.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or has no column of the name given.
    pub(super) fn look(source: &str, target: Option<&str>) -> Result<Option<Self>> {
        let bytes = |path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        if files(source)?.iter().map(bytes).sum::<u64>() > LOOK_BYTES_MAX {
            return Ok(None);
        }
        let table = read(source, &ReadOptions::default())?;
        let columns = survey(&table)?;
        let mut found = Self::of(&columns, target, table.num_rows())?;
        found.try_training(&table);
        Ok(Some(found))
    }

    fn of(columns: &[ColumnSurvey], target: Option<&str>, rows: usize) -> Result<Self> {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        if let [only] = names.as_slice()
            && only.contains([';', '\t', '|'])
        {
            return Err(Error::Missing {
                what: format!("the table has one column, {only:?}: its separator is no comma"),
                hint: "write it with commas and decimal points, as by \
                       pandas.read_csv(FILE, sep=\";\").to_csv(NEW, index=False)"
                    .to_owned(),
            });
        }
        if let Some(target) = target
            && !names.iter().any(|name| name == target)
        {
            let meant = trainyard_base::did_you_mean(target, names.iter().map(String::as_str));
            return Err(Error::Missing {
                what: format!("there is no column {target:?} to predict{meant}"),
                hint: format!("the table has {}", names.join(", ")),
            });
        }
        let is_guess = target.is_none();
        let target = target.map(str::to_owned).or_else(|| guess(columns, rows));
        let mut found = Self {
            is_guess,
            exclude: Vec::new(),
            id: None,
            time: None,
            at_random: false,
            preview: None,
            trouble: None,
            with_gaps: 0,
            rows,
            columns: names,
            target: target.clone(),
        };
        for column in columns.iter().filter(|column| target.as_ref() != Some(&column.name)) {
            found.place(column, rows);
        }
        Ok(found)
    }

    /// Whether a column is a feature, or what else.
    fn place(&mut self, column: &ColumnSurvey, rows: usize) {
        let reason = match column.content {
            Content::Times => {
                self.time.get_or_insert_with(|| column.name.clone());
                "a time"
            }
            Content::Nothing => "no value",
            Content::Other => "neither numbers nor text",
            _ if names_rows(column, rows) => "names the row",
            Content::Text | Content::WholeNumbers if is_id(&column.name) => {
                // Rows of one customer belong on one side; that is no feature either.
                if self.id.is_none() && column.missing == 0 {
                    self.id = Some(column.name.clone());
                    return;
                }
                "an identifier"
            }
            // A training would say so, too, but of one column at a time.
            Content::Text if column.distinct > CATEGORIES_MAX => "too many different texts",
            _ => {
                self.with_gaps += usize::from(column.missing > 0);
                return;
            }
        };
        self.exclude.push((column.name.clone(), reason.to_owned()));
    }

    /// Settings of a training by what was found.
    fn config(&self, target: &str) -> TrainConfig {
        TrainConfig {
            target: target.to_owned(),
            exclude: self.exclude.iter().map(|(name, _)| name.clone()).collect(),
            holdout: if self.at_random { Holdout::Random } else { Holdout::Hash },
            id: self.id.clone().filter(|_| !self.at_random),
            ..TrainConfig::default()
        }
    }

    /// Does what a training does before it fits, and leaves out the columns that it cannot use.
    fn try_training(&mut self, table: &RecordBatch) {
        let Some(target) = self.target.clone() else { return };
        // Each turn leaves out a column, or gives the hash up.
        for _ in 0..=self.columns.len().min(TURNS_MAX) {
            match preview(table, &self.config(&target)) {
                Ok(found) => {
                    self.preview = Some(found);
                    return;
                }
                Err(TrainError::ClassOnOneSide { .. }) if !self.at_random => {
                    self.at_random = true;
                    let left_out = self.id.take();
                    self.exclude.extend(left_out.map(|id| (id, "an identifier".to_owned())));
                }
                Err(error) => {
                    let Some(column) = unusable(&error, &target) else {
                        self.trouble = Some(error.sentence());
                        return;
                    };
                    self.exclude.push((column, error.to_string()));
                }
            }
        }
        self.trouble = Some(format!(
            "more than {TURNS_MAX} columns cannot be learnt from: name those that can in `features`"
        ));
    }

    /// Classification or regression, where it is known.
    pub(super) fn task(&self) -> Option<Task> {
        self.preview.as_ref().map(|found| found.task)
    }

    /// What was found, in words.
    pub(super) fn told(&self) -> String {
        let columns = match self.columns.len() {
            1 => "1 column".to_owned(),
            columns => format!("{columns} columns"),
        };
        let mut parts = vec![format!("{} rows, {columns}", self.rows)];
        let Some(target) = &self.target else { return parts.concat() };
        let guess = if self.is_guess { " (a guess: --target names another)" } else { "" };
        parts.push(format!("; to predict: {target:?}{guess}"));
        parts.push(match &self.preview {
            Some(found) if found.task == Task::Regression => ", a quantity".to_owned(),
            Some(found) => format!(", {} classes", found.classes.len()),
            None => String::new(),
        });
        match self.with_gaps {
            0 => {}
            1 => parts.push("; one column has gaps, which are filled".to_owned()),
            count => parts.push(format!("; {count} columns have gaps, which are filled")),
        }
        parts.concat()
    }
}

/// The column that is predicted, as people lay tables out: by its name, else the last that is no name and no time.
fn guess(columns: &[ColumnSurvey], rows: usize) -> Option<String> {
    let is_target =
        |column: &&ColumnSurvey| TARGETS.iter().any(|name| column.name.eq_ignore_ascii_case(name));
    let can_be = |column: &&ColumnSurvey| {
        let is_value =
            !matches!(column.content, Content::Times | Content::Nothing | Content::Other);
        is_value && column.distinct > 1 && !names_rows(column, rows) && !is_id(&column.name)
    };
    let named = columns.iter().filter(can_be).find(is_target);
    let last = columns.iter().rev().find(can_be);
    named.or(last).map(|column| column.name.clone())
}

/// Whether a column names its row: an identifier or a text that no two rows share, or a row number.
fn names_rows(column: &ColumnSurvey, rows: usize) -> bool {
    let is_different = column.distinct == rows && rows >= NAMING_ROWS_MIN;
    let is_text = column.content == Content::Text;
    let is_row_number = column.name.is_empty() || column.name.starts_with("Unnamed: 0");
    let is_whole = column.content == Content::WholeNumbers;
    (is_different && (is_text || (is_whole && is_id(&column.name)))) || (is_row_number && is_whole)
}

/// Whether a column is called like an identifier: `id`, `user_id`, `customerID`.
fn is_id(name: &str) -> bool {
    let lower = name.to_lowercase();
    let ends = ["_id", " id", "-id", "uuid", "guid"];
    matches!(lower.as_str(), "id" | "key" | "index")
        || ends.iter().any(|end| lower.ends_with(end))
        || ["Id", "ID"].iter().any(|end| {
            let before = name.strip_suffix(end).and_then(|rest| rest.chars().next_back());
            before.is_some_and(char::is_lowercase)
        })
}

/// The column that a training cannot use.
fn unusable(error: &TrainError, target: &str) -> Option<String> {
    match error {
        TrainError::ColumnType { column, .. }
        | TrainError::NoValues { column, .. }
        | TrainError::TooManyCategories { column, .. }
        | TrainError::MissingBoolean { column, .. }
        | TrainError::NotANumber { column, .. }
        | TrainError::OutOfRange { column, .. }
            if column != target =>
        {
            Some(column.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str, target: Option<&str>) -> Result<Learnable> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.csv");
        std::fs::write(&file, text).unwrap();
        Ok(Learnable::look(&file.to_string_lossy(), target)?.unwrap())
    }

    /// Customers, with all that tables of customers have.
    fn customers(rows: u32) -> String {
        let row = |row: u32| {
            let (plan, churned) = (["basic", "pro"][row as usize % 2], row % 7 < 3);
            let gap = if row.is_multiple_of(10) { String::new() } else { (row % 60).to_string() };
            format!("C{row:05},2026-0{}-15,{plan},{gap},call {row},,{churned}\n", row % 9 + 1)
        };
        let header = "customerID,signed_up,plan,tenure,remark,nothing,churned\n";
        format!("{header}{}", (0..rows).map(row).collect::<String>())
    }

    #[test]
    fn a_table_of_customers_says_what_is_learnt_and_what_not() {
        let found = look(&customers(400), None).unwrap();
        assert_eq!((found.target.as_deref(), found.is_guess), (Some("churned"), true));
        let exclude: Vec<&str> = found.exclude.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(exclude, ["customerID", "signed_up", "remark", "nothing"]);
        assert_eq!((found.time.as_deref(), found.with_gaps), (Some("signed_up"), 1));
        let preview = found.preview.as_ref().unwrap();
        assert_eq!(
            (preview.features.join(","), preview.task),
            ("plan,tenure".to_owned(), Task::Classification)
        );
        assert!(found.told().contains("2 classes; one column has gaps"), "{}", found.told());
        let found = look(&customers(400), Some("tenure")).unwrap();
        assert_eq!((found.task(), found.is_guess), (Some(Task::Regression), false));
        let error = look(&customers(400), Some("churn")).unwrap_err().to_string();
        assert!(error.contains("did you mean \"churned\"?"), "{error}");
    }

    #[test]
    fn rows_of_one_customer_stay_together_and_rare_classes_are_drawn() {
        let row = |row: u32| format!("{},{},{}\n", row / 4, row % 50, row.is_multiple_of(3));
        let rows = |count: u32| (0..count).map(row).collect::<String>();
        let found = look(&format!("user_id,x,y\n{}", rows(400)), None).unwrap();
        assert_eq!((found.id.as_deref(), found.exclude.len()), (Some("user_id"), 0));
        assert!(found.preview.is_some() && !found.at_random, "{found:?}");
        // Of three rows of a class the hash puts all on one side, sooner or later.
        let rare = |seed: u32| {
            let row = |row: u32| format!("{},{}\n", row * 7 + seed, row / 20);
            look(&format!("x,y\n{}", (0..43).map(row).collect::<String>()), None).unwrap()
        };
        let found: Vec<Learnable> = (0..20).map(rare).collect();
        assert!(found.iter().any(|found| found.at_random));
        assert!(found.iter().all(|found| found.preview.is_some()), "{found:?}");
    }

    #[test]
    fn free_text_is_left_out_at_the_first_look() {
        let row = |row: u32| format!("note {},{},{}\n", row / 2, row % 50, row.is_multiple_of(3));
        let rows: String = (0..2400).map(row).collect();
        let found = look(&format!("note,x,y\n{rows}"), None).unwrap();
        assert_eq!(found.exclude, [("note".to_owned(), "too many different texts".to_owned())]);
        assert!(found.preview.is_some() && found.trouble.is_none(), "{found:?}");
    }

    #[test]
    fn what_cannot_be_learnt_is_told() {
        let found = look("id,when\n1,2026-01-01\n2,2026-01-02\n", None).unwrap();
        assert_eq!((found.target, found.preview, found.trouble), (None, None, None));
        let found = look("x,y\n1,a\n2,a\n", Some("y")).unwrap();
        assert!(found.trouble.unwrap().contains("only one class"));
    }

    #[test]
    fn a_table_without_commas_is_no_table_of_one_column() {
        let text = customers(40).replace(',', ";");
        for target in [None, Some("churned")] {
            let error = look(&text, target).unwrap_err();
            assert!(error.to_string().contains("its separator is no comma"), "{error}");
        }
    }

    #[test]
    fn identifiers_are_known_by_their_names() {
        for (name, is_one) in [
            ("id", true),
            ("user_id", true),
            ("customerID", true),
            ("Paid", false),
            ("GRID", false),
            ("plan", false),
        ] {
            assert_eq!(is_id(name), is_one, "{name}");
        }
    }
}
