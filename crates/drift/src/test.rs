//! Runs one method on one column.

use std::cell::OnceCell;

use crate::column::{Column, Pair};
use crate::statistics::binned::{self, Edges, Shares, VALUE_BY_VALUE_MAX};
use crate::statistics::counts::{self, Frequencies};
use crate::statistics::{distance, ks, moments, permutation, ranks};
use crate::verdict::{Effect, EffectSize};
use crate::{Bins, Kind, Method, Options, summary, text};

/// Both sides of a column, with what several methods need computed once.
pub(crate) struct Sides<'a> {
    pub(crate) reference: &'a Column,
    pub(crate) current: &'a Column,
    pair: Option<Pair<'a>>,
    frequencies: OnceCell<Frequencies>,
}

/// What a method answered.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) score: f64,
    pub(crate) effect: Option<Effect>,
    /// What the score is about, when the method looks at several things.
    pub(crate) detail: Option<String>,
}

impl<'a> Sides<'a> {
    pub(crate) fn new(reference: &'a Column, current: &'a Column) -> Self {
        let pair = match (reference.numbers(), current.numbers()) {
            (Some(reference), Some(current)) => Some(Pair::new(reference, current)),
            _ => None,
        };
        Self { reference, current, pair, frequencies: OnceCell::new() }
    }

    /// Both sides as numbers.
    pub(crate) fn numbers(&self) -> Result<&Pair<'a>, String> {
        self.pair.as_ref().ok_or_else(|| {
            let (before, after) =
                (summary::side_type(self.reference), summary::side_type(self.current));
            format!(
                "numbers are needed on both sides; the reference is {before}, current is {after}"
            )
        })
    }

    pub(crate) fn pair(&self) -> Option<&Pair<'a>> {
        self.pair.as_ref()
    }

    /// Counts of every value.
    pub(crate) fn frequencies(&self) -> &Frequencies {
        self.frequencies.get_or_init(|| summary::frequencies(self.reference, self.current))
    }

    /// Distinct values of both sides together, at most `limit` + 1.
    pub(crate) fn distinct_up_to(&self, limit: usize) -> usize {
        match &self.pair {
            Some(pair) => pair.distinct_up_to(limit),
            None => self.frequencies().distinct().min(limit + 1),
        }
    }

    /// Shares in bins (numerical, many values) or by value.
    fn shares(&self, kind: Kind, options: &Options) -> Result<Shares, String> {
        if kind == Kind::Categorical {
            return Ok(Shares::of_values(self.frequencies()));
        }
        let pair = self.numbers()?;
        if let Bins::ReferenceQuantiles(bins) = options.bins {
            let bins = bins.clamp(2, Bins::MAX);
            return Ok(Shares::of_bins(pair, &Edges::reference_quantiles(pair.reference(), bins)));
        }
        // Only the reference decides, so that new values in current do not change the way of counting.
        if self.reference.distinct() > VALUE_BY_VALUE_MAX as u64 {
            Ok(Shares::of_bins(pair, &Edges::of_pooled(pair)?))
        } else {
            Ok(Shares::of_values(self.frequencies()))
        }
    }
}

/// Runs the method. Both sides hold at least one usable value.
pub(crate) fn run(
    method: Method,
    kind: Kind,
    sides: &Sides<'_>,
    options: &Options,
) -> Result<Outcome, String> {
    let plain = |score: f64, effect: Option<Effect>| Ok(Outcome { score, effect, detail: None });
    let on_shares =
        |distance: fn(&Shares) -> f64| plain(distance(&sides.shares(kind, options)?), None);
    match method {
        Method::KolmogorovSmirnov => {
            let outcome = ks::test(sides.numbers()?);
            plain(outcome.p_value, Some(gap_effect(outcome.statistic)))
        }
        Method::ChiSquare => {
            let frequencies = sides.frequencies();
            plain(counts::chi_square(frequencies), Some(cohens_w(frequencies)))
        }
        Method::GTest => {
            let frequencies = sides.frequencies();
            plain(counts::g_test(frequencies)?, Some(cohens_w(frequencies)))
        }
        Method::ZTest => plain(counts::z_test(sides.frequencies()), cohens_h(sides.frequencies())),
        Method::FisherExact => {
            plain(counts::fisher_exact(sides.frequencies())?, cohens_h(sides.frequencies()))
        }
        Method::Wasserstein => plain(distance::wasserstein_normed(sides.numbers()?), None),
        Method::Energy => plain(distance::energy(sides.numbers()?), None),
        Method::JensenShannon => on_shares(binned::jensen_shannon),
        Method::Psi => on_shares(binned::psi),
        Method::KullbackLeibler => on_shares(binned::kullback_leibler),
        Method::Hellinger if kind != Kind::Categorical && options.bins == Bins::Pooled => {
            plain(binned::hellinger_binned(sides.numbers()?)?, None)
        }
        Method::Hellinger => on_shares(binned::hellinger),
        Method::AndersonDarling => with_gap(ranks::anderson_darling(sides.numbers()?)?, sides),
        Method::CramerVonMises => {
            with_gap(ranks::cramer_von_mises(sides.numbers()?, options.is_evidently())?, sides)
        }
        Method::EppsSingleton => with_gap(moments::epps_singleton(sides.numbers()?)?, sides),
        Method::EmpiricalMmd => with_gap(mean_discrepancy(sides, options)?, sides),
        Method::MannWhitney => {
            let pair = sides.numbers()?;
            let (p_value, u) = ranks::mann_whitney(pair);
            let value = ranks::rank_biserial(pair, u);
            plain(p_value, Some(effect("rank-biserial correlation", value, [0.1, 0.3, 0.5])))
        }
        Method::TTest => {
            let pair = sides.numbers()?;
            let value = moments::cohens_d(pair);
            plain(moments::t_test(pair), Some(effect("Cohen's d", value, [0.2, 0.5, 0.8])))
        }
        Method::TotalVariation => {
            let frequencies = sides.frequencies();
            let value = counts::total_variation(frequencies);
            plain(
                total_variation(sides, options)?,
                Some(effect("total variation distance", value, GAP_SIZES)),
            )
        }
        Method::TextFeaturesTest => {
            let features = text_features(sides)?;
            let (score, gap, name) = text::test(&features);
            Ok(Outcome {
                score,
                effect: Some(gap_effect(gap)),
                detail: Some(format!("most different: {name}")),
            })
        }
        Method::TextFeaturesDistance => {
            let (score, name) = text::largest_distance(&text_features(sides)?);
            Ok(Outcome { score, effect: None, detail: Some(format!("most different: {name}")) })
        }
        Method::PercTextContent | Method::AbsTextContent => Err(format!(
            "{method} is the accuracy of a classifier that only scikit-learn trains the same way; use text_features or text_features_distance"
        )),
    }
}

