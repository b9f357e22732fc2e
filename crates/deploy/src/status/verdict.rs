//! Whether what should serve does.

use serde::Serialize;

use super::report::{Health, InstanceReport, Role, ServiceStatus, Wanted};
use crate::clock::now_ms;

/// What is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What should serve does.
    Serving,
    /// Clients are served, but not by all instances that should.
    Degraded,
    /// Clients are not served although they should be.
    Down,
    /// Nothing serves, as somebody wished.
    Stopped,
    /// Nothing was ever released.
    NeverReleased,
}

impl ServiceStatus {
    /// What is: [`State::Degraded`] and [`State::Down`] where there is an [`outage`](Self::outage).
    pub fn state(&self) -> State {
        let is_served = self.gateway.is_some()
            && self.current().any(InstanceReport::is_well)
            && self.outage_of_certificate().is_none();
        match (self.outage(), self.wanted) {
            (Some(_), _) if is_served => State::Degraded,
            (Some(_), _) => State::Down,
            (None, Wanted::Stopped) => State::Stopped,
            (None, Wanted::Nothing) => State::NeverReleased,
            (None, Wanted::Serving) => State::Serving,
        }
    }

    /// Why clients are not served as they should be; none when they are, or when nothing is deployed on purpose.
    pub fn outage(&self) -> Option<String> {
        if let Some(error) = &self.gateway_error {
            return Some(format!("the gateway does not answer: {error}"));
        }
        let all: Vec<&InstanceReport> = self.current().collect();
        let Some(first) = all.first() else {
            return match (&self.gateway, self.wanted) {
                (Some(_), _) => Some("no instance is deployed".to_owned()),
                (None, Wanted::Serving) => {
                    Some("what was released is gone, and so is the gateway".to_owned())
                }
                (None, Wanted::Stopped | Wanted::Nothing) => None,
            };
        };
        if self.gateway.is_none() {
            return Some("the gateway does not run".to_owned());
        }
        let bad: Vec<&&InstanceReport> =
            all.iter().filter(|instance| !instance.is_well()).collect();
        let Some(reason) = bad.first().and_then(|instance| instance.reason()) else {
            return self.outage_of_certificate();
        };
        Some(match (bad.len(), all.len()) {
            (_, 1) => reason,
            (bad, all) if bad == all => {
                format!("none of the {all} instances of {} does: {reason}", first.id)
            }
            (bad, all) => format!("{bad} of {all} instances do not serve: {reason}"),
        })
    }

    /// Why no client gets through by HTTPS.
    fn outage_of_certificate(&self) -> Option<String> {
        let now = now_ms();
        let acme = self.gateway.as_ref().and_then(|gateway| gateway.acme.as_ref());
        let by_acme = acme.and_then(|acme| acme.outage(now));
        by_acme.or_else(|| self.certificate.as_ref().and_then(|seen| seen.outage(now)))
    }

    /// The instances that requests go to.
    fn current(&self) -> impl Iterator<Item = &InstanceReport> {
        self.instances.iter().filter(|instance| instance.role == Role::Current)
    }
}

impl InstanceReport {
    /// Whether it answered that it is well.
    pub fn is_well(&self) -> bool {
        self.health == Some(Health::Well)
    }

    /// Why it does not serve, if it does not.
    fn reason(&self) -> Option<String> {
        let id = &self.id;
        match &self.health {
            Some(Health::Well) => None,
            Some(Health::Sick(said)) => Some(format!("{id} is not well: {said}")),
            Some(Health::Silent(how)) => Some(format!("{id} does not answer: {how}")),
            None if self.running => Some(format!("{id} cannot be asked")),
            None => Some(match &self.ended {
                Some(how) => format!("{id} has stopped ({how})"),
                None => format!("{id} has stopped"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gateway::control::GatewayStatus;
    use crate::state::restarts::Restarts;
    use crate::status::CertificateSeen;

    fn instance(id: &str, health: Option<Health>) -> InstanceReport {
        InstanceReport {
            id: id.to_owned(),
            role: Role::Current,
            running: health.is_some(),
            ended: None,
            health,
            said: None,
            address: None,
            handle: None,
            label: BTreeMap::new(),
            up_ms: None,
            memory_bytes: None,
            restarts: Restarts::default(),
            lately: None,
        }
    }

    fn gateway() -> GatewayStatus {
        let status = serde_json::json!({
            "protocol": 1, "pid": 1, "listen": "127.0.0.1:1", "started_ms": 0, "in_flight": 0,
            "route": {"current": null, "standby": null, "went_back": null},
            "standby_in_flight": 0, "connections": 0,
        });
        serde_json::from_value(status).unwrap()
    }

    fn of(wanted: Wanted, has_gateway: bool, instances: Vec<InstanceReport>) -> ServiceStatus {
        ServiceStatus {
            wanted,
            url: None,
            gateway: has_gateway.then(gateway),
            gateway_error: None,
            certificate: None,
            instances,
            runtime_error: None,
            supervisor: None,
            holder: None,
            unfinished: None,
            last: None,
        }
    }

    #[test]
    fn what_should_serve_and_does_not_is_an_outage() {
        use Wanted::{Nothing, Serving, Stopped};
        let well = || instance("r1", Some(Health::Well));
        let dead = || instance("r1.2", None);
        let mute = || instance("r1", Some(Health::Silent("no answer within 2.0 s".to_owned())));
        let told = |status: &ServiceStatus| (status.state(), status.outage().unwrap_or_default());
        let check = |status: ServiceStatus, state: State, outage: &str| {
            assert_eq!(told(&status), (state, outage.to_owned()));
        };
        check(of(Serving, true, vec![well()]), State::Serving, "");
        check(of(Serving, false, vec![well()]), State::Down, "the gateway does not run");
        check(
            of(Serving, true, vec![mute()]),
            State::Down,
            "r1 does not answer: no answer within 2.0 s",
        );
        check(
            of(Serving, true, vec![well(), dead()]),
            State::Degraded,
            "1 of 2 instances do not serve: r1.2 has stopped",
        );
        check(
            of(Serving, true, vec![mute(), dead()]),
            State::Down,
            "none of the 2 instances of r1 does: r1 does not answer: no answer within 2.0 s",
        );
        check(
            of(Serving, false, Vec::new()),
            State::Down,
            "what was released is gone, and so is the gateway",
        );
        check(of(Nothing, true, Vec::new()), State::Down, "no instance is deployed");
        check(of(Stopped, false, Vec::new()), State::Stopped, "");
        check(of(Nothing, false, Vec::new()), State::NeverReleased, "");
        let mut expired = of(Serving, true, vec![well()]);
        let seen = CertificateSeen { file: None, ends_ms: Some(1), error: None };
        expired.certificate = Some(seen);
        check(expired, State::Down, "the certificate has expired");
        let mut hangs = of(Serving, false, vec![well()]);
        hangs.gateway_error = Some("no answer within 5 s".to_owned());
        check(hangs, State::Down, "the gateway does not answer: no answer within 5 s");
    }
}
