//! Rules of the tree that the compiler does not know.

mod floors;
mod tidy;
