//! From what the user wrote (file, folder, pattern, `-`) to the files of a table and their bytes.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::csv::input::Input;
use crate::error::{Error, Result, working_folder};
use crate::options::{FILE_BYTES_MAX, FILES_MAX};

/// The name of standard input as a source.
pub const STDIN: &str = "-";

/// What files of these formats begin with.
pub(crate) const GZIP: &[u8] = &[0x1f, 0x8b];
pub(crate) const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const PARQUET: &[u8] = b"PAR1";
/// The longest of them is Arrow IPC's.
const HEAD_BYTES: u64 = 6;

/// How deep folders are searched: partitioned logs are two or three levels deep.
const DEPTH_MAX: usize = 16;

/// File formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated (or other) text with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        })
    }
}

/// One file that a table was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As found; `-` is standard input.
    pub path: PathBuf,
    /// By content, not by name.
    pub format: Format,
    /// Size as stored (compressed).
    pub bytes: u64,
    /// Rows read.
    pub rows: usize,
    /// SHA-256 of the stored bytes in hex, when [`crate::ReadOptions::digest`] asked for it.
    pub sha256: Option<String>,
}

/// Where a table came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As the user wrote it.
    pub name: String,
    /// The files, in the order of the rows.
    pub files: Vec<SourceFile>,
}

impl Source {
    /// Rows of all files.
    pub fn rows(&self) -> usize {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Stored bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// One digest of all content: the file's own SHA-256, or that of all files' digests in order.
    ///
    /// It does not depend on where the files lie. `None` unless digests were asked for.
    pub fn digest(&self) -> Option<String> {
        if let [only] = self.files.as_slice() {
            return only.sha256.clone();
        }
        let mut hasher = Sha256::new();
        for file in &self.files {
            hasher.update(file.sha256.as_ref()?);
            hasher.update(b"\n");
        }
        Some(hex::encode(hasher.finalize()))
    }
}

/// The files a source stands for, sorted by path: a file itself, all tables below a folder, all
/// matches of a pattern, or `-`.
///
/// In folders, hidden files and those that begin with `_` (markers of other tools) are left out.
pub fn files(source: &str) -> Result<Vec<PathBuf>> {
    let source = source.strip_prefix("file://").unwrap_or(source);
    if source == STDIN {
        return Ok(vec![PathBuf::from(STDIN)]);
    }
    let path = Path::new(source);
    // A name may hold pattern characters: what exists is taken as it is.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let mut found = Vec::new();
            collect(path, 0, &mut found)?;
            found.sort();
            if found.is_empty() {
                let hint =
                    "a folder is searched for .csv, .tsv and .parquet files, also .gz and .zst";
                let source_name = format!("{source}/");
                return Err(Error::NoFiles { source_name, hint: hint.to_owned() });
            }
            Ok(found)
        }
        Ok(_) => Ok(vec![path.to_owned()]),
        Err(_) if source.contains(['*', '?', '[']) => matches(source),
        Err(error) => Err(Error::read(path, error)),
    }
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    // As a shell does: `*` does not match hidden files.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let paths = glob::glob_with(pattern, options).map_err(|error| Error::Pattern {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            Error::read(&path, error.into())
        })?;
        if path.is_file() {
            push_limited(&mut found, path)?;
        }
    }
    if found.is_empty() {
        let hint = format!("no file matches; the pattern is relative to {}", working_folder());
        return Err(Error::NoFiles { source_name: pattern.to_owned(), hint });
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(|error| Error::read(folder, error))? {
        let entry = entry.map_err(|error| Error::read(folder, error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(['.', '_']) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            collect(&path, depth + 1, found)?;
        } else if has_table_name(&name) {
            push_limited(found, path)?;
        }
    }
    Ok(())
}

fn push_limited(found: &mut Vec<PathBuf>, path: PathBuf) -> Result<()> {
    if found.len() >= FILES_MAX {
        return Err(Error::Limit {
            path,
            place: String::new(),
            what: "the number of files".to_owned(),
            limit: FILES_MAX.to_string(),
            hint: "name a folder or pattern with fewer files",
        });
    }
    found.push(path);
    Ok(())
}

/// Whether a file of this name is taken for a table where a folder is read.
pub fn has_table_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    [".csv", ".tsv", ".parquet", ".pq"].iter().any(|ending| name.ends_with(ending))
}

