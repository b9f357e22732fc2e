//! Memory to spend on data.

pub use trainyard_base::size::Bytes;

/// Half of the memory that is free now, in this machine and in this container.
pub(super) fn half_of_free() -> u64 {
    /// Where nothing can be found out: what a small machine has to spare.
    const UNKNOWN: u64 = 1 << 30;
    trainyard_base::memory::available(None).unwrap_or(UNKNOWN) / 2
}
