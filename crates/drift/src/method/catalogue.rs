//! The drift methods: their names, what they apply to, their default thresholds and which side of
//! the threshold means drift. Names and numbers are those of Evidently 0.7, so that a configuration
//! can be carried over word for word.

use std::fmt;
use std::str::FromStr;

use crate::Kind;
use crate::choice::UnknownName;

/// Whether small or large scores mean drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreKind {
    /// A probability: drift when it falls below the threshold.
    PValue,
    /// A distance: drift when it exceeds the threshold.
    Distance,
}

/// Which scores are drift: those on one side of the threshold, which is the one used when none is given.
#[derive(Clone, Copy)]
enum Rule {
    /// P-values up to it.
    AtMost(f64),
    /// P-values under it.
    Below(f64),
    /// Distances from it on.
    AtLeast(f64),
    /// Distances over it.
    Above(f64),
}

use Rule::{Above, AtLeast, AtMost, Below};

struct Description {
    method: Method,
    id: &'static str,
    display_name: &'static str,
    rule: Rule,
    kinds: &'static [Kind],
    meaning: &'static str,
}

const NUM: &[Kind] = &[Kind::Numerical, Kind::Datetime];
const CAT: &[Kind] = &[Kind::Categorical];
const BOTH: &[Kind] = &[Kind::Numerical, Kind::Datetime, Kind::Categorical];
const TEXT: &[Kind] = &[Kind::Text];

/// Makes the enum and its table, so that a method is one entry: what it is, its id, Evidently's name of it,
/// its rule, the kinds of columns it is for, and what its score says.
macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident: $id:literal, $name:literal, $rule:expr, $kinds:expr, $meaning:literal;)*) => {
        /// A statistical method that compares two columns.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Method {
            $($(#[$doc])* $method,)*
        }

        /// One row a method, in the order of the enum.
        const METHODS: &[Description] = &[$(Description {
            method: Method::$method,
            id: $id,
            display_name: $name,
            rule: $rule,
            kinds: $kinds,
            meaning: $meaning,
        },)*];
    };
}

methods! {
    /// Two-sample Kolmogorov–Smirnov test, two-sided.
    KolmogorovSmirnov: "ks", "K-S p_value", AtMost(0.05), NUM,
        "The probability of seeing a largest gap between the two cumulative distributions at least this wide if both came from one distribution.";
    /// Pearson's chi-square test of the current counts against the reference shares.
    ChiSquare: "chisquare", "chi-square p_value", Below(0.05), CAT,
        "The probability of counts at least this far from the reference shares if nothing had changed; the reference is taken as exact.";
    /// Two-sided z test of two proportions.
    ZTest: "z", "Z-test p_value", Below(0.05), CAT,
        "The probability of two proportions at least this far apart if they were equal.";
    /// Wasserstein-1 distance in units of the reference's standard deviation.
    Wasserstein: "wasserstein", "Wasserstein distance (normed)", AtLeast(0.1), NUM,
        "How far, on average, a value has to move to turn the reference into the current distribution, in standard deviations of the reference.";
    /// Jensen–Shannon distance (natural logarithm), 0 to √ln 2.
    JensenShannon: "jensenshannon", "Jensen-Shannon distance", AtLeast(0.1), BOTH,
        "How different the two sets of shares are: 0 is equal, 0.83 is no value in common.";
    /// Population stability index.
    Psi: "psi", "PSI", AtLeast(0.1), BOTH,
        "The population stability index: under 0.1 is usually called stable, over 0.25 a large shift.";
    /// Kullback–Leibler divergence of the reference from the current shares.
    KullbackLeibler: "kl_div", "Kullback-Leibler divergence", AtLeast(0.1), BOTH,
        "The information lost when the current shares stand in for the reference shares: 0 is equal, there is no upper limit.";
    /// Hellinger distance, 0 to 1.
    Hellinger: "hellinger", "Hellinger distance", AtLeast(0.1), BOTH,
        "How little the two distributions overlap: 0 is equal, 1 is no overlap.";
    /// Anderson–Darling two-sample test with midranks.
    AndersonDarling: "anderson", "Anderson-Darling", Below(0.1), NUM,
        "The probability of distributions at least this different, with weight on the tails; reported between 0.001 and 0.25 only.";
    /// Two-sample Cramér–von Mises test.
    CramerVonMises: "cramer_von_mises", "Cramer-von Mises", AtMost(0.1), NUM,
        "The probability of cumulative distributions at least this far apart over their whole length if both came from one distribution.";
    /// Energy distance (not normalised by scale).
    Energy: "ed", "Energy-distance", Above(0.1), NUM,
        "The distance between the two cumulative distributions in the square root of the column's unit; it depends on the scale of the values.";
    /// Epps–Singleton test of the empirical characteristic functions.
    EppsSingleton: "es", "Epps-Singleton", Below(0.05), NUM,
        "The probability of characteristic functions at least this different if both samples came from one distribution.";
    /// Mann–Whitney U test, one-sided: the reference is stochastically smaller.
    MannWhitney: "mannw", "Mann-Whitney U-rank test", Below(0.05), NUM,
        "The probability of ranks at least this much higher in current if nothing had changed; a shift downwards is not seen.";
    /// Student's t test with pooled variance, two-sided.
    TTest: "t_test", "t_test", Below(0.05), NUM,
        "The probability of means at least this far apart if they were equal.";
    /// Maximum mean discrepancy with an RBF kernel, permutation test.
    EmpiricalMmd: "empirical_mmd", "empirical_mmd", Below(0.1), NUM,
        "The share of random regroupings of the values that differ at least as much as reference and current.";
    /// Fisher's exact test on two binary columns.
    FisherExact: "fisher_exact", "Fisher's Exact test", Below(0.1), CAT,
        "The probability of a two-by-two table at least this uneven if the proportions were equal.";
    /// Likelihood-ratio test of counts.
    GTest: "g_test", "g_test", Below(0.1), CAT,
        "The probability of counts at least this far from the reference counts if nothing had changed.";
    /// Permutation test of the total variation distance.
    TotalVariation: "TVD", "Total-Variation-Distance", Below(0.1), CAT,
        "The share of random regroupings of the values whose shares differ at least as much as reference and current.";
    /// Kolmogorov–Smirnov tests of text features (length, words, letters, digits), combined by Bonferroni.
    TextFeaturesTest: "text_features", "Text features p_value", AtMost(0.05), TEXT,
        "The probability of texts at least this different in length, words, letters or digits if nothing had changed.";
    /// Largest normed Wasserstein distance of text features.
    TextFeaturesDistance: "text_features_distance", "Text features distance", AtLeast(0.1), TEXT,
        "The largest move of a text feature (length, words, letters, digits), in standard deviations of the reference.";
    /// Area under the ROC curve of a classifier that tells current from reference texts by their words, less
    /// its error.
    TextContent: "text_content", "Text content ROC AUC", Above(0.55), TEXT,
        "How often a classifier that has learned from other texts rates a current text as more current than one of the reference, less what chance may add: 0.5 is chance, 1 is always.";
    /// Evidently's domain classifier with a bootstrapped threshold; not computed here.
    PercTextContent: "perc_text_content_drift", "Percentile text content drift", Above(0.95), TEXT,
        "The ROC AUC of a classifier that tells current from reference texts.";
    /// Evidently's domain classifier with an absolute threshold; not computed here.
    AbsTextContent: "abs_text_content_drift", "Absolute text content drift", Above(0.55), TEXT,
        "The ROC AUC of a classifier that tells current from reference texts.";
}

