//! Distinct strings in byte order, with how often each occurs.

use std::cmp::Ordering;

/// Distinct strings in byte order, kept in one buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Strings {
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<usize>,
    counts: Vec<u64>,
    total: u64,
}

impl Strings {
    /// Takes strings in any order; a string that comes twice is counted together.
    pub(crate) fn from_counts(mut counted: Vec<(&str, u64)>) -> Self {
        counted.sort_unstable_by(|a, b| (prefix(a.0), a.0).cmp(&(prefix(b.0), b.0)));
        let mut strings = Self::default();
        strings.text.reserve(counted.iter().map(|(text, _)| text.len()).sum());
        strings.ends.reserve(counted.len());
        strings.counts.reserve(counted.len());
        let mut last: Option<&str> = None;
        for (text, count) in counted {
            if count == 0 {
                continue;
            }
            if last == Some(text) {
                if let Some(sum) = strings.counts.last_mut() {
                    *sum += count;
                }
            } else {
                strings.text.push_str(text);
                strings.ends.push(strings.text.len());
                strings.counts.push(count);
                last = Some(text);
            }
            strings.total += count;
        }
        strings
    }

    /// The distinct strings one after the other, where each ends, and how often each occurs.
    pub(crate) fn parts(&self) -> (&str, &[usize], &[u64]) {
        (&self.text, &self.ends, &self.counts)
    }

    /// Puts together what [`Strings::parts`] took apart; `None` when it is not in order.
    pub(crate) fn from_parts(text: String, ends: Vec<usize>, counts: Vec<u64>) -> Option<Self> {
        let total = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))?;
        let strings = Self { text, ends, counts, total };
        let complete = strings.ends.last().copied().unwrap_or(0) == strings.text.len()
            && strings.ends.len() == strings.counts.len()
            && strings.ends.windows(2).all(|pair| pair[0] <= pair[1])
            && strings.counts.iter().all(|count| *count > 0);
        if !complete {
            return None;
        }
        let mut last: Option<&str> = None;
        for index in 0..strings.distinct() {
            // `get` is `None` where an end is not at a character's.
            let (text, _) = strings.get(index)?;
            if last.is_some_and(|last| last >= text) {
                return None;
            }
            last = Some(text);
        }
        Some(strings)
    }

    /// How many values there are, repetitions included.
    pub(crate) fn len(&self) -> u64 {
        self.total
    }

    pub(crate) fn distinct(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<(&str, u64)> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some((self.text.get(start..end)?, self.counts[index]))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        (0..self.distinct()).filter_map(|index| self.get(index))
    }

    /// Both sets of strings together.
    pub(crate) fn merged(&self, other: &Self) -> Self {
        Self::from_counts(self.iter().chain(other.iter()).collect())
    }
}

/// The first eight bytes as a number that orders like the string; saves most comparisons of bytes.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(8);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}

/// Walks two sets of strings together: every distinct string with its count in each.
pub(crate) fn merge<'a>(
    left: &'a Strings,
    right: &'a Strings,
    mut each: impl FnMut(&'a str, u64, u64),
) {
    let (mut i, mut j) = (0, 0);
    loop {
        let order = match (left.get(i), right.get(j)) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let a = if order.is_le() { left.get(i) } else { None };
        let b = if order.is_ge() { right.get(j) } else { None };
        let text = a.or(b).map_or("", |(text, _)| text);
        each(text, a.map_or(0, |(_, count)| count), b.map_or(0, |(_, count)| count));
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_ordered_counted_and_merged() {
        let left = Strings::from_counts(vec![
            ("b", 2),
            ("", 1),
            ("abcdefghij", 1),
            ("abcdefghia", 1),
            ("b", 1),
        ]);
        let order: Vec<_> = left.iter().collect();
        assert_eq!(order, vec![("", 1), ("abcdefghia", 1), ("abcdefghij", 1), ("b", 3)]);
        assert_eq!((left.len(), left.distinct()), (6, 4));
        let right = Strings::from_counts(vec![("b", 1), ("é", 4)]);
        let mut seen = Vec::new();
        merge(&left, &right, |text, a, b| seen.push((text, a, b)));
        assert_eq!(seen[3..], [("b", 3, 1), ("é", 0, 4)]);
        assert_eq!(left.merged(&right).len(), 11);
    }

    #[test]
    fn a_nul_byte_does_not_confuse_the_prefix() {
        let strings = Strings::from_counts(vec![("a\0", 1), ("a", 1)]);
        assert_eq!(strings.iter().collect::<Vec<_>>(), vec![("a", 1), ("a\0", 1)]);
    }
}
