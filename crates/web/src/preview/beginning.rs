//! The beginning of a file.

use futures::StreamExt as _;
use trainyard_mlflow::Result;
use trainyard_mlflow::artifacts::ByteStream;

/// The beginning of a file.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) bytes: Vec<u8>,
    /// Whether the file is longer.
    pub(super) is_cut: bool,
}

impl Beginning {
    /// At most `bytes_max` bytes; no more than a chunk beyond them is read.
    pub(super) async fn read(mut body: ByteStream, bytes_max: usize) -> Result<Self> {
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > bytes_max {
                break;
            }
        }
        let is_cut = bytes.len() > bytes_max;
        bytes.truncate(bytes_max);
        Ok(Self { bytes, is_cut })
    }

    /// As text. What is no UTF-8 is marked; a mark of the encoding at the start is no text.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
    }
}
