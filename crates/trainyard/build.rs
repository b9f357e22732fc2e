//! Says to the program what it was built by, and has the linker keep one of all functions that are the same but for
//! their name, which generic code is full of: the image counts bytes.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo::rustc-env=TRAINYARD_BUILD_RUSTC={}", version_of(&variable("RUSTC")));
    println!("cargo::rustc-env=TRAINYARD_BUILD_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=TRAINYARD_BUILD_OPT_LEVEL={}", variable("OPT_LEVEL"));
    // Where Rust brings its own linker, which knows the option.
    if variable("TARGET") == "x86_64-unknown-linux-gnu" && variable("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// `1.95.0 (59807616e 2026-04-14)`.
fn version_of(rustc: &str) -> String {
    let output = Command::new(rustc).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.trim().trim_start_matches("rustc ").to_owned()
}
