#!/bin/sh
# Builds the server and prints the table; arguments go to bench.py.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release
exec target/test-env/python/bin/python bench/tracking/bench.py "$@"