/// The content of a file, as far as it must be in memory.
#[derive(Debug)]
pub(crate) enum Content {
    /// CSV text.
    Csv(Text),
    /// A Parquet file on disk: its parts are read when they are needed.
    ParquetFile,
    /// Parquet that had to be read whole (standard input, compressed).
    ParquetBytes(Vec<u8>),
}

/// CSV text that is in memory, or in a file that can be read in any order.
#[derive(Debug)]
pub(crate) enum Text {
    Memory(Vec<u8>),
    /// With its length: what is appended later is not read.
    File(File, u64),
}

impl Text {
    /// The text as the CSV reader takes it.
    pub(crate) fn input<'a>(&'a self, path: &'a Path) -> Result<Input<'a>> {
        match self {
            Self::Memory(text) => Ok(Input::memory(path, text)),
            Self::File(file, length) => Input::file(path, file, *length),
        }
    }
}

/// A file, opened and recognised.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) content: Content,
    pub(crate) stored_bytes: u64,
    pub(crate) sha256: Option<String>,
}

/// Whether the file is a Parquet file on disk, which can be read in parts.
pub(crate) fn is_parquet_file(path: &Path) -> Result<bool> {
    if path == Path::new(STDIN) {
        return Ok(false);
    }
    let mut file = File::open(path).map_err(|error| Error::read(path, error))?;
    Ok(head(path, &mut file)?.starts_with(PARQUET))
}

/// The first bytes of a file, which tell its format.
pub(crate) fn head(path: &Path, file: &mut File) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES as usize);
    file.take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| Error::read(path, error))?;
    Ok(head)
}

/// Opens a file, decompresses it and tells CSV from Parquet by its first bytes.
pub(crate) fn open(path: &Path, digest: bool) -> Result<Opened> {
    let reading = |error| Error::read(path, error);
    if path == Path::new(STDIN) {
        let stored = read_limited(path, std::io::stdin().lock(), 0)?;
        let sha256 = digest.then(|| hex::encode(Sha256::digest(&stored)));
        let stored_bytes = stored.len() as u64;
        let content = decode(path, stored)?;
        return Ok(Opened { content, stored_bytes, sha256 });
    }
    let mut file = File::open(path).map_err(reading)?;
    let metadata = file.metadata().map_err(reading)?;
    let stored_bytes = metadata.len();
    let head = head(path, &mut file)?;
    // What can be read in any order need not be in memory; a pipe cannot.
    if metadata.is_file() && !is_compressed(&head) {
        let sha256 = digest.then(|| file_sha256(path, &file, stored_bytes)).transpose()?;
        let content = if head.starts_with(PARQUET) {
            Content::ParquetFile
        } else {
            check_is_text(path, &head)?;
            check_size(path, stored_bytes)?;
            Content::Csv(Text::File(file, stored_bytes))
        };
        return Ok(Opened { content, stored_bytes, sha256 });
    }
    let stored = read_limited(path, head.as_slice().chain(file), stored_bytes)?;
    let sha256 = digest.then(|| hex::encode(Sha256::digest(&stored)));
    let content = decode(path, stored)?;
    Ok(Opened { content, stored_bytes, sha256 })
}

pub(crate) fn is_compressed(head: &[u8]) -> bool {
    head.starts_with(GZIP) || head.starts_with(ZSTD)
}

