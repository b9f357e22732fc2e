//! Runs one method on one column.

use super::catalogue::Method;
use super::effect::{GAP_SIZES, area_effect, cohens_h, cohens_w, effect, gap_effect};
use crate::Kind;
use crate::options::{Bins, Options};
use crate::sides::Sides;
use crate::statistics::binned::{self, Edges, Shares, VALUE_BY_VALUE_MAX};
use crate::statistics::{counts, distance, ks, moments, permutation, ranks};
use crate::text_features::{self, TextFeature};
use crate::verdict::Effect;

/// What a method answered.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) score: f64,
    pub(crate) effect: Option<Effect>,
    /// What the score is about, when the method looks at several things.
    pub(crate) detail: Option<String>,
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
        |distance: fn(&Shares) -> f64| plain(distance(&shares(sides, kind, options)?), None);
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
            let features = features(sides)?;
            let (score, gap, name) = text_features::test(&features);
            Ok(Outcome {
                score,
                effect: Some(gap_effect(gap)),
                detail: Some(format!("most different: {name}")),
            })
        }
        Method::TextFeaturesDistance => {
            let (score, name) = text_features::largest_distance(&features(sides)?);
            Ok(Outcome { score, effect: None, detail: Some(format!("most different: {name}")) })
        }
        Method::TextContent => {
            let content = sides.content().ok_or("text is needed on both sides")?;
            Ok(Outcome {
                score: content.score(),
                effect: Some(area_effect(content.area)),
                detail: Some(format!("area {:.3} ± {:.3}", content.area, content.error)),
            })
        }
        Method::PercTextContent | Method::AbsTextContent => Err(format!(
            "{method} is the accuracy of a classifier that only scikit-learn trains the same way; use text_content"
        )),
    }
}

fn features(sides: &Sides<'_>) -> Result<Vec<TextFeature>, String> {
    match (sides.reference.strings(), sides.current.strings()) {
        (Some(reference), Some(current)) => Ok(text_features::features(reference, current)),
        _ => Err("text is needed on both sides".to_owned()),
    }
}

fn total_variation(sides: &Sides<'_>, options: &Options) -> Result<f64, String> {
    if sides.pair().is_none() && sides.strings().is_none() && !options.is_evidently() {
        return Err("TVD needs labels of one type; use chisquare".to_owned());
    }
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

/// Shares in bins (numerical, many values) or by value.
fn shares(sides: &Sides<'_>, kind: Kind, options: &Options) -> Result<Shares, String> {
    if kind == Kind::Categorical {
        return Ok(Shares::of_values(sides.frequencies()));
    }
    let pair = sides.numbers()?;
    if let Bins::ReferenceQuantiles(bins) = options.bins {
        let bins = bins.clamp(2, Bins::MAX);
        return Ok(Shares::of_bins(pair, &Edges::reference_quantiles(pair.reference(), bins)));
    }
    // Only the reference decides, so that new values in current do not change the way of counting.
    if sides.reference.distinct() > VALUE_BY_VALUE_MAX as u64 {
        Ok(Shares::of_bins(pair, &Edges::of_pooled(pair)?))
    } else {
        Ok(Shares::of_values(sides.frequencies()))
    }
}
