//! The form at the end of every page that chooses its colours.

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect};
use trainyard_mlflow::Error as StoreError;
use url::{Url, form_urlencoded};

use crate::colours::{COOKIE, Colours};
use crate::error::Result;
use crate::site::Web;
use crate::ticket::is_own;

/// Bytes of the form: a name.
const BYTES_MAX: usize = 256;
const YEAR_SECONDS: u32 = 365 * 24 * 3600;

/// Remembers the choice, and leads back to the page where it was made.
pub(crate) async fn choose(State(web): State<Web>, request: Request) -> Result {
    let (parts, body) = request.into_parts();
    let told = "the colours are light, dark, or those of the system";
    if !is_own(&parts) {
        return Err(StoreError::invalid("a page of another site chose colours").into());
    }
    let bytes = to_bytes(body, BYTES_MAX).await;
    let bytes = bytes.map_err(|_too_long| StoreError::invalid(told))?;
    let chosen = form_urlencoded::parse(&bytes).find(|(key, _)| key == "colours");
    let chosen = chosen.and_then(|(_, value)| Colours::read(&value));
    let chosen = chosen.ok_or_else(|| StoreError::invalid(told))?;
    let age = if chosen == Colours::System { 0 } else { YEAR_SECONDS };
    let (name, path) = (chosen.name(), web.links.home());
    let cookie = format!("{COOKIE}={name}; Path={path}; Max-Age={age}; SameSite=Lax; HttpOnly");
    let page = Redirect::to(&back(&parts.headers).unwrap_or(path));
    Ok(([(header::SET_COOKIE, cookie)], page).into_response())
}

/// The page that the form was on, on this server.
fn back(headers: &HeaderMap) -> Option<String> {
    let from = Url::parse(headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    let query = from.query().map(|query| format!("?{query}")).unwrap_or_default();
    // What begins with two of them is another server's.
    let is_path = from.path().starts_with('/') && !from.path().starts_with("//");
    is_path.then(|| format!("{}{query}", from.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_on_this_server() {
        let back = |from: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::REFERER, from.parse().unwrap());
            back(&headers)
        };
        assert_eq!(back("http://a/models/x?page=2#b").as_deref(), Some("/models/x?page=2"));
        assert_eq!(back("http://evil.example/x").as_deref(), Some("/x"));
        assert_eq!((back("http://a//evil.example/"), back("x")), (None, None));
    }
}
