//! Profiles as files: the reference read once, kept beside the model.
//!
//! A file is [`MAGIC`], the version (`u32`), the length of the head (`u64`; all little-endian), the
//! head (JSON) and one zstd frame with a checksum for every column, in order. The head names the
//! columns with their types, counts, pins and the length of their frame.

use std::cell::RefCell;
use std::io::{Read, Write};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainyard_base::{Advice, Advise, Fault};
use zstd::bulk::Decompressor;

use crate::column::Column;
use crate::column_file::Head;
use crate::profile::{Pin, Profile};
use crate::row_counts::RowCounts;

/// The first bytes of a profile. The line break shows a transfer that changed them.
pub const MAGIC: [u8; 8] = *b"TYPROF\r\n";

/// Version of the layout that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// Bytes of a head: some hundred for every column.
const HEAD_BYTES_MAX: u64 = 256 << 20;
/// Bytes of one column, unpacked: a billion rows of one number each, in runs.
const BODY_BYTES_MAX: usize = 16 << 30;
/// Bytes of a column, unpacked, up to which their memory is taken at once.
const AT_ONCE_MAX: usize = 1 << 20;
/// Level of compression: above this, size shrinks by percents and time doubles.
const LEVEL: i32 = 3;

/// Why a profile cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Something else.
    #[error("this is no profile")]
    NotAProfile,
    /// Written by a later version of this program.
    #[error("the profile has version {found}, this program reads up to {VERSION}")]
    Version {
        /// Version of the file.
        found: u32,
    },
    /// Cut off or changed.
    #[error("the profile is damaged: {0}")]
    Damaged(String),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Advise for ProfileError {
    fn advice(&self) -> Advice {
        match self {
            Self::NotAProfile => Advice::input("`trainyard profile` writes one"),
            Self::Version { .. } => Advice::input("update trainyard, or write the profile again"),
            Self::Damaged(_) => Advice::input("write it again with `trainyard profile`"),
            Self::Io(_) => Fault::Environment.into(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct FileHead {
    rows: u64,
    columns: Vec<ColumnHead>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row_counts: Option<RowCounts>,
}

#[derive(Serialize, Deserialize)]
struct ColumnHead {
    name: String,
    #[serde(flatten)]
    column: Head,
    frame_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<StoredPin>,
}

#[derive(Serialize, Deserialize)]
struct StoredPin {
    kind: String,
    method: Option<String>,
    threshold: Option<f64>,
}

impl Profile {
    /// Writes the profile.
    pub fn write(&self, target: &mut impl Write) -> Result<(), ProfileError> {
        let stored: Vec<(ColumnHead, Vec<u8>)> = self
            .columns()
            .par_iter()
            .map(|(name, column)| {
                let (head, body) = column.stored();
                let frame = compress(&body)?;
                let pin = self.pins().get(name).map(StoredPin::from);
                let frame_bytes = frame.len() as u64;
                Ok((ColumnHead { name: name.clone(), column: head, frame_bytes, pin }, frame))
            })
            .collect::<Result<_, ProfileError>>()?;
        let (columns, frames): (Vec<ColumnHead>, Vec<Vec<u8>>) = stored.into_iter().unzip();
        let row_counts = self.row_counts().cloned();
        let head = serde_json::to_vec(&FileHead { rows: self.rows(), columns, row_counts })
            .map_err(|error| ProfileError::Damaged(error.to_string()))?;
        target.write_all(&MAGIC)?;
        target.write_all(&VERSION.to_le_bytes())?;
        target.write_all(&(head.len() as u64).to_le_bytes())?;
        target.write_all(&head)?;
        for frame in frames {
            target.write_all(&frame)?;
        }
        target.flush()?;
        Ok(())
    }

    /// Reads a profile. Nothing in the file is trusted: what does not fit together is refused.
    pub fn read(source: &mut impl Read) -> Result<Self, ProfileError> {
        Self::read_columns(source, |_any| true)
    }

    /// The same, with the columns alone whose names are wanted: others are walked over, and are not looked at.
    pub fn read_columns(
        source: &mut impl Read,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, ProfileError> {
        let mut start = [0_u8; 20];
        source.read_exact(&mut start).map_err(|_| ProfileError::NotAProfile)?;
        let (magic, rest) = start.split_at(MAGIC.len());
        let (version, length) = rest.split_at(4);
        if magic != MAGIC {
            return Err(ProfileError::NotAProfile);
        }
        let version = u32::from_le_bytes(version.try_into().unwrap_or_default());
        if version != VERSION {
            return Err(ProfileError::Version { found: version });
        }
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let head: FileHead =
            serde_json::from_slice(&part(source, length, HEAD_BYTES_MAX, "its head")?)
                .map_err(|error| ProfileError::Damaged(format!("its head: {error}")))?;
        let mut frames = Vec::with_capacity(head.columns.len());
        for column in head.columns {
            if is_wanted(&column.name) {
                let frame = part(source, column.frame_bytes, BODY_BYTES_MAX as u64, &column.name)?;
                frames.push((column, frame));
            } else {
                let mut frame = source.take(column.frame_bytes);
                if std::io::copy(&mut frame, &mut std::io::sink())? != column.frame_bytes {
                    let name = &column.name;
                    return Err(ProfileError::Damaged(format!("it ends within {name}")));
                }
            }
        }
        if source.read(&mut [0])? > 0 {
            return Err(ProfileError::Damaged("something follows its last column".to_owned()));
        }
        let read = frames
            .into_par_iter()
            .map(|(head, frame)| {
                let damaged = || ProfileError::Damaged(format!("column {:?}", head.name));
                let expected = head.column.body_bytes().filter(|bytes| *bytes <= BODY_BYTES_MAX);
                let body = decompress(&frame, expected.ok_or_else(damaged)?).ok_or_else(damaged)?;
                let column = Column::from_stored(&head.column, &body).ok_or_else(damaged)?;
                let pin =
                    head.pin.as_ref().map(|pin| pin.read().ok_or_else(damaged)).transpose()?;
                Ok((head.name, column, pin))
            })
            .collect::<Result<Vec<_>, ProfileError>>()?;
        let mut columns = Vec::with_capacity(read.len());
        let mut pins = std::collections::BTreeMap::new();
        for (name, column, pin) in read {
            if column.rows() != head.rows {
                return Err(ProfileError::Damaged(format!(
                    "column {name:?} has {} rows, the table {}",
                    column.rows(),
                    head.rows
                )));
            }
            if let Some(pin) = pin {
                pins.insert(name.clone(), pin);
            }
            columns.push((name, column));
        }
        let row_counts = head.row_counts;
        if row_counts.as_ref().is_some_and(|counts| !counts.is_of(head.rows)) {
            return Err(ProfileError::Damaged("its counts of rows".to_owned()));
        }
        Ok(Self::from_columns(head.rows, columns).with_pins(pins).with_row_counts(row_counts))
    }
}

/// Reads exactly this many bytes, taking memory only as they come.
fn part(
    source: &mut impl Read,
    bytes: u64,
    limit: u64,
    what: &str,
) -> Result<Vec<u8>, ProfileError> {
    if bytes > limit {
        return Err(ProfileError::Damaged(format!("{what} has {bytes} bytes")));
    }
    let mut read = Vec::new();
    source.take(bytes).read_to_end(&mut read)?;
    if read.len() as u64 != bytes {
        return Err(ProfileError::Damaged(format!("it ends within {what}")));
    }
    Ok(read)
}

fn compress(body: &[u8]) -> Result<Vec<u8>, ProfileError> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(body)?;
    Ok(encoder.finish()?)
}

thread_local! {
    /// What unpacks bodies that are taken at once: made once, as it is larger than most of them.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Unpacks a frame that must give this many bytes.
fn decompress(frame: &[u8], expected: usize) -> Option<Vec<u8>> {
    if expected > AT_ONCE_MAX {
        return streamed(frame, expected);
    }
    UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            None => unpacker.insert(Decompressor::new().ok()?),
        };
        // A frame that goes on is an error.
        let body = unpacker.decompress(frame, expected).ok()?;
        (body.len() == expected).then_some(body)
    })
}

/// The same, taking memory only as the bytes come.
fn streamed(frame: &[u8], expected: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(frame).ok()?;
    // One byte more than expected shows a frame that goes on.
    decoder.take(expected as u64 + 1).read_to_end(&mut body).ok()?;
    (body.len() == expected).then_some(body)
}

impl From<&Pin> for StoredPin {
    fn from(pin: &Pin) -> Self {
        Self {
            kind: pin.kind.name().to_owned(),
            method: pin.method.map(|method| method.id().to_owned()),
            threshold: pin.threshold,
        }
    }
}

impl StoredPin {
    fn read(&self) -> Option<Pin> {
        let method = match &self.method {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        Some(Pin { kind: self.kind.parse().ok()?, method, threshold: self.threshold })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
        StringArray, UInt64Array,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{Kind, Method, Options};

    fn table() -> RecordBatch {
        let numbers = (0..3000).map(|row| match row % 50 {
            0 => None,
            1 => Some(f64::INFINITY),
            _ => Some(f64::from(row * 7919 % 1009) / 3.0),
        });
        let lists = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(
            (0..3000).map(|row| Some(vec![Some(row)])),
        );
        let columns: [(&str, ArrayRef); 7] = [
            ("x", Arc::new(numbers.collect::<Float64Array>())),
            ("single", Arc::new(Float32Array::from_iter_values((0..3000_u16).map(f32::from)))),
            ("few", Arc::new(Int64Array::from_iter_values((0..3000).map(|row| row % 4)))),
            ("big", Arc::new(UInt64Array::from_iter_values((0..3000).map(|row| u64::MAX - row)))),
            ("flag", Arc::new((0..3000).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>())),
            (
                "town é",
                Arc::new(
                    (0..3000)
                        .map(|row| (row % 9 > 0).then(|| format!("t\u{e9}{}", row % 40)))
                        .collect::<StringArray>(),
                ),
            ),
            ("list", Arc::new(lists)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn bytes(profile: &Profile) -> Vec<u8> {
        let mut bytes = Vec::new();
        profile.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        let options = Options {
            per_column_method: [("x".to_owned(), Method::Psi)].into(),
            per_column_threshold: [("few".to_owned(), 0.5)].into(),
            ..Options::default()
        };
        let profile = Profile::new(&table()).pin(&options);
        let read = Profile::read(&mut bytes(&profile).as_slice()).unwrap();
        assert_eq!(read, profile);
        let pinned = read.pinned(&Options::default());
        assert_eq!(pinned.per_column_method["x"], Method::Psi);
        assert_eq!(pinned.per_column_threshold["few"], 0.5);
        assert_eq!(pinned.kinds["flag"], Kind::Categorical);
    }

    #[test]
    fn a_sample_stays_one() {
        let values = Float64Array::from(vec![1.0, 2.0, 3.0]);
        let column = Column::counted(&values, &[1, 7, 2], 0).of_sample(3000, 40, [1, 0]);
        let profile = Profile::from_columns(3000, vec![("x".to_owned(), column)]);
        let read = Profile::read(&mut bytes(&profile).as_slice()).unwrap();
        assert!(read == profile && read.column("x").unwrap().is_sample());
    }

    #[test]
    fn columns_that_are_not_wanted_are_walked_over() {
        let profile = Profile::new(&table());
        let whole = bytes(&profile);
        let read = |bytes: &[u8]| {
            let is_wanted = |name: &str| ["few", "flag"].contains(&name);
            Profile::read_columns(&mut &*bytes, is_wanted)
        };
        let some = read(&whole).unwrap();
        let names: Vec<&str> = some.columns().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, some.rows()), (vec!["few", "flag"], 3000));
        assert_eq!(some.column("few"), profile.column("few"));
        assert!(read(&whole[..whole.len() - 1]).is_err(), "it is cut off in one of the others");
    }

    #[test]
    fn quantised_profiles_are_smaller_and_close() {
        let table = table();
        let whole = Profile::new(&table);
        let few = whole.quantised(50);
        assert!(bytes(&few).len() < bytes(&whole).len() / 2);
        let (exact, near) =
            (whole.compare(&whole, &Options::default()), few.compare(&whole, &Options::default()));
        let score = |drift: &crate::DatasetDrift| drift.columns[0].verdict().unwrap().score;
        assert!((score(&exact) - score(&near)).abs() < 0.03);
    }

    #[test]
    fn other_files_and_other_versions_are_told_apart() {
        let mut other = bytes(&Profile::new(&table()));
        assert!(matches!(Profile::read(&mut &b"PAR1"[..]), Err(ProfileError::NotAProfile)));
        other[8] = 9;
        assert!(matches!(
            Profile::read(&mut other.as_slice()),
            Err(ProfileError::Version { found: 9 })
        ));
    }

    proptest! {
        #[test]
        fn damage_is_refused_and_never_panics(at in any::<prop::sample::Index>(), bits in 1_u8.., cut in any::<prop::sample::Index>()) {
            let profile = Profile::new(&table());
            let good = bytes(&profile);
            let mut bad = good.clone();
            let at = at.index(bad.len());
            bad[at] ^= bits;
            // A changed name is not noticed; anything else that is read is what was written.
            if let Ok(read) = Profile::read(&mut bad.as_slice()) {
                prop_assert_eq!(read.rows(), profile.rows());
            }
            let cut = cut.index(good.len());
            prop_assert!(Profile::read(&mut &good[..cut]).is_err());
            let longer = [good.as_slice(), &[bits]].concat();
            prop_assert!(Profile::read(&mut longer.as_slice()).is_err());
        }
    }
}