fn text_features(sides: &Sides<'_>) -> Result<Vec<text::TextFeature>, String> {
    match (sides.reference.strings(), sides.current.strings()) {
        (Some(reference), Some(current)) => Ok(text::features(reference, current)),
        _ => Err("text is needed on both sides".to_owned()),
    }
}

fn total_variation(sides: &Sides<'_>, options: &Options) -> Result<f64, String> {
    let frequencies = sides.frequencies();
    // From the distinct values of each side to those of both.
    let mut places = [Vec::new(), Vec::new()];
    for (place, count) in frequencies.counts().iter().enumerate() {
        for (side, occurs) in places.iter_mut().zip([count.reference > 0, count.current > 0]) {
            side.extend(occurs.then_some(place as u32));
        }
    }
    let mut codes = Vec::new();
    for (column, places) in [sides.reference, sides.current].into_iter().zip(&places) {
        codes.extend(column.row_codes().iter().filter_map(|code| places.get(*code as usize)));
    }
    permutation::total_variation(
        frequencies.counts(),
        &codes,
        sides.reference.len() as usize,
        options.seed,
    )
}

fn mean_discrepancy(sides: &Sides<'_>, options: &Options) -> Result<f64, String> {
    let pair = sides.numbers()?;
    let mut values = Vec::with_capacity(pair.reference_len() + pair.current_len());
    for (column, numbers) in [(sides.reference, pair.reference()), (sides.current, pair.current())]
    {
        let mut distinct = Vec::new();
        numbers.for_each_run(|value, _| distinct.push(value));
        values.extend(column.row_codes().iter().filter_map(|code| distinct.get(*code as usize)));
    }
    permutation::maximum_mean_discrepancy(&values, pair.reference_len(), options.seed)
}

fn with_gap(score: f64, sides: &Sides<'_>) -> Result<Outcome, String> {
    let gap = ks::statistic(sides.numbers()?);
    Ok(Outcome { score, effect: Some(gap_effect(gap)), detail: None })
}

/// Gaps of cumulative distributions that normal distributions have at Cohen's d of 0.2, 0.5 and 0.8.
const GAP_SIZES: [f64; 3] = [0.08, 0.2, 0.31];

fn gap_effect(gap: f64) -> Effect {
    effect("largest gap of the cumulative distributions", gap, GAP_SIZES)
}

fn cohens_w(frequencies: &Frequencies) -> Effect {
    effect("Cohen's w", counts::cohens_w(frequencies), [0.1, 0.3, 0.5])
}

/// Cohen's h of two proportions; `None` unless the values are binary.
fn cohens_h(frequencies: &Frequencies) -> Option<Effect> {
    if frequencies.distinct() > 2 {
        return None;
    }
    let (p1, p2) = frequencies.shares().next()?;
    let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
    Some(effect("Cohen's h", (angle(p2) - angle(p1)).abs(), [0.2, 0.5, 0.8]))
}

fn effect(name: &'static str, value: f64, sizes: [f64; 3]) -> Effect {
    let size = match sizes.iter().filter(|bound| value.abs() >= **bound).count() {
        0 => EffectSize::Negligible,
        1 => EffectSize::Small,
        2 => EffectSize::Medium,
        _ => EffectSize::Large,
    };
    Effect { name, value, size }
}
