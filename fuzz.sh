#!/bin/sh
# Builds a fuzz target with coverage on the stable compiler and runs it:
#   ./fuzz.sh CRATE TARGET [options of libFuzzer]
#   ./fuzz.sh data csv -max_total_time=60
set -eu
cd "$(dirname "$0")/crates/$1/fuzz"
target=$2
shift 2
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../../target/fuzz}"
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on"
host=$(rustc -vV | sed -n 's/host: //p')
RUSTFLAGS="--cfg fuzzing $coverage" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    cargo build --release --target "$host" --bin "$target"
mkdir -p "seeds/$target" "corpus/$target"
exec "$CARGO_TARGET_DIR/$host/release/$target" -rss_limit_mb=2048 -max_len=200000 "$@" "corpus/$target" "seeds/$target"