/// Recognises and decompresses what was read.
fn decode(path: &Path, stored: Vec<u8>) -> Result<Content> {
    let reading = |error| Error::read(path, error);
    let bytes = if stored.starts_with(GZIP) {
        read_limited(path, flate2::read::MultiGzDecoder::new(stored.as_slice()), 0)
            .map_err(|error| damaged(path, "gzip", error))?
    } else if stored.starts_with(ZSTD) {
        let decoder =
            zstd::stream::read::Decoder::with_buffer(stored.as_slice()).map_err(reading)?;
        read_limited(path, decoder, 0).map_err(|error| damaged(path, "zstd", error))?
    } else {
        stored
    };
    if bytes.starts_with(PARQUET) {
        return Ok(Content::ParquetBytes(bytes));
    }
    check_is_text(path, &bytes)?;
    Ok(Content::Csv(Text::Memory(bytes)))
}

/// Refuses, by its first bytes and its name, what is no CSV.
pub(crate) fn check_is_text(path: &Path, head: &[u8]) -> Result<()> {
    let format = |reason: &str| Error::Format { path: path.to_owned(), reason: reason.to_owned() };
    let name = path.to_string_lossy().to_lowercase();
    match head {
        [b'P', b'K', 3, 4, ..] => Err(format("it looks like a zip or Excel file")),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            Err(format("it is an Arrow IPC (Feather) file"))
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Err(format("it is compressed by bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(format("it is compressed by xz")),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Err(format("it is an old Excel file (.xls)")),
        [b'%', b'P', b'D', b'F', ..] => Err(format("it is a PDF file")),
        [b'O', b'b', b'j', 1, ..] => Err(format("it is an Avro file")),
        _ if is_page(head) => Err(format("it is a web page, perhaps one that asks to sign in")),
        [] => Err(Error::EmptyFile { path: path.to_owned() }),
        _ if name.contains(".parquet") => {
            Err(format("its name says Parquet, but it does not begin with PAR1"))
        }
        _ if [".json", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending)) => {
            Err(format("it is JSON"))
        }
        _ => Ok(()),
    }
}

/// Whether a file begins as HTML does.
fn is_page(head: &[u8]) -> bool {
    let begins =
        |word: &[u8]| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    begins(b"<!DOCT") || begins(b"<html>") || begins(b"<html ")
}

/// A failed decompression is the file's fault, not the disk's.
fn damaged(path: &Path, method: &str, error: Error) -> Error {
    match error {
        Error::Io { source, .. } => Error::Format {
            path: path.to_owned(),
            reason: format!("its {method} compression is damaged or cut off ({source})"),
        },
        other => other,
    }
}

/// Reads to the end, but not beyond [`FILE_BYTES_MAX`].
fn read_limited(path: &Path, reader: impl Read, expected: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected.min(FILE_BYTES_MAX) as usize + 1);
    let count = reader
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::read(path, error))?;
    check_size(path, count as u64)?;
    Ok(bytes)
}

fn check_size(path: &Path, bytes: u64) -> Result<()> {
    if bytes > FILE_BYTES_MAX {
        return Err(Error::Limit {
            path: path.to_owned(),
            place: String::new(),
            what: "the file".to_owned(),
            limit: format!("{} GiB", FILE_BYTES_MAX >> 30),
            hint: "write it as Parquet, or in several files",
        });
    }
    Ok(())
}

/// SHA-256 of a file as it is stored, in hex.
///
/// # Errors
///
/// If it cannot be read.
pub fn file_digest(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(|error| Error::read(path, error))?;
    let bytes = file.metadata().map_err(|error| Error::read(path, error))?.len();
    file_sha256(path, &file, bytes)
}

/// The digest of the first `length` bytes.
pub(crate) fn file_sha256(path: &Path, file: &File, length: u64) -> Result<String> {
    /// Large reads, so that hashing and not system calls take the time.
    const BUFFER: usize = 1 << 20;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; BUFFER];
    let mut at = 0;
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(BUFFER).min(BUFFER);
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(part, at).map_err(|error| Error::read(path, error))?;
        hasher.update(&*part);
        at += wanted as u64;
    }
    Ok(hex::encode(hasher.finalize()))
}
