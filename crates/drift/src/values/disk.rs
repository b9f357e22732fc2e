//! Values in ascending order in a temporary file.
//!
//! The file has no name and is gone with the process, however that ends. It lies where `TMPDIR` says.
//! Statistics walk over values in order or look up a rank, and neither can fail halfway; so where the
//! file cannot be written or read the values end early. That is noted, and has to be asked for before a
//! result is believed.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, OnceLock};

use super::native::Native;

/// Values that are read at once.
const BLOCK: usize = 8192;

/// What went wrong first with the temporary files of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Arc<OnceLock<String>>);

impl Trouble {
    pub(crate) fn note(&self, error: &io::Error) {
        self.0.get_or_init(|| error.to_string());
    }

    pub(crate) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Finite values in ascending order, one by one.
#[derive(Debug)]
pub(crate) struct OnDisk<T> {
    /// None if none could be made.
    file: Option<File>,
    len: usize,
    distinct: usize,
    /// The first value of each block, which tells where a value lies without reading.
    starts: Vec<T>,
    last: Option<T>,
    trouble: Trouble,
}

/// The same file; two files are not compared.
impl<T> PartialEq for OnDisk<T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl<T: Native> OnDisk<T> {
    /// Writes values in ascending order, each with how often it occurs.
    pub(crate) fn new(runs: impl Iterator<Item = (T, u64)>, trouble: &Trouble) -> Self {
        let mut writer = Writer::new(trouble);
        runs.for_each(|(value, count)| writer.add(value, count));
        writer.finish()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn distinct(&self) -> usize {
        self.distinct
    }

    pub(crate) fn first(&self) -> Option<T> {
        self.starts.first().copied()
    }

    pub(crate) fn last(&self) -> Option<T> {
        self.last
    }

    pub(crate) fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// Every distinct value in ascending order and how often it occurs.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (T, u64)> {
        let mut values = (0..self.starts.len()).flat_map(|block| self.block(block)).peekable();
        std::iter::from_fn(move || {
            let value = values.next()?;
            let mut count = 1;
            while values.next_if(|next| *next == value).is_some() {
                count += 1;
            }
            Some((value, count))
        })
    }

    /// How many values are less than `bound`.
    pub(crate) fn count_below(&self, bound: f64) -> u64 {
        self.partition_point(|value| value.to_f64() < bound)
    }

    /// How many values are less than or equal to `bound`.
    pub(crate) fn count_up_to(&self, bound: f64) -> u64 {
        self.partition_point(|value| value.to_f64() <= bound)
    }

    /// The value at a rank (0 is the smallest).
    pub(crate) fn at_rank(&self, rank: usize) -> Option<T> {
        self.block(rank / BLOCK).get(rank % BLOCK).copied()
    }

    /// How many values come before the first that does not satisfy `is_before`.
    fn partition_point(&self, is_before: impl Fn(T) -> bool) -> u64 {
        // The last block that begins before the bound is the only one that it can lie in.
        let blocks = self.starts.partition_point(|start| is_before(*start));
        let Some(block) = blocks.checked_sub(1) else { return 0 };
        (block * BLOCK + self.block(block).partition_point(|value| is_before(*value))) as u64
    }

    /// The values of a block; none where there is no such block or it cannot be read.
    fn block(&self, block: usize) -> Vec<T> {
        let values = self.len.saturating_sub(block * BLOCK).min(BLOCK);
        let mut bytes = vec![0; values * T::BYTES];
        let start = (block * BLOCK * T::BYTES) as u64;
        let Some(file) = &self.file else { return Vec::new() };
        if let Err(error) = file.read_exact_at(&mut bytes, start) {
            self.trouble.note(&error);
            return Vec::new();
        }
        bytes.chunks_exact(T::BYTES).filter_map(T::get).collect()
    }
}

/// Makes an [`OnDisk`] of values that come in ascending order.
#[derive(Debug)]
pub(crate) struct Writer<T> {
    made: OnDisk<T>,
    buffer: Vec<u8>,
}

impl<T: Native> Writer<T> {
    pub(crate) fn new(trouble: &Trouble) -> Self {
        let file = tempfile::tempfile().inspect_err(|error| trouble.note(error)).ok();
        let trouble = trouble.clone();
        let made = OnDisk { file, len: 0, distinct: 0, starts: Vec::new(), last: None, trouble };
        Self { made, buffer: Vec::with_capacity(BLOCK * T::BYTES) }
    }

    pub(crate) fn add(&mut self, value: T, count: u64) {
        self.made.distinct += usize::from(self.made.last != Some(value));
        self.made.last = Some(value);
        for _ in 0..count {
            if self.made.len.is_multiple_of(BLOCK) {
                self.flush();
                self.made.starts.push(value);
            }
            self.made.len += 1;
            value.put(&mut self.buffer);
        }
    }

    pub(crate) fn finish(mut self) -> OnDisk<T> {
        self.flush();
        self.made
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.made.file
            && let Err(error) = file.write_all(&self.buffer)
        {
            self.made.trouble.note(&error);
            self.made.file = None;
        }
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::memory::InMemory;

    #[test]
    fn values_are_found_as_in_memory() {
        // Some runs go across the ends of blocks, one fills several of them.
        let value = |i: i64| if i < 40_000 { i * i / 1000 } else { 3_000_000 };
        let held = InMemory::from_ordered((0..70_000).map(value).collect());
        let file = OnDisk::new(held.runs(), &Trouble::default());
        assert_eq!((file.len(), file.distinct()), (held.len(), held.distinct()));
        assert_eq!((file.first(), file.last()), (held.first(), held.last()));
        assert!(file.runs().eq(held.runs()));
        for rank in (0..70_100).step_by(61).chain([8191, 8192, 69_999, 70_000]) {
            assert_eq!(file.at_rank(rank), held.at_rank(rank), "{rank}");
        }
        for bound in (-1..3_000_010).step_by(7919).chain([0, 3_000_000, 3_000_001]) {
            let bound = f64::from(bound);
            assert_eq!(file.count_below(bound), held.count_below(bound), "{bound}");
            assert_eq!(file.count_up_to(bound), held.count_up_to(bound), "{bound}");
        }
        let empty = OnDisk::new(std::iter::empty::<(f32, u64)>(), &Trouble::default());
        assert_eq!((empty.first(), empty.at_rank(0), empty.count_up_to(1.0)), (None, None, 0));
        assert_eq!(empty.trouble().get(), None);
    }

    #[test]
    fn a_file_that_shrank_is_noticed() {
        let trouble = Trouble::default();
        let file = OnDisk::new((0..20_000_i64).map(|value| (value, 1)), &trouble);
        file.file.as_ref().unwrap().set_len(100_000).unwrap();
        assert_eq!(file.runs().count(), 8192);
        assert!(trouble.get().is_some());
    }
}
