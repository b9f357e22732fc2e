//! What a host records of a service that it runs, for pages elsewhere: how it is, and what went through over time.
//!
//! All of it is tags of one run, as tags are replaced where values of metrics stay for ever: a service that is recorded
//! each minute for years takes as much room as one of last month.

mod history;
mod record;
mod release_answer;
mod release_wish;
mod ring;
mod traffic;
mod wish;

pub use history::{History, MINUTE_MS};
pub use record::{
    CandidateRecord, CopiesRecord, GatewayMode, InstanceRecord, InstanceRole, SILENT_AFTER_MS,
    ServiceRecord, ServiceState, Teller, WishAnswer, cut,
};
pub use release_answer::{ReleaseAnswer, ReleaseKind, ReleaseState};
pub use release_wish::{RELEASE_REASON_CHARACTERS, ReleaseWish, release_wish_tag};
pub use ring::Row;
pub use traffic::{CLASSES, Traffic};
pub use wish::{
    ServiceWish, WISH_GOOD_FOR_MS, WISH_MESSAGE_CHARACTERS, vouched_run, voucher_tag, wish_tag,
};
