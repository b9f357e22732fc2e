//! The state of a model in one sentence.

use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{AliasAt, ModelVersion, Run, Tag};

use super::health::Health;
use super::records::Records;
use crate::format;
use crate::services::{self, OfModel};
use crate::site::Web;

/// The alias of what users get.
pub(crate) const PRODUCTION: &str = "Production";
/// What the tag of a gate's rule begins with; the metric's name follows.
const RULE: &str = "trainyard.gate.";

/// What is known of a model now.
pub(crate) struct Standing<'a> {
    /// The version that `Production` points at.
    pub(crate) production: Option<&'a ModelVersion>,
    /// Since when and by whom it does, where that is written down.
    pub(crate) moved: Option<&'a AliasAt>,
    pub(crate) records: &'a Records,
    /// What serves it, where hosts say so.
    pub(crate) services: &'a OfModel,
    /// Requests for approval that are open.
    pub(crate) waiting: usize,
    pub(crate) now: i64,
}

impl Standing<'_> {
    pub(crate) fn sentence(&self, web: &Web) -> Markup {
        let Some(version) = self.production else {
            return html! {
                p.standing {
                    (Health::Unknown.dot())
                    "Nothing is in production: no version has the alias " strong { (PRODUCTION) } "."
                    (self.open_requests())
                }
            };
        };
        let look = self.records.looks.first();
        let service = self.services.health(self.now);
        let tag = |key: &str| Tag::find(&version.tags, key);
        let refused = tag("trainyard.refused").filter(|_| tag(tags::STATE) != Some("released"));
        html! {
            p.standing {
                (Health::of(version, look).and(service).dot())
                strong { (PRODUCTION) } " is "
                a href=(web.links.version(&version.name, &version.version)) { "version " (version.version) }
                (self.since())
                @if let Some(reason) = refused { ", but its release was refused: " (format::short(reason, 200)) }
                (services::in_a_cockpit(web, self.services, &version.version, self.now))
                "; "
                (self.data(web, look))
                (self.quality(version))
                "."
                (self.open_requests())
            }
        }
    }

    fn since(&self) -> Markup {
        html! {
            @if let Some(moved) = self.moved {
                @if moved.is_found { ", found there " } @else { " since " }
                (format::time(moved.since)) " (" (format::ago(moved.since, self.now)) ")"
                @if !moved.who.is_empty() { ", moved by " (moved.who) }
                @if let Some(reason) = &moved.reason { ": " (format::short(reason, 120)) }
            }
        }
    }

    fn data(&self, web: &Web, look: Option<&Run>) -> Markup {
        let Some(run) = look else { return html! { "nobody looked at its data yet" } };
        let verdict = Tag::find(&run.data.tags, tags::VERDICT).unwrap_or_default();
        html! {
            "its data "
            @if let Some(at) = run.info.start_time { "of " (format::ago(at, self.now)) " " }
            "are " a href=(web.links.run(&run.info.run_id)) { (verdict) }
        }
    }

    /// The last value of each metric that the gate asks about, as production has it over time.
    fn quality(&self, version: &ModelVersion) -> Markup {
        let Some(windows) = self.records.windows.first() else { return html! {} };
        let rules = version.tags.iter().filter_map(|tag| tag.key.strip_prefix(RULE));
        let values = rules.filter_map(|metric| Some((metric, windows.data.metric(metric)?)));
        html! {
            @for (metric, value) in values { ", " (metric) " " (format::number(value)) }
        }
    }

    fn open_requests(&self) -> Markup {
        html! {
            @if self.waiting > 0 {
                " " a href="#approvals" { (self.waiting) " waiting for approval" } "."
            }
        }
    }
}
