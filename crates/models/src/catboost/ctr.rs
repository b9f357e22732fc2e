//! CTRs: what training counted of the target, by combinations of categories.

use super::city::combined;
use super::file::{CtrKind, CtrTable, File, Source, malformed};
use super::rows::{BLOCK, Rows};
use crate::Result;

/// The CTRs of a model, those of one combination together.
#[derive(Debug, Default)]
pub(super) struct Ctrs(Vec<Combination>);

#[derive(Debug)]
struct Combination {
    source: Source,
    /// Numbers among the categories and float features of rows.
    categories: Vec<usize>,
    floats: Vec<Above>,
    one_hot: Vec<(usize, i32)>,
    tables: Vec<Table>,
}

/// Whether a value is above a border.
#[derive(Debug)]
struct Above {
    number: usize,
    border: f32,
    takes_missing: bool,
}

#[derive(Debug)]
struct Table {
    of_file: CtrTable,
    ctrs: Vec<Ctr>,
}

#[derive(Debug)]
struct Ctr {
    target_border: usize,
    prior: (f32, f32),
    shift: f32,
    scale: f32,
    borders: Vec<f32>,
    /// First of its bytes.
    first: usize,
}

impl Ctrs {
    /// Takes the tables of the file; `firsts` are the first bytes of its CTRs.
    pub(super) fn new(file: &mut File, firsts: &[usize]) -> Result<Self> {
        let mut tables = std::mem::take(&mut file.tables);
        let mut combinations: Vec<Combination> = Vec::new();
        for (feature, &first) in file.ctrs.iter().zip(firsts) {
            let source = &feature.source;
            let same = combinations.iter().position(|known| {
                let of = &known.source;
                (&of.categories, &of.floats, &of.one_hot)
                    == (&source.categories, &source.floats, &source.one_hot)
            });
            let at = same.unwrap_or(combinations.len());
            if same.is_none() {
                combinations.push(Combination::new(file, source)?);
            }
            let Some(combination) = combinations.get_mut(at) else { continue };
            let is_own = |known: &Table| known.of_file.source == *source;
            let at = if let Some(at) = combination.tables.iter().position(is_own) {
                at
            } else {
                let at = tables.iter().position(|table| table.source == *source);
                let at = at.ok_or_else(|| malformed("a CTR without a table"))?;
                let table = tables.swap_remove(at);
                combination.tables.push(Table { of_file: table, ctrs: Vec::new() });
                combination.tables.len() - 1
            };
            let Some(table) = combination.tables.get_mut(at) else { continue };
            let is_by_class = matches!(source.kind, CtrKind::Borders | CtrKind::Buckets);
            if is_by_class && feature.target_border >= table.of_file.classes {
                return Err(malformed(format!("a CTR of class {}", feature.target_border)));
            }
            table.ctrs.push(Ctr {
                target_border: feature.target_border,
                prior: feature.prior,
                shift: feature.shift,
                scale: feature.scale,
                borders: feature.borders.clone(),
                first,
            });
        }
        Ok(Self(combinations))
    }

