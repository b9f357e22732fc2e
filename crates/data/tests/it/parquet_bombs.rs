//! Small Parquet files that hold, or say that they hold, far more than they are large.

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Field;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use trainyard_base::Budget;
use trainyard_data::{BodyError, BodyLimits, HeadLimits, parquet_head, read_parquet_body};

const LIMITS: BodyLimits = BodyLimits { bytes_max: 32 << 20, rows_max: 1_000_000 };

fn file(columns: Vec<(&str, ArrayRef)>, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<RecordBatch, BodyError> {
    let budget = Budget::new(1 << 30);
    let mut share = budget.take(0).unwrap();
    let result = read_parquet_body(&Bytes::copy_from_slice(bytes), |_| true, LIMITS, &mut share);
    assert!(share.bytes() <= LIMITS.bytes_max, "{} bytes were taken", share.bytes());
    result
}

/// The same long text in every row: 4 GB when each row has its own copy.
fn repeated(rows: usize, length: usize) -> ArrayRef {
    let text = "a".repeat(length);
    // Built without the copies.
    let keys = arrow_array::Int32Array::from(vec![0; rows]);
    let values = Arc::new(StringArray::from(vec![text]));
    Arc::new(arrow_array::DictionaryArray::new(keys, values))
}

#[test]
fn values_that_repeat_are_not_expanded_beyond_the_limit() {
    let dictionary = file(
        vec![("x", repeated(65_536, 65_536))],
        WriterProperties::builder().set_compression(Compression::SNAPPY),
    );
    assert!(dictionary.len() < 10_000, "{} bytes", dictionary.len());
    // Each text shares all of the one before.
    let prefixes = file(
        vec![("x", Arc::new(StringArray::from(vec!["b".repeat(65_536); 2000])))],
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BYTE_ARRAY)
            .set_compression(Compression::ZSTD(ZstdLevel::default())),
    );
    assert!(prefixes.len() < 20_000, "{} bytes", prefixes.len());
    for bytes in [dictionary, prefixes] {
        let error = read(&bytes).unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { .. }), "{error}");
    }
    // Long texts that repeat within the limit are nothing bad.
    let honest = file(
        vec![("x", repeated(200, 65_536)), ("y", repeated(200, 3))],
        WriterProperties::builder(),
    );
    let table = read(&honest).unwrap();
    assert_eq!((table.num_rows(), table.num_columns()), (200, 2));
}

/// A list of all values, in one row.
fn one_row(values: ArrayRef) -> ArrayRef {
    let item = Field::new_list_field(values.data_type().clone(), true);
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Arc::new(ListArray::new(Arc::new(item), offsets, values, None))
}

#[test]
fn one_row_does_not_repeat_a_text_beyond_the_limit() {
    // Fewer rows at a time do not help: there is one, of 2.6 GB.
    let bytes = file(
        vec![("x", one_row(repeated(40_000, 65_536)))],
        WriterProperties::builder().set_compression(Compression::SNAPPY),
    );
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    let error = read(&bytes).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. }), "{error}");
    let limits = HeadLimits { rows: 1, columns: 1, value_chars: 10, bytes_max: LIMITS.bytes_max };
    let error = parquet_head(&Bytes::from(bytes), limits).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. }), "{error}");
    let honest = file(vec![("x", one_row(repeated(200, 65_536)))], WriterProperties::builder());
    assert_eq!(read(&honest).unwrap().num_rows(), 1);
}

#[test]
fn rows_of_nothing_are_counted() {
    // Runs of nulls cost nothing in the file.
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>; 6_000_000]));
    let bytes = file(vec![("x", nulls)], WriterProperties::builder());
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    assert!(matches!(read(&bytes), Err(BodyError::TooManyRows { .. })));
}

/// A number as Thrift's compact protocol writes it.
fn varint(number: u64) -> Vec<u8> {
    let mut left = number << 1;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

#[test]
fn pages_that_lie_about_their_size_are_refused() {
    let text = "c".repeat(20 << 20);
    for compression in
        [Compression::GZIP(GzipLevel::default()), Compression::BROTLI(BrotliLevel::default())]
    {
        let bytes = file(
            vec![("x", Arc::new(StringArray::from(vec![text.clone()])))],
            WriterProperties::builder().set_dictionary_enabled(false).set_compression(compression),
        );
        // Its length, and that of its prefix.
        let claimed = varint((20 << 20) + 4);
        let less = varint(1 << 20);
        assert_eq!(claimed.len(), less.len());
        let at = bytes.windows(claimed.len()).position(|part| part == claimed).unwrap();
        let mut lying = bytes.clone();
        lying[at..at + less.len()].copy_from_slice(&less);
        let error = read(&lying).unwrap_err().to_string();
        assert!(error.contains("more than its header says"), "{error}");
        assert_eq!(read(&bytes).unwrap().num_rows(), 1);
    }
    // Two gigabytes announced.
    let bytes = file(
        vec![("x", Arc::new(StringArray::from(vec!["d".repeat(1 << 20)])))],
        WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_compression(Compression::SNAPPY),
    );
    let claimed = varint((1 << 20) + 4);
    let at = bytes.windows(claimed.len()).position(|part| part == claimed).unwrap();
    let mut lying = bytes.clone();
    lying.splice(at..at + claimed.len(), varint(100 << 20).into_iter().take(claimed.len()));
    let error = read(&lying).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. } | BodyError::Damaged(_)), "{error}");
}

