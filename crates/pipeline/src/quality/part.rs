//! Some predictions judged: by their labels, and by what is expected without.

use std::collections::BTreeMap;

use trainyard_quality::estimate::{Cbpe, Dle, Estimate};
use trainyard_quality::{Codes, Quality, ROWS_MIN, quality, standing};
use trainyard_report::quality::{Expected, Part, Stand};

use super::answers::Answers;
use super::columns::{texts, wanted};
use super::found::{Asked, Rows};
use super::of_runs::OfRuns;
use super::tables::evenly;
use crate::Result;

/// Standard errors that what labels say may be away from what was expected of the same rows.
const CONTRADICTION_ERRORS: f64 = 3.0;

/// What two ways to add up the same numbers may differ by: where all losses of a reference are alike, a sampling error is 0.
const ROUNDING: f64 = 1e-9;

/// What estimates quality without labels.
pub(super) enum Estimator {
    Classes(Box<Cbpe>),
    Quantities(Box<Dle>, Codes),
}

/// What is known of how quality was.
pub(super) struct Before {
    pub(super) figures: BTreeMap<String, f64>,
    /// What the runs of versions say, where nothing else is known.
    pub(super) of_runs: OfRuns,
    /// Rows with labels that the model did not learn from.
    pub(super) reference: Option<Rows>,
    pub(super) estimator: Option<Estimator>,
    /// Why nothing is estimated although there is a reference.
    pub(super) why_not: Option<String>,
}

/// How parts are judged.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) before: &'a Before,
    /// What the verdict looks at.
    pub(super) metrics: &'a [String],
    pub(super) margin: f64,
}

/// Rows of a part.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    /// Predictions with labels.
    pub(super) labelled: Option<&'a Rows>,
    /// Predictions as they came.
    pub(super) sample: Option<&'a Rows>,
    /// How good the same part of the reference is.
    pub(super) own: Option<&'a Quality>,
    /// The version whose run says what quality was.
    pub(super) version: Option<&'a str>,
}

impl Before {
    /// Of a reference with its column of what was true. Its figures go before those of runs.
    pub(super) fn read(asked: Asked<'_>, target: &str, of_runs: OfRuns) -> Result<Self> {
        let mut figures = BTreeMap::new();
        let positions = evenly(asked.columns);
        let truth = texts(&wanted(asked.columns, asked.source, target, &positions)?)?;
        let truth: Vec<String> = truth.into_iter().map(Option::unwrap_or_default).collect();
        let reference = Rows::read(asked, &positions, Some(truth))?;
        let rows = reference.answers.len();
        if rows < ROWS_MIN {
            return Err(trainyard_quality::Error::TooFewRows { rows, least: ROWS_MIN }.into());
        }
        for measured in quality(&reference.answers.judged())?.metrics {
            figures.insert(measured.metric.to_owned(), measured.value);
        }
        // What cannot be estimated can still be judged by labels.
        let (estimator, why_not) = match Estimator::fit(&reference) {
            Ok(Some(estimator)) => (Some(estimator), None),
            Ok(None) => (None, Some("there are no probabilities of every class".to_owned())),
            Err(error) => (None, Some(error.message())),
        };
        Ok(Self { figures, of_runs, reference: Some(reference), estimator, why_not })
    }

    /// Classes of the reference, as far as there are probabilities of them.
    pub(super) fn classes(&self) -> Vec<String> {
        match self.reference.as_ref().map(|rows| &rows.answers) {
            Some(Answers::Classes { probabilities: Some(known), .. }) => known.classes.clone(),
            _ => Vec::new(),
        }
    }

    /// What a metric was: of the same part of the reference where that has rows enough, else of all, else of the
    /// version's run.
    pub(super) fn figure(
        &self,
        metric: &str,
        own: Option<&Quality>,
        version: Option<&str>,
    ) -> Option<f64> {
        let of_part = own.and_then(|own| own.metric(metric)).map(|measured| measured.value);
        let known = of_part.or_else(|| self.figures.get(metric).copied());
        known.or_else(|| self.of_runs.figure(version, metric))
    }
}

