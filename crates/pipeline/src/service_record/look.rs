//! A service's status as a record: what people elsewhere may read of it, and no more of it than fits.

use trainyard_base::service::{
    CandidateRecord, CopiesRecord, GatewayMode, InstanceRecord, InstanceRole, ServiceRecord,
    ServiceState, Teller, Traffic, cut,
};
use trainyard_deploy::gateway::{Gets, Lately, Mode, SideSeen};
use trainyard_deploy::{GatewayStatus, Health, InstanceReport, Role, ServiceStatus, State};
use trainyard_mlflow::secrets::hide;

use crate::labels::version_of;
use crate::owner::host;

/// Characters of what went wrong.
const REASON_CHARACTERS: usize = 240;
/// Characters of names: ids, versions, hosts.
const NAME_CHARACTERS: usize = 60;
/// What the gateway counts as a minute is up to some seconds longer.
const MINUTE_MS: u64 = 60_000;

/// How a service is, at a moment in milliseconds since 1970.
pub(super) fn record_of(status: &ServiceStatus, by: Teller, at_ms: i64) -> ServiceRecord {
    let gateway = status.gateway.as_ref();
    let copies = gateway.and_then(|gateway| gateway.copies).filter(|copies| copies.pairs > 0);
    let went_back = gateway.and_then(|gateway| gateway.route.went_back.as_ref());
    let supervisor = status.supervisor.as_ref().filter(|seen| !seen.is_silent);
    ServiceRecord {
        at_ms,
        by,
        writer: String::new(),
        host: name(&host()),
        url: status.url.clone(),
        state: match status.state() {
            State::Serving => ServiceState::Serving,
            State::Degraded => ServiceState::Degraded,
            State::Down => ServiceState::Down,
            State::Stopped => ServiceState::Stopped,
            State::NeverReleased => ServiceState::NeverReleased,
        },
        outage: status.outage().map(|text| reason(&text)),
        mode: match gateway.map(|gateway| &gateway.mode) {
            Some(Mode::Open) => GatewayMode::Open,
            Some(Mode::Paused { .. }) => GatewayMode::Paused,
            Some(Mode::Maintenance { .. }) => GatewayMode::Maintenance,
            None => GatewayMode::Unknown,
        },
        kept_up_since_ms: supervisor.map(|seen| seen.started_ms.cast_signed()),
        gateway_since_ms: gateway.map(|gateway| gateway.started_ms.cast_signed()),
        connections: gateway.map_or(0, |gateway| gateway.connections),
        busy: status.holder.as_ref().map(|holder| name(&holder.what)),
        minute: gateway.map(|gateway| traffic(&gateway.lately)),
        instances: status.instances.iter().map(|one| instance(one, gateway)).collect(),
        more_instances: 0,
        candidate: gateway.and_then(|gateway| candidate(gateway, &status.instances)),
        copies: copies.map(|seen| CopiesRecord {
            pairs: seen.pairs,
            green_failed: seen.green_failed,
            blue_failed: seen.blue_failed,
            compared: seen.compared,
            differing: seen.differing,
            green_us: seen.green_wait_us / seen.pairs,
            blue_us: seen.blue_wait_us / seen.pairs,
        }),
        went_back: went_back.map(|seen| reason(&seen.reason)),
        // Of whoever records, which is not the service's.
        takes_wishes: false,
        wish: None,
        takes_releases: false,
        serves: None,
        returns_to: None,
        release: None,
    }
}

fn reason(text: &str) -> String {
    cut(&hide(text), REASON_CHARACTERS)
}

fn name(text: &str) -> String {
    cut(text, NAME_CHARACTERS)
}

/// What went through in a minute. Where the gateway began less than a minute ago that is all there was.
fn traffic(lately: &Lately) -> Traffic {
    let share = MINUTE_MS as f64 / lately.span_ms.max(MINUTE_MS) as f64;
    let of_minute = |count: u64| (count as f64 * share).round() as u64;
    let [_informational, by_class @ ..] = lately.by_class;
    Traffic {
        requests: of_minute(lately.requests),
        by_class: by_class.map(of_minute),
        errors: of_minute(lately.gateway_faults + lately.instance_faults),
        refused: of_minute(lately.refused),
        closed: of_minute(lately.closed),
        p50_us: lately.p50_us,
        p99_us: lately.p99_us,
    }
}

fn instance(seen: &InstanceReport, gateway: Option<&GatewayStatus>) -> InstanceRecord {
    let trouble = match (&seen.health, &seen.ended) {
        (Some(Health::Well), _) => None,
        (Some(Health::Sick(said) | Health::Silent(said)), _) => Some(said.as_str()),
        (None, Some(how)) => Some(how.as_str()),
        (None, None) if seen.running => Some("it cannot be asked"),
        (None, None) => Some("it has stopped"),
    };
    let restarts = &seen.restarts;
    InstanceRecord {
        id: name(&seen.id),
        role: match seen.role {
            Role::Current => InstanceRole::Current,
            Role::Candidate => InstanceRole::Candidate,
            Role::Standby => InstanceRole::Standby,
            Role::Other => InstanceRole::Other,
        },
        version: name(version_of(&seen.label).unwrap_or_default()),
        is_well: seen.is_well(),
        trouble: trouble.map(reason),
        is_out: gateway.is_some_and(|gateway| gateway.ejected.contains(&seen.id)),
        up_ms: seen.up_ms,
        memory_bytes: seen.memory_bytes,
        restarts: restarts.count,
        restarted_ms: (restarts.count > 0).then_some(restarts.last_ms.cast_signed()),
        restart_cause: reason(&restarts.last_cause),
        minute: seen.lately.as_ref().map(traffic),
    }
}

