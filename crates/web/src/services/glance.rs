//! The services of a model in a few words, for lists of models: the one that is worst.

use trainyard_base::service::ServiceState;

use super::recorded::{OfModel, Service, says};
use super::sentence::{other_versions, state, traffic};
use crate::cockpit::Health;
use crate::format;

/// What is said of a model's services.
#[derive(Debug, PartialEq)]
pub(crate) struct Glance {
    pub(crate) words: String,
    /// None where they say nothing of how the model is.
    pub(crate) health: Option<Health>,
    /// The run of the service that is told of.
    pub(crate) run_id: Option<String>,
}

impl OfModel {
    /// The worst of them, where `production` is the version that they should serve; none where there are none.
    pub(crate) fn at_a_glance(&self, production: &str, now: i64) -> Option<Glance> {
        let told = self.services.iter().map(|service| (service, says(service, now)));
        let worst = told.min_by_key(|(service, health)| {
            let rank = health.map_or(u8::MAX, Health::rank);
            (rank, std::cmp::Reverse(service.record.at_ms))
        });
        let Some((service, health)) = worst else {
            return self.has_more.then(|| Glance {
                words: "its services cannot be read now".to_owned(),
                health: Some(Health::Unknown),
                run_id: None,
            });
        };
        let mut words = words(service, now);
        if let Some(other) = other_versions(service, production, now) {
            words = format!("{words} ({other})");
        }
        // What stopped serves nobody, and nobody knows more.
        let is_stopped = service.record.state == ServiceState::Stopped;
        let mut health = health.or_else(|| is_stopped.then_some(Health::Unknown));
        if self.has_more && matches!(health, Some(Health::Good) | None) {
            health = Some(Health::Unknown);
            words.push_str("; others are not read");
        }
        Some(Glance { words, health, run_id: Some(service.run_id.clone()) })
    }
}

fn words(service: &Service, now: i64) -> String {
    let record = &service.record;
    if !service.is_vouched {
        return "not known: the model does not vouch for its service".to_owned();
    }
    if !service.is_heard(now) {
        let ago = format::ago(record.at_ms, now);
        let is_stopped = record.state == ServiceState::Stopped;
        let is = if is_stopped { "stopped on purpose" } else { "not known" };
        return format!("{is}, last heard of {ago}");
    }
    let state = state(service, now);
    match (record.state, &record.minute) {
        (ServiceState::Serving | ServiceState::Degraded, Some(minute)) => {
            format!("{state}, {}", traffic(minute))
        }
        _ => state.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use trainyard_base::service::{GatewayMode, ServiceRecord, Teller, Traffic};

    use super::super::recorded::tests::service;
    use super::*;

    const NOW: i64 = 1_000_000_000_000;

    fn of(state: ServiceState, at_ms: i64, by_class: [u64; 4]) -> Service {
        let requests = by_class.iter().sum();
        let minute =
            Some(Traffic { requests, by_class, refused: by_class[2], ..Traffic::default() });
        service(ServiceRecord {
            at_ms,
            by: Teller::Up,
            state,
            mode: GatewayMode::Open,
            minute,
            ..ServiceRecord::default()
        })
    }

    fn told(services: Vec<Service>) -> (String, Option<Health>) {
        let glance = OfModel { services, has_more: false }.at_a_glance("1", NOW).unwrap();
        (glance.words, glance.health)
    }

    #[test]
    fn the_worst_service_is_told_of() {
        use ServiceState::{Serving, Stopped};
        assert_eq!(OfModel::default().at_a_glance("1", NOW), None);
        let well = || of(Serving, NOW, [90, 0, 10, 0]);
        let is = told(vec![well()]);
        assert_eq!(
            is,
            ("serving, 100 requests/min, 0.0 % errors, 10.0 % 4xx".to_owned(), Some(Health::Good),)
        );
        let (words, health) = told(vec![well(), of(Serving, NOW, [0, 0, 589, 0])]);
        assert!(words.starts_with("serving, refuses much, 589"), "{words}");
        assert_eq!(health, Some(Health::Warning));
        let silent = of(Serving, NOW - 240_000, [9, 0, 0, 0]);
        let is = told(vec![well(), silent]);
        assert_eq!(is, ("not known, last heard of 4 min ago".to_owned(), Some(Health::Unknown)));
        let mut closed = well();
        closed.record.mode = GatewayMode::Maintenance;
        let (words, health) = told(vec![closed]);
        assert!(words.starts_with("closed for maintenance"), "{words}");
        assert_eq!(health, Some(Health::Warning));
        let stopped = || of(Stopped, NOW, [0; 4]);
        let is = told(vec![stopped()]);
        assert_eq!(is, ("stopped on purpose".to_owned(), Some(Health::Unknown)));
        assert_eq!(told(vec![stopped(), well()]).1, Some(Health::Good), "the other serves");
        let unread = OfModel { services: vec![well()], has_more: true };
        assert_eq!(unread.at_a_glance("1", NOW).unwrap().health, Some(Health::Unknown));
    }
}
