//! Two versions side by side on the same requests: what users get is one answer, and a copy of the request
//! gets the other. In shadow the copies go to green; when green has users they go to blue, which says what
//! they would have got.
//!
//! So nobody has to guess whose fault a 4xx is: a request that green refuses and blue answers is green's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::evidence::is_worse_in_pairs;
use super::predictions;
use super::split::Side;
use super::target::Target;
use crate::release::BakeLimits;

/// Copies a second at most while green has no users. So many tell of ten minutes what can be told, and take
/// little of a machine that both versions may share.
const SHADOW_COPIES_PER_SECOND: u32 = 200;

/// The same when copies go to blue: it only has to say what is usual.
const COPIES_PER_SECOND: u32 = 50;

/// Share of pairs in which green may be late: the limit is about 95 of a hundred.
const LATE_SHARE: f64 = 0.05;

/// What is known of the copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesSeen {
    /// Requests that both sides got.
    pub pairs: u64,
    /// Those that green alone failed at (4xx, 5xx, no answer).
    pub green_failed: u64,
    /// Those that blue alone failed at.
    pub blue_failed: u64,
    /// Those whose predictions could be read on both sides.
    pub compared: u64,
    /// Those of them that differ.
    pub differing: u64,
    /// Predictions that were not copied: more than are looked at, too large, or streamed.
    pub dropped: u64,
    /// Time until green's answers began, in all, in microseconds.
    pub green_wait_us: u64,
    /// The same of blue's.
    pub blue_wait_us: u64,
    /// Answers of green that came later than allowed.
    pub late: u64,
}

/// What one side said.
#[derive(Debug)]
pub(super) struct Said {
    /// `None` where there was no answer.
    pub(super) status: Option<u16>,
    /// The body, where it is small enough to look at.
    pub(super) body: Option<Vec<u8>>,
    /// How long until it began.
    pub(super) waited: Duration,
}

impl Said {
    fn is_good(&self) -> bool {
        self.status.is_some_and(|status| status < 400)
    }
}

/// Two versions side by side.
#[derive(Debug)]
pub(super) struct Mirror {
    /// Whose answers users get.
    live: Arc<Target>,
    /// Who gets copies, and which side that is.
    pub(super) to: Arc<Target>,
    pub(super) copied_to: Side,
    limits: BakeLimits,
    /// Whether pairs decide about errors: where requests are split, all of them do.
    judges_errors: bool,
    started: Instant,
    /// When the next copy may be made, in microseconds since the start.
    next_us: AtomicU64,
    dropped: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    copies: CopiesSeen,
    comparison: Comparison,
}

impl Mirror {
    /// Copies of blue's requests to green.
    pub(super) fn shadow(blue: &Arc<Target>, green: &Arc<Target>, limits: BakeLimits) -> Self {
        Self::new(blue, green, Side::Green, limits, true)
    }

    /// Copies of green's share of requests to blue.
    pub(super) fn beside_canary(
        green: &Arc<Target>,
        blue: &Arc<Target>,
        limits: BakeLimits,
    ) -> Self {
        Self::new(green, blue, Side::Blue, limits, false)
    }

    /// Copies of green's requests to blue, which has none any more.
    pub(super) fn of_bake(green: &Arc<Target>, blue: &Arc<Target>, limits: BakeLimits) -> Self {
        Self::new(green, blue, Side::Blue, limits, true)
    }

