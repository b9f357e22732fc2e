//! Labels that come late, found by the id of their prediction.
//!
//! Labels are held, predictions pass by: of ten million predictions with a million labels only the labels take
//! memory. Most predictions have none, which a few bits tell without a look into the table.

use std::collections::HashMap;

use ahash::RandomState;

/// Bits for each label that tell whether an id may have one: one in sixteen others is looked up for nothing.
const BITS_A_LABEL: usize = 16;

/// Labels by the id of their prediction, and by the row of it where a request has several.
#[derive(Debug)]
pub struct LabelIndex<'a> {
    labels: HashMap<(&'a str, u64), u32, RandomState>,
    bits: Vec<u64>,
    /// Whether the prediction of a label was seen.
    taken: Vec<bool>,
    superseded: usize,
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

impl<'a> LabelIndex<'a> {
    /// Of ids, in the order in which they were said: of two labels for one prediction the later counts. `rows` are the
    /// rows within the request, as many as ids; none means the first row of each. At most 2³² − 1 labels; more are
    /// passed over.
    pub fn new(ids: impl ExactSizeIterator<Item = Option<&'a str>>, rows: Option<&[u64]>) -> Self {
        let labels = ids.len();
        let places = (labels.max(4) * BITS_A_LABEL).next_power_of_two();
        let mut index = Self {
            labels: HashMap::with_capacity_and_hasher(labels, RandomState::new()),
            bits: vec![0; places.div_ceil(64)],
            taken: vec![false; labels],
            superseded: 0,
        };
        for (label, id) in (0..u32::MAX).zip(ids) {
            let Some(id) = id else { continue };
            let row = rows.and_then(|rows| rows.get(label as usize)).copied().unwrap_or(0);
            let (word, bit) = index.place(id);
            index.bits[word] |= bit;
            if index.labels.insert((id, row), label).is_some() {
                index.superseded += 1;
            }
        }
        index
    }

    /// The label of a row of a request. Each is found once.
    pub fn take(&mut self, id: &str, row: u64) -> Found {
        let (word, bit) = self.place(id);
        if self.bits[word] & bit == 0 {
            return Found::Nothing;
        }
        let Some(&label) = self.labels.get(&(id, row)) else { return Found::Nothing };
        if std::mem::replace(&mut self.taken[label as usize], true) {
            return Found::Taken;
        }
        Found::Label(label)
    }

    /// Labels that a later one of the same prediction replaced.
    pub fn superseded(&self) -> usize {
        self.superseded
    }

    /// The bit of an id: its word, and its place there.
    fn place(&self, id: &str) -> (usize, u64) {
        let hash = self.labels.hasher().hash_one(id);
        let place = hash as usize & (self.bits.len() * 64 - 1);
        (place / 64, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_each_label_once() {
        let ids = [Some("a"), Some("b"), None, Some("a")];
        let mut index = LabelIndex::new(ids.into_iter(), None);
        assert_eq!(index.superseded(), 1);
        assert_eq!(index.take("a", 0), Found::Label(3));
        assert_eq!(index.take("a", 0), Found::Taken);
        assert_eq!(index.take("a", 1), Found::Nothing);
        assert_eq!(index.take("b", 0), Found::Label(1));
        assert_eq!(index.take("c", 0), Found::Nothing);
    }

    #[test]
    fn rows_of_a_request_have_labels_of_their_own() {
        let ids = [Some("a"), Some("a"), Some("a"), Some("a")];
        let rows = [0, 2, 1, 2];
        let mut index = LabelIndex::new(ids.into_iter(), Some(&rows));
        let found: Vec<Found> = (0..4).map(|row| index.take("a", row)).collect();
        assert_eq!(found, [Found::Label(0), Found::Label(2), Found::Label(3), Found::Nothing]);
        assert_eq!(index.superseded(), 1);
    }

    #[test]
    fn every_label_of_many_is_found() {
        let ids: Vec<String> = (0..50_000).map(|id| format!("request-{}", id * 7919)).collect();
        let mut index = LabelIndex::new(ids.iter().map(|id| Some(id.as_str())), None);
        for (id, label) in ids.iter().zip(0..) {
            assert_eq!(index.take(id, 0), Found::Label(label));
        }
        assert_eq!(index.take("request-1", 0), Found::Nothing);
        assert_eq!(LabelIndex::new(std::iter::empty(), None).take("a", 0), Found::Nothing);
    }
}
