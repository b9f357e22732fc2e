//! One service: its facts, what goes through, its instances, a release that goes on, and what was said of it.

use maud::{Markup, html};
use trainyard_base::duration::of_micros;
use trainyard_base::service::{
    CandidateRecord, CopiesRecord, GatewayMode, InstanceRecord, InstanceRole, ServiceRecord,
};
use trainyard_mlflow::entities::Run;

use super::charts::{self, Span};
use super::controls;
use super::list::numbers;
use super::recorded::Service;
use super::sentence::sentence;
use crate::cockpit::{Health, Releases, table_of_releases};
use crate::form::Forms;
use crate::links::query;
use crate::site::Web;
use crate::{format, release_marks};

/// A service that is shown.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) service: &'a Service,
    /// The last ones of its model.
    pub(super) releases: &'a [Run],
    /// What can be released, and to what it can go back.
    pub(super) releasing: Releases<'a>,
    pub(super) span: Span,
    /// Who asked something of it last.
    pub(super) who: Option<&'a str>,
    pub(super) forms: Forms<'a>,
    pub(super) now: i64,
}

impl Shown<'_> {
    /// All of it but its name.
    pub(super) fn sections(&self, web: &Web) -> Markup {
        let Self { service, releases, releasing, span, who, forms, now } = *self;
        let record = &service.record;
        if !service.is_vouched {
            return self.unvouched(web);
        }
        html! {
            p.standing { (service.health(now).dot()) (sentence(service, now)) }
            (self.facts(web))
            (progress(record))
            (releasing.section())
            h2 #traffic { "Traffic" }
            (self.spans(web))
            (charts::both(&service.history(), span, &release_marks::of(releases), now))
            h2 #instances { "Instances" }
            (self.instances(web))
            h2 #releases { "Last releases" }
            (table_of_releases(web, &service.model, releases))
            (self.log())
            (controls::section(service, who, forms, now))
        }
    }

    /// What may be shown of a record that may be anybody's.
    fn unvouched(&self, web: &Web) -> Markup {
        let Self { service, now, .. } = *self;
        html! {
            p.standing { (service.health(now).dot()) (sentence(service, now)) }
            p {
                "Model " a href=(web.links.model(&service.model)) { (service.model) } ", "
                a href=(web.links.run(&service.run_id)) { "the run of the record" } "."
            }
        }
    }

    fn facts(&self, web: &Web) -> Markup {
        let Self { service, now, .. } = *self;
        let record = &service.record;
        let since = |at: i64| html! { (format::time(at)) " (" (format::ago(at, now)) ")" };
        html! {
            div.scroll {
                table.pairs {
                    tbody {
                        tr { th scope="row" { "Model" } td { a href=(web.links.model(&service.model)) { (service.model) } } }
                        tr {
                            th scope="row" { "Host" }
                            td { (record.host) @if let Some(url) = &record.url { ", " code { (url) } " from there" } }
                        }
                        tr { th scope="row" { "Heard of (UTC)" } td { (since(record.at_ms)) } }
                        tr {
                            th scope="row" { "Kept up (UTC)" }
                            td {
                                @if let Some(at) = record.kept_up_since_ms { "by " code { "trainyard up" } " since " (since(at)) }
                                @else { "by nobody: what dies stays dead" }
                            }
                        }
                        @if let Some(at) = record.gateway_since_ms {
                            tr {
                                th scope="row" { "Gateway (UTC)" }
                                td { "runs since " (since(at)) ", " (record.connections) " connections, " (mode(record.mode)) }
                            }
                        }
                        @if let Some(busy) = &record.busy { tr { th scope="row" { "Changed just then by" } td { (busy) } } }
                        @if let Some(reason) = &record.went_back {
                            tr { th scope="row" { "Went back by itself" } td { (reason) } }
                        }
                        tr {
                            th scope="row" { "Record" }
                            td.sentence { a href=(web.links.run(&service.run_id)) { "all that is recorded" } "; who deletes that run forgets the service" }
                        }
                    }
                }
            }
        }
    }

    fn spans(&self, web: &Web) -> Markup {
        let address = web.links.service(&self.service.run_id);
        html! {
            nav.actions aria-label="Time" {
                @for span in Span::ALL {
                    a href={ (address) (query(&[("span", span.key())])) "#traffic" } aria-current=[(span == self.span).then_some("true")] { (span.name()) }
                }
            }
        }
    }

    fn instances(&self, web: &Web) -> Markup {
        let Self { service, now, .. } = *self;
        let record = &service.record;
        html! {
            @if !service.is_heard(now) { p.soft { "As they were " (format::ago(record.at_ms, now)) ", when the host was last heard of." } }
            @if record.instances.is_empty() { p.soft { "There is none." } } @else {
                div.scroll {
                    table {
                        thead {
                            tr {
                                th { "Instance" } th { "State" } th { "Version" } th { "For" } th { "Up" }
                                th.number { "Memory" } th.number { "Requests/min" } th.number { "Errors" } th.number { "4xx" } th.number { "p99" }
                                th { "Restarts" }
                            }
                        }
                        tbody { @for one in &record.instances { (self.instance(web, one)) } }
                    }
                }
            }
            @if record.more_instances > 0 { p.soft { "And " (record.more_instances) " more, of which there is no room in a record." } }
        }
    }

    fn instance(&self, web: &Web, one: &InstanceRecord) -> Markup {
        let Self { service, now, .. } = *self;
        let is_heard = service.is_heard(now);
        let health = match (is_heard, one.is_well, one.is_out) {
            (false, ..) => Health::Unknown,
            (true, true, false) => Health::Good,
            (true, true, true) => Health::Warning,
            (true, false, _) => Health::Bad,
        };
        let minute = one.minute.filter(|_| is_heard);
        html! {
            tr {
                td.tight { (health.dot()) (one.id) }
                td {
                    @if !is_heard { "was " }
                    @if one.is_well { "well" } @else { "not well" @if let Some(trouble) = &one.trouble { ": " (trouble) } }
                    @if one.is_out { ", gets no requests while others are well" }
                }
                td { @if !one.version.is_empty() { a href=(web.links.version(&service.model, &one.version)) { (one.version) } } }
                td.tight { (role(one.role)) }
                td.tight { @if let Some(up) = one.up_ms { (format::duration(signed(up))) } @else { "–" } }
                td.number { @if let Some(bytes) = one.memory_bytes { (format::bytes(signed(bytes))) } @else { "–" } }
                (numbers(minute.as_ref()))
                td {
                    (one.restarts)
                    @if let Some(at) = one.restarted_ms {
                        ", the last " span title=(format::time_text(at)) { (format::ago(at, now)) } ": " (one.restart_cause)
                    }
                }
            }
        }
    }

    /// What whoever keeps it up said.
    fn log(&self) -> Markup {
        let log = self.service.log();
        html! {
            @if !log.is_empty() {
                h2 #log { "What " code { "trainyard up" } " said last" }
                pre.file { (log) }
            }
        }
    }
}

