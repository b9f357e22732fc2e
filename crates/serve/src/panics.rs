//! A panic on the path of a request is an answer, a count and a line in the log.
//!
//! What panics says why, and that may repeat the data of a request; so nothing of it is written but the
//! place in the code.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind, set_hook, take_hook};
use std::pin::pin;
use std::sync::Once;

thread_local! {
    /// Whether somebody here waits for panics.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// Where the last one happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Work broke off; where.
#[derive(Debug)]
pub(crate) struct Panicked {
    place: String,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl Panicked {
    fn of(payload: Box<dyn Any + Send>) -> Self {
        match payload.downcast::<Self>() {
            Ok(known) => *known,
            Err(_message) => {
                let place = PLACE.with_borrow_mut(Option::take);
                Self { place: place.unwrap_or_else(|| "an unknown place".to_owned()) }
            }
        }
    }

    /// Breaks off here as well, for whoever waits for it further up.
    pub(crate) fn go_on(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

/// From here on, panics that somebody waits for are not written to the terminal.
pub(crate) fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if GUARDED.get() {
                let place = info.location().map(place_of);
                PLACE.with_borrow_mut(|last| *last = place);
            } else {
                before(info);
            }
        }));
    });
}

/// File and line, without the folders of the machine on which this was compiled.
fn place_of(location: &Location<'_>) -> String {
    let mut parts: Vec<&str> = location.file().rsplit(['/', '\\']).take(4).collect();
    parts.reverse();
    format!("{}:{}", parts.join("/"), location.line())
}

/// Does work, or says where it broke off. What it leaves half-done must be nobody's: predictors do not
/// change, and a request is its own.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.map_err(Panicked::of)
}

/// The same for work that waits.
pub(crate) async fn caught_async<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    poll_fn(|context| match caught(|| work.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => std::task::Poll::Ready(Err(panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_told_and_nothing_else() {
        keep_quiet();
        let panicked = caught::<()>(|| panic!("secret {}", 5)).unwrap_err();
        let place = panicked.to_string();
        assert!(place.contains("serve/src/panics.rs:"), "{place}");
        let again = caught::<()>(|| panicked.go_on()).unwrap_err();
        assert_eq!(again.to_string(), place);
        assert_eq!(caught(|| 5).unwrap(), 5);
        assert!(!GUARDED.get());
    }
}
