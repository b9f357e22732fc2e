//! Which lines of a log are wanted, and where lines that come are put together.

use std::collections::VecDeque;

/// Lines that are held at most, the last ones: a log that is put aside at 32 MiB has some hundred thousand.
const LINES_MAX: usize = 100_000;

/// Bytes of a line that are shown; the rest of a longer one goes on in the next.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Excerpt {
    /// The last ones, at most so many.
    pub(crate) last: Option<usize>,
    /// Those since then, in milliseconds since 1970.
    pub(crate) since_ms: Option<u64>,
}

impl Excerpt {
    /// How many lines are held.
    pub(super) fn max(&self) -> usize {
        self.last.unwrap_or(LINES_MAX).min(LINES_MAX)
    }
}

/// The last lines of many.
#[derive(Debug)]
pub(super) struct Last {
    lines: VecDeque<String>,
    max: usize,
}

impl Last {
    pub(super) fn new(max: usize) -> Self {
        Self { lines: VecDeque::new(), max }
    }

    pub(super) fn push(&mut self, line: String) {
        if self.lines.len() == self.max {
            self.lines.pop_front();
        }
        if self.max > 0 {
            self.lines.push_back(line);
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// Bytes that come in pieces, as lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that a piece completes.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.begun.extend_from_slice(part);
            // The last part has no end yet.
            if parts.peek().is_some() || self.begun.len() >= LINE_BYTES_MAX {
                lines.push(self.rest());
            }
        }
        lines
    }

    /// What has no end, if there is anything.
    pub(crate) fn end(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.rest())
    }

    fn rest(&mut self) -> String {
        let line = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&line);
        text.strip_suffix('\r').unwrap_or(&text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"one\ntw"), ["one"]);
        assert_eq!(lines.take(b"o"), Vec::<String>::new());
        assert_eq!(lines.take(b"\r\n\nthree\n"), ["two", "", "three"]);
        assert_eq!(lines.end(), None);
        assert_eq!(lines.take(b"four"), Vec::<String>::new());
        assert_eq!(lines.end().as_deref(), Some("four"));
        // One without an end does not fill the memory.
        let long = vec![b'x'; 3 * LINE_BYTES_MAX];
        assert_eq!(lines.take(&long).len(), 1);
        assert_eq!(lines.end(), None);
    }

    #[test]
    fn only_the_last_are_held() {
        let mut last = Last::new(2);
        for number in 0..5 {
            last.push(number.to_string());
        }
        assert_eq!(last.into_lines(), ["3", "4"]);
        let mut none = Last::new(0);
        none.push("x".to_owned());
        assert_eq!(none.into_lines(), Vec::<String>::new());
    }
}
