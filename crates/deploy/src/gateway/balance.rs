//! Which instance of a release a request goes to: the one that works on the fewest, and by turns where several
//! work on as few. One that is slow has its requests for longer, so it gets fewer, without anybody measuring it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::replica::{Replica, Standing};
use super::upstream::Links;
use crate::replica_id::{REPLICAS_MAX, replica_id};

/// The instances of a release.
#[derive(Debug)]
pub(super) struct Balanced {
    first: Replica,
    further: Box<[Replica]>,
    /// Where the next choice begins.
    turn: AtomicUsize,
}

/// Instances of a release, as bits by their places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places(u64);

impl Places {
    pub(super) fn with(self, place: usize) -> Self {
        Self(self.0 | Self::bit(place))
    }

    fn has(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    /// There are fewer of them than bits ([`REPLICAS_MAX`]).
    fn bit(place: usize) -> u64 {
        1 << (place % 64)
    }
}

impl Balanced {
    /// The instances of the release `id`; `further` are those beside the `first`.
    pub(super) fn new(id: &str, first: SocketAddr, further: &[SocketAddr], links: &Links) -> Self {
        let is_only = further.is_empty();
        let replica =
            |place, address| Replica::new(replica_id(id, place), address, links.clone(), is_only);
        let further = further.iter().take(REPLICAS_MAX as usize - 1);
        Self {
            first: replica(0, first),
            further: (1..).zip(further).map(|(place, address)| replica(place, *address)).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        1 + self.further.len()
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Replica> {
        std::iter::once(&self.first).chain(self.further.iter())
    }

    /// The one that there is, if it is the only one.
    pub(super) fn only(&self) -> Option<&Replica> {
        self.further.is_empty().then_some(&self.first)
    }

    /// The instance at a place that [`Self::choose`] gave.
    pub(super) fn get(&self, place: usize) -> &Replica {
        let further = place.checked_sub(1).and_then(|place| self.further.get(place));
        further.unwrap_or(&self.first)
    }

    /// The place for a new request; that of one that is down, where all are.
    pub(super) fn choose(&self) -> usize {
        if self.further.is_empty() {
            return 0;
        }
        self.choose_but(Places::default()).unwrap_or(0)
    }

    /// The place for a request that these could not take, if another one takes any.
    pub(super) fn choose_but(&self, tried: Places) -> Option<usize> {
        if self.further.is_empty() {
            return None;
        }
        choose(self.count(), self.turn.fetch_add(1, Ordering::Relaxed), |place| {
            let replica = self.get(place);
            let standing = replica.standing();
            let takes_any = !standing.is_down() && !tried.has(place);
            takes_any.then(|| (standing, replica.in_flight()))
        })
    }
}

/// The best of `count` instances: by how they stand, then by their requests in flight, then by turns. `None` of
/// `load` takes no request.
fn choose(
    count: usize,
    turn: usize,
    load: impl Fn(usize) -> Option<(Standing, usize)>,
) -> Option<usize> {
    let first = turn % count.max(1);
    let in_turn = (first..count).chain(0..first);
    let loads = in_turn.filter_map(|place| Some((load(place)?, place)));
    loads.min_by_key(|(load, _place)| *load).map(|(_load, place)| place)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fewest_in_flight_then_by_turns() {
        use Standing::{Poor, Well};
        let of = |loads: &[Option<(Standing, usize)>], turn| {
            choose(loads.len(), turn, |place| loads.get(place).copied().flatten())
        };
        let idle = [Some((Well, 0)), Some((Well, 0)), Some((Well, 0))];
        let turns: Vec<_> = (0..6).map(|turn| of(&idle, turn).unwrap()).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        assert_eq!(of(&idle, usize::MAX), Some(usize::MAX % 3));
        let uneven = [Some((Well, 2)), Some((Well, 1)), Some((Well, 3))];
        assert!((0..3).all(|turn| of(&uneven, turn) == Some(1)));
        // One that is well and busy before one that is not well, which is better than none.
        let ill = [Some((Poor, 0)), Some((Well, 9)), None];
        assert!((0..3).all(|turn| of(&ill, turn) == Some(1)));
        assert!((0..3).all(|turn| of(&[Some((Poor, 5)), None, None], turn) == Some(0)));
        assert_eq!(of(&[None, None], 1), None);
        assert_eq!(of(&[], 7), None);
    }

    fn balanced(replicas: u16) -> Balanced {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let further: Vec<SocketAddr> = (2..=replicas).map(address).collect();
        Balanced::new("r7", address(1), &further, &Links::new(1, Duration::from_secs(1)))
    }

    #[test]
    fn a_slow_one_gets_fewer_and_one_that_is_down_none() {
        let all = balanced(3);
        let ids: Vec<&str> = all.each().map(|replica| replica.id.as_str()).collect();
        assert_eq!(ids, ["r7", "r7.2", "r7.3"]);
        // The last one keeps what it gets; the others are done with theirs at once.
        let mut counts = [0, 0, 0];
        for _ in 0..30 {
            let place = all.choose();
            counts[place] += 1;
            if place == 2 {
                all.get(place).enter();
            }
        }
        assert_eq!(counts[2], 1, "{counts:?}");
        all.get(0).stand(Standing::Gone);
        assert!((0..9).all(|_| all.choose() == 1));
        all.get(1).stand(Standing::Silent);
        assert!((0..9).all(|_| all.choose() == 2));
        assert_eq!(all.choose_but(Places::default().with(2)), None);
        all.get(2).stand(Standing::Gone);
        assert_eq!(all.choose_but(Places::default()), None);
        assert!(all.get(all.choose()).is_down());
        all.get(1).stand(Standing::Well);
        assert_eq!(all.choose(), 1);
    }

    #[test]
    fn who_was_tried_is_not_tried_again() {
        let all = balanced(3);
        let mut tried = Places::default();
        let mut order = Vec::new();
        while let Some(place) = all.choose_but(tried) {
            tried = tried.with(place);
            order.push(place);
        }
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2]);
        let one = balanced(1);
        assert_eq!((one.choose(), one.choose_but(Places::default())), (0, None));
        assert!(one.only().is_some() && all.only().is_none());
    }
}
