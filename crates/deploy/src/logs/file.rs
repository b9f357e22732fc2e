//! A log that is a file: what is in it, with what was put aside, and what comes.
//!
//! A log that has grown is put aside as `<log>.1` under its writers (`gateway/log_rotation.rs`). Whoever follows it sees it
//! shrink, and finds what it has not read yet in what was put aside.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::excerpt::{Excerpt, Last, Lines};
use super::stamp::Since;
use crate::error::{Error, Result};

/// How often a log that is followed is looked at: soon enough for a person.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes at the end of a log that usually hold the last lines that are wanted.
const TAIL_BYTES: u64 = 1 << 20;

/// The lines of a log that are wanted, with what has no end yet.
pub(super) fn read(path: &Path, excerpt: &Excerpt) -> Result<Vec<String>> {
    let (mut lines, _place, begun) = read_whole_lines(path, excerpt)?;
    lines.extend(begun);
    Ok(lines)
}

/// The whole lines of a log that are wanted, where the next one begins, and what is there of it. One that is being
/// written is followed from its beginning.
pub(super) fn read_whole_lines(path: &Path, excerpt: &Excerpt) -> Result<End> {
    if excerpt.since_ms.is_none()
        && let Some(count) = excerpt.last
        && let Some(read) = read_tail(path, count)?
    {
        return Ok(read);
    }
    let mut last = Last::new(excerpt.max());
    let mut since = Since::new(excerpt.since_ms);
    let mut lines = Lines::default();
    let mut take = |piece: &[u8]| {
        for line in lines.take(piece) {
            if since.lets(&line) {
                last.push(line);
            }
        }
    };
    read_from(&aside(path), 0, &mut take)?;
    let end = read_from(path, 0, &mut take)?;
    let begun = lines.end();
    Ok((last.into_lines(), before(end, begun.as_deref()), begun))
}

/// Lines, the place in the file behind them, and what has no end there yet.
type End = (Vec<String>, u64, Option<String>);

/// The last lines of a log that is longer than they are; none where more of it must be read to know.
fn read_tail(path: &Path, count: usize) -> Result<Option<End>> {
    let length = std::fs::metadata(path).map_or(0, |file| file.len());
    if length <= TAIL_BYTES {
        return Ok(None);
    }
    let mut lines = Lines::default();
    let mut all = Vec::new();
    let mut take = |piece: &[u8]| all.extend(lines.take(piece));
    let end = read_from(path, length - TAIL_BYTES, &mut take)?;
    // The first one is cut.
    if all.len() <= count {
        return Ok(None);
    }
    let begun = lines.end();
    let place = before(end, begun.as_deref());
    Ok(Some((all.split_off(all.len() - count), place, begun)))
}

/// Where a line begins of which there is so much at the end.
fn before(end: u64, begun: Option<&str>) -> u64 {
    end.saturating_sub(begun.map_or(0, |begun| begun.len() as u64))
}

/// Tells the lines that come after a place of a log, until nobody listens or its folder is gone.
pub(super) async fn follow(path: &Path, mut place: u64, tell: &Sender<String>) -> Result<()> {
    let mut lines = Lines::default();
    loop {
        let mut come = Vec::new();
        let mut take = |piece: &[u8]| come.extend(lines.take(piece));
        let length = std::fs::metadata(path).map_or(0, |file| file.len());
        if length < place {
            read_from(&aside(path), place, &mut take)?;
            place = 0;
        }
        place = read_from(path, place, &mut take)?;
        for line in come {
            if tell.send(line).await.is_err() {
                return Ok(());
            }
        }
        let has_folder = path.parent().is_some_and(Path::is_dir);
        if tell.is_closed() || !has_folder {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Reads a file from a place to its end, which is returned. One that is not there is empty.
fn read_from(path: &Path, place: u64, take: &mut dyn FnMut(&[u8])) -> Result<u64> {
    let failed = |source| Error::io("cannot read", path, source);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(place),
        Err(error) => return Err(failed(error)),
    };
    file.seek(SeekFrom::Start(place)).map_err(failed)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut end = place;
    loop {
        let length = file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            return Ok(end);
        }
        take(piece.get(..length).unwrap_or_default());
        end += length as u64;
    }
}

/// Where a log that has grown was put.
fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".1");
    aside.into()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::sync::mpsc;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn what_was_put_aside_is_part_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.log");
        let lines =
            |last, since_ms| read_whole_lines(&path, &Excerpt { last, since_ms }).unwrap().0;
        assert_eq!(lines(None, None), Vec::<String>::new());
        append(&aside(&path), "2023-11-14T22:13:19Z a\n2023-11-14T22:13:20Z b\n");
        append(&path, "c\n2023-11-14T22:13:21Z d\nhalf");
        assert_eq!(lines(Some(1), None), ["2023-11-14T22:13:21Z d"]);
        assert_eq!(lines(Some(3), None).first().unwrap(), "2023-11-14T22:13:20Z b");
        assert_eq!(lines(None, Some(1_700_000_000_000)).len(), 3);
        assert_eq!(lines(Some(2), Some(1_700_000_000_000)).len(), 2);
        assert_eq!(read(&path, &Excerpt::default()).unwrap().last().unwrap(), "half");
        let (_, place, _) = read_whole_lines(&path, &Excerpt::default()).unwrap();
        assert_eq!(place, std::fs::metadata(&path).unwrap().len() - 4);
        // Of a long one only the end is read.
        append(&path, &format!("\n{}", "a line of some length\n".repeat(100_000)));
        assert_eq!(lines(Some(2), None), ["a line of some length"; 2]);
        assert_eq!(lines(Some(90_000), None).len(), 90_000);
    }

    #[tokio::test]
    async fn a_log_is_followed_over_its_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instance").join("output.log");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        append(&path, "old\n");
        let (tell, mut told) = mpsc::channel(16);
        let following = tokio::spawn({
            let path = path.clone();
            async move { follow(&path, 4, &tell).await }
        });
        append(&path, "one\ntw");
        assert_eq!(told.recv().await.unwrap(), "one");
        append(&path, "o\nlonger than what comes after\n");
        assert_eq!(told.recv().await.unwrap(), "two");
        assert_eq!(told.recv().await.unwrap(), "longer than what comes after");
        // Put aside with a line that nobody has read yet.
        let mut all = std::fs::read(&path).unwrap();
        all.extend_from_slice(b"three\n");
        std::fs::write(aside(&path), all).unwrap();
        std::fs::write(&path, "four\n").unwrap();
        assert_eq!(told.recv().await.unwrap(), "three");
        assert_eq!(told.recv().await.unwrap(), "four");
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        following.await.unwrap().unwrap();
        assert_eq!(told.recv().await, None);
    }
}
