//! The right to change what lies in a folder: a lock of the kernel on a file there, which is gone with the process that had
//! it.

use std::fs::{File, TryLockError};
use std::io;

/// The lock, as long as it is there; none while another has it.
///
/// # Errors
///
/// Where there are no locks: without them two servers could lose what each other wrote.
pub(super) fn alone(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
