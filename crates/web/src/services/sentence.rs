//! How a service is, in words.

use maud::{Markup, html};
use trainyard_base::duration::of_micros;
use trainyard_base::service::{
    GatewayMode, InstanceRecord, InstanceRole, ServiceState, Teller, Traffic,
};

use super::recorded::{Heard, OfModel, Service};
use crate::format;
use crate::site::Web;

/// Services of a model that its sentence names.
const NAMED_MAX: usize = 3;

/// What is, in a word or some.
pub(super) fn word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Serving => "serving",
        ServiceState::Degraded => "serving in part",
        ServiceState::Down => "down",
        ServiceState::Stopped => "stopped on purpose",
        ServiceState::NeverReleased => "waiting for a first release",
        ServiceState::Unknown => "not known",
    }
}

/// The state for a table, by what was heard.
pub(super) fn state(service: &Service, now: i64) -> &'static str {
    let record = &service.record;
    match (record.state, record.mode) {
        _ if !service.is_heard(now) => "not known",
        // Nobody knows whose words these are.
        _ if !service.is_vouched => "not known",
        // Whatever is ready to serve, nobody is served.
        (ServiceState::Serving | ServiceState::Degraded, GatewayMode::Paused) => "paused",
        (ServiceState::Serving | ServiceState::Degraded, GatewayMode::Maintenance) => {
            "closed for maintenance"
        }
        (ServiceState::Serving, _) if refuses(service).is_some() => "serving, refuses much",
        (state, _) => word(state),
    }
}

/// The share of the requests whose content it refuses, where somebody should look.
fn refuses(service: &Service) -> Option<f64> {
    service.record.minute.as_ref().and_then(Traffic::much_refused)
}

