//! A real browser for tests of pages: headless Chromium.

use std::path::Path;
use std::process::{Command, Output};

/// Flags without which Chromium calls home, wants a display or a sandbox.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

fn chromium(arguments: &[String]) -> Output {
    let profile = std::env::temp_dir().join(format!("trainyard-chromium-{}", std::process::id()));
    let output = Command::new("chromium")
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("chromium: {error}\nhint: `cargo xtask test` installs it"));
    assert!(
        output.status.success(),
        "chromium {arguments:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The page's DOM after its scripts ran, as HTML.
pub fn dom(url: &str) -> String {
    let output = chromium(&["--dump-dom".to_owned(), url.to_owned()]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A picture of the page in a window of this many pixels, as PNG.
pub fn screenshot(url: &str, width: u32, height: u32, target: &Path) {
    chromium(&[
        format!("--window-size={width},{height}"),
        format!("--screenshot={}", target.display()),
        url.to_owned(),
    ]);
}
