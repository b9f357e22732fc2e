//! Which share of the parts a job does: `3/16` is the third of sixteen jobs, which know nothing of each other.

use std::fmt;
use std::str::FromStr;

/// Jobs that may share a table; more than there are parts have nothing to do.
const SHARDS_MAX: usize = 100_000;

/// One of several jobs that score a table together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    index: usize,
    of: usize,
}

impl Shard {
    /// All of the table.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Whether it is all of the table.
    pub(super) fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Jobs in all.
    pub(super) fn of(self) -> usize {
        self.of
    }

    /// Whether it does this part of this file. By the sum of both, many files of one part are shared as evenly as
    /// many parts of one file.
    pub(super) fn does(self, file: usize, part: usize) -> bool {
        (file + part) % self.of == self.index
    }

    /// Each of the jobs that it is one of.
    pub(super) fn all(self) -> impl Iterator<Item = Self> {
        (0..self.of).map(move |index| Self { index, of: self.of })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

/// A share that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no share; write 3/16 for the third of sixteen (they are counted from 1 to {SHARDS_MAX})"
)]
pub struct NoShard(String);

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let parsed = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.parse::<usize>().ok()?, of.parse::<usize>().ok()?);
            (of <= SHARDS_MAX && (1..=of).contains(&number)).then(|| Self { index: number - 1, of })
        });
        parsed.ok_or_else(|| NoShard(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_done_by_one() {
        let third: Shard = "3/16".parse().unwrap();
        assert_eq!(third.to_string(), "3/16");
        for (file, part) in [(0, 0), (0, 17), (5, 3), (1000, 1)] {
            assert_eq!(third.all().filter(|shard| shard.does(file, part)).count(), 1);
        }
        assert!(third.does(0, 2) && third.does(2, 0) && !third.does(1, 2));
        for wrong in ["", "3", "0/2", "3/2", "a/b", "1/0", "1/1000000"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
