//! What people ask of a service on its page: a tag of its registered model, as whoever may change that one may close what
//! serves it. The run of its record is anybody's who may make an experiment.

use serde::{Deserialize, Serialize};

use super::record::{GatewayMode, cut};

/// What its host has not taken for so long, in milliseconds, it does not do any more: whoever asked has turned to
/// something else. Nor what is asked at a moment so far ahead, which would stay good for longer.
pub const WISH_GOOD_FOR_MS: i64 = 10 * 60_000;

/// Characters of the name of a wish.
pub(super) const ID_CHARACTERS: usize = 64;

/// Characters of what users read.
pub const WISH_MESSAGE_CHARACTERS: usize = 200;

/// The key of the tag for the service that is recorded in a run.
pub fn wish_tag(run_id: &str) -> String {
    format!("trainyard.service.wish.{run_id}")
}

/// What the key of a [`voucher_tag`] begins with.
const VOUCHER: &str = "trainyard.service.run.";

/// The key of the tag by which a model says that the run is the record of a service of it: whoever may change the model
/// set it.
pub fn voucher_tag(run_id: &str) -> String {
    format!("{VOUCHER}{run_id}")
}

/// The run that a tag vouches for; none of another tag.
pub fn vouched_run(key: &str) -> Option<&str> {
    key.strip_prefix(VOUCHER).filter(|run_id| !run_id.is_empty())
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceWish {
    /// Another one each time, so that it is done once.
    pub id: String,
    /// What is to become of requests.
    pub mode: GatewayMode,
    /// What users read meanwhile; empty where nothing in particular.
    #[serde(default)]
    pub message: String,
    /// When, in milliseconds since 1970 by the clock of whoever wrote it down.
    pub at_ms: i64,
}

impl ServiceWish {
    /// As the value of a tag.
    pub fn tag(&self) -> String {
        // Texts and numbers alone: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a tag says, which people may have written; none where that is nothing that can be done.
    pub fn read(tag: &str) -> Option<Self> {
        let wish: Self = serde_json::from_str(tag).ok()?;
        let message = cut(&wish.message, WISH_MESSAGE_CHARACTERS);
        let is_known = wish.mode != GatewayMode::Unknown && !wish.id.is_empty();
        (is_known && wish.id.len() <= ID_CHARACTERS).then_some(Self { message, ..wish })
    }

    /// Whether it was asked too long before or after this moment to be done.
    pub fn is_untimely(&self, now_ms: i64) -> bool {
        is_untimely(self.at_ms, now_ms)
    }
}

/// Whether what was asked at one moment is too far from another to be done.
pub(super) fn is_untimely(at_ms: i64, now_ms: i64) -> bool {
    now_ms.abs_diff(at_ms) > WISH_GOOD_FOR_MS.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voucher_says_which_run() {
        assert_eq!(vouched_run(&voucher_tag("ab")), Some("ab"));
        assert_eq!(vouched_run(&voucher_tag("")).or(vouched_run(&wish_tag("ab"))), None);
    }

    #[test]
    fn what_can_be_done_is_read_and_nothing_else() {
        let wish = ServiceWish {
            id: "1f".to_owned(),
            mode: GatewayMode::Maintenance,
            message: "back at 10".to_owned(),
            at_ms: 5,
        };
        assert_eq!(ServiceWish::read(&wish.tag()).as_ref(), Some(&wish));
        let long = ServiceWish { message: format!("a\n{}", "x".repeat(5_000)), ..wish.clone() };
        let read = ServiceWish::read(&long.tag()).unwrap();
        assert!(read.message.starts_with("a x") && read.message.len() == WISH_MESSAGE_CHARACTERS);
        for wrong in [
            "",
            "{}",
            "{\"id\":\"a\",\"mode\":\"ajar\",\"at_ms\":1}",
            "{\"id\":\"\",\"mode\":\"open\",\"at_ms\":1}",
        ] {
            assert_eq!(ServiceWish::read(wrong), None, "{wrong}");
        }
        for (now, is_untimely) in [
            (5, false),
            (5 + WISH_GOOD_FOR_MS, false),
            (6 + WISH_GOOD_FOR_MS, true),
            (5 - WISH_GOOD_FOR_MS, false),
            (4 - WISH_GOOD_FOR_MS, true),
            (i64::MIN, true),
            (i64::MAX, true),
        ] {
            assert_eq!(wish.is_untimely(now), is_untimely, "{now}");
        }
    }
}
