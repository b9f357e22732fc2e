//! What both sides answered to the same requests: shares of classes and distributions of scores.
//!
//! A retrained model may answer otherwise; one that answers one thing to all where the one before did not,
//! or whose answers are from another world, may not. Each rule has a bar of chance and a least effect, and
//! the effect decides: with enough requests any two models differ for sure.

use std::collections::{BTreeMap, BTreeSet};

use super::predictions::Prediction;
use super::random::mixed;
use crate::release::BakeLimits;

/// Predictions before anything is said: with fewer, a model that is well may have had no reason for another
/// answer.
const VALUES_MIN: u64 = 50;

/// Classes that are counted by name. More are no classes: names, keys.
const CLASSES_MAX: usize = 64;

/// Scores kept of each side: a uniform sample of all, 16 kB.
const SCORES_MAX: usize = 2_000;

/// The probability that chance alone condemns, at each look.
const ALPHA: f64 = 0.001;

/// The normal quantile that belongs to [`ALPHA`].
const ALPHA_Z: f64 = 3.0902;

/// What one side answered.
#[derive(Debug, Default)]
struct Answers {
    values: u64,
    classes: BTreeMap<String, u64>,
    /// There were more classes than are counted.
    has_other_classes: bool,
    scores_seen: u64,
    scores: Vec<f64>,
    /// The only answer there ever was.
    only: Only,
}

#[derive(Debug, Default)]
enum Only {
    #[default]
    Nothing,
    This(Prediction),
    Several,
}

impl Answers {
    fn add(&mut self, prediction: Prediction) {
        self.values += 1;
        match &self.only {
            Only::Nothing => self.only = Only::This(prediction.clone()),
            Only::This(only) if !only.is_same(&prediction) => self.only = Only::Several,
            Only::This(_) | Only::Several => {}
        }
        match prediction {
            Prediction::Class(class) => {
                if let Some(count) = self.classes.get_mut(&class) {
                    *count += 1;
                } else if self.classes.len() < CLASSES_MAX {
                    self.classes.insert(class, 1);
                } else {
                    self.has_other_classes = true;
                }
            }
            Prediction::Score(score) => {
                // Vitter's algorithm R, "Random sampling with a reservoir", 1985.
                self.scores_seen += 1;
                if self.scores.len() < SCORES_MAX {
                    self.scores.push(score);
                } else {
                    let place = mixed(self.scores_seen) % self.scores_seen;
                    let place = usize::try_from(place).unwrap_or(usize::MAX);
                    if let Some(kept) = self.scores.get_mut(place) {
                        *kept = score;
                    }
                }
            }
        }
    }

    /// Share of the answers that are this one.
    fn share_of(&self, answer: &Prediction) -> f64 {
        match answer {
            Prediction::Class(class) => {
                self.classes.get(class).copied().unwrap_or_default() as f64 / self.values as f64
            }
            Prediction::Score(_) => {
                let same = |score: &&f64| Prediction::Score(**score).is_same(answer);
                let same = self.scores.iter().filter(same).count() as f64;
                same / self.scores.len().max(1) as f64
                    * (self.scores_seen as f64 / self.values as f64)
            }
        }
    }

    fn are_classes(&self) -> bool {
        self.scores_seen == 0 && !self.has_other_classes
    }
}

/// What both sides answered.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    blue: Answers,
    green: Answers,
}

impl Comparison {
    /// Adds what both answered to one request; whether it was the same.
    pub(super) fn add(&mut self, blue: Vec<Prediction>, green: Vec<Prediction>) -> bool {
        let is_same = blue.len() == green.len()
            && blue.iter().zip(&green).all(|(blue, green)| blue.is_same(green));
        for prediction in blue {
            self.blue.add(prediction);
        }
        for prediction in green {
            self.green.add(prediction);
        }
        is_same
    }

    /// What green answers that no retraining explains.
    pub(super) fn too_different(&self, limits: &BakeLimits) -> Option<String> {
        if !limits.answers || self.blue.values.min(self.green.values) < VALUES_MIN {
            return None;
        }
        self.one_answer_to_all()
            .or_else(|| self.classes_shifted(f64::from(limits.class_shift_percent) / 100.0))
            .or_else(|| {
                let percent = limits.score_shift_percent?;
                self.scores_shifted(f64::from(percent) / 100.0)
            })
    }

