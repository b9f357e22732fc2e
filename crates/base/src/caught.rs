//! Work that may panic on damaged data, in libraries that are not ours: an answer instead of a trace.
//!
//! A panic that is caught is still written to the terminal by the process's hook, with advice for
//! programmers. Here it is not: whoever catches it says in words of their own what is wrong.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught by [`caught`].
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Does work on this thread; `None` if it panicked, of which nothing is written. What it leaves half-done
/// must be nobody's.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(caught(|| 5), Some(5));
        assert_eq!(caught::<()>(|| panic!("damaged")), None);
        assert!(!CAUGHT.get());
    }
}
