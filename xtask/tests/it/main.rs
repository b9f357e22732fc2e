//! Rules of the tree that the compiler does not know.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod architecture;
mod circles;
mod floors;
mod limits_table;
mod network;
mod release;
mod tidy;
mod upstream;
