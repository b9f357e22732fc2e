//! What goes wrong, as a page.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;
use trainyard_mlflow::Error as StoreError;

use crate::links::Links;
use crate::{frame, page};

/// The result of a page.
pub(crate) type Result<T = Response, E = Error> = std::result::Result<T, E>;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store refused, or does not have it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The HTTP status that fits a failure of the store.
pub(crate) fn status(error: &StoreError) -> StatusCode {
    let status = match error {
        // The server behind this one is at fault, not the browser.
        StoreError::Unreachable { .. } | StoreError::UnexpectedAnswer { .. } => 502,
        _ => error.code().http_status(),
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What the frame around all pages needs to draw a failure; it knows where the site is mounted.
#[derive(Debug, Clone)]
pub(crate) struct Failure(String);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Self::Store(error) = self;
        let status = status(&error);
        if status.is_server_error() || !error.is_answer() {
            tracing::error!(%error, "a page could not be shown");
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(Failure(error.for_clients().to_owned()));
        response
    }
}

/// The answer where no page is.
pub(crate) async fn no_page() -> Error {
    StoreError::not_found("There is no page at this address.").into()
}

/// The page of a failure; any other answer stays as it is.
pub(crate) fn draw(links: &Links, response: Response) -> Response {
    let Some(Failure(message)) = response.extensions().get::<Failure>() else { return response };
    let title = match response.status() {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::BAD_REQUEST => "That does not work",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::BAD_GATEWAY => "The tracking server does not answer",
        _ => "Something failed",
    };
    let typed = frame::typed();
    let body = html! {
        h1 { (title) }
        p.notice.bad { (message) }
        @if !typed.is_empty() {
            h2 { "What you wrote, to copy" }
            @for (field, text) in &typed { p { (field) } (page::code(text)) }
        }
        p {
            "Go back, search, or start again from the " a href=(links.home()) { "first page" } ", the "
            a href=(links.experiments()) { "experiments" } " or the " a href=(links.models()) { "models" } "."
        }
    };
    page::respond(response.status(), &page::layout(links, title, None, &[], &body))
}
