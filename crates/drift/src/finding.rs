//! What is to be said about the data beside the drift scores: schema and quality.

use crate::column::{Column, Family, type_name};

use crate::{Kind, Options};

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// The sentence, with the values.
    pub message: String,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// The reference has the column, current does not.
    MissingColumn,
    /// Current has the column, the reference does not.
    NewColumn,
    /// The column's type changed.
    TypeChanged,
    /// No usable value on a side.
    Empty,
    /// The share of missing values changed.
    MissingShare,
    /// Values that the reference does not have.
    NewCategories,
    /// Values that current no longer has.
    VanishedCategories,
    /// Values beyond the reference's range.
    OutOfRange,
    /// Infinite values.
    Infinite,
    /// The column holds a single value now.
    BecameConstant,
    /// The column held distinct values only, and now repeats some.
    LostUniqueness,
    /// Evidently would not test this column.
    BeyondEvidently,
}

impl FindingKind {
    /// A stable name for machines.
    pub fn id(self) -> &'static str {
        match self {
            Self::MissingColumn => "missing_column",
            Self::NewColumn => "new_column",
            Self::TypeChanged => "type_changed",
            Self::Empty => "empty",
            Self::MissingShare => "missing_share",
            Self::NewCategories => "new_categories",
            Self::VanishedCategories => "vanished_categories",
            Self::OutOfRange => "out_of_range",
            Self::Infinite => "infinite",
            Self::BecameConstant => "became_constant",
            Self::LostUniqueness => "lost_uniqueness",
            Self::BeyondEvidently => "beyond_evidently",
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Look at it.
    Warning,
    /// A model will hardly cope with it.
    Serious,
}

impl Severity {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }

    pub(crate) fn weight(self) -> f64 {
        match self {
            Self::Note => 1.0,
            Self::Warning => 50.0,
            Self::Serious => 150.0,
        }
    }
}

fn finding(kind: FindingKind, severity: Severity, message: String) -> Finding {
    Finding { kind, severity, message }
}

/// Finding on a column that only the reference has.
pub(crate) fn missing_column() -> Finding {
    finding(
        FindingKind::MissingColumn,
        Severity::Serious,
        "the reference has this column, current does not".to_owned(),
    )
}

/// Finding on a column that only current has.
pub(crate) fn new_column() -> Finding {
    finding(
        FindingKind::NewColumn,
        Severity::Warning,
        "current has this column, the reference does not".to_owned(),
    )
}

/// Finding on a column that Evidently leaves out.
pub(crate) fn beyond_evidently(column: &Column) -> Finding {
    let name = type_name(column.data_type());
    finding(
        FindingKind::BeyondEvidently,
        Severity::Note,
        format!("Evidently does not test {name} columns; it is tested here"),
    )
}

/// Share of new labels or values out of range from which on they matter.
const WORTH_A_WARNING: f64 = 0.01;

/// A handful of rows is distinct by chance.
const UNIQUE_FROM: u64 = 100;

/// Findings on the values of a column that both sides have.
pub(crate) fn on_values(
    reference: &Column,
    current: &Column,
    kind: Kind,
    options: &Options,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(type_change(reference, current));
    findings.extend(empty_side(reference, current));
    findings.extend(missing_share(reference, current, options));
    if current.infinite() > 0 || reference.infinite() > 0 {
        let message = format!(
            "{} infinite values in the reference, {} in current; they are left out of the test",
            reference.infinite(),
            current.infinite()
        );
        let severity = if current.infinite() > 0 && reference.infinite() == 0 {
            Severity::Warning
        } else {
            Severity::Note
        };
        findings.push(finding(FindingKind::Infinite, severity, message));
    }
    if reference.distinct() > 1 && current.distinct() == 1 && current.len() > 1 {
        let message =
            format!("one single value in current; the reference has {}", reference.distinct());
        findings.push(finding(FindingKind::BecameConstant, Severity::Warning, message));
    }
    let unique = |column: &Column| column.distinct() == column.len();
    if matches!(kind, Kind::Text)
        && reference.len() >= UNIQUE_FROM
        && unique(reference)
        && !unique(current)
    {
        let message = format!(
            "every reference value is different; {} of {} in current repeat one",
            current.len() - current.distinct(),
            current.len()
        );
        findings.push(finding(FindingKind::LostUniqueness, Severity::Warning, message));
    }
    if kind == Kind::Numerical {
        findings.extend(out_of_range(reference, current));
    }
    findings
}

fn type_change(reference: &Column, current: &Column) -> Option<Finding> {
    let (before, after) = (group(reference.family()), group(current.family()));
    let message = || {
        format!(
            "the type changed from {} to {}",
            type_name(reference.data_type()),
            type_name(current.data_type())
        )
    };
    if before != after && before != Group::Nothing && after != Group::Nothing {
        return Some(finding(FindingKind::TypeChanged, Severity::Serious, message()));
    }
    (reference.data_type() != current.data_type() && reference.family() != current.family())
        .then(|| finding(FindingKind::TypeChanged, Severity::Note, message()))
}

/// Types that carry the same sort of value.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Group {
    Number,
    Text,
    Time,
    Nested,
    Nothing,
}

fn group(family: Family) -> Group {
    match family {
        Family::Float | Family::Integer | Family::Unsigned | Family::Decimal | Family::Boolean => {
            Group::Number
        }
        Family::String | Family::Dictionary => Group::Text,
        Family::Instant | Family::Interval => Group::Time,
        Family::Nested => Group::Nested,
        Family::Null => Group::Nothing,
    }
}

