//! Zip archives, as far as Python writes them: stored or deflated entries, found by the directory at
//! the end.

use std::collections::HashMap;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use crate::refusal::Result;

/// Files of one archive.
const ENTRIES_MAX: usize = 4_000_000;

/// Bytes of all entries together once unpacked.
const UNPACKED_BYTES_MAX: u64 = 4 << 30;

/// Bytes that an archive may unpack to for each of its own; trees of whole numbers reach 20, a bomb 1000.
const RATIO_MAX: u64 = 100;

/// Bytes that any archive may unpack to.
const FREE_BYTES: u64 = 64 << 20;

/// Whether checksums are compared: a fuzzer cannot make them.
#[expect(unexpected_cfgs, reason = "fuzz.sh sets it")]
const CHECK: bool = !cfg!(fuzzing);

/// An archive in memory.
pub(crate) struct Zip<'a> {
    bytes: &'a [u8],
    entries: HashMap<String, Entry>,
    unpacked: std::cell::Cell<u64>,
}

#[derive(Clone, Copy)]
struct Entry {
    method: u16,
    checksum: u32,
    packed: u64,
    unpacked: u64,
    header: u64,
}

impl<'a> Zip<'a> {
    /// Reads the directory.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self> {
        // The end record is 22 bytes and a comment of up to 64 KiB.
        let first = bytes.len().saturating_sub(22 + 65_535);
        let tail = bytes.get(first..).unwrap_or_default();
        let end = tail
            .windows(4)
            .rposition(|window| window == b"PK\x05\x06")
            .ok_or("not a zip archive")?
            + first;
        let mut count = u64::from(u16_at(bytes, end + 10)?);
        let mut directory = u64::from(u32_at(bytes, end + 16)?);
        if directory == u64::from(u32::MAX) || count == u64::from(u16::MAX) {
            let locator = end.checked_sub(20).ok_or("a damaged zip archive")?;
            let record = usize::try_from(u64_at(bytes, locator + 8)?)
                .map_err(|_| "a damaged zip archive")?;
            if bytes.get(record..record.saturating_add(4)) != Some(b"PK\x06\x06") {
                return Err("a damaged zip archive".into());
            }
            count = u64_at(bytes, record + 32)?;
            directory = u64_at(bytes, record + 48)?;
        }
        if count > ENTRIES_MAX as u64 {
            return Err(format!(
                "{count} files in a zip archive are more than the limit of {ENTRIES_MAX}"
            )
            .into());
        }
        let mut entries = HashMap::new();
        let mut at = usize::try_from(directory).map_err(|_| "a damaged zip archive")?;
        for _ in 0..count {
            if bytes.get(at..at.saturating_add(4)) != Some(b"PK\x01\x02") {
                return Err("a damaged zip directory".into());
            }
            let name_len = usize::from(u16_at(bytes, at + 28)?);
            let extra_len = usize::from(u16_at(bytes, at + 30)?);
            let comment_len = usize::from(u16_at(bytes, at + 32)?);
            let name = bytes.get(at + 46..at + 46 + name_len).ok_or("a cut zip directory")?;
            let mut entry = Entry {
                method: u16_at(bytes, at + 10)?,
                checksum: u32_at(bytes, at + 16)?,
                packed: u64::from(u32_at(bytes, at + 20)?),
                unpacked: u64::from(u32_at(bytes, at + 24)?),
                header: u64::from(u32_at(bytes, at + 42)?),
            };
            entry.read_zip64(
                bytes.get(at + 46 + name_len..at + 46 + name_len + extra_len).unwrap_or_default(),
            );
            entries.insert(String::from_utf8_lossy(name).into_owned(), entry);
            at += 46 + name_len + extra_len + comment_len;
        }
        Ok(Self { bytes, entries, unpacked: std::cell::Cell::new(0) })
    }

    /// Bytes of all files once unpacked, as the directory says; no more than an archive may unpack to.
    pub(crate) fn unpacked_bytes(&self) -> usize {
        let said =
            self.entries.values().fold(0_u64, |sum, entry| sum.saturating_add(entry.unpacked));
        let limit = (self.bytes.len() as u64 * RATIO_MAX + FREE_BYTES).min(UNPACKED_BYTES_MAX);
        usize::try_from(said.min(limit)).unwrap_or(usize::MAX)
    }

    /// Names of the files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.entries.keys().cloned().collect();
        names.sort();
        names
    }

    /// Unpacks one file.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let entry = self.entries.get(name).ok_or_else(|| format!("the archive has no {name:?}"))?;
        let total = self.unpacked.get().saturating_add(entry.unpacked);
        let limit = (self.bytes.len() as u64 * RATIO_MAX + FREE_BYTES).min(UNPACKED_BYTES_MAX);
        if total > limit {
            return Err(
                format!("the archive unpacks to more than the limit of {limit} bytes").into()
            );
        }
        self.unpacked.set(total);
        let header = usize::try_from(entry.header).map_err(|_| "a damaged zip archive")?;
        if self.bytes.get(header..header.saturating_add(4)) != Some(b"PK\x03\x04") {
            return Err(format!("{name:?} is not where the archive says").into());
        }
        let start = header
            + 30
            + usize::from(u16_at(self.bytes, header + 26)?)
            + usize::from(u16_at(self.bytes, header + 28)?);
        let packed = usize::try_from(entry.packed)
            .ok()
            .and_then(|len| self.bytes.get(start..start.checked_add(len)?));
        let packed = packed.ok_or_else(|| format!("{name:?} is cut"))?;
        let unpacked = match entry.method {
            0 => packed.to_vec(),
            8 => {
                let mut unpacked = Vec::new();
                let mut reader = DeflateDecoder::new(packed).take(entry.unpacked + 1);
                reader
                    .read_to_end(&mut unpacked)
                    .map_err(|error| format!("{name:?} is damaged: {error}"))?;
                unpacked
            }
            other => {
                return Err(format!(
                    "{name:?} is packed by method {other}; stored and deflated files are read"
                )
                .into());
            }
        };
        if unpacked.len() as u64 != entry.unpacked {
            return Err(format!(
                "{name:?} does not unpack to the {} bytes that the archive says",
                entry.unpacked
            )
            .into());
        }
        let mut checksum = flate2::Crc::new();
        checksum.update(&unpacked);
        if CHECK && checksum.sum() != entry.checksum {
            return Err(format!("{name:?} is damaged: its checksum is another").into());
        }
        Ok(unpacked)
    }
}

impl Entry {
    /// Sizes that do not fit 32 bits are in an extra field, in a fixed order.
    fn read_zip64(&mut self, mut extra: &[u8]) {
        const TOO_LARGE: u64 = u32::MAX as u64;
        while let Some((head, rest)) = extra.split_first_chunk::<4>() {
            let (kind, len) = (
                u16::from_le_bytes([head[0], head[1]]),
                usize::from(u16::from_le_bytes([head[2], head[3]])),
            );
            let (mut field, next) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            if kind == 1 {
                for slot in [&mut self.unpacked, &mut self.packed, &mut self.header] {
                    if *slot == TOO_LARGE
                        && let Some((value, rest)) = field.split_first_chunk::<8>()
                    {
                        *slot = u64::from_le_bytes(*value);
                        field = rest;
                    }
                }
            }
            extra = next;
        }
    }
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or_else(|| "a cut zip archive".into())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    bytes_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    bytes_at(bytes, at).map(u64::from_le_bytes)
}
