//! What a user may choose. Names are Evidently's where it has them.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::choice::{UnknownName, find};
use crate::compat::Compat;
use crate::kind::Kind;
use crate::method::Method;
use crate::rule::ColumnRule;

/// Adjustment of p-values for the number of columns tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Correction {
    /// Each p-value is compared with its threshold as it is (Evidently's way).
    #[default]
    None,
    /// Benjamini–Hochberg: limits the share of false alarms among the alarms.
    BenjaminiHochberg,
    /// Bonferroni: limits the chance of any false alarm.
    Bonferroni,
}

impl Correction {
    /// The word that users write.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BenjaminiHochberg => "bh",
            Self::Bonferroni => "bonferroni",
        }
    }
}

impl FromStr for Correction {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let all = [Self::None, Self::BenjaminiHochberg, Self::Bonferroni];
        find("correction", name, &all.map(|one| (one.name(), one)))
    }
}

/// How values are put in bins for psi, kl_div, jensenshannon and hellinger on numerical columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bins {
    /// Equal-width bins over both samples, as Evidently makes them. They change with the current data.
    #[default]
    Pooled,
    /// This many bins with equal shares of the reference, open at both ends, so that scores of
    /// different days can be compared. Between 2 and [`Bins::MAX`].
    ReferenceQuantiles(usize),
}

impl Bins {
    /// More bins than this say nothing that the raw values do not.
    pub const MAX: usize = 1000;
}

/// Usable values a side from which on a column is judged: with fewer, tests see hardly anything but
/// chance, and the approximations that they rest on do not hold.
pub const MIN_SAMPLES: u64 = 30;

/// Times the rows of the reference that are a finding: more than days and weeks differ by.
const VOLUME_FACTOR: f64 = 10.0;

/// What to compare, how, and what counts as drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Only these columns, in this order. All of current when `None`.
    pub columns: Option<Vec<String>>,
    /// Method for every column.
    pub method: Option<Method>,
    /// Method for numerical columns.
    pub num_method: Option<Method>,
    /// Method for categorical columns.
    pub cat_method: Option<Method>,
    /// Method for text columns.
    pub text_method: Option<Method>,
    /// Method by column; wins over the others.
    pub per_column_method: BTreeMap<String, Method>,
    /// Threshold for every column.
    pub threshold: Option<f64>,
    /// Threshold for numerical columns.
    pub num_threshold: Option<f64>,
    /// Threshold for categorical columns.
    pub cat_threshold: Option<f64>,
    /// Threshold for text columns.
    pub text_threshold: Option<f64>,
    /// Threshold by column; wins over the others.
    pub per_column_threshold: BTreeMap<String, f64>,
    /// The dataset has drifted when at least this share of the tested columns has.
    pub drift_share: f64,
    /// Kind by column, instead of the inferred one. [`Kind::Unknown`] leaves a column out.
    pub kinds: BTreeMap<String, Kind>,
    /// Rules by column, which current is held to; they take the place of what the reference says about the same.
    pub rules: BTreeMap<String, ColumnRule>,
    /// The column that the model learns to predict, if any.
    pub target: Option<String>,
    /// The column that holds the model's predictions, if any.
    pub prediction: Option<String>,
    /// Adjustment of p-values for the number of columns.
    pub correction: Correction,
    /// Bins of numerical columns.
    pub bins: Bins,
    /// Columns with fewer usable values on either side are not judged. [`MIN_SAMPLES`] when `None`, and 1
    /// with Evidently's behaviour.
    pub min_samples: Option<u64>,
    /// A finding is made when the share of missing values changes by at least this much.
    pub missing_share_change: f64,
    /// A finding is made when the share of rows that repeat another one is larger by at least this much.
    pub duplicate_share_change: f64,
    /// A finding is made when current has this many times the rows of the reference, or one over it. 0 for
    /// never.
    pub volume_factor: f64,
    /// Whether current is a window of time or a log: few rows of one are then no matter of worry, as the
    /// reference is the data of much more time.
    pub is_window: bool,
    /// Seed of permutation tests.
    pub seed: u32,
    /// Whose behaviour to follow.
    pub compat: Compat,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            columns: None,
            method: None,
            num_method: None,
            cat_method: None,
            text_method: None,
            per_column_method: BTreeMap::new(),
            threshold: None,
            num_threshold: None,
            cat_threshold: None,
            text_threshold: None,
            per_column_threshold: BTreeMap::new(),
            drift_share: 0.5,
            kinds: BTreeMap::new(),
            rules: BTreeMap::new(),
            target: None,
            prediction: None,
            correction: Correction::None,
            bins: Bins::Pooled,
            min_samples: None,
            missing_share_change: 0.05,
            duplicate_share_change: 0.05,
            volume_factor: VOLUME_FACTOR,
            is_window: false,
            seed: 0,
            compat: Compat::Trainyard,
        }
    }
}

