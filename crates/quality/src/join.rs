//! Labels that come late, found by the id of their prediction.
//!
//! Labels are held, predictions pass by: of ten million predictions with a million labels only the labels take
//! memory, and the index takes 20 to 40 bytes beside each. Most predictions have none, which a few bits tell without a
//! look into the table.

use std::fmt;

use ahash::RandomState;

/// Bits for each label that tell whether an id may have one: one in sixteen others is looked up for nothing.
const BITS_A_LABEL: usize = 16;

/// Places for each label: of every two one is empty at least, so that a search is short and ends.
const PLACES_A_LABEL: usize = 2;

/// Labels by the id of their prediction, and by the row of it where a request has several. Where the ids are is the
/// caller's affair: `I` gives that of a label, none where the label says nothing.
pub struct LabelIndex<'a, I> {
    id: I,
    rows: Option<&'a [u64]>,
    hasher: RandomState,
    places: Vec<Place>,
    bits: Vec<u64>,
    /// Whether the prediction of a label was seen.
    taken: Vec<bool>,
    superseded: usize,
}

/// A place of the table.
#[derive(Clone, Copy)]
struct Place {
    label: u32,
    /// A part of the hash: what has another one is another id, without a look at it.
    tag: u32,
}

impl Place {
    /// No label has this number: it would be the 2³²th.
    const EMPTY: Self = Self { label: u32::MAX, tag: 0 };

    fn is_empty(self) -> bool {
        self.label == u32::MAX
    }
}

/// Where the label of a prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Nothing,
    /// Its position among the labels.
    Label(u32),
    /// Another prediction with this id has it: a copy of the request, or ids that are not unique.
    Taken,
}

impl<'a, I: Fn(u32) -> Option<&'a str>> LabelIndex<'a, I> {
    /// Of so many labels, in the order in which they were said: of two labels for one prediction the later counts. `rows`
    /// are the rows within the request, as many as labels; none means the first row of each. At most 2³² − 1 labels; more
    /// are passed over.
    pub fn new(labels: usize, id: I, rows: Option<&'a [u64]>) -> Self {
        let bits = (labels.max(4) * BITS_A_LABEL).next_power_of_two();
        let places = (labels.max(4) * PLACES_A_LABEL).next_power_of_two();
        let mut index = Self {
            id,
            rows,
            hasher: RandomState::new(),
            places: vec![Place::EMPTY; places],
            bits: vec![0; bits / 64],
            taken: vec![false; labels],
            superseded: 0,
        };
        for label in (0..u32::MAX).take(labels) {
            index.insert(label);
        }
        index
    }

    fn insert(&mut self, label: u32) {
        let Some(id) = (self.id)(label) else { return };
        let row = self.row(label);
        let (word, bit) = self.bit(id);
        self.bits[word] |= bit;
        let (place, tag) = self.search(id, row);
        self.superseded += usize::from(!self.places[place].is_empty());
        self.places[place] = Place { label, tag };
    }

    /// The label of a row of a request. Each is found once.
    pub fn take(&mut self, id: &str, row: u64) -> Found {
        let (word, bit) = self.bit(id);
        if self.bits[word] & bit == 0 {
            return Found::Nothing;
        }
        let (place, _) = self.search(id, row);
        let found = self.places[place];
        if found.is_empty() {
            return Found::Nothing;
        }
        if std::mem::replace(&mut self.taken[found.label as usize], true) {
            return Found::Taken;
        }
        Found::Label(found.label)
    }

    /// Labels that a later one of the same prediction replaced.
    pub fn superseded(&self) -> usize {
        self.superseded
    }

    fn row(&self, label: u32) -> u64 {
        self.rows.and_then(|rows| rows.get(label as usize)).copied().unwrap_or(0)
    }

    /// The bit of an id: its word, and its place there.
    fn bit(&self, id: &str) -> (usize, u64) {
        let place = self.hasher.hash_one(id) as usize & (self.bits.len() * 64 - 1);
        (place / 64, 1 << (place % 64))
    }

    /// The place where the label of a row of a request is, or an empty one where it would be; and its tag.
    fn search(&self, id: &str, row: u64) -> (usize, u32) {
        // With the row, or those of one long request would all be looked for at the same place.
        let hash = self.hasher.hash_one((id, row));
        let tag = (hash >> 32) as u32;
        let mut place = hash as usize & (self.places.len() - 1);
        loop {
            let Place { label, tag: other } = self.places[place];
            let is_it = self.places[place].is_empty()
                || other == tag && self.row(label) == row && (self.id)(label) == Some(id);
            if is_it {
                return (place, tag);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }
}

impl<I> fmt::Debug for LabelIndex<'_, I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LabelIndex")
            .field("labels", &self.taken.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_each_label_once() {
        let ids = [Some("a"), Some("b"), None, Some("a")];
        let mut index = LabelIndex::new(ids.len(), |label| ids[label as usize], None);
        assert_eq!(index.superseded(), 1);
        assert_eq!(index.take("a", 0), Found::Label(3));
        assert_eq!(index.take("a", 0), Found::Taken);
        assert_eq!(index.take("a", 1), Found::Nothing);
        assert_eq!(index.take("b", 0), Found::Label(1));
        assert_eq!(index.take("c", 0), Found::Nothing);
    }

    #[test]
    fn rows_of_a_request_have_labels_of_their_own() {
        let rows = [0, 2, 1, 2];
        let mut index = LabelIndex::new(4, |_label| Some("a"), Some(&rows));
        let found: Vec<Found> = (0..4).map(|row| index.take("a", row)).collect();
        assert_eq!(found, [Found::Label(0), Found::Label(2), Found::Label(3), Found::Nothing]);
        assert_eq!(index.superseded(), 1);
    }

    #[test]
    fn every_label_of_many_is_found() {
        let ids: Vec<String> = (0..50_000).map(|id| format!("request-{}", id * 7919)).collect();
        let id = |label: u32| Some(ids[label as usize].as_str());
        let mut index = LabelIndex::new(ids.len(), id, None);
        for (id, label) in ids.iter().zip(0..) {
            assert_eq!(index.take(id, 0), Found::Label(label));
        }
        assert_eq!(index.take("request-1", 0), Found::Nothing);
        assert_eq!(LabelIndex::new(0, |_label| None, None).take("a", 0), Found::Nothing);
    }

    #[test]
    fn many_rows_of_one_request_are_found_at_once() {
        let rows: Vec<u64> = (0..100_000).rev().collect();
        let mut index = LabelIndex::new(rows.len(), |_label| Some("a"), Some(&rows));
        for (row, label) in rows.iter().zip(0..) {
            assert_eq!(index.take("a", *row), Found::Label(label));
        }
    }
}
