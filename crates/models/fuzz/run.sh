#!/bin/sh
# Builds a target with coverage on the stable compiler and runs it: run.sh TARGET [libFuzzer options].
set -eu
cd "$(dirname "$0")"
target=$1
shift
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on"
RUSTFLAGS="--cfg fuzzing $coverage" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    cargo build --release --target "$(rustc -vV | sed -n 's/host: //p')" --bin "$target"
mkdir -p "seeds/$target" "corpus/$target"
exec target/*/release/"$target" -rss_limit_mb=2048 -max_len=200000 "$@" "corpus/$target" "seeds/$target"
