//! What is wrong with a text that is no CSV.

use super::input::Input;
use super::split::Step;
use crate::error::{Error, Result};
use crate::options::RECORD_BYTES_MAX;

/// Text must be UTF-8 without NULs. Blocks are independent: a line break byte is never part of a
/// longer UTF-8 sequence.
pub(super) fn check_text(input: &Input<'_>, start: usize, text: &[u8]) -> Result<()> {
    let nul = memchr::memchr(0, text);
    let invalid = if text.is_ascii() { None } else { std::str::from_utf8(text).err() };
    let invalid = invalid.map(|error| error.valid_up_to());
    let Some(offset) = [nul, invalid].into_iter().flatten().min() else { return Ok(()) };
    let line = input.line_of(start + offset);
    let path = input.path.to_owned();
    Err(match text.get(offset) {
        Some(0) | None => Error::Nul { path, line },
        Some(&byte) => Error::Utf8 {
            path,
            line,
            byte,
            hint: "if it is Latin-1 or Windows text, say --encoding windows-1252, or convert it: iconv -f WINDOWS-1252 -t UTF-8",
        },
    })
}

/// Whether what was found in a part of the file may go on behind that part.
pub(super) fn touches_end(step: Step, position: usize, text: &[u8]) -> bool {
    match step {
        Step::Record | Step::End => position >= text.len(),
        Step::OpenQuote(_) => true,
        Step::TooLong(_) => false,
    }
}

/// The error of a step that is neither a record nor the end, in a part that begins at `start`.
pub(super) fn broken(input: &Input<'_>, start: usize, step: Step) -> Error {
    let path = input.path.to_owned();
    match step {
        Step::TooLong(at) => Error::Limit {
            path,
            place: format!(", line {}", input.line_of(start + at)),
            what: "a record (line)".to_owned(),
            limit: format!("{} MiB", RECORD_BYTES_MAX >> 20),
            hint: "is the file CSV with line breaks? an unclosed quote also swallows lines",
        },
        Step::OpenQuote(at) => Error::OpenQuote { path, line: input.line_of(start + at) },
        Step::Record | Step::End => Error::EmptyFile { path },
    }
}
