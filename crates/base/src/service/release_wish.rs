//! What people ask for on pages of a model that takes a release: that the host of a service brings a version to users,
//! goes back to one, or judges one. A tag of the registered model like that of a [`ServiceWish`](super::ServiceWish),
//! beside it: a pause that is asked for meanwhile takes its place of nothing.

use serde::{Deserialize, Serialize};

use super::record::cut;
use super::release_answer::{ReleaseAnswer, ReleaseKind, ReleaseState};
use super::wish::{ID_CHARACTERS, is_untimely};

/// Characters of why, as people write it.
pub const RELEASE_REASON_CHARACTERS: usize = 300;

/// Characters of a version's number, of a name, and versions that somebody may have seen beside it: that which users
/// have, that which they are about to get, and one more.
const VERSION_CHARACTERS: usize = 20;
const NAME_CHARACTERS: usize = 200;
const BESIDE_MAX: usize = 3;

/// What the key of a [`release_wish_tag`] begins with.
const RELEASE: &str = "trainyard.service.release.";

/// The key of the tag for the service that is recorded in a run.
pub fn release_wish_tag(run_id: &str) -> String {
    format!("{RELEASE}{run_id}")
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseWish {
    /// Another one each time, so that it is done once.
    pub id: String,
    /// What is to be done.
    pub what: ReleaseKind,
    /// With which version.
    pub version: String,
    /// Versions that users had, or were about to get, where it was asked: beside another one it is not done, as whoever
    /// asked knew nothing of that.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Why; empty where nobody said.
    #[serde(default)]
    pub reason: String,
    /// Who asked, as the tracking server that took the tag knows them; empty where nobody has to say who they are.
    #[serde(default)]
    pub by: String,
    /// When, in milliseconds since 1970 by the clock of whoever wrote it down.
    pub at_ms: i64,
}

impl ReleaseWish {
    /// As the value of a tag.
    pub fn tag(&self) -> String {
        // Texts and numbers alone: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a tag says, which people may have written; none where that is nothing that can be done.
    pub fn read(tag: &str) -> Option<Self> {
        let wish: Self = serde_json::from_str(tag).ok()?;
        let is_known = wish.what != ReleaseKind::Unknown;
        let is_named = !wish.id.is_empty() && wish.id.len() <= ID_CHARACTERS;
        let is_few = wish.beside.len() <= BESIDE_MAX;
        let are_versions = wish.beside.iter().chain([&wish.version]).all(|one| is_version(one));
        let reason = cut(&wish.reason, RELEASE_REASON_CHARACTERS);
        let by = cut(&wish.by, NAME_CHARACTERS);
        (is_known && is_named && is_few && are_versions).then_some(Self { reason, by, ..wish })
    }

    /// What a tag of a model asks for, by its key and value; none of any other tag.
    pub fn of_tag(key: &str, value: &str) -> Option<Self> {
        key.starts_with(RELEASE).then(|| Self::read(value)).flatten()
    }

    /// Whether it was asked too long before or after this moment to be done.
    pub fn is_untimely(&self, now_ms: i64) -> bool {
        is_untimely(self.at_ms, now_ms)
    }

    /// What its host says of it as soon as it is taken.
    pub fn taken(&self, now_ms: i64) -> ReleaseAnswer {
        ReleaseAnswer {
            id: self.id.clone(),
            what: self.what,
            version: self.version.clone(),
            by: self.by.clone(),
            taken_ms: now_ms,
            state: ReleaseState::Doing,
            ..ReleaseAnswer::default()
        }
    }
}

fn is_version(text: &str) -> bool {
    (1..=VERSION_CHARACTERS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> ReleaseWish {
        ReleaseWish {
            id: "1f".to_owned(),
            what: ReleaseKind::Release,
            version: "12".to_owned(),
            beside: vec!["11".to_owned()],
            reason: "better on lilies".to_owned(),
            by: "ada".to_owned(),
            at_ms: 5,
        }
    }

    #[test]
    fn what_can_be_done_is_read_and_nothing_else() {
        let wish = wish();
        assert_eq!(ReleaseWish::of_tag(&release_wish_tag("ab"), &wish.tag()), Some(wish.clone()));
        assert_eq!(ReleaseWish::of_tag(&super::super::wish_tag("ab"), &wish.tag()), None);
        let long = ReleaseWish { reason: format!("a\n{}", "x".repeat(5_000)), ..wish.clone() };
        let read = ReleaseWish::read(&long.tag()).unwrap();
        assert!(read.reason.starts_with("a x") && read.reason.len() == RELEASE_REASON_CHARACTERS);
        for wrong in [
            ReleaseWish { what: ReleaseKind::Unknown, ..wish.clone() },
            ReleaseWish { id: String::new(), ..wish.clone() },
            ReleaseWish { id: "x".repeat(65), ..wish.clone() },
            ReleaseWish { version: String::new(), ..wish.clone() },
            ReleaseWish { version: "1; rm".to_owned(), ..wish.clone() },
            ReleaseWish { beside: vec!["-1".to_owned()], ..wish.clone() },
            ReleaseWish { beside: vec!["1".to_owned(); 4], ..wish.clone() },
        ] {
            assert_eq!(ReleaseWish::read(&wrong.tag()), None, "{wrong:?}");
        }
        let taken = wish.taken(7);
        assert_eq!((taken.state, taken.taken_ms), (ReleaseState::Doing, 7));
        let later = wish.tag().replace("release", "levitate");
        assert_eq!(ReleaseWish::read(&later), None);
        for wrong in ["", "{}", "null", "[]"] {
            assert_eq!(ReleaseWish::read(wrong), None, "{wrong}");
        }
    }
}
