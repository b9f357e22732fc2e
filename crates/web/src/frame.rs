//! What the frame around every page takes from the request for it, wherever it is drawn.

use std::cell::RefCell;

use axum::http::HeaderMap;
use trainyard_base::words::live_parts::DRAWN;
use trainyard_mlflow::team::Myself;

use crate::colours::{self, Colours};

/// Characters of what whoever serves pages says of one that is drawn.
const DRAWN_MAX: usize = 64;

/// What is known of the request.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Up to which change the page will be, as whoever serves it says; empty where nobody does.
    drawn: String,
    colours: Colours,
    me: Option<Myself>,
    /// What was typed into the form that was sent, by the fields' names.
    typed: RefCell<Vec<(String, String)>>,
}

tokio::task_local! {
    static FRAME: Frame;
}

/// Draws a page whose frame is that of a request with these headers, by somebody.
pub(crate) async fn drawing<T>(
    headers: &HeaderMap,
    me: Option<Myself>,
    draw: impl Future<Output = T>,
) -> T {
    let drawn = headers.get(DRAWN).and_then(|drawn| drawn.to_str().ok()).unwrap_or_default();
    let drawn = if drawn.len() <= DRAWN_MAX { drawn.to_owned() } else { String::new() };
    let frame = Frame { drawn, colours: colours::of(headers), me, typed: RefCell::default() };
    FRAME.scope(frame, draw).await
}

/// Up to which change the page is, for its stream; none where nobody said.
pub(crate) fn drawn() -> Option<String> {
    let drawn = FRAME.try_with(|frame| frame.drawn.clone()).ok();
    drawn.filter(|drawn| !drawn.is_empty())
}

/// Who is signed in; none where that is not known.
pub(crate) fn me() -> Option<Myself> {
    FRAME.try_with(|frame| frame.me.clone()).ok().flatten()
}

/// Keeps what was typed into a form, for the page that says that it does not work.
pub(crate) fn keep_typed(fields: Vec<(String, String)>) {
    // Where no page is drawn, none shows it.
    let _kept = FRAME.try_with(|frame| frame.typed.replace(fields));
}

/// What was kept of it.
pub(crate) fn typed() -> Vec<(String, String)> {
    FRAME.try_with(|frame| frame.typed.take()).unwrap_or_default()
}

/// The colours that were chosen.
pub(crate) fn colours() -> Colours {
    FRAME.try_with(|frame| frame.colours).unwrap_or_default()
}
