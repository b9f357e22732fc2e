//! Every format over real verdicts, and the page in a real browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod formats;
mod page;
mod samples;
