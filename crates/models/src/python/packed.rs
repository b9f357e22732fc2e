//! Files that joblib has compressed.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::refusal::Result;

/// Bytes that a file may unpack to: for each of its own, in any case, and at most; as of archives.
const RATIO_MAX: u64 = 100;
const FREE_BYTES: u64 = 64 << 20;
const UNPACKED_BYTES_MAX: u64 = 4 << 30;

/// How a file is compressed that is not read here, by its first bytes.
pub(crate) fn foreign_compression(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 4] =
        [(b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"), (b"\x5d\0\0", "lzma"), (b"\x04\"M\x18", "lz4")];
    kinds.into_iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| name)
}

/// The bytes of a pickle, without the zlib or gzip around them. No pickle starts as these do.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if bytes.starts_with(b"\x78") {
        return inflated(bytes).map(Cow::Owned);
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return gunzipped(bytes).map(Cow::Owned);
    }
    Ok(Cow::Borrowed(bytes))
}

/// Bytes that a file of this size may unpack to.
fn limit(bytes: &[u8]) -> u64 {
    (bytes.len() as u64 * RATIO_MAX + FREE_BYTES).min(UNPACKED_BYTES_MAX)
}

fn check(content: &[u8], limit: u64) -> Result<()> {
    if content.len() as u64 > limit {
        return Err(format!("the compressed file unpacks to more than {limit} bytes").into());
    }
    Ok(())
}

fn gunzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    let limit = limit(bytes);
    let mut content = Vec::new();
    let read = GzDecoder::new(bytes).take(limit + 1).read_to_end(&mut content);
    read.map_err(|error| format!("the compressed file is damaged or cut: {error}"))?;
    check(&content, limit)?;
    Ok(content)
}

/// Step by step: flate2's reader takes the end of a cut file for that of its content.
fn inflated(bytes: &[u8]) -> Result<Vec<u8>> {
    /// Room that is made at least for each step.
    const STEP: usize = 1 << 16;
    let limit = limit(bytes);
    let mut stream = Decompress::new(true);
    let mut content = Vec::new();
    loop {
        content.reserve(STEP);
        let (read, written) = (stream.total_in(), content.len());
        let rest = usize::try_from(read).ok().and_then(|read| bytes.get(read..));
        let status = stream
            .decompress_vec(rest.unwrap_or_default(), &mut content, FlushDecompress::None)
            .map_err(|error| format!("the compressed file is damaged: {error}"))?;
        check(&content, limit)?;
        if status == Status::StreamEnd {
            return Ok(content);
        }
        if stream.total_in() == read && content.len() == written {
            return Err("the compressed file is cut".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_files_are_unpacked_whole_or_refused() {
        let content = b"\x80\x04K\x01.".repeat(100);
        let file = packed(&content);
        assert_eq!(*unpacked(&file).unwrap(), *content);
        assert_eq!(*unpacked(&content).unwrap(), *content);
        assert!(unpacked(&file[..file.len() - 1]).is_err(), "cut");
        let bomb = packed(&vec![0; 80 << 20]);
        assert!(unpacked(&bomb).unwrap_err().to_string().contains("more than"));
        assert_eq!(foreign_compression(b"BZh91AY"), Some("bz2"));
        assert_eq!(foreign_compression(&content), None);
    }
}
