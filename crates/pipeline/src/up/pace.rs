//! When something that ended is started again: at once where it ran well for a while, later and later where it ends
//! each time, so that a version that cannot live takes neither the host nor the log. Five deaths in a row are a crash
//! loop. One that was well for a while in between is none, and for what somebody killed a moment is enough: that says
//! nothing of the version, unless it is killed as soon as it is up.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use trainyard_deploy::{Condition, Ills, Post, Standing};

/// The pause after the first death; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// The longest pause: whatever was wrong with the host may be over.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Whatever was well for so long did not die of its start.
const STAYED_UP: Duration = Duration::from_secs(10);

/// The same where that was somebody's doing, and for the gateway, in which nothing of a version runs.
const STAYED_UP_BRIEFLY: Duration = Duration::from_secs(2);

/// Deaths in a row that are a crash loop; after as many more another way out is looked for once more.
const CRASH_LOOP: u32 = 5;

/// What the gateway goes by beside the ids of instances, which begin with `r`.
const GATEWAY: &str = "gateway";

/// One instance, or the gateway.
#[derive(Debug, Default)]
struct Pace {
    /// Since the last time that it stayed up.
    deaths: u32,
    /// Deaths of which somebody drew a conclusion.
    concluded: u32,
    well_since: Option<Instant>,
    /// When it is to be started again.
    due: Option<Instant>,
}

impl Pace {
    fn well(&mut self, now: Instant) {
        self.due = None;
        let since = *self.well_since.get_or_insert(now);
        if now.duration_since(since) >= STAYED_UP {
            (self.deaths, self.concluded) = (0, 0);
        }
    }

    /// It is down, for which it did not have to be well for longer than `enough`.
    fn down(&mut self, now: Instant, enough: Duration) {
        if self.due.is_some() {
            return;
        }
        if self.well_since.take().is_some_and(|since| now.duration_since(since) >= enough) {
            (self.deaths, self.concluded) = (0, 0);
        }
        self.deaths = self.deaths.saturating_add(1);
        self.due = Some(now + pause(self.deaths));
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

/// The pause after so many deaths in a row.
fn pause(deaths: u32) -> Duration {
    let factor = 2_u32.saturating_pow(deaths.saturating_sub(1));
    PAUSE_MIN.saturating_mul(factor).min(PAUSE_MAX)
}

/// An instance that ends each time it is started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CrashLoop {
    pub(super) id: String,
    pub(super) deaths: u32,
    pub(super) cause: String,
    /// Whether nobody was told yet that it cannot live.
    pub(super) is_first: bool,
}

/// All that is kept up of a service.
#[derive(Debug, Default)]
pub(super) struct Paces(BTreeMap<String, Pace>);

impl Paces {
    /// Takes note of a look.
    pub(super) fn note(&mut self, standing: &Standing, now: Instant) {
        let instances = standing.instances.iter().map(|post| {
            let enough = if post.is_by_hand { STAYED_UP_BRIEFLY } else { STAYED_UP };
            (post.id.as_str(), &post.condition, enough)
        });
        let gateway = (GATEWAY, &standing.gateway, STAYED_UP_BRIEFLY);
        let all: Vec<_> = [gateway].into_iter().chain(instances).collect();
        self.0.retain(|id, _| all.iter().any(|(known, ..)| known == id));
        for (id, condition, enough) in all {
            let pace = self.0.entry(id.to_owned()).or_default();
            match condition {
                Condition::Well => pace.well(now),
                Condition::Ended(_) | Condition::Hangs(_) => pace.down(now, enough),
                // It is there; how long it has been well is not known to be over.
                Condition::Unwell(_) | Condition::Unknown(_) => {}
            }
        }
    }

    /// What is to be started again now.
    pub(super) fn due(&self, standing: &Standing, now: Instant) -> Ills {
        let is_due = |id: &str, condition: &Condition| {
            condition.cause().is_some() && self.0.get(id).is_some_and(|pace| pace.is_due(now))
        };
        let gateway = &standing.gateway;
        let posts = standing.instances.iter().filter(|post| is_due(&post.id, &post.condition));
        Ills {
            gateway: is_due(GATEWAY, gateway).then(|| gateway.clone()),
            instances: posts.cloned().collect(),
        }
    }

    /// It was tried to start them again: whatever is down at the next look died once more.
    pub(super) fn tried(&mut self, ills: &Ills) {
        let instances = ills.instances.iter().map(|post| post.id.as_str());
        for id in instances.chain(ills.gateway.as_ref().map(|_| GATEWAY)) {
            if let Some(pace) = self.0.get_mut(id) {
                pace.due = None;
                pace.well_since = None;
            }
        }
    }

    /// An instance that requests go to and that ends each time, if nothing was concluded of that yet.
    pub(super) fn crash_loop(&self, standing: &Standing) -> Option<CrashLoop> {
        let current = standing.current.as_deref()?;
        // A second one that is kept warm is the gateway's to go back to.
        let serves = |post: &&Post| release_of(&post.id) == current;
        // What one replica ends of the others do, too.
        let is_first =
            self.0.iter().all(|(id, pace)| release_of(id) != current || pace.concluded == 0);
        standing.instances.iter().filter(serves).find_map(|post| {
            let pace = self.0.get(&post.id)?;
            let is_loop = pace.due.is_some() && pace.deaths >= pace.concluded + CRASH_LOOP;
            let cause = post.condition.cause()?.to_owned();
            let (id, deaths) = (post.id.clone(), pace.deaths);
            is_loop.then_some(CrashLoop { id, deaths, cause, is_first })
        })
    }

