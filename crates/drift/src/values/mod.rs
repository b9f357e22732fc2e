//! The values of a column: read from Arrow, cleaned, and sorted or counted.

pub(crate) mod arrow;
mod dictionary;
pub(crate) mod disk;
pub(crate) mod family;
mod memory;
mod microaggregation;
mod native;
pub(crate) mod normal;
mod numbers;
mod pair;
mod primitive;
mod radix;
pub(crate) mod rows;
mod sorted;
mod strings;
mod sum;

pub(crate) use arrow::Values;
pub(crate) use memory::InMemory;
pub(crate) use microaggregation::Averaged;
pub(crate) use native::Native;
pub(crate) use numbers::{Numbers, Precision};
pub(crate) use pair::Pair;
pub(crate) use primitive::Infinities;
pub(crate) use sorted::Sorted;
pub(crate) use strings::{Strings, merge as merge_strings};
pub(crate) use sum::CompensatedSum;
