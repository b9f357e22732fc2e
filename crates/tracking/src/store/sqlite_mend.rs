//! Brings the write-ahead log of an SQLite file onto the disk after a sync failed.
//!
//! The kernel says once that it could not write something. Then it may take it for written: the next sync succeeds and
//! proves nothing, also in another process. So the log is read back, held against its own checksums, and written over
//! itself as it is, which has the kernel write all of it again: a sync of that which succeeds is about everything that
//! was committed. What cannot be read back as it was written is refused, and nothing is stored.
//!
//! What a sync of the database's own file did not keep is in the log as well, and is copied once more by SQLite.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Bytes of the log's head, and of that of a frame, behind which is a page.
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// What a log begins with, but for its last bit: whether the words of checksums have their largest byte first.
const MAGIC: u32 = 0x377f_0682;
/// What a page of a database may have.
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 512..=65536;

/// Writes the head and so many frames of a log over themselves. Nobody else may write to it meanwhile; whoever reads it
/// reads the same. The caller syncs.
pub(super) fn rewrite(log: &File, frames: u64) -> io::Result<()> {
    let mut head = [0; HEAD];
    log.read_exact_at(&mut head, 0)?;
    let (magic, page_bytes, salts) = (word(&head, 0), word(&head, 8), &head[16..24]);
    let mut sum = Sum { is_big: magic & 1 == 1, words: (0, 0) };
    sum.add(&head[..24]);
    if magic & !1 != MAGIC || !PAGE_BYTES.contains(&page_bytes) || sum.words != words(&head[24..]) {
        return Err(io::Error::other("the head of the log is not what was written"));
    }
    log.write_all_at(&head, 0)?;
    let mut frame = vec![0; FRAME_HEAD + page_bytes as usize];
    for number in 0..frames {
        let place = HEAD as u64 + number * frame.len() as u64;
        log.read_exact_at(&mut frame, place)?;
        sum.add(&frame[..8]);
        sum.add(&frame[FRAME_HEAD..]);
        if &frame[8..16] != salts || sum.words != words(&frame[16..FRAME_HEAD]) {
            let message = format!("page {number} of the log is not what was written");
            return Err(io::Error::other(message));
        }
        log.write_all_at(&frame, place)?;
    }
    Ok(())
}

/// SQLite's checksum: of the head, and from there on through all frames.
struct Sum {
    is_big: bool,
    words: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.words;
        for pair in bytes.chunks_exact(8) {
            let (left, right) = words(pair);
            let (left, right) =
                if self.is_big { (left, right) } else { (left.swap_bytes(), right.swap_bytes()) };
            first = first.wrapping_add(left).wrapping_add(second);
            second = second.wrapping_add(right).wrapping_add(first);
        }
        self.words = (first, second);
    }
}

/// A number of four bytes, the largest first.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.iter().skip(at).take(4).fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Two of them.
fn words(bytes: &[u8]) -> (u32, u32) {
    (word(bytes, 0), word(bytes, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that SQLite wrote, and how many frames it has.
    fn log() -> (tempfile::TempDir, rusqlite::Connection, File, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mlflow.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1)").unwrap();
        connection.execute("INSERT INTO t VALUES (zeroblob(9000))", []).unwrap();
        let log = folder.path().join("mlflow.db-wal");
        let log = File::options().read(true).write(true).open(log).unwrap();
        let frames = (log.metadata().unwrap().len() - HEAD as u64) / (4096 + FRAME_HEAD as u64);
        (folder, connection, log, frames)
    }

    fn bytes(log: &File) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(log.metadata().unwrap().len()).unwrap()];
        log.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn a_log_is_as_it_was() {
        let (_folder, connection, log, frames) = log();
        assert!(frames > 4, "{frames}");
        let before = bytes(&log);
        rewrite(&log, frames).unwrap();
        assert!(bytes(&log) == before);
        let sum: i64 =
            connection.query_row("SELECT sum(length(n)) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 9001);
    }

    #[test]
    fn each_bit_that_is_another_is_found_and_so_is_what_is_missing() {
        let (_folder, _connection, log, frames) = log();
        let whole = bytes(&log);
        let frame = FRAME_HEAD + 4096;
        // The head, the head of a frame but for its page's number in the index, and some of a page.
        let places = (0..HEAD).chain((0..FRAME_HEAD).map(|at| HEAD + 2 * frame + at));
        for place in places.chain((0..8).map(|at| HEAD + frame + FRAME_HEAD + at * 512)) {
            let flipped = whole[place] ^ 1 << (place % 8);
            log.write_all_at(&[flipped], place as u64).unwrap();
            rewrite(&log, frames).expect_err(&place.to_string());
            log.write_all_at(&whole[place..=place], place as u64).unwrap();
        }
        rewrite(&log, frames).unwrap();
        rewrite(&log, frames + 1).expect_err("one more than there are");
    }
}
