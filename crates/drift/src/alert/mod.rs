//! Alerts over windows: rules, what they say of a history, and what of it is news.
//!
//! Everything follows from the results of windows, so a rule can be tried on the past and gives there what it would
//! have given, and a look that comes twice tells nothing twice.

mod cause;
mod episode;
mod news;
mod range;
mod rule;
mod series;
mod silence;

pub use cause::CauseNews;
pub use episode::{Episode, episodes, judged_windows};
pub use news::{News, Told, news};
pub use range::Range;
pub use rule::AlertRule;
pub use series::Series;
pub use silence::Silence;
