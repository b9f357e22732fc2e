//! Real browsers for tests of pages: headless Chromium by itself, and programs that drive it or Firefox.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Starts Chromium with a profile of its own: two browsers cannot share one, and tests run at once.
fn chromium(arguments: &[String]) -> Output {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let profile = std::env::temp_dir().join(format!(
        "trainyard-chromium-{}-{}",
        std::process::id(),
        STARTED.fetch_add(1, Ordering::Relaxed)
    ));
    let output = Command::new("chromium")
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("chromium: {error}\nhint: `cargo xtask test` installs it"));
    // What is left of a profile is litter at worst; the page is what counts.
    let _ = std::fs::remove_dir_all(&profile);
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

/// The page's DOM once its scripts have had `milliseconds` of their own time, in which waiting for
/// answers does not count: for pages that fetch what they show.
pub fn dom_after(url: &str, milliseconds: u32) -> String {
    settled(url, milliseconds, None)
}

/// The same, and what was asked and answered written to `log`, in Chromium's own form: JSON, a line an event.
pub fn dom_and_log(url: &str, milliseconds: u32, log: &Path) -> String {
    settled(url, milliseconds, Some(format!("--log-net-log={}", log.display())))
}

fn settled(url: &str, milliseconds: u32, flag: Option<String>) -> String {
    let mut arguments = vec![format!("--virtual-time-budget={milliseconds}")];
    arguments.extend(flag);
    arguments.extend(["--dump-dom".to_owned(), url.to_owned()]);
    String::from_utf8_lossy(&chromium(&arguments).stdout).into_owned()
}

/// A picture of the page in a window of this many pixels, as PNG.
pub fn screenshot(url: &str, width: u32, height: u32, target: &Path) {
    chromium(&[
        format!("--window-size={width},{height}"),
        format!("--screenshot={}", target.display()),
        url.to_owned(),
    ]);
}

/// Runs a program of node that drives browsers. By their names it finds the packages that `tests/browser` pins, and what
/// lies in `crates/testkit/browser`. It gets `input` on its standard input; what it writes is returned. Panics with what it
/// said where it fails.
pub fn drive(program: &Path, input: &str) -> String {
    let packages = crate::test_env().join("browser/node_modules");
    assert!(
        packages.join("puppeteer-core").is_dir(),
        "{} is missing\nhint: `cargo xtask test` sets it up",
        packages.display()
    );
    let own = crate::workspace_root().join("crates/testkit/browser");
    let mut node = Command::new("node")
        .arg(program)
        .env("NODE_PATH", format!("{}:{}", packages.display(), own.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}\nhint: `cargo xtask test` installs it"));
    if let Some(mut stdin) = node.stdin.take() {
        // A program that ended before it read says why on its standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = node.wait_with_output().unwrap_or_else(|error| panic!("node: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} ended with {}:\n{said}\n{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