    /// Green gives one answer only. If it were as likely to give that as blue is, so many in a row would
    /// have the probability `share ^ values`.
    fn one_answer_to_all(&self) -> Option<String> {
        let Only::This(only) = &self.green.only else { return None };
        let share = self.blue.share_of(only);
        let chance = share.powf(self.green.values as f64);
        let told = match only {
            Prediction::Class(class) => format!("{class:?}"),
            Prediction::Score(score) => score.to_string(),
        };
        // Two models that both know one answer only are not in each other's way.
        let blue_varies = matches!(self.blue.only, Only::Several);
        (blue_varies && chance < ALPHA).then(|| {
            format!(
                "it answers {told} to all of {} rows, the one before to {:.1} % of them",
                self.green.values,
                share * 100.0
            )
        })
    }

    /// Shares of classes: total variation distance, and the G-test of homogeneity (Sokal and Rohlf,
    /// "Biometry") with its quantile by Wilson and Hilferty ("The distribution of chi-square", 1931).
    fn classes_shifted(&self, effect: f64) -> Option<String> {
        let (blue, green) = (&self.blue, &self.green);
        if !blue.are_classes() || !green.are_classes() {
            return None;
        }
        let all = (blue.values + green.values) as f64;
        let (mut distance, mut g, mut classes) = (0.0, 0.0, 0_u32);
        let mut most: Option<(f64, &String, f64, f64)> = None;
        let names: BTreeSet<&String> = blue.classes.keys().chain(green.classes.keys()).collect();
        for class in names {
            let count =
                |side: &Answers| side.classes.get(class).copied().unwrap_or_default() as f64;
            let (in_blue, in_green) = (count(blue), count(green));
            for (count, values) in [(in_blue, blue.values), (in_green, green.values)] {
                let expected = (in_blue + in_green) * values as f64 / all;
                if count > 0.0 {
                    g += 2.0 * count * (count / expected).ln();
                }
            }
            let shares = (in_blue / blue.values as f64, in_green / green.values as f64);
            let difference = (shares.0 - shares.1).abs();
            distance += difference / 2.0;
            classes += 1;
            if most.is_none_or(|(largest, ..)| difference > largest) {
                most = Some((difference, class, shares.0, shares.1));
            }
        }
        let (_, class, before, now) = most?;
        (distance > effect && is_unlikely(g, classes.saturating_sub(1))).then(|| {
            format!(
                "{:.0} % of its answers are of other classes than before ({class:?}: {:.1} % before, \
                 {:.1} % now)",
                distance * 100.0,
                before * 100.0,
                now * 100.0
            )
        })
    }

    /// Scores: the largest difference of the distribution functions, and Smirnov's bound for two samples
    /// ("Table for estimating the goodness of fit of empirical distributions", 1948).
    fn scores_shifted(&self, effect: f64) -> Option<String> {
        let [mut blue, mut green] = [self.blue.scores.clone(), self.green.scores.clone()];
        let (n, m) = (blue.len() as f64, green.len() as f64);
        if n.min(m) < VALUES_MIN as f64 {
            return None;
        }
        blue.sort_by(f64::total_cmp);
        green.sort_by(f64::total_cmp);
        let distance = blue
            .iter()
            .chain(&green)
            .map(|at| {
                let below = |sorted: &[f64]| sorted.partition_point(|score| score <= at) as f64;
                (below(&blue) / n - below(&green) / m).abs()
            })
            .fold(0.0, f64::max);
        let bound = (-(ALPHA / 2.0).ln() / 2.0 * (n + m) / (n * m)).sqrt();
        (distance > effect.max(bound)).then(|| {
            let median = |sorted: &[f64]| sorted.get(sorted.len() / 2).copied().unwrap_or_default();
            format!(
                "the distribution of its scores is {:.0} % away from the one before (median {:.3} \
                 before, {:.3} now)",
                distance * 100.0,
                median(&blue),
                median(&green)
            )
        })
    }
}