/// The new version of a release that goes on.
fn candidate(gateway: &GatewayStatus, instances: &[InstanceReport]) -> Option<CandidateRecord> {
    let candidate = gateway.route.candidate.as_ref()?;
    let instance = instances.iter().find(|one| one.id == candidate.target.id);
    let side = |seen: SideSeen| [seen.requests, seen.errors + seen.refused];
    let step = candidate.steps.last();
    Some(CandidateRecord {
        version: name(instance.and_then(|one| version_of(&one.label)).unwrap_or_default()),
        share: match &candidate.gets {
            Gets::Copies => None,
            Gets::Share { share, .. } => Some(share.as_fraction()),
        },
        green: step.map(|step| side(step.green)),
        blue: step.map(|step| side(step.blue)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use trainyard_deploy::{Restarts, Wanted};

    use super::*;

    fn report(id: &str, health: Option<Health>, ended: Option<&str>) -> InstanceReport {
        InstanceReport {
            id: id.to_owned(),
            role: Role::Current,
            running: health.is_some(),
            ended: ended.map(str::to_owned),
            health,
            said: Some(serde_json::json!({ "warning": "only for whoever is there" })),
            address: None,
            handle: None,
            label: BTreeMap::from([("version".to_owned(), "4".to_owned())]),
            up_ms: Some(5),
            memory_bytes: Some(6),
            restarts: Restarts { count: 2, last_ms: 7, last_cause: "signal 9".to_owned() },
            lately: Some(Lately { span_ms: 64_000, requests: 128, ..Lately::default() }),
        }
    }

    fn status(gateway: Option<serde_json::Value>) -> ServiceStatus {
        let sick = Health::Sick("500: no https://ana:SECRET@host/x".to_owned());
        ServiceStatus {
            wanted: Wanted::Serving,
            url: None,
            gateway: gateway.map(|gateway| serde_json::from_value(gateway).unwrap()),
            gateway_error: None,
            instances: vec![
                report("r4", Some(Health::Well), None),
                report("r4.2", Some(sick), None),
                report("r4.3", None, Some("signal 9")),
            ],
            runtime_error: None,
            certificate: None,
            supervisor: None,
            holder: None,
            unfinished: None,
            last: None,
        }
    }

    #[test]
    fn what_people_elsewhere_may_know_is_recorded() {
        let target = |id: &str| {
            serde_json::json!({ "id": id, "address": "127.0.0.1:2", "health_path": "/health",
                                "copy_id": "SECRET" })
        };
        let candidate = serde_json::json!({
            "target": target("r4.2"), "gets": { "kind": "copies" }, "until_ms": 1,
            "limits": trainyard_deploy::BakeLimits::default(),
        });
        let gateway = serde_json::json!({
            "protocol": 1, "pid": 1, "listen": "127.0.0.1:1", "started_ms": 3, "in_flight": 0,
            "route": { "current": target("r4"), "standby": null, "went_back": null,
                       "candidate": candidate },
            "standby_in_flight": 0, "connections": 2, "ejected": ["r4.3"],
            "copies": { "pairs": 10, "green_failed": 1, "blue_failed": 0, "compared": 9,
                        "differing": 2, "dropped": 0, "green_wait_us": 100, "blue_wait_us": 50,
                        "late": 0 },
            "lately": { "span_ms": 64_000, "requests": 128, "client_faults": 0,
                        "gateway_faults": 32, "instance_faults": 32,
                        "by_class": [1, 64, 0, 0, 32], "p50_us": 10, "p99_us": 20 },
        });
        let record = record_of(&status(Some(gateway)), Teller::Up, 9);
        assert_eq!((record.at_ms, record.state), (9, ServiceState::Degraded));
        assert_eq!((record.mode, record.kept_up_since_ms), (GatewayMode::Open, None));
        let minute = record.minute.unwrap();
        assert_eq!((minute.requests, minute.errors, minute.by_class), (120, 60, [60, 0, 0, 30]));
        let told: Vec<_> = record
            .instances
            .iter()
            .map(|one| (one.is_well, one.trouble.as_deref().unwrap_or_default(), one.is_out))
            .collect();
        assert_eq!(
            told,
            [
                (true, "", false),
                (false, "500: no https://***@host/x", false),
                (false, "signal 9", true)
            ]
        );
        let copies = record.copies.unwrap();
        assert_eq!((copies.differing, copies.green_us, copies.blue_us), (2, 10, 5));
        assert_eq!(record.candidate.as_ref().unwrap().share, None);
        let tag = record.tag();
        assert!(!tag.contains("SECRET") && !tag.contains("whoever"), "{tag}");
    }

    #[test]
    fn a_service_without_a_gateway_has_no_traffic() {
        let record = record_of(&status(None), Teller::Command, 9);
        assert_eq!((record.state, record.minute), (ServiceState::Down, None));
        assert_eq!(record.mode, GatewayMode::Unknown);
        assert!(record.outage.is_some());
    }

    #[test]
    fn a_minute_that_has_just_begun_is_not_made_larger() {
        let lately = Lately { span_ms: 1_000, requests: 3, ..Lately::default() };
        assert_eq!(traffic(&lately).requests, 3);
        let lately = Lately { span_ms: 120_000, requests: 9, refused: 8, closed: 2, ..lately };
        assert_eq!((traffic(&lately).refused, traffic(&lately).closed), (4, 1));
    }
}
