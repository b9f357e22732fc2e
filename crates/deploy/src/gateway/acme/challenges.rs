//! The texts that an authority fetches by HTTP to see that a name leads here (RFC 8555, `http-01`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the authority asks; a token follows.
const PATH: &str = "/.well-known/acme-challenge/";

/// The challenges that are answered now: token → key authorisation.
#[derive(Default)]
pub(crate) struct Challenges {
    by_token: Mutex<HashMap<String, String>>,
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").field("count", &self.by_token().len()).finish_non_exhaustive()
    }
}

impl Challenges {
    /// What is answered to a GET of this path, if it asks for a challenge of now.
    pub(crate) fn answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(PATH)?;
        self.by_token().get(token).cloned()
    }

    pub(super) fn show(&self, token: &str, authorization: &str) {
        self.by_token().insert(token.to_owned(), authorization.to_owned());
    }

    pub(super) fn clear(&self) {
        self.by_token().clear();
    }

    fn by_token(&self) -> MutexGuard<'_, HashMap<String, String>> {
        // Each change is one call, so a panic elsewhere is no harm.
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_answered_while_they_are_shown() {
        let challenges = Challenges::default();
        let path = "/.well-known/acme-challenge/token-1";
        assert_eq!(challenges.answer(path), None);
        challenges.show("token-1", "token-1.thumb");
        assert_eq!(challenges.answer(path).as_deref(), Some("token-1.thumb"));
        for other in
            ["/.well-known/acme-challenge/", "/token-1", "/.well-known/acme-challenge/token-2"]
        {
            assert_eq!(challenges.answer(other), None, "{other}");
        }
        challenges.clear();
        assert_eq!(challenges.answer(path), None);
    }
}