/// Whether chance makes a chi-square of so many degrees of freedom so large with [`ALPHA`] at most.
fn is_unlikely(chi_square: f64, freedom: u32) -> bool {
    if freedom == 0 {
        return false;
    }
    let k = f64::from(freedom);
    let part = 2.0 / (9.0 * k);
    ((chi_square / k).cbrt() - (1.0 - part)) / part.sqrt() > ALPHA_Z
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::random::is_within;

    fn class(name: &str) -> Vec<Prediction> {
        vec![Prediction::Class(name.to_owned())]
    }

    /// Compares answers to so many requests, each given by chance.
    fn verdict(
        requests: u64,
        limits: &BakeLimits,
        answers: impl Fn(u64) -> (Vec<Prediction>, Vec<Prediction>),
    ) -> Option<String> {
        let mut comparison = Comparison::default();
        for request in 0..requests {
            let (blue, green) = answers(mixed(request));
            comparison.add(blue, green);
        }
        comparison.too_different(limits)
    }

    fn yes_or_no(random: u64, share: f64) -> Vec<Prediction> {
        class(if is_within(random, share) { "yes" } else { "no" })
    }

    #[test]
    fn one_answer_to_all_is_caught() {
        let limits = BakeLimits::default();
        for (share, requests) in [(0.5, 60), (0.1, 200), (0.05, 400), (0.01, 2000)] {
            let found =
                verdict(requests, &limits, |random| (yes_or_no(random, share), class("no")));
            assert!(found.unwrap().starts_with("it answers \"no\" to all"), "{share}");
        }
        // The one before did nothing else either, or there is not enough to say so.
        assert_eq!(verdict(1000, &limits, |_| (class("no"), class("no"))), None);
        assert_eq!(verdict(100, &limits, |it| (yes_or_no(it, 0.01), class("no"))), None);
        assert_eq!(verdict(30, &limits, |it| (yes_or_no(it, 0.5), class("no"))), None);
        let off = BakeLimits { answers: false, ..limits };
        assert_eq!(verdict(1000, &off, |it| (yes_or_no(it, 0.5), class("no"))), None);
        // A regression that has lost its mind.
        let score = |score: f64| vec![Prediction::Score(score)];
        let found =
            verdict(60, &limits, |it| (score((it % 1000) as f64 + 0.5), score(0.25))).unwrap();
        assert!(found.starts_with("it answers 0.25 to all of 60"), "{found}");
    }

    #[test]
    fn a_retraining_is_let_pass_and_another_world_is_not() {
        let limits = BakeLimits::default();
        let shifted = |share: f64| {
            verdict(2000, &limits, |it| (yes_or_no(it, 0.3), yes_or_no(mixed(it), share)))
        };
        for share in [0.3, 0.2, 0.5, 0.7] {
            assert_eq!(shifted(share), None, "{share}");
        }
        let found = shifted(0.9).unwrap();
        assert!(found.contains("of its answers are of other classes than before"), "{found}");
    }

    #[test]
    fn scores_are_held_to_what_was_asked_for() {
        let score = |random: u64, shift: f64| {
            vec![Prediction::Score((random >> 11) as f64 / (1_u64 << 53) as f64 + shift)]
        };
        let judged = |percent: Option<u32>, shift: f64| {
            let limits = BakeLimits { score_shift_percent: percent, ..BakeLimits::default() };
            verdict(5000, &limits, |it| (score(it, 0.0), score(mixed(it), shift)))
        };
        assert_eq!(judged(None, 5.0), None);
        assert_eq!(judged(Some(20), 0.1), None);
        let found = judged(Some(20), 0.3).unwrap();
        assert!(found.starts_with("the distribution of its scores is 3"), "{found}");
        // Without any least effect chance still has its bar.
        assert_eq!(judged(Some(0), 0.0), None);
    }

    #[test]
    fn names_are_no_classes() {
        let name = |random: u64| class(&format!("order {random}"));
        let limits = BakeLimits::default();
        assert_eq!(verdict(1000, &limits, |it| (name(it), name(mixed(it)))), None);
    }

    #[test]
    fn quantiles_of_chi_square() {
        // scipy.stats.chi2.isf(0.001, k)
        for (freedom, quantile) in [(1, 10.828), (2, 13.816), (5, 20.515), (20, 45.315)] {
            assert!(is_unlikely(quantile * 1.06, freedom), "{freedom}");
            assert!(!is_unlikely(quantile * 0.94, freedom), "{freedom}");
        }
        assert!(!is_unlikely(100.0, 0));
    }
}