impl Estimator {
    fn fit(reference: &Rows) -> Result<Option<Self>> {
        Ok(match &reference.answers {
            Answers::Classes { .. } => {
                let fitted = Cbpe::fit(&reference.answers.judged())?;
                fitted.map(|fitted| Self::Classes(Box::new(fitted)))
            }
            Answers::Quantities { truth, predicted } => {
                let codes = Codes::new(&reference.features);
                let columns = codes.numbers(&reference.features)?;
                let fitted = Dle::fit(&columns, truth, predicted)?;
                Some(Self::Quantities(Box::new(fitted), codes))
            }
        })
    }

    /// What is expected of these rows; nothing where they lack what it takes.
    fn estimate(&self, rows: &Rows) -> Result<Vec<Estimate>> {
        Ok(match (self, &rows.answers) {
            (
                Self::Classes(fitted),
                Answers::Classes { predicted, probabilities: Some(known), .. },
            ) if known.classes == fitted.classes() => fitted.estimate(predicted, known)?,
            (Self::Quantities(fitted, codes), Answers::Quantities { predicted, .. })
                if rows.features.len() == codes.columns() =>
            {
                fitted.estimate(&codes.numbers(&rows.features)?, predicted)?
            }
            _ => Vec::new(),
        })
    }
}

/// How good a part of the reference is; none where it has too few rows to tell.
pub(super) fn own(rows: Option<&Rows>) -> Result<Option<Quality>> {
    let rows = rows.filter(|rows| rows.answers.len() >= ROWS_MIN);
    Ok(rows.map(|rows| quality(&rows.answers.judged())).transpose()?)
}

impl Judge<'_> {
    /// Judges a part of so many predictions.
    pub(super) fn part(&self, name: &str, predictions: u64, sides: Sides<'_>) -> Result<Part> {
        let labelled = sides.labelled.filter(|rows| rows.answers.len() > 0);
        let found = match labelled {
            Some(rows) => Some(quality(&rows.answers.judged())?),
            None => None,
        };
        let stand = |metric: &String| {
            let (found, measured) = (found.as_ref()?, found.as_ref()?.metric(metric)?);
            let before = self.before.figure(metric, sides.own, sides.version);
            let standing = standing(measured, found.rows, before, self.margin);
            Some(Stand { metric: measured.metric, before, standing })
        };
        Ok(Part {
            name: name.to_owned(),
            predictions,
            labelled: labelled.map_or(0, |rows| rows.answers.len() as u64),
            stands: self.metrics.iter().filter_map(stand).collect(),
            expected: self.expected(sides, found.as_ref())?,
            quality: found,
        })
    }

    /// What is expected of the predictions as they came, and whether labels contradict what was expected of theirs.
    fn expected(&self, sides: Sides<'_>, found: Option<&Quality>) -> Result<Vec<Expected>> {
        let Some(estimator) = &self.before.estimator else { return Ok(Vec::new()) };
        let Some(sample) = sides.sample.filter(|rows| rows.answers.len() > 0) else {
            return Ok(Vec::new());
        };
        let of_labelled = match sides.labelled.filter(|rows| rows.answers.len() >= ROWS_MIN) {
            Some(rows) => estimator.estimate(rows)?,
            None => Vec::new(),
        };
        let expected = |estimate: Estimate| {
            let realised = found.and_then(|found| found.metric(estimate.metric));
            let realised = realised.map(|measured| measured.value);
            let same = of_labelled.iter().find(|other| other.metric == estimate.metric);
            let is_contradicted = same.zip(realised).is_some_and(|(same, realised)| {
                let least = ROUNDING * realised.abs().max(same.value.abs());
                (realised - same.value).abs() > CONTRADICTION_ERRORS * same.sampling_error + least
            });
            let before = self.before.figure(estimate.metric, sides.own, sides.version);
            Expected { estimate, before, realised, is_contradicted }
        };
        let estimates = estimator.estimate(sample)?.into_iter();
        Ok(estimates.filter(|estimate| estimate.value.is_finite()).map(expected).collect())
    }
}