/// How it is, and why that is not better.
pub(super) fn sentence(service: &Service, now: i64) -> String {
    let record = &service.record;
    let ago = format::ago(record.at_ms, now);
    let was = word(record.state);
    if !service.is_vouched {
        return "Not known: the model does not vouch for this record, so nothing of it is shown. Whoever may make an \
                experiment can write one; `trainyard up` of this version has the model vouch for its own, with an \
                account that has EDIT on the model."
            .to_owned();
    }
    match (service.heard(now), record.by) {
        (Heard::Lately, _) => {}
        (Heard::Ahead, _) => {
            return format!(
                "Not known: it was heard of at {}, which is yet to come. Its host's clock is wrong, or this server's.",
                format::time_text(record.at_ms)
            );
        }
        (Heard::LongAgo, Teller::Command) => {
            return format!(
                "Not known: last heard of {ago}, when a command left it {was}. Nobody records it each minute: \
                 `trainyard up` on its host does, and keeps it up."
            );
        }
        (Heard::LongAgo, Teller::Up | Teller::Watch) => {
            return format!(
                "Not known: last heard of {ago}, when it was {was}. Its host, its supervisor or the way from there \
                 to here is down, or its host's clock is behind."
            );
        }
    }
    let mut said = match (record.state, record.mode) {
        // It would serve.
        (ServiceState::Serving, GatewayMode::Paused) => "Paused: requests wait".to_owned(),
        (ServiceState::Serving, GatewayMode::Maintenance) => "Closed for maintenance".to_owned(),
        _ => capital(was),
    };
    if let Some(outage) = &record.outage {
        said = format!("{said}: {outage}");
    }
    match record.mode {
        _ if record.state == ServiceState::Serving => {}
        GatewayMode::Paused => said.push_str(", paused: requests wait"),
        GatewayMode::Maintenance => said.push_str(", closed for maintenance"),
        GatewayMode::Open | GatewayMode::Unknown => {}
    }
    if let Some(minute) = &record.minute {
        said = format!("{said}; {}", traffic(minute));
    }
    if let Some(share) = refuses(service) {
        said = format!(
            "{said}. It refuses {:.1} % of what it is asked, as the content does not fit the model: clients ask for \
             something else than this version takes, or the version is the wrong one. Each answer says what is wrong",
            share * 100.0
        );
    }
    format!("{said}.")
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// A minute in a few words.
pub(super) fn traffic(minute: &Traffic) -> String {
    if minute.requests == 0 {
        return "no requests in the last minute".to_owned();
    }
    let mut parts = vec![
        format!("{} requests/min", minute.requests),
        format!("{:.1} % errors", minute.error_share() * 100.0),
    ];
    for (share, name) in
        [(minute.client_fault_share(), "4xx"), (minute.closed_share(), "turned away on purpose")]
    {
        if share > 0.0 {
            parts.push(format!("{:.1} % {name}", share * 100.0));
        }
    }
    parts.extend(minute.p99_us.map(|micros| format!("p99 {}", of_micros(micros))));
    parts.join(", ")
}

/// The instances that requests go to: those that are well, and all.
pub(super) fn well_of_all(instances: &[InstanceRecord]) -> (usize, usize) {
    let current = || instances.iter().filter(|one| one.role == InstanceRole::Current);
    (current().filter(|one| one.is_well).count(), current().count())
}

/// The versions that requests go to; one, but for what was recorded by a program that knows more.
pub(super) fn versions(instances: &[InstanceRecord]) -> Vec<&str> {
    let current = instances.iter().filter(|one| one.role == InstanceRole::Current);
    let mut versions: Vec<&str> = current.map(|one| one.version.as_str()).collect();
    versions.retain(|version| !version.is_empty());
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// What a model's sentence says of its services, where `production` is the version that they should serve.
pub(crate) fn in_a_cockpit(web: &Web, of: &OfModel, production: &str, now: i64) -> Markup {
    let services = &of.services;
    html! {
        @if services.is_empty() && of.has_more { ", its services cannot be read now" }
        @for service in services.iter().take(NAMED_MAX) {
            ", " a href=(web.links.service(&service.run_id)) {
                @if services.len() > 1 && service.is_vouched { "on " (format::short(&service.record.host, 60)) " " }
                (in_short(service, now))
                @if let Some(other) = other_versions(service, production, now) { " (" (other) ")" }
            }
        }
        @if services.len() > NAMED_MAX {
            " and " a href=(web.links.services()) {
                @if !of.has_more { (services.len() - NAMED_MAX) " " }
                "more services"
            }
        }
    }
}

/// What it serves, where that is not `production` alone: the alias was moved, and the service has not followed yet or
/// does not.
pub(super) fn other_versions(service: &Service, production: &str, now: i64) -> Option<String> {
    let versions = versions(&service.record.instances);
    let is_other = versions.iter().any(|version| *version != production);
    (is_other && service.is_vouched && service.is_heard(now))
        .then(|| format!("version {}", versions.join(", ")))
}

/// Why releases cannot be asked of its host here.
pub(crate) fn why_not(service: &Service, now: i64) -> String {
    let record = &service.record;
    if !service.is_vouched {
        return "the model does not vouch for its record".to_owned();
    }
    if !service.is_heard(now) {
        return format!("it was last heard of {}", format::ago(record.at_ms, now));
    }
    if record.by != Teller::Up {
        return "`trainyard up` does not keep it up".to_owned();
    }
    if record.takes_wishes && record.serves.is_some() {
        return "`releases_from_pages` is false under [deploy] of its project".to_owned();
    }
    "its `trainyard up` is of an earlier version".to_owned()
}

/// What it serves and with how much, for whoever is about to change that.
pub(crate) fn serving_in_short(service: &Service, now: i64) -> String {
    let serves = service.record.serves.as_deref();
    let what = serves.map_or("no version".to_owned(), |serves| format!("version {serves}"));
    format!("{what}, {}", in_short(service, now))
}

fn in_short(service: &Service, now: i64) -> String {
    let record = &service.record;
    if !service.is_vouched {
        return "a service that the model does not vouch for".to_owned();
    }
    if !service.is_heard(now) {
        return format!("service last heard of {}", format::ago(record.at_ms, now));
    }
    if matches!(record.mode, GatewayMode::Paused | GatewayMode::Maintenance) {
        return format!("service {}", state(service, now));
    }
    let (well, all) = well_of_all(&record.instances);
    match (record.state, &record.minute) {
        (ServiceState::Serving, Some(minute)) => {
            let much = if refuses(service).is_some() { "refuses much, " } else { "" };
            let on = if all == 1 { "1 instance".to_owned() } else { format!("{all} instances") };
            format!("{much}{on}, {}", traffic(minute))
        }
        (ServiceState::Degraded, Some(minute)) => {
            format!("{well} of {all} instances, {}", traffic(minute))
        }
        (state, _) => format!("service {}", word(state)),
    }
}

#[cfg(test)]
mod tests {
    use trainyard_base::service::ServiceRecord;

    use super::super::recorded::tests::service;
    use super::*;

    const NOW: i64 = 1_000_000_000_000;

    fn record(state: ServiceState) -> ServiceRecord {
        let instance = |is_well| InstanceRecord {
            role: InstanceRole::Current,
            version: "7".to_owned(),
            is_well,
            ..InstanceRecord::default()
        };
        ServiceRecord {
            at_ms: NOW,
            by: Teller::Up,
            state,
            mode: GatewayMode::Open,
            minute: Some(Traffic {
                requests: 312,
                errors: 3,
                p99_us: Some(4_000),
                ..Traffic::default()
            }),
            instances: vec![instance(true), instance(state == ServiceState::Serving)],
            ..ServiceRecord::default()
        }
    }

    #[test]
    fn a_service_is_told_in_a_sentence() {
        let mut degraded = record(ServiceState::Degraded);
        degraded.outage = Some("1 of 2 instances do not serve: r1 has stopped".to_owned());
        degraded.mode = GatewayMode::Paused;
        for (record, told) in [
            (record(ServiceState::Serving), "Serving; 312 requests/min, 1.0 % errors, p99 4.0 ms."),
            (
                degraded,
                "Serving in part: 1 of 2 instances do not serve: r1 has stopped, paused: requests wait; 312 \
                 requests/min, 1.0 % errors, p99 4.0 ms.",
            ),
            (
                ServiceRecord {
                    state: ServiceState::Stopped,
                    at_ms: NOW,
                    ..ServiceRecord::default()
                },
                "Stopped on purpose.",
            ),
        ] {
            assert_eq!(sentence(&service(record), NOW), told);
        }
        let later = NOW + 600_000;
        let silent = service(record(ServiceState::Serving));
        let told = sentence(&silent, later);
        assert!(
            told.starts_with("Not known: last heard of 10 min ago, when it was serving."),
            "{told}"
        );
        assert_eq!(state(&silent, later), "not known");
        let ahead = sentence(&silent, NOW - 600_000);
        assert!(ahead.contains("yet to come"), "{ahead}");
        let once = ServiceRecord { by: Teller::Command, ..record(ServiceState::Serving) };
        let told = sentence(&service(once), later);
        assert!(told.contains("when a command left it serving"), "{told}");
    }

    #[test]
    fn what_is_refused_is_no_quiet_service() {
        let with = |minute| {
            let serving = record(ServiceState::Serving);
            service(ServiceRecord { minute: Some(minute), ..serving })
        };
        let minute =
            Traffic { requests: 600, by_class: [0, 0, 600, 0], refused: 600, ..Traffic::default() };
        let refusing = with(minute);
        let told = sentence(&refusing, NOW);
        assert!(
            told.starts_with(
                "Serving; 600 requests/min, 0.0 % errors, 100.0 % 4xx. It refuses 100.0 % of"
            ),
            "{told}"
        );
        assert_eq!(state(&refusing, NOW), "serving, refuses much");
        assert_eq!(refusing.health(NOW).rank(), crate::cockpit::Health::Warning.rank());
        let short = in_short(&refusing, NOW);
        assert!(short.starts_with("refuses much, 2 instances, 600"), "{short}");
        // Who has no right, or asks for what is not there, says nothing of the service.
        let strangers = with(Traffic { refused: 0, ..minute });
        assert_eq!(
            sentence(&strangers, NOW),
            "Serving; 600 requests/min, 0.0 % errors, 100.0 % 4xx."
        );
        assert_eq!(strangers.health(NOW).rank(), crate::cockpit::Health::Good.rank());
        let mut closed = with(Traffic {
            requests: 100,
            by_class: [90, 0, 0, 10],
            closed: 10,
            ..Traffic::default()
        });
        closed.record.mode = GatewayMode::Maintenance;
        assert_eq!(
            sentence(&closed, NOW),
            "Closed for maintenance; 100 requests/min, 0.0 % errors, 10.0 % turned away on purpose."
        );
    }

    #[test]
    fn a_model_has_it_in_short() {
        let serving = service(record(ServiceState::Serving));
        assert_eq!(
            in_short(&serving, NOW),
            "2 instances, 312 requests/min, 1.0 % errors, p99 4.0 ms"
        );
        assert_eq!(in_short(&serving, NOW + 3_600_000), "service last heard of 1 h ago");
        assert_eq!(other_versions(&serving, "7", NOW), None);
        assert_eq!(other_versions(&serving, "8", NOW).as_deref(), Some("version 7"));
        assert_eq!(other_versions(&serving, "8", NOW + 3_600_000), None);
        for (mode, told) in
            [(GatewayMode::Paused, "paused"), (GatewayMode::Maintenance, "closed for maintenance")]
        {
            let closed = service(ServiceRecord { mode, ..record(ServiceState::Serving) });
            assert_eq!(state(&closed, NOW), told);
            assert_eq!(in_short(&closed, NOW), format!("service {told}"));
            let down = service(ServiceRecord { mode, ..record(ServiceState::Down) });
            assert_eq!(state(&down, NOW), "down");
        }
        let mut forged = service(record(ServiceState::Down));
        forged.is_vouched = false;
        forged.record.outage = Some("words of a stranger".to_owned());
        assert_eq!(in_short(&forged, NOW), "a service that the model does not vouch for");
        assert_eq!((state(&forged, NOW), other_versions(&forged, "8", NOW)), ("not known", None));
        assert!(!sentence(&forged, NOW).contains("stranger"));
        let degraded = in_short(&service(record(ServiceState::Degraded)), NOW);
        assert!(degraded.starts_with("1 of 2 instances, 312"), "{degraded}");
        assert_eq!(in_short(&service(record(ServiceState::Down)), NOW), "service down");
        assert_eq!(versions(&record(ServiceState::Serving).instances), ["7"]);
    }
}