impl Options {
    /// The method asked for on this column, if any, and by which option.
    pub(crate) fn method_for(&self, column: &str, kind: Kind) -> Option<(Method, &'static str)> {
        let by_kind = match kind {
            Kind::Numerical | Kind::Datetime => {
                self.num_method.map(|method| (method, "num_method"))
            }
            Kind::Categorical => self.cat_method.map(|method| (method, "cat_method")),
            Kind::Text => self.text_method.map(|method| (method, "text_method")),
            Kind::Unknown => None,
        };
        self.per_column_method
            .get(column)
            .map(|method| (*method, "per_column_method"))
            .or(by_kind)
            .or_else(|| self.method.map(|method| (method, "method")))
    }

    /// The threshold asked for on this column, if any.
    pub(crate) fn threshold_for(&self, column: &str, kind: Kind) -> Option<f64> {
        let by_kind = match kind {
            Kind::Numerical | Kind::Datetime => self.num_threshold,
            Kind::Categorical => self.cat_threshold,
            Kind::Text => self.text_threshold,
            Kind::Unknown => None,
        };
        self.per_column_threshold.get(column).copied().or(by_kind).or(self.threshold)
    }

    /// Whether a method was asked for that regroups rows, so that [`crate::Column::with_rows`] pays.
    pub fn needs_rows(&self) -> bool {
        let asked = [self.method, self.num_method, self.cat_method];
        let asked = asked.iter().flatten().chain(self.per_column_method.values());
        asked
            .into_iter()
            .any(|method| matches!(method, Method::TotalVariation | Method::EmpiricalMmd))
    }

    /// Usable values that a side needs to be judged.
    pub fn least_samples(&self) -> u64 {
        self.min_samples.unwrap_or(if self.is_evidently() { 1 } else { MIN_SAMPLES })
    }

    pub(crate) fn is_evidently(&self) -> bool {
        self.compat == Compat::Evidently
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_option_wins() {
        let mut options =
            Options { method: Some(Method::Psi), threshold: Some(0.3), ..Options::default() };
        assert_eq!(options.method_for("a", Kind::Numerical), Some((Method::Psi, "method")));
        options.num_method = Some(Method::TTest);
        options.num_threshold = Some(0.2);
        assert_eq!(options.method_for("a", Kind::Numerical), Some((Method::TTest, "num_method")));
        assert_eq!(options.method_for("a", Kind::Categorical), Some((Method::Psi, "method")));
        assert_eq!(options.threshold_for("a", Kind::Numerical), Some(0.2));
        options.per_column_method.insert("a".to_owned(), Method::Energy);
        options.per_column_threshold.insert("a".to_owned(), 0.1);
        assert_eq!(
            options.method_for("a", Kind::Numerical),
            Some((Method::Energy, "per_column_method"))
        );
        assert_eq!(options.threshold_for("a", Kind::Numerical), Some(0.1));
        assert_eq!(options.threshold_for("b", Kind::Text), Some(0.3));
    }
}