impl Method {
    /// Every method, in a fixed order.
    pub fn all() -> impl Iterator<Item = Self> {
        METHODS.iter().map(|row| row.method)
    }

    fn row(self) -> &'static Description {
        // The macro makes a row for each, in order; the fallback is never taken.
        METHODS.get(self as usize).unwrap_or(&METHODS[0])
    }

    /// The name a user writes: `ks`, `psi`, `kl_div`, …
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The name Evidently shows for a method that was chosen by default.
    pub fn display_name(self) -> &'static str {
        self.row().display_name
    }

    /// Whether small or large scores mean drift.
    pub fn score_kind(self) -> ScoreKind {
        match self.row().rule {
            AtMost(_) | Below(_) => ScoreKind::PValue,
            AtLeast(_) | Above(_) => ScoreKind::Distance,
        }
    }

    /// The threshold used when none is given.
    pub fn default_threshold(self) -> f64 {
        let (AtMost(threshold) | Below(threshold) | AtLeast(threshold) | Above(threshold)) =
            self.row().rule;
        threshold
    }

    /// Whether the method may be asked for on a column of this kind.
    pub fn applies_to(self, kind: Kind) -> bool {
        self.row().kinds.contains(&kind)
    }

    /// Kinds of columns that the method may be asked for.
    pub fn kinds(self) -> &'static [Kind] {
        self.row().kinds
    }

    /// The verdict. A score that is not a number is never drift.
    ///
    /// ```
    /// use trainyard_drift::Method;
    /// assert!(Method::KolmogorovSmirnov.is_drift(0.05, 0.05)); // p <= threshold
    /// assert!(!Method::ChiSquare.is_drift(0.05, 0.05)); // p < threshold
    /// assert!(Method::Psi.is_drift(0.1, 0.1)); // distance >= threshold
    /// ```
    pub fn is_drift(self, score: f64, threshold: f64) -> bool {
        match self.row().rule {
            AtMost(_) => score <= threshold,
            Below(_) => score < threshold,
            AtLeast(_) => score >= threshold,
            Above(_) => score > threshold,
        }
    }

    /// One sentence on what the score says, for people.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

impl FromStr for Method {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        METHODS
            .iter()
            .find(|row| row.id == name || row.display_name == name)
            .map(|row| row.method)
            .ok_or_else(|| UnknownName::new("drift method", name, METHODS.iter().map(|row| row.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_id_and_display_name() {
        for method in Method::all() {
            assert_eq!(method.id().parse(), Ok(method));
            assert_eq!(method.display_name().parse(), Ok(method));
            assert!(!method.kinds().is_empty());
        }
        for (index, row) in METHODS.iter().enumerate() {
            assert_eq!(row.method as usize, index);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = "no_such_test".parse::<Method>().unwrap_err().to_string();
        assert!(error.contains("\"no_such_test\"") && error.contains("kl_div"), "{error}");
    }

    #[test]
    fn nan_is_never_drift() {
        for method in Method::all() {
            assert!(!method.is_drift(f64::NAN, 0.05));
        }
    }
}