    fn new(
        live: &Arc<Target>,
        to: &Arc<Target>,
        copied_to: Side,
        limits: BakeLimits,
        judges_errors: bool,
    ) -> Self {
        Self {
            live: Arc::clone(live),
            to: Arc::clone(to),
            copied_to,
            limits,
            judges_errors,
            started: Instant::now(),
            next_us: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    /// Whether a prediction that this target answers is to be copied now.
    pub(super) fn wants(&self, answering: &Arc<Target>) -> bool {
        if !Arc::ptr_eq(answering, &self.live) {
            return false;
        }
        // A version that does not know copies as such would take them for its users'.
        let may_ask_blue = self.limits.answers && !self.to.spec.copy_id.is_empty();
        if self.copied_to == Side::Blue && !may_ask_blue {
            return false;
        }
        let per_second = match self.copied_to {
            Side::Green => SHADOW_COPIES_PER_SECOND,
            Side::Blue => COPIES_PER_SECOND,
        };
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let next = self.next_us.load(Ordering::Relaxed);
        let after = now.saturating_add(u64::from(1_000_000 / per_second));
        let is_mine = now >= next
            && self
                .next_us
                .compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !is_mine {
            self.drop_one();
        }
        is_mine
    }

    /// Counts a prediction that is not copied.
    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what both said to one request.
    pub(super) fn compare(&self, live: Said, copied: Said) {
        let (green, blue) = match self.copied_to {
            Side::Green => (copied, live),
            Side::Blue => (live, copied),
        };
        let read = |said: &Said| {
            said.body.as_deref().filter(|_| said.is_good()).and_then(predictions::read)
        };
        let predicted = read(&blue).zip(read(&green));
        let micros = |waited: Duration| u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        let mut seen = self.seen();
        let Seen { copies, comparison } = &mut *seen;
        copies.pairs += 1;
        copies.green_wait_us = copies.green_wait_us.saturating_add(micros(green.waited));
        copies.blue_wait_us = copies.blue_wait_us.saturating_add(micros(blue.waited));
        copies.late += u64::from(self.limits.latency.is_some_and(|limit| green.waited > limit));
        match (green.is_good(), blue.is_good()) {
            (false, true) => copies.green_failed += 1,
            (true, false) => copies.blue_failed += 1,
            _ => {}
        }
        if let Some((blue, green)) = predicted {
            copies.compared += 1;
            copies.differing += u64::from(!comparison.add(blue, green));
        }
    }

    /// What is known so far.
    pub(super) fn copies(&self) -> CopiesSeen {
        let dropped = self.dropped.load(Ordering::Relaxed);
        CopiesSeen { dropped, ..self.seen().copies }
    }

    /// What green does that blue does not.
    pub(super) fn too_bad(&self) -> Option<String> {
        let seen = self.seen();
        let too_many = if self.judges_errors { self.too_many_errors(&seen.copies) } else { None };
        too_many
            .or_else(|| self.too_late(&seen.copies))
            .or_else(|| seen.comparison.too_different(&self.limits))
    }

    /// Before it has users one that fails more often is stopped as soon as that is sure; when it has them,
    /// as soon as it is more than what the limits allow.
    fn too_many_errors(&self, copies: &CopiesSeen) -> Option<String> {
        let CopiesSeen { pairs, green_failed, blue_failed, .. } = *copies;
        if !is_worse_in_pairs(green_failed, blue_failed, pairs) {
            return None;
        }
        let beyond = green_failed.saturating_sub(blue_failed) as f64 * 100.0 / pairs.max(1) as f64;
        let allowed = f64::from(self.limits.errors_percent);
        let is_enough = pairs >= self.limits.min_requests.max(1) && beyond > allowed;
        (self.copied_to == Side::Green || is_enough).then(|| {
            format!(
                "it failed at {green_failed} of {pairs} requests that the one before answers \
                 ({blue_failed} the other way)"
            )
        })
    }

    /// Where green has users, its waits are counted with all its requests.
    fn too_late(&self, copies: &CopiesSeen) -> Option<String> {
        let limit = self.limits.latency.filter(|_| self.copied_to == Side::Green)?;
        let is_enough = copies.pairs >= self.limits.min_requests.max(1);
        (is_enough && copies.late as f64 > LATE_SHARE * copies.pairs as f64).then(|| {
            format!(
                "{} of {} answers took longer than {} ms",
                copies.late,
                copies.pairs,
                limit.as_millis()
            )
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Counts are whole between any two statements that could panic.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::target::TargetSpec;
    use crate::gateway::upstream::Links;

    fn target(id: &str) -> Arc<Target> {
        let spec = TargetSpec {
            id: id.to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            replicas: Vec::new(),
            health_path: "/".to_owned(),
            copy_id: "copy".to_owned(),
            token: None,
        };
        Target::new(spec, &Links::new(1, Duration::from_secs(1)))
    }

    fn said(status: u16, body: &str) -> Said {
        Said {
            status: Some(status),
            body: Some(body.as_bytes().to_vec()),
            waited: Duration::from_millis(2),
        }
    }

    #[test]
    fn a_refusal_is_greens_where_blue_answers() {
        let (blue, green) = (target("blue"), target("green"));
        let limits = BakeLimits::default();
        let shadow = Mirror::shadow(&blue, &green, limits);
        let bake = Mirror::of_bake(&green, &blue, limits);
        for _ in 0..30 {
            // A client that is wrong is so with both.
            shadow.compare(said(400, "no"), said(422, "no"));
            bake.compare(said(400, "no"), said(422, "no"));
        }
        assert_eq!((shadow.too_bad(), bake.too_bad()), (None, None));
        for _ in 0..8 {
            shadow.compare(said(200, "yes"), said(400, "which column?"));
            bake.compare(said(400, "which column?"), said(200, "yes"));
        }
        let told = "it failed at 8 of 38 requests that the one before answers (0 the other way)";
        assert_eq!(shadow.too_bad().as_deref(), Some(told));
        assert_eq!(bake.too_bad().as_deref(), Some(told));
        // In the bake so much is allowed.
        let patient = BakeLimits { errors_percent: 50, ..limits };
        let bake = Mirror::of_bake(&green, &blue, patient);
        for _ in 0..8 {
            bake.compare(said(400, "which column?"), said(200, "yes"));
            bake.compare(said(200, "yes"), said(200, "yes"));
            bake.compare(said(200, "yes"), said(200, "yes"));
        }
        assert_eq!(bake.too_bad(), None);
    }

    #[test]
    fn answers_are_compared_and_counted() {
        let mirror = Mirror::shadow(&target("blue"), &target("green"), BakeLimits::default());
        let yes = r#"{"predictions": ["yes"]}"#;
        let no = r#"{"predictions": ["no"]}"#;
        for answer in [yes, no, yes, no] {
            mirror.compare(said(200, answer), said(200, yes));
        }
        mirror.compare(said(200, "text"), said(200, yes));
        let seen = mirror.copies();
        assert_eq!((seen.pairs, seen.compared, seen.differing), (5, 4, 2));
        assert_eq!((seen.green_wait_us, seen.late), (10_000, 0));
    }

    #[test]
    fn only_what_the_live_version_answers_is_copied_and_not_too_much() {
        let (blue, green) = (target("blue"), target("green"));
        let mirror = Mirror::shadow(&blue, &green, BakeLimits::default());
        assert!(mirror.wants(&blue));
        assert!(!mirror.wants(&green));
        let copied = (0..1000).filter(|_| mirror.wants(&blue)).count();
        assert_eq!(mirror.copies().dropped, 1000 - copied as u64);
    }
}