    /// A conclusion was drawn of all replicas of a release: the next one after as many deaths more.
    pub(super) fn concluded(&mut self, id: &str) {
        let release = release_of(id);
        for (_id, pace) in self.0.iter_mut().filter(|(known, _)| release_of(known) == release) {
            pace.concluded = pace.deaths;
        }
    }
}

/// The release that an instance is a replica of: `r3` of `r3.2`.
fn release_of(id: &str) -> &str {
    id.split_once('.').map_or(id, |(release, _replica)| release)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(condition: Condition) -> Standing {
        Standing {
            current: Some("r1".to_owned()),
            label: BTreeMap::new(),
            gateway: Condition::Well,
            instances: vec![Post { id: "r1".to_owned(), condition, is_by_hand: false }],
            uses_engine: false,
        }
    }

    fn ended() -> Standing {
        standing(Condition::Ended("signal 9".to_owned()))
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let pauses = [1, 2, 3, 4, 8, 9, 100].map(|deaths| pause(deaths).as_millis());
        assert_eq!(pauses, [200, 400, 800, 1600, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn what_ends_each_time_is_a_crash_loop_and_what_stayed_up_is_none() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut paces = Paces::default();
        // Every 20 s somebody kills it: each time it had stayed up.
        for round in 0..8_u64 {
            let begin = round * 20_000;
            paces.note(&standing(Condition::Well), at(begin));
            paces.note(&standing(Condition::Well), at(begin + 15_000));
            paces.note(&ended(), at(begin + 16_000));
            assert!(paces.due(&ended(), at(begin + 16_100)).is_empty(), "a moment later");
            let ills = paces.due(&ended(), at(begin + 16_200));
            assert_eq!(ills.instances.len(), 1);
            assert_eq!(paces.crash_loop(&ended()), None);
            paces.tried(&ills);
        }
        // Now it ends within a second each time.
        let mut now = 200_000;
        for death in 2..=12 {
            paces.note(&standing(Condition::Well), at(now));
            paces.note(&ended(), at(now + 1000));
            let found = paces.crash_loop(&ended());
            let is_loop = death == 5 || death == 10;
            assert_eq!(found.is_some(), is_loop, "{death}: {found:?}");
            if let Some(CrashLoop { id, deaths, cause, is_first }) = found {
                assert_eq!((id.as_str(), deaths, cause.as_str()), ("r1", death, "signal 9"));
                assert_eq!(is_first, death == 5, "people are told once");
                paces.concluded("r1");
            }
            now += 40_000;
            let ills = paces.due(&ended(), at(now));
            assert_eq!(ills.instances.len(), 1, "it is tried on and on");
            paces.tried(&ills);
        }
        // Another release: nothing is held against it.
        let mut other = ended();
        other.current = Some("r2".to_owned());
        other.instances[0].id = "r2".to_owned();
        paces.note(&other, at(now));
        assert_eq!(paces.crash_loop(&other), None);
    }

    #[test]
    fn replicas_that_end_of_one_cause_are_one_crash_loop() {
        let start = Instant::now();
        let mut both = ended();
        both.instances.push(Post { id: "r1.2".to_owned(), ..both.instances[0].clone() });
        let ills = Ills { gateway: None, instances: both.instances.clone() };
        let mut paces = Paces::default();
        let mut found = Vec::new();
        for _death in 0..10 {
            paces.note(&both, start);
            while let Some(CrashLoop { id, deaths, is_first, .. }) = paces.crash_loop(&both) {
                paces.concluded(&id);
                found.push((deaths, is_first));
            }
            paces.tried(&ills);
        }
        assert_eq!(found, [(5, true), (10, false)]);
    }

    #[test]
    fn what_is_killed_now_and_then_is_no_crash_loop() {
        let start = Instant::now();
        let mut killed = ended();
        killed.instances[0].is_by_hand = true;
        let mut paces = Paces::default();
        for round in 0..20_u64 {
            let at = |millis: u64| start + Duration::from_millis(round * 4000 + millis);
            paces.note(&standing(Condition::Well), at(0));
            paces.note(&killed, at(3000));
            let ills = paces.due(&killed, at(3200));
            assert_eq!(ills.instances.len(), 1, "each time at once");
            assert_eq!(paces.crash_loop(&killed), None);
            paces.tried(&ills);
        }
    }

    #[test]
    fn only_what_is_down_is_started() {
        let now = Instant::now();
        let mut paces = Paces::default();
        for condition in [
            Condition::Unwell("503".to_owned()),
            Condition::Unknown("no engine".to_owned()),
            Condition::Well,
        ] {
            let standing = standing(condition);
            paces.note(&standing, now);
            assert!(paces.due(&standing, now + PAUSE_MAX).is_empty());
        }
        let mut standing = standing(Condition::Well);
        standing.gateway = Condition::Hangs("it is stopped".to_owned());
        paces.note(&standing, now);
        let ills = paces.due(&standing, now + PAUSE_MIN);
        assert_eq!((ills.gateway.is_some(), ills.instances.len()), (true, 0));
    }
}
