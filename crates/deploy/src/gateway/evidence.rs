//! Whether green gets more errors than blue: a test that may be looked at after every request.
//!
//! Requests fall to green by chance, each with the probability `p`. If green is no worse, then so do those
//! that end in an error, whoever sent them and whatever is wrong with them: a client that sends nothing
//! but nonsense says nothing about either side. If green's rate of errors is `r` times blue's, an error is
//! green's with the probability `r p / (1 + p (r − 1))`. So after `g` errors of green and `b` of blue, the
//! likelihood of that against the likelihood of chance is
//!
//! ```text
//! L(r) = r^g / (1 + p (r − 1))^(g + b)
//! ```
//!
//! and the mean of `L(r)` over some `r` is a martingale of mean 1 under chance (Robbins, "Statistical
//! methods related to the law of the iterated logarithm", 1970: mixtures of likelihood ratios; mSPRT in
//! Johari, Koomen, Pekelis and Walsh, "Always valid inference", 2022). It ever reaches `1 / α` with the
//! probability `α` at most (Ville's inequality, 1939), however often it is looked at.

/// False alarms of a whole release, however long it takes.
const ALPHA: f64 = 0.05;

/// Ratios of error rates that are looked for. A real one in between is found by its neighbours.
const RATIOS: [f64; 6] = [1.5, 2.0, 3.0, 5.0, 10.0, 100.0];

/// A smaller difference of shares is no reason to stop a release, however sure it is.
const EFFECT_MIN: f64 = 0.005;

/// Errors of one kind while green got a share of the requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Errors {
    /// The probability that a request is green's.
    pub(super) share: f64,
    pub(super) green: u64,
    pub(super) blue: u64,
}

/// How many times better these are explained by a green that is worse than by chance. Below 1 they speak for
/// green.
fn likelihood(steps: &[Errors]) -> f64 {
    let of_ratio = |ratio: f64| -> f64 {
        let log: f64 = steps
            .iter()
            .map(|step| {
                let errors = (step.green + step.blue) as f64;
                step.green as f64 * ratio.ln() - errors * (step.share * (ratio - 1.0)).ln_1p()
            })
            .sum();
        log.exp()
    };
    RATIOS.iter().map(|ratio| of_ratio(*ratio)).sum::<f64>() / RATIOS.len() as f64
}

/// Whether green is worse: by answers that failed (5xx, or none) or by refusals (4xx), each given step by
/// step. `shares` are what of its requests went wrong with green and with blue.
///
/// The mean of both and of their product is a martingale as well: neither kind hides the other, and both
/// together count for more.
pub(super) fn is_worse(failed: &[Errors], refused: &[Errors], (green, blue): (f64, f64)) -> bool {
    if green <= blue + EFFECT_MIN {
        return false;
    }
    let (failed, refused) = (likelihood(failed), likelihood(refused));
    (failed + refused + failed * refused) / 3.0 >= 1.0 / ALPHA
}

/// The same for pairs: requests that both sides got, of which one side alone got an error.
pub(super) fn is_worse_in_pairs(green: u64, blue: u64, pairs: u64) -> bool {
    let share = |errors: u64| errors as f64 / pairs.max(1) as f64;
    share(green) > share(blue) + EFFECT_MIN
        && likelihood(&[Errors { share: 0.5, green, blue }]) >= 1.0 / ALPHA
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::random::mixed;

    /// When a canary is stopped that is looked at after each error, out of so many requests.
    struct Simulation {
        share: f64,
        blue: f64,
        green: f64,
        requests: u64,
    }

    impl Simulation {
        fn stopped_after(&self, seed: u64) -> Option<u64> {
            let mut state = mixed(seed);
            let mut draw = || {
                state = state.wrapping_add(1);
                (mixed(state) >> 11) as f64 / (1_u64 << 53) as f64
            };
            // Requests and errors of green, then of blue.
            let mut seen = [(0_u64, 0_u64); 2];
            for request in 1..=self.requests {
                let is_green = draw() < self.share;
                let (side, rate) = if is_green { (0, self.green) } else { (1, self.blue) };
                seen[side].0 += 1;
                if draw() >= rate {
                    continue;
                }
                seen[side].1 += 1;
                let [(greens, green), (blues, blue)] = seen;
                let shares =
                    (green as f64 / greens.max(1) as f64, blue as f64 / blues.max(1) as f64);
                let errors = Errors { share: self.share, green, blue };
                if is_worse(&[errors], &[], shares) {
                    return Some(request);
                }
            }
            None
        }

        /// Of a thousand releases, those that were stopped.
        fn stopped(&self) -> usize {
            (0..1000).filter(|seed| self.stopped_after(*seed).is_some()).count()
        }
    }

    #[test]
    fn equal_releases_are_seldom_stopped_under_constant_looking() {
        for (share, rate, requests) in
            [(0.05, 0.02, 10_000), (0.25, 0.01, 10_000), (0.5, 0.2, 1_000), (0.05, 0.3, 1_000)]
        {
            let stopped = Simulation { share, blue: rate, green: rate, requests }.stopped();
            assert!(stopped <= 50, "{stopped} of 1000 at {share} with {rate}");
        }
    }

    #[test]
    fn two_points_more_are_found_within_5000_requests() {
        for (share, blue) in [(0.05, 0.0), (0.25, 0.0), (0.25, 0.01), (0.5, 0.01)] {
            let green = blue + 0.02;
            let stopped = Simulation { share, blue, green, requests: 5_000 }.stopped();
            assert!(stopped >= 900, "{stopped} of 1000 at {share} from {blue}");
        }
        // A small share of few requests is little to go by: 1,000 requests of green here.
        let stopped =
            Simulation { share: 0.05, blue: 0.01, green: 0.03, requests: 20_000 }.stopped();
        assert!(stopped >= 900, "{stopped} of 1000");
    }

    #[test]
    fn what_a_client_does_wrong_hides_nothing_and_condemns_nobody() {
        // A flood of refusals, split as requests are.
        let flood = [Errors { share: 0.05, green: 500, blue: 9_500 }];
        assert!(!is_worse(&[], &flood, (0.5, 0.499)));
        // Green alone fails meanwhile.
        let failed = [Errors { share: 0.05, green: 4, blue: 0 }];
        assert!(is_worse(&failed, &flood, (0.51, 0.49)));
    }

    #[test]
    fn steps_add_up() {
        let steps = [
            Errors { share: 0.05, green: 2, blue: 12 },
            Errors { share: 0.25, green: 22, blue: 20 },
        ];
        assert!(!is_worse(&steps[..1], &[], (0.03, 0.01)));
        assert!(is_worse(&steps, &[], (0.03, 0.01)));
        // The difference is sure, and too small for anybody to care.
        assert!(!is_worse(&steps, &[], (0.012, 0.01)));
    }

    #[test]
    fn a_few_pairs_are_enough_where_blue_is_always_well() {
        assert!(!is_worse_in_pairs(4, 0, 100));
        assert!(is_worse_in_pairs(8, 0, 100));
        assert!(!is_worse_in_pairs(8, 6, 100));
        assert!(!is_worse_in_pairs(8, 0, 10_000));
    }
}
