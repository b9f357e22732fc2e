//! Labels that come late, found by the id of their prediction.
//!
//! Labels are held, predictions pass by: of ten million predictions with a million labels only the labels take
//! memory, and the index takes 20 to 40 bytes beside each. Most predictions have none, which a few bits tell without a
//! look into the table.

use std::fmt;

use ahash::RandomState;

/// Bits for each label that tell whether an id may have one: one in sixteen others is looked up for nothing.
const BITS_A_LABEL: usize = 16;

/// Rows that are looked up together: while memory brings the label of one, those of others are asked for.
const BATCH: usize = 64;

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

/// A row whose label is looked for.
struct Asked<'t, Key> {
    key: Key,
    id: &'t str,
    row: u64,
    /// The first place where it may be, and a part of its hash.
    place: usize,
    tag: u32,
}

/// Where the label of a prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
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
        let hash = self.hasher.hash_one(id);
        let (word, bit) = self.bit(hash);
        self.bits[word] |= bit;
        let asked = self.asked((), id, self.row(label), hash);
        let place = self.search(&asked, asked.place);
        self.superseded += usize::from(!self.places[place].is_empty());
        self.places[place] = Place { label, tag: asked.tag };
    }

    /// Finds the labels of rows of requests, each once, and calls `each` with the key of a row that has one, in their order.
    /// `requests` are key, id and row within the request.
    pub fn take<'t, Key>(
        &mut self,
        requests: impl IntoIterator<Item = (Key, &'t str, u64)>,
        mut each: impl FnMut(&Key, Found),
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        for (key, id, row) in requests {
            let hash = self.hasher.hash_one(id);
            let (word, bit) = self.bit(hash);
            if self.bits[word] & bit == 0 {
                continue;
            }
            batch.push(self.asked(key, id, row, hash));
            if batch.len() == BATCH {
                self.take_batch(&batch, &mut each);
                batch.clear();
            }
        }
        self.take_batch(&batch, &mut each);
    }

    fn take_batch<Key>(&mut self, batch: &[Asked<'_, Key>], each: &mut impl FnMut(&Key, Found)) {
        // Nothing here waits for what was found of the one before.
        let mut first = [Place::EMPTY; BATCH];
        for (first, asked) in first.iter_mut().zip(batch) {
            *first = self.places[asked.place];
        }
        let mut is_found = [false; BATCH];
        for ((is_found, place), asked) in is_found.iter_mut().zip(first).zip(batch) {
            *is_found = self.is_of(place, asked);
        }
        for ((is_found, place), asked) in is_found.into_iter().zip(first).zip(batch) {
            let found = if is_found { place } else { self.places[self.search(asked, asked.place)] };
            if found.is_empty() {
                continue;
            }
            let is_taken = std::mem::replace(&mut self.taken[found.label as usize], true);
            each(&asked.key, if is_taken { Found::Taken } else { Found::Label(found.label) });
        }
    }

    /// Labels that a later one of the same prediction replaced.
    pub fn superseded(&self) -> usize {
        self.superseded
    }

    fn row(&self, label: u32) -> u64 {
        self.rows.and_then(|rows| rows.get(label as usize)).copied().unwrap_or(0)
    }

    /// The bit of an id: its word, and its place there.
    fn bit(&self, hash: u64) -> (usize, u64) {
        let place = hash as usize & (self.bits.len() * 64 - 1);
        (place / 64, 1 << (place % 64))
    }

    fn asked<'t, Key>(&self, key: Key, id: &'t str, row: u64, hash: u64) -> Asked<'t, Key> {
        // With the row, or those of one long request would all be looked for at the same place.
        let hash = self.hasher.hash_one((hash, row));
        let place = hash as usize & (self.places.len() - 1);
        Asked { key, id, row, place, tag: (hash >> 32) as u32 }
    }

    /// Whether at a place there is the label of this row.
    fn is_of<Key>(&self, Place { label, tag }: Place, asked: &Asked<'_, Key>) -> bool {
        let is_like = label != u32::MAX && tag == asked.tag && self.row(label) == asked.row;
        is_like && (self.id)(label) == Some(asked.id)
    }

    /// The place where the label of a row is, from this one on, or an empty one where it would be.
    fn search<Key>(&self, asked: &Asked<'_, Key>, from: usize) -> usize {
        let mut place = from;
        while !self.places[place].is_empty() && !self.is_of(self.places[place], asked) {
            place = (place + 1) & (self.places.len() - 1);
        }
        place
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

    type Taken = Vec<(usize, Found)>;

    fn take<'a>(
        index: &mut LabelIndex<'a, impl Fn(u32) -> Option<&'a str>>,
        requests: &[(&str, u64)],
    ) -> Taken {
        let mut taken = Vec::new();
        let requests = requests.iter().enumerate().map(|(key, (id, row))| (key, *id, *row));
        index.take(requests, |key, found| taken.push((*key, found)));
        taken
    }

    #[test]
    fn the_last_word_counts_and_each_label_once() {
        let ids = [Some("a"), Some("b"), None, Some("a")];
        let mut index = LabelIndex::new(ids.len(), |label| ids[label as usize], None);
        assert_eq!(index.superseded(), 1);
        let asked = [("a", 0), ("a", 0), ("a", 1), ("b", 0), ("c", 0)];
        let expected = [(0, Found::Label(3)), (1, Found::Taken), (3, Found::Label(1))];
        assert_eq!(take(&mut index, &asked), expected);
        assert_eq!(take(&mut index, &[("b", 0)]), [(0, Found::Taken)], "of an earlier piece");
    }

    #[test]
    fn rows_of_a_request_have_labels_of_their_own() {
        let rows = [0, 2, 1, 2];
        let mut index = LabelIndex::new(4, |_label| Some("a"), Some(&rows));
        let found = take(&mut index, &[("a", 0), ("a", 1), ("a", 2), ("a", 3)]);
        assert_eq!(found, [(0, Found::Label(0)), (1, Found::Label(2)), (2, Found::Label(3))]);
        assert_eq!(index.superseded(), 1);
    }

    #[test]
    fn every_label_of_many_is_found_in_order() {
        let ids: Vec<String> = (0..50_000).map(|id| format!("request-{}", id * 7919)).collect();
        let id = |label: u32| Some(ids[label as usize].as_str());
        let mut index = LabelIndex::new(ids.len(), id, None);
        let all: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 0)).collect();
        let expected: Taken = (0..50_000).map(|key| (key, Found::Label(key as u32))).collect();
        assert_eq!(take(&mut index, &all), expected);
        assert!(take(&mut index, &[("request-1", 0)]).is_empty());
        assert!(take(&mut LabelIndex::new(0, |_label| None, None), &[("a", 0)]).is_empty());
    }

    #[test]
    fn many_rows_of_one_request_are_found_at_once() {
        let rows: Vec<u64> = (0..100_000).rev().collect();
        let mut index = LabelIndex::new(rows.len(), |_label| Some("a"), Some(&rows));
        let all: Vec<(&str, u64)> = rows.iter().map(|row| ("a", *row)).collect();
        let expected: Taken = (0..100_000).map(|key| (key, Found::Label(key as u32))).collect();
        assert_eq!(take(&mut index, &all), expected);
    }
}
