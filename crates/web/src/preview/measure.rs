//! How much of a file is read and shown.

use crate::passive_pdf;

/// How much of a file is read and shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// Bytes that are read of a text; one that is longer is cut.
    pub(super) text_bytes: usize,
    /// Largest JSON text or notebook: a part of one is neither.
    pub(super) json_bytes: usize,
    /// Largest Parquet file: its index stands at its end.
    pub(super) parquet_bytes: usize,
    /// Largest PDF file.
    pub(super) pdf_bytes: usize,
    /// Rows and columns of a table.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Entries of a JSON tree.
    pub(super) entries: usize,
    /// Cells of a notebook.
    pub(super) cells: usize,
    /// Level of the heading above.
    pub(super) heading: usize,
}

/// On the page of a file.
pub(crate) const PAGE: Measure = Measure {
    text_bytes: 150_000,
    json_bytes: 1 << 20,
    parquet_bytes: 8 << 20,
    pdf_bytes: passive_pdf::BYTES_MAX,
    rows: 100,
    columns: 60,
    entries: 1_500,
    cells: 200,
    heading: 1,
};

/// Beside others on the page of a run.
pub(super) const INLINE: Measure = Measure {
    text_bytes: 16_000,
    json_bytes: 64_000,
    parquet_bytes: 1 << 20,
    pdf_bytes: 1 << 20,
    rows: 8,
    columns: 12,
    entries: 100,
    cells: 6,
    heading: 3,
};

/// Characters of a cell.
pub(super) const VALUE_CHARS: usize = 200;

/// Bytes that a Parquet file may hold when it is unpacked. Of all pages together, a few are at it at a time
/// ([`crate::turns`]).
pub(super) const UNPACKED_MAX: u64 = 32 << 20;
