//! `trainyard --version --verbose`: what the binary is made of, for bug reports and for whoever must know where it came
//! from.

use trainyard_pipeline::Provenance;

/// The commit, where `cargo xtask release` built it. Another build cannot know: what is built may be no commit at all.
const COMMIT: Option<&str> = option_env!("TRAINYARD_RELEASE_COMMIT");

/// Whether more is asked for than the version: `--version --verbose`, `-vV`.
pub(crate) fn is_asked_for_all() -> bool {
    std::env::args_os().skip(1).any(|word| word.to_str().is_some_and(is_verbose))
}

fn is_verbose(word: &str) -> bool {
    let is_short = word.starts_with('-') && !word.starts_with("--");
    word == "--verbose" || (is_short && word.contains('v'))
}

/// All that is known, a line each.
pub(crate) fn all() -> String {
    let is_static = cfg!(target_feature = "crt-static");
    let commit = COMMIT.filter(|commit| !commit.is_empty());
    let provenance = Provenance::of_this_binary().map_or_else(
        || "none: it was built from a checkout".to_owned(),
        |release| format!("{} version {}", release.repository, release.version),
    );
    [
        format!("trainyard {}", env!("CARGO_PKG_VERSION")),
        format!("commit      {}", commit.unwrap_or("not recorded: cargo xtask release records it")),
        format!("rustc       {}", env!("TRAINYARD_BUILD_RUSTC")),
        format!(
            "target      {}, {}, opt-level {}",
            env!("TRAINYARD_BUILD_TARGET"),
            if is_static { "static" } else { "dynamic" },
            env!("TRAINYARD_BUILD_OPT_LEVEL")
        ),
        format!("features    {}", features(is_static)),
        format!("provenance  {provenance}"),
    ]
    .join("\n")
}

/// What is in it. Nothing is left out by a flag of the build; what a static program cannot do is said.
fn features(is_static: bool) -> String {
    let runtime = if is_static {
        "no ONNX Runtime, no drivers of engines (it is static)"
    } else {
        "ONNX Runtime and drivers of engines where they are"
    };
    format!(
        "SQLite, PostgreSQL, S3, Google Cloud Storage, Azure, Docker, ACME, TLS by ring, {runtime}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbose_is_a_flag_of_its_own_or_among_others() {
        for word in ["--verbose", "-v", "-vV", "-Vv"] {
            assert!(is_verbose(word), "{word}");
        }
        for word in ["--version", "-V", "serve", "-"] {
            assert!(!is_verbose(word), "{word}");
        }
    }
}