fn empty_side(reference: &Column, current: &Column) -> Option<Finding> {
    if matches!(reference.family(), Family::Nested) || matches!(current.family(), Family::Nested) {
        return None;
    }
    match (reference.is_empty(), current.is_empty()) {
        (false, true) => Some(finding(
            FindingKind::Empty,
            Severity::Serious,
            "no usable value in current".to_owned(),
        )),
        (true, false) => Some(finding(
            FindingKind::Empty,
            Severity::Warning,
            "no usable value in the reference".to_owned(),
        )),
        (true, true) => Some(finding(
            FindingKind::Empty,
            Severity::Note,
            "no usable value on either side".to_owned(),
        )),
        (false, false) => None,
    }
}

fn missing_share(reference: &Column, current: &Column, options: &Options) -> Option<Finding> {
    let share = |column: &Column| column.missing() as f64 / column.rows().max(1) as f64;
    let (before, after) = (share(reference), share(current));
    let change = (after - before).abs();
    if change == 0.0 || change < options.missing_share_change {
        return None;
    }
    let message =
        format!("{} missing in the reference, {} in current", percent(before), percent(after));
    Some(finding(FindingKind::MissingShare, Severity::Warning, message))
}

fn out_of_range(reference: &Column, current: &Column) -> Option<Finding> {
    let (before, after) = (reference.numbers()?, current.numbers()?);
    let (low, high) = (before.min()?, before.max()?);
    let below = after.count_below(low);
    let above = after.len() as u64 - after.count_up_to(high);
    if below + above == 0 {
        return None;
    }
    let share = (below + above) as f64 / after.len() as f64;
    let severity = if share >= WORTH_A_WARNING { Severity::Warning } else { Severity::Note };
    let (smallest, largest) = (after.min()?, after.max()?);
    let message = format!(
        "{} of the current values lie outside the reference's range {} to {} ({below} below, {above} above; current {} to {})",
        percent(share),
        brief(low),
        brief(high),
        brief(smallest),
        brief(largest)
    );
    Some(finding(FindingKind::OutOfRange, severity, message))
}

/// How many labels a message names.
const NAMED_LABELS: usize = 5;

/// Labels that are on one side only.
#[derive(Debug, Default)]
pub(crate) struct OneSided {
    pub(crate) labels: Vec<String>,
    pub(crate) count: u64,
    pub(crate) values: u64,
}

impl OneSided {
    pub(crate) fn add(&mut self, values: u64, label: impl FnOnce() -> String) {
        self.count += 1;
        self.values += values;
        if self.labels.len() < NAMED_LABELS {
            self.labels.push(label());
        }
    }

    fn named(&self) -> String {
        let names: Vec<String> = self.labels.iter().map(|label| format!("{label:?}")).collect();
        let more = self.count - names.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    }
}

/// Findings on new and vanished labels.
pub(crate) fn on_labels(
    new: &OneSided,
    vanished: &OneSided,
    reference: u64,
    current: u64,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if new.count > 0 {
        let share = new.values as f64 / current as f64;
        let severity = if share >= WORTH_A_WARNING { Severity::Warning } else { Severity::Note };
        let message =
            format!("values not in the reference ({} of current): {}", percent(share), new.named());
        findings.push(finding(FindingKind::NewCategories, severity, message));
    }
    if vanished.count > 0 {
        let share = vanished.values as f64 / reference as f64;
        let severity = if share >= WORTH_A_WARNING { Severity::Warning } else { Severity::Note };
        let message = format!(
            "values no longer in current ({} of the reference): {}",
            percent(share),
            vanished.named()
        );
        findings.push(finding(FindingKind::VanishedCategories, severity, message));
    }
    findings
}

/// A number with six significant digits.
fn brief(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    if rounded != 0.0 && !(1e-5..1e15).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        "under 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, StringArray};

    use super::*;

    fn kinds(reference: &Column, current: &Column, kind: Kind) -> Vec<FindingKind> {
        on_values(reference, current, kind, &Options::default())
            .iter()
            .map(|finding| finding.kind)
            .collect()
    }

    #[test]
    fn numbers_tell_range_missing_and_infinite() {
        let reference = Column::new(&[&Float64Array::from(vec![1.0, 2.0, 3.0])]);
        let current = Column::new(&[&Float64Array::from(vec![
            Some(2.0),
            None,
            Some(9.0),
            Some(f64::INFINITY),
        ])]);
        assert_eq!(
            kinds(&reference, &current, Kind::Numerical),
            vec![FindingKind::MissingShare, FindingKind::Infinite, FindingKind::OutOfRange]
        );
    }

    #[test]
    fn a_number_that_becomes_text_is_serious() {
        let reference = Column::new(&[&Float64Array::from(vec![1.0])]);
        let current = Column::new(&[&StringArray::from(vec!["1"])]);
        let findings = on_values(&reference, &current, Kind::Categorical, &Options::default());
        assert_eq!(findings[0].kind, FindingKind::TypeChanged);
        assert_eq!(findings[0].severity, Severity::Serious);
        assert!(findings[0].message.contains("float64 to string"), "{}", findings[0].message);
    }

    #[test]
    fn messages_name_a_few_labels() {
        let mut new = OneSided::default();
        (0..9).for_each(|index| new.add(1, || format!("label {index}")));
        let findings = on_labels(&new, &OneSided::default(), 10, 1000);
        assert!(findings[0].message.ends_with("\"label 4\" and 4 more"), "{}", findings[0].message);
        assert_eq!(findings[0].severity, Severity::Note);
    }
}
