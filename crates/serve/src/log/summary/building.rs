//! A column in the making: labels, or quantiles of whatever else it holds.

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use trainyard_drift::{Column, Suppressed};

use super::disclosure::{ROWS_MIN, holds_ids, is_id_name};
use super::part::{LABEL_BYTES_MAX, LABELS_MAX, is_text};
use super::sketch::Sketch;

/// A column in the making.
pub(super) struct Building {
    /// By the types that it came with: those of versions and protocols may differ.
    made: Vec<(DataType, Making)>,
    /// Whether it holds ids, or has turned out to hold texts.
    is_left_out: bool,
}

/// What is gathered of values of one type.
enum Making {
    /// The most frequent labels, twice as many as are kept at most, however many rows come.
    Labels(Labels),
    Others(Sketch),
}

/// Labels that came so far.
struct Labels {
    often: Column,
    /// Values of others, which were too many.
    tail: u64,
}

/// A column that is made.
pub(super) struct Built {
    pub(super) column: Column,
    /// How often quantiles were made of quantiles on the way here.
    pub(super) levels: usize,
    /// Values that are withheld, as they stand in few rows; they are missing in the column.
    pub(super) withheld: u64,
    /// By how many rows a rank may be wrong, as numbers are means of rows; 0 where none is.
    pub(super) averaged: u64,
}

impl Building {
    /// A column of this name.
    pub(super) fn new(name: &str) -> Self {
        Self { made: Vec::new(), is_left_out: is_id_name(name) }
    }

    /// Takes further rows, which may wait in about so many bytes of memory.
    pub(super) fn push(&mut self, rows: ArrayRef, memory: usize) {
        if self.is_left_out {
            return;
        }
        let place = self.made.iter().position(|(data_type, _)| data_type == rows.data_type());
        let place = place.unwrap_or_else(|| {
            self.made.push((rows.data_type().clone(), Making::new(&rows)));
            self.made.len() - 1
        });
        if !self.made[place].1.takes(rows, memory) {
            *self = Self { made: Vec::new(), is_left_out: true };
        }
    }

    /// The column of so many rows; those that lack it are missing values. None where its types do not go together, or
    /// it is left out.
    pub(super) fn finish(self, rows: u64) -> Option<Built> {
        let mut built = self.made.into_iter().map(|(_, making)| making.finish());
        let mut whole = built.next()??;
        for other in built {
            let other = other?;
            whole.column = whole.column.merged(&other.column)?;
            whole.levels = whole.levels.max(other.levels);
            whole.withheld += other.withheld;
            whole.averaged += other.averaged;
        }
        if holds_ids(&whole.column) {
            return None;
        }
        let lacking = rows.saturating_sub(whole.column.rows());
        whole.column = whole.column.with_missing(lacking);
        Some(whole)
    }

    /// Whether it is left out, and nothing is held of it.
    #[cfg(test)]
    pub(super) fn is_left_out(&self) -> bool {
        self.is_left_out && self.made.is_empty()
    }
}

impl Making {
    /// Of rows like these, of which it has none yet.
    fn new(like: &ArrayRef) -> Self {
        if is_text_type(like.data_type()) {
            Self::Labels(Labels { often: Column::new(&[like.slice(0, 0).as_ref()]), tail: 0 })
        } else {
            Self::Others(Sketch::default())
        }
    }

    /// Takes further rows; `false` if these are texts, and no labels.
    fn takes(&mut self, rows: ArrayRef, memory: usize) -> bool {
        let labels = match self {
            Self::Others(sketch) => {
                sketch.push(rows, memory);
                return true;
            }
            Self::Labels(labels) => labels,
        };
        longest(rows.as_ref()) <= LABEL_BYTES_MAX && labels.takes(&rows, memory)
    }

    /// What is kept of it; none of texts.
    fn finish(self) -> Option<Built> {
        match self {
            Self::Labels(labels) => labels.finish(),
            Self::Others(sketch) => {
                let levels = sketch.levels();
                let Suppressed { column, withheld, averaged } = sketch.finish();
                Some(Built { column, levels, withheld, averaged })
            }
        }
    }
}

impl Labels {
    /// Takes further rows; `false` if the most frequent labels are less than half of what came: these are texts.
    fn takes(&mut self, rows: &ArrayRef, memory: usize) -> bool {
        let Some(merged) = self.often.merged(&Column::new(&[rows.as_ref()])) else { return false };
        self.often = merged;
        if self.often.distinct() as usize > 2 * LABELS_MAX || self.often.label_bytes() > memory {
            // Half of the room, so that it is done seldom.
            let Suppressed { column, withheld, .. } =
                self.often.most_frequent(LABELS_MAX, memory / 2);
            (self.often, self.tail) = (column.without_missing(withheld), self.tail + withheld);
        }
        self.tail <= self.often.len()
    }

    /// What is kept of them; nothing where it is too little of the column.
    fn finish(self) -> Option<Built> {
        let Suppressed { column, withheld: tail, .. } =
            self.often.most_frequent(LABELS_MAX, usize::MAX);
        let tail = self.tail + tail;
        if is_text(tail, column.len() + tail) {
            return None;
        }
        let Suppressed { column, withheld, averaged } = column.suppressed(ROWS_MIN);
        // Those that were taken out on the way are rows all the same.
        let column = column.with_missing(self.tail);
        Some(Built { column, levels: 0, withheld: withheld + tail, averaged })
    }
}

fn is_text_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text_type(values),
        _ => false,
    }
}

/// Bytes of the longest text among these.
fn longest(rows: &dyn Array) -> usize {
    match rows.data_type() {
        DataType::Utf8 => longest_of(rows.as_string::<i32>().iter()),
        DataType::LargeUtf8 => longest_of(rows.as_string::<i64>().iter()),
        DataType::Utf8View => longest_of(rows.as_string_view().iter()),
        DataType::Dictionary(..) => {
            rows.as_any_dictionary_opt().map_or(0, |rows| longest(rows.values().as_ref()))
        }
        _ => 0,
    }
}

fn longest_of<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> usize {
    texts.flatten().map(str::len).max().unwrap_or(0)
}
