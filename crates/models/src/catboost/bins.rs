//! Columns as numbers of borders below their values, a byte each: what splits compare.

use super::ctr::Ctrs;
use super::file::File;
use super::rows::{BLOCK, Rows};
use crate::Result;

/// Borders of one byte; a feature with more has several.
const OF_BYTE: usize = 255;

/// A split: it holds where the byte of a row, with these bits exchanged, is not below the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) bucket: u32,
    pub(super) at_least: u8,
    /// Of a category: the bits of its number that are not set, so that it alone becomes the largest byte.
    pub(super) flip: u8,
}

/// What a split asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) split: Split,
    /// Number among the float features of rows, border, and whether what is missing is above it; none where a split
    /// asks for categories.
    pub(super) float: Option<(usize, f32, bool)>,
}

/// How columns become bytes.
#[derive(Debug)]
pub(super) struct Bins {
    floats: Vec<FloatBins>,
    one_hot: Vec<OneHotBins>,
    ctrs: Ctrs,
    /// Bytes of a row.
    buckets: usize,
}

#[derive(Debug)]
struct FloatBins {
    borders: Vec<f32>,
    missing_is_above: bool,
    first: usize,
}

#[derive(Debug)]
struct OneHotBins {
    /// Number among the categories of rows.
    category: usize,
    values: Vec<i32>,
    first: usize,
}

impl Bins {
    /// The bytes of a model and what its splits ask for, by their numbers.
    pub(super) fn new(file: &mut File) -> Result<(Self, Vec<Asked>)> {
        let mut asked = Vec::new();
        let mut buckets = 0;
        let mut place = |count: usize| {
            let first = buckets;
            buckets += count.div_ceil(OF_BYTE);
            first
        };
        let mut floats = Vec::new();
        for feature in file.floats.iter().filter(|feature| !feature.borders.is_empty()) {
            let first = place(feature.borders.len());
            let (number, above) = (floats.len(), feature.missing_is_above);
            asked.extend(feature.borders.iter().enumerate().map(|(at, &border)| Asked {
                split: border_split(first, at),
                float: Some((number, border, above)),
            }));
            let borders = feature.borders.clone();
            floats.push(FloatBins { borders, missing_is_above: above, first });
        }
        let mut one_hot = Vec::new();
        for feature in &file.one_hot {
            let first = place(feature.values.len());
            let split = |at| Asked { split: value_split(first, at), float: None };
            asked.extend((0..feature.values.len()).map(split));
            let category = file.used_category(feature.index)?;
            one_hot.push(OneHotBins { category, values: feature.values.clone(), first });
        }
        let mut firsts = Vec::new();
        for ctr in &file.ctrs {
            let first = place(ctr.borders.len());
            let split = |at| Asked { split: border_split(first, at), float: None };
            asked.extend((0..ctr.borders.len()).map(split));
            firsts.push(first);
        }
        let ctrs = Ctrs::new(file, &firsts)?;
        // A model that asks for nothing has rows of one byte, so that they are still rows.
        Ok((Self { floats, one_hot, ctrs, buckets: buckets.max(1) }, asked))
    }

    /// Bytes of a row.
    pub(super) fn buckets(&self) -> usize {
        self.buckets
    }

    /// The bytes of `count` rows from `first` on, those of one bucket side by side.
    pub(super) fn fill(&self, rows: &Rows<'_>, first: usize, count: usize, bins: &mut Vec<u8>) {
        bins.clear();
        bins.resize(self.buckets * count, 0);
        let mut values = [0.0_f32; BLOCK];
        let values = values.get_mut(..count).unwrap_or_default();
        for (number, feature) in self.floats.iter().enumerate() {
            rows.column(number, first, values);
            if feature.missing_is_above {
                values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f32::INFINITY);
            }
            set_bins(values, &feature.borders, feature.first, bins);
        }
        for feature in &self.one_hot {
            let categories = rows.categories(feature.category, first, count);
            let chunks = feature.values.chunks(OF_BYTE);
            let buckets = bins.chunks_exact_mut(count.max(1)).skip(feature.first);
            for (values, bins) in chunks.zip(buckets) {
                for (bin, category) in bins.iter_mut().zip(categories) {
                    let at = values.iter().position(|value| value == category);
                    *bin = at.map_or(0, |at| at as u8 + 1);
                }
            }
        }
        self.ctrs.for_each(rows, first, count, |values, borders, first| {
            set_bins(values, borders, first, bins);
        });
    }

    pub(super) fn size_bytes(&self) -> usize {
        let floats = self.floats.iter().map(|feature| size_of_val(feature.borders.as_slice()));
        let one_hot = self.one_hot.iter().map(|feature| size_of_val(feature.values.as_slice()));
        floats.chain(one_hot).sum::<usize>() + self.ctrs.size_bytes()
    }
}

fn border_split(first: usize, at: usize) -> Split {
    let bucket = (first + at / OF_BYTE) as u32;
    Split { bucket, at_least: (at % OF_BYTE) as u8 + 1, flip: 0 }
}

fn value_split(first: usize, at: usize) -> Split {
    let Split { bucket, at_least, .. } = border_split(first, at);
    Split { bucket, at_least: u8::MAX, flip: !at_least }
}

/// Counts the borders below each value, in as many bytes as it takes.
fn set_bins(values: &[f32], borders: &[f32], first: usize, bins: &mut [u8]) {
    /// From so many rows on, all borders for all rows at once is less work than a search for each.
    const ROWS_AT_ONCE: usize = 8;
    let buckets = bins.chunks_exact_mut(values.len().max(1)).skip(first);
    for (borders, bins) in borders.chunks(OF_BYTE).zip(buckets) {
        if values.len() < ROWS_AT_ONCE {
            for (bin, x) in bins.iter_mut().zip(values) {
                *bin = borders.partition_point(|border| x > border) as u8;
            }
            continue;
        }
        for border in borders {
            for (bin, x) in bins.iter_mut().zip(values) {
                *bin += u8::from(x > border);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_the_borders_below_one_row_as_in_a_block() {
        let borders: Vec<f32> = (0..600_u16).map(|x| f32::from(x) / 2.0).collect();
        let values: Vec<f32> = vec![-1.0, 0.0, 0.25, 127.25, 127.5, 254.0, 299.5, f32::NAN, 1e9];
        let below = |x: f32| borders.iter().filter(|&&border| x > border).count();
        let mut bins = vec![0; 3 * values.len()];
        set_bins(&values, &borders, 0, &mut bins);
        for (row, &x) in values.iter().enumerate() {
            let mut alone = vec![0; 3];
            set_bins(&[x], &borders, 0, &mut alone);
            let each: Vec<u8> = bins.iter().skip(row).step_by(values.len()).copied().collect();
            assert_eq!(alone, each, "{x}");
            let sum: usize = alone.iter().map(|&bin| usize::from(bin)).sum();
            assert_eq!(sum, below(x), "{x}");
            for (at, &border) in borders.iter().enumerate() {
                let Split { bucket, at_least, flip } = border_split(0, at);
                assert_eq!(alone[bucket as usize] ^ flip >= at_least, x > border, "{x} {border}");
            }
        }
    }

    #[test]
    fn a_split_by_a_category_holds_for_its_number_alone() {
        for at in 0..300 {
            let Split { bucket, at_least, flip } = value_split(7, at);
            let holds = |bin: u8| bin ^ flip >= at_least;
            let own = (at % OF_BYTE) as u8 + 1;
            assert_eq!(bucket as usize, 7 + at / OF_BYTE);
            assert!((0..=u8::MAX).all(|bin| holds(bin) == (bin == own)));
        }
    }
}