/// A size or time as it is written.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn mode(mode: GatewayMode) -> &'static str {
    match mode {
        GatewayMode::Open => "open",
        GatewayMode::Paused => "paused: requests wait",
        GatewayMode::Maintenance => "closed for maintenance",
        GatewayMode::Unknown => "not known whether open",
    }
}

fn role(role: InstanceRole) -> &'static str {
    match role {
        InstanceRole::Current => "requests",
        InstanceRole::Candidate => "a new version",
        InstanceRole::Standby => "kept warm",
        InstanceRole::Other => "a release",
    }
}

/// A release that goes on: what the new version gets, and how it does beside the other.
fn progress(record: &ServiceRecord) -> Markup {
    if record.candidate.is_none() && record.copies.is_none() {
        return html! {};
    }
    html! {
        h2 #release { "A release goes on" }
        @if let Some(candidate) = &record.candidate { (tried(candidate)) }
        @if let Some(copies) = &record.copies { (compared(copies)) }
    }
}

fn tried(candidate: &CandidateRecord) -> Markup {
    let side = |name: &str, seen: Option<[u64; 2]>| {
        html! {
            @if let Some([requests, bad]) = seen {
                tr { th scope="row" { (name) } td.number { (requests) } td.number { (bad) } td.number { (share(bad, requests)) } }
            }
        }
    };
    html! {
        p {
            "Version " (candidate.version) " gets "
            @match candidate.share {
                Some(part) => { (format::number(part * 100.0)) " % of the requests (canary)." },
                None => "copies of the requests, whose answers nobody gets (shadow).",
            }
        }
        @if candidate.green.is_some() || candidate.blue.is_some() {
            div.scroll {
                table {
                    thead { tr { th { "In this step" } th.number { "Requests" } th.number { "4xx, 5xx, none" } th.number { "Share" } } }
                    tbody { (side("new version", candidate.green)) (side("version that users have", candidate.blue)) }
                }
            }
        }
    }
}

fn compared(copies: &CopiesRecord) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Asked the same" } th.number { "New version" } th.number { "The other" } } }
                tbody {
                    tr { th scope="row" { "Requests" } td.number { (copies.pairs) } td.number { (copies.pairs) } }
                    tr { th scope="row" { "Failed alone" } td.number { (copies.green_failed) } td.number { (copies.blue_failed) } }
                    tr { th scope="row" { "Mean time" } td.number { (of_micros(copies.green_us)) } td.number { (of_micros(copies.blue_us)) } }
                }
            }
        }
        p { (copies.differing) " of " (copies.compared) " predictions that could be compared differ (" (share(copies.differing, copies.compared)) ")." }
    }
}

fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}
