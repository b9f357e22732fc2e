//! Bytes in and out of a location, a few parts at a time.

use std::io::SeekFrom;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use object_store::path::Path as StorePath;
use object_store::{
    GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutPayload,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use trainyard_mlflow::artifacts::{ArtifactFile, ByteRange, ByteStream};
use trainyard_mlflow::{Error, Result};

use super::error::{is_missing, is_nowhere, no_such_artifact, storage};
use super::location::{Location, local_path};
use super::memory::{Held, Memory};

/// Bytes read from a local file at a time: object_store's own 8 KiB cost a thread hop each.
const READ_BYTES: usize = 256 << 10;

/// Parts of the usual size in one upload to a store that takes 10,000 (S3): with 8 MiB each, 64 GiB.
const SMALL_PARTS_MAX: usize = 8000;
/// How much larger the parts after those are: room for another 125 GiB.
const LARGE_PART_FACTOR: usize = 8;
/// What a larger part may take of all the memory, at most.
const LARGE_PART_OF_MEMORY: u64 = 8;

/// Bytes of the parts that come after so many.
fn part_bytes(location: &Location, memory: &Memory, parts: usize) -> usize {
    let usual = location.part_bytes;
    if parts < SMALL_PARTS_MAX {
        return usual;
    }
    // Stores count parts: a very large file gets larger ones, if they fit.
    let fits = memory.bytes_max() / LARGE_PART_OF_MEMORY;
    usize::try_from(fits).unwrap_or(usize::MAX).clamp(usual, usual * LARGE_PART_FACTOR)
}

/// Writes or replaces one object; readers see the old one until the new one is whole.
pub(super) async fn write(
    location: &Location,
    path: &StorePath,
    mut body: ByteStream,
    memory: &Memory,
) -> Result<()> {
    let mut part = Part::new(memory)?;
    while let Some(chunk) = body.next().await {
        part.push(chunk?)?;
        if part.bytes >= location.part_bytes {
            return write_parts(location, path, part, body, memory).await;
        }
    }
    location.store.put(path, part.take()).await.map_err(|error| storage(path, &error))?;
    Ok(())
}

/// The same for what does not fit in one part.
async fn write_parts(
    location: &Location,
    path: &StorePath,
    mut part: Part,
    mut body: ByteStream,
    memory: &Memory,
) -> Result<()> {
    let mut upload =
        location.store.put_multipart(path).await.map_err(|error| storage(path, &error))?;
    let sent: Result<()> = async {
        let mut parts = 0_usize;
        loop {
            if part.bytes >= part_bytes(location, memory, parts) {
                upload.put_part(part.take()).await.map_err(|error| storage(path, &error))?;
                part.held.resize(0)?;
                parts += 1;
            }
            match body.next().await {
                Some(chunk) => part.push(chunk?)?,
                None => break,
            }
        }
        if part.bytes > 0 {
            upload.put_part(part.take()).await.map_err(|error| storage(path, &error))?;
        }
        Ok(())
    }
    .await;
    match sent {
        Ok(()) => {
            upload.complete().await.map_err(|error| storage(path, &error))?;
            Ok(())
        }
        Err(error) => {
            // The caller hears of the first failure; a leftover part is only clutter.
            if let Err(abort) = upload.abort().await {
                tracing::warn!(%path, error = %abort, "could not remove the parts of a failed upload");
            }
            Err(error)
        }
    }
}

/// Opens one object. `name` is what the caller calls it, for the message when it is not there.
pub(super) async fn open(
    location: &Location,
    path: &StorePath,
    name: &str,
    range: Option<ByteRange>,
) -> Result<ArtifactFile> {
    let not_there = |error| {
        if is_missing(&error) { no_such_artifact(name) } else { storage(path, &error) }
    };
    let mut options = GetOptions::default();
    // Over the network only what is asked for is fetched; a local file is just opened.
    if let Some(range) = range.filter(|_| !location.is_local()) {
        let meta = location.store.head(path).await.map_err(not_there)?;
        match range.resolve(meta.size) {
            Some(bytes) => options.range = Some(GetRange::Bounded(bytes)),
            None => return Ok(opened(&meta, None, futures::stream::empty().boxed())),
        }
    }
    let result = location.store.get_opts(path, options).await.map_err(not_there)?;
    let meta = result.meta.clone();
    let Some(bytes) = range.map_or(Some(0..meta.size), |range| range.resolve(meta.size)) else {
        return Ok(opened(&meta, None, futures::stream::empty().boxed()));
    };
    let wanted = Some(bytes.clone());
    let body: ByteStream = match result.payload {
        GetResultPayload::File(file, _path) => {
            if location.bounds().is_some_and(|bounds| !bounds.hold_open(&file)) {
                return Err(no_such_artifact(name));
            }
            let mut file = tokio::fs::File::from_std(file);
            let failed = path.clone();
            if bytes.start > 0 {
                file.seek(SeekFrom::Start(bytes.start))
                    .await
                    .map_err(|error| Error::io(failed.as_ref(), error))?;
            }
            ReaderStream::with_capacity(file.take(bytes.end - bytes.start), READ_BYTES)
                .map(move |chunk| chunk.map_err(|error| Error::io(failed.as_ref(), error)))
                .boxed()
        }
        GetResultPayload::Stream(stream) => {
            let failed = path.clone();
            stream.map(move |chunk| chunk.map_err(|error| storage(&failed, &error))).boxed()
        }
    };
    Ok(opened(&meta, wanted, body))
}

fn opened(meta: &ObjectMeta, range: Option<Range<u64>>, body: ByteStream) -> ArtifactFile {
    ArtifactFile {
        size: meta.size,
        modified_ms: Some(meta.last_modified.timestamp_millis()),
        etag: meta.e_tag.clone(),
        range,
        body,
    }
}

/// Removes every object below `path`, or `path` itself.
pub(super) async fn remove(location: &Location, path: &StorePath) -> Result<()> {
    if location.is_local() {
        return remove_local(&local_path(path)).await;
    }
    let store: &dyn ObjectStore = location.store.as_ref();
    let below = store.list(Some(path)).map(|entry| entry.map(|meta| meta.location)).boxed();
    let mut deleted = store.delete_stream(below);
    while let Some(result) = deleted.next().await {
        ignore_missing(path, result)?;
    }
    ignore_missing(path, store.delete(path).await)
}

/// On a disk folders exist without files, and what a symlink points to is not below it.
async fn remove_local(file: &std::path::Path) -> Result<()> {
    let removed = match tokio::fs::symlink_metadata(file).await {
        Ok(found) if found.is_dir() => tokio::fs::remove_dir_all(file).await,
        Ok(_file) => tokio::fs::remove_file(file).await,
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if !is_nowhere(error.kind()) => Err(Error::io(file, error)),
        _ => Ok(()),
    }
}

fn ignore_missing<T>(path: &StorePath, result: object_store::Result<T>) -> Result<()> {
    match result {
        Err(error) if !is_missing(&error) => Err(storage(path, &error)),
        _ => Ok(()),
    }
}

/// Chunks on their way to becoming one write.
struct Part {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// Those of them that came in for this upload.
    counted: usize,
    /// What they take of the memory, until they are written.
    held: Held,
}

impl Part {
    /// Chunks smaller than this are copied together: a vector of tiny slices would keep the much
    /// larger buffers alive that they point into.
    const COPY_BELOW: usize = 64 << 10;
    /// No chunk that comes over a network is so large. One that is was whole in this process before,
    /// where it is counted by whoever made it.
    const OWN_CHUNK_BYTES: usize = 1 << 20;
    /// What a byte takes: itself and its copy.
    const COST: u64 = 2;

    fn new(memory: &Memory) -> Result<Self> {
        Ok(Self { chunks: Vec::new(), bytes: 0, counted: 0, held: memory.hold()? })
    }

    fn push(&mut self, chunk: Bytes) -> Result<()> {
        if chunk.len() < Self::OWN_CHUNK_BYTES {
            self.counted += chunk.len();
        }
        self.held.resize((self.counted as u64).saturating_mul(Self::COST))?;
        self.bytes += chunk.len();
        self.chunks.push(chunk);
        Ok(())
    }

    fn take(&mut self) -> PutPayload {
        self.bytes = 0;
        self.counted = 0;
        let chunks = std::mem::take(&mut self.chunks);
        if chunks.iter().all(|chunk| chunk.len() >= Self::COPY_BELOW) {
            return chunks.into_iter().collect();
        }
        let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
        for chunk in &chunks {
            whole.extend_from_slice(chunk);
        }
        PutPayload::from_bytes(whole.freeze())
    }
}