/// Where `part` begins.
fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|here| here == part).unwrap()
}

#[test]
fn dictionaries_that_are_not_compressed_are_as_long_as_they_are() {
    let mut bytes = file(vec![("x", repeated(65_536, 65_536))], WriterProperties::builder());
    // The header says a byte for the dictionary's text and its length; so many rows are 4 GB.
    let at = find(&bytes, &varint(65_536 + 4));
    bytes[at..at + 3].copy_from_slice(&[0x82, 0x80, 0]);
    let error = read(&bytes).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. }), "{error}");
}

#[test]
fn dictionaries_do_not_have_more_entries_than_bytes() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..300));
    let mut bytes = file(vec![("x", numbers)], WriterProperties::builder());
    assert_eq!(read(&bytes).unwrap().num_rows(), 300);
    // DictionaryPageHeader.num_values
    let at = find(&bytes, &[&[0x4c, 0x15][..], &varint(300)].concat()) + 2;
    bytes[at..at + 2].copy_from_slice(&varint(8000));
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.contains("more entries"), "{error}");
}

#[test]
fn values_of_fixed_length_take_it_even_where_they_are_null() {
    let nulls = (0..60_000).map(|_row| None::<[u8; 5]>);
    let column = FixedSizeBinaryArray::try_from_sparse_iter_with_size(nulls, 5).unwrap();
    let mut bytes = file(vec![("x", Arc::new(column))], WriterProperties::builder());
    assert_eq!(read(&bytes).unwrap().num_rows(), 60_000);
    // SchemaElement.type and type_length, in a footer whose length stands before the last mark.
    let at = find(&bytes, &[0x15, 0x0e, 0x15, 0x0a]) + 3;
    let length = varint(i32::MAX as u64);
    let longer = length.len() as u32 - 1;
    bytes.splice(at..=at, length);
    let tail = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) + longer;
    bytes[tail..tail + 4].copy_from_slice(&footer.to_le_bytes());
    let error = read(&bytes).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { .. }), "{error}");
}

#[test]
fn only_wanted_columns_are_decoded() {
    let bytes = file(
        vec![("x", Arc::new(Int64Array::from(vec![1, 2]))), ("huge", repeated(2, 20 << 20))],
        WriterProperties::builder(),
    );
    let budget = Budget::new(1 << 20);
    let mut share = budget.take(0).unwrap();
    let body = Bytes::from(bytes);
    let table = read_parquet_body(&body, |name| name == "x", LIMITS, &mut share).unwrap();
    assert_eq!((table.num_rows(), table.num_columns()), (2, 1));
    // With all of them it would not fit.
    let error = read_parquet_body(&body, |_| true, LIMITS, &mut share).unwrap_err();
    assert!(matches!(error, BodyError::NoRoom(_) | BodyError::TooLarge { .. }), "{error}");
}

#[test]
fn all_codecs_are_read() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..5000).map(|row| format!("text {row}"))));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5000));
        for version in [
            parquet::file::properties::WriterVersion::PARQUET_1_0,
            parquet::file::properties::WriterVersion::PARQUET_2_0,
        ] {
            let properties = WriterProperties::builder()
                .set_compression(compression)
                .set_writer_version(version)
                .set_data_page_row_count_limit(700);
            let bytes = file(vec![("t", texts.clone()), ("n", numbers.clone())], properties);
            let table = read(&bytes).unwrap();
            assert_eq!(table.column(0), &texts, "{compression}");
            assert_eq!(table.column(1), &numbers, "{compression}");
        }
    }
}

#[test]
fn cut_and_changed_files_are_errors_or_tables() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("bcd")]));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let bytes = file(vec![("t", texts)], properties);
    for at in 0..bytes.len() {
        let _cut = read(&bytes[..at]);
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let _changed = read(&changed);
        }
    }
}