    /// Calls `take(values, borders, first byte)` for every CTR, with the values of `count` rows from `first` on.
    pub(super) fn for_each(
        &self,
        rows: &Rows<'_>,
        first: usize,
        count: usize,
        mut take: impl FnMut(&[f32], &[f32], usize),
    ) {
        let (mut hashes, mut places, mut values) = ([0; BLOCK], [None; BLOCK], [0.0; BLOCK]);
        let hashes = hashes.get_mut(..count).unwrap_or_default();
        let places = places.get_mut(..count).unwrap_or_default();
        let values = values.get_mut(..count).unwrap_or_default();
        for combination in &self.0 {
            combination.hash(rows, first, hashes, values);
            for Table { of_file: table, ctrs } in &combination.tables {
                for (place, hash) in places.iter_mut().zip(&*hashes) {
                    *place = table.places.get(hash).map(|&place| place as usize);
                }
                for ctr in ctrs {
                    for (value, &place) in values.iter_mut().zip(&*places) {
                        *value = ctr.value(table.counted(place, ctr.target_border));
                    }
                    take(values, &ctr.borders, ctr.first);
                }
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let tables = self.0.iter().flat_map(|combination| &combination.tables);
        let bytes = tables.map(|Table { of_file: table, .. }| {
            table.places.capacity() * size_of::<(u64, u32)>() + size_of_val(table.counts.as_slice())
        });
        bytes.sum()
    }
}

impl Combination {
    fn new(file: &File, source: &Source) -> Result<Self> {
        let categories = source.categories.iter().map(|&index| file.used_category(index));
        let one_hot = source.one_hot.iter();
        let one_hot = one_hot.map(|&(index, value)| Ok((file.used_category(index)?, value)));
        let above = |&(index, border): &(usize, u32)| {
            let mut used = file.floats.iter().filter(|feature| !feature.borders.is_empty());
            let known = used.clone().find(|feature| feature.index == index);
            let number = used.position(|feature| feature.index == index);
            let (Some(number), Some(known)) = (number, known) else {
                return Err(malformed(format!("a CTR of feature {index}, which has no borders")));
            };
            let takes_missing = known.missing_is_above;
            Ok(Above { number, border: f32::from_bits(border), takes_missing })
        };
        Ok(Self {
            categories: categories.collect::<Result<_>>()?,
            floats: source.floats.iter().map(above).collect::<Result<_>>()?,
            one_hot: one_hot.collect::<Result<_>>()?,
            source: source.clone(),
            tables: Vec::new(),
        })
    }

    /// The numbers of the combinations that rows have.
    fn hash(&self, rows: &Rows<'_>, first: usize, hashes: &mut [u64], values: &mut [f32]) {
        hashes.fill(0);
        let count = hashes.len();
        for &category in &self.categories {
            let categories = rows.categories(category, first, count);
            for (hash, &category) in hashes.iter_mut().zip(categories) {
                *hash = combined(*hash, i64::from(category));
            }
        }
        for above in &self.floats {
            rows.column(above.number, first, values);
            for (hash, x) in hashes.iter_mut().zip(&*values) {
                let holds = *x > above.border || (x.is_nan() && above.takes_missing);
                *hash = combined(*hash, i64::from(holds));
            }
        }
        for &(category, value) in &self.one_hot {
            let categories = rows.categories(category, first, count);
            for (hash, &category) in hashes.iter_mut().zip(categories) {
                *hash = combined(*hash, i64::from(category == value));
            }
        }
    }
}

impl CtrTable {
    /// How often the target was there, or its sum, and how often it was looked at; for a combination that training
    /// did not see as well.
    fn counted(&self, place: Option<usize>, target_border: usize) -> (f32, f32) {
        let stride = self.source.kind.stride(self.classes);
        let counts = place.and_then(|place| self.counts.get(place * stride..)?.get(..stride));
        let counts = counts.unwrap_or_default();
        let sum = |counts: &[i32]| counts.iter().map(|&count| i64::from(count)).sum::<i64>() as f32;
        match self.source.kind {
            CtrKind::Borders => {
                (sum(counts.get(target_border + 1..).unwrap_or_default()), sum(counts))
            }
            CtrKind::Buckets => {
                (sum(counts.get(target_border..=target_border).unwrap_or_default()), sum(counts))
            }
            CtrKind::Mean => match counts {
                &[total, count] => (f32::from_bits(total as u32), count as f32),
                _ => (0.0, 0.0),
            },
            CtrKind::Counter => (sum(counts), self.denominator as f32),
        }
    }
}

impl Ctr {
    fn value(&self, (good, all): (f32, f32)) -> f32 {
        let (numerator, denominator) = self.prior;
        ((good + numerator) / (all + denominator) + self.shift) * self.scale
    }
}
