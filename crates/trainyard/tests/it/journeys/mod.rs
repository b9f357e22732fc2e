//! The pages as people use them, in Chromium and Firefox: questions are answered in as many clicks as are said here, with
//! and without scripts, on a large screen and a small one, with a mouse and with a keyboard alone; and nobody is kept out.

mod barriers;
mod released;
mod site;
mod walked;

use std::path::{Path, PathBuf};

use serde_json::Value;
use site::Site;
use trainyard_testkit::{browser, workspace_root};

#[test]
fn questions_are_answered_in_few_clicks_and_nobody_is_kept_out() {
    let site = Site::new();
    // Both at once: one waits for Firefox, the other for axe.
    let (otherwise, barriers) = std::thread::scope(|scope| {
        let barriers = scope.spawn(|| barriers::found(&site));
        (walked::otherwise(&site), barriers.join().unwrap())
    });
    assert!(otherwise.is_empty(), "{} journeys:\n{}", otherwise.len(), otherwise.join("\n"));
    assert!(barriers.is_empty(), "{} barriers:\n{}", barriers.len(), barriers.join("\n"));
}

/// Runs a program that drives browsers, and reads its answer.
fn drive(program: &Path, input: &Value) -> Value {
    let said = browser::drive(program, &input.to_string());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// A program beside these files.
fn own(name: &str) -> PathBuf {
    workspace_root().join("crates/trainyard/tests/it/journeys").join(name)
}
