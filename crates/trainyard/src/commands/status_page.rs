//! A service as a person looks at it: what is wrong first, then from the door inwards.

use std::time::Duration;

use trainyard_deploy::gateway::{Gets, Mode, SideSeen};
use trainyard_deploy::{GatewayStatus, Outcome, Role, ServiceStatus, State};

use super::status_instance::said;
use super::status_lines::Page;
use super::status_told::Told;
use super::status_words::{alarm, traffic};
use crate::printer::{GREEN, Look, RED, YELLOW, span, took};

/// The whole page.
pub(super) fn lines(told: &Told<'_>, look: Look) -> Vec<String> {
    let mut page = Page::new(look);
    page.state(told);
    page.gateway(told);
    for instance in &told.status.instances {
        page.instance(instance, told);
    }
    if let Some(gateway) = &told.status.gateway {
        page.candidate(gateway);
    }
    page.changes(told.status, told.now_ms);
    page.registry(told);
    page.supervisor(told);
    for warning in &told.warnings {
        page.put("warning", warning, Some(YELLOW));
    }
    page.lines
}

/// The page with its time, for a screen that is drawn again.
pub(super) fn watched(told: &Told<'_>, look: Look) -> Vec<String> {
    let time = chrono::Local::now().format("%H:%M:%S");
    let mut all = vec![format!("{time}  every 2 s until Ctrl-C"), String::new()];
    all.extend(lines(told, look));
    all
}

/// All in one line, for a log.
pub(super) fn line(told: &Told<'_>) -> String {
    let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
    let mut parts = vec![word(told.state).to_owned()];
    parts.extend(told.outage.clone());
    let current = told.status.instances.iter().filter(|one| one.role == Role::Current);
    parts.extend(current.map(|one| match said(one, "version") {
        Some(version) => format!("{} version {version}", one.id),
        None => one.id.clone(),
    }));
    parts.extend(told.status.gateway.as_ref().map(|gateway| traffic(&gateway.lately)));
    format!("{time}  {}", parts.join(", "))
}

impl Page {
    fn state(&mut self, told: &Told<'_>) {
        let style = match told.state {
            State::Serving => Some(GREEN),
            State::Degraded | State::Down => Some(RED),
            State::Stopped | State::NeverReleased => Some(YELLOW),
        };
        let text = match &told.outage {
            Some(outage) => format!("{}: {outage}", word(told.state)),
            None => word(told.state).to_owned(),
        };
        self.put("state", &text, style);
    }

    fn gateway(&mut self, told: &Told<'_>) {
        let status = told.status;
        let (Some(url), Some(gateway)) = (&status.url, &status.gateway) else {
            match &status.gateway_error {
                Some(error) => {
                    self.put("gateway", &format!("does not answer ({error})"), Some(RED));
                }
                None => self.put("gateway", "down", None),
            }
            return;
        };
        let up = span(Duration::from_millis(told.now_ms.saturating_sub(gateway.started_ms)));
        let connections = gateway.connections;
        self.put("gateway", &format!("{url}, up {up}, {connections} connections"), None);
        if let Some(acme) = &gateway.acme {
            self.put("tls", &acme.sentence(), None);
        } else if let Some(ends) = status.certificate.as_ref().and_then(|seen| seen.ends_ms) {
            let left = span(Duration::from_millis(ends.saturating_sub(told.now_ms)));
            self.put("tls", &format!("certificate, good for {left}"), None);
        }
        if let Some(model) = model(told) {
            self.put("model", &model, None);
        }
        self.put("traffic", &traffic(&gateway.lately), alarm(&gateway.lately));
        let asked = asked(told, &gateway.mode);
        match &gateway.mode {
            Mode::Open => {}
            Mode::Paused { hold_ms } => {
                let hold = took(Duration::from_millis(*hold_ms));
                self.put("paused", &format!("requests wait up to {hold}{asked}"), Some(YELLOW));
            }
            Mode::Maintenance { message, .. } => {
                let text = format!("for maintenance: {message}{asked}");
                self.put("closed", &text, Some(YELLOW));
            }
        }
    }

    /// What the new version of a release that goes on gets, and what was seen of it.
    fn candidate(&mut self, gateway: &GatewayStatus) {
        let candidate = gateway.route.candidate.as_ref();
        match candidate.map(|candidate| (&candidate.gets, candidate.steps.last())) {
            Some((Gets::Share { share, header }, Some(seen))) => {
                let by = header.as_ref().map_or_else(String::new, |name| format!(" by {name}"));
                let told = |side: &SideSeen| {
                    format!("{} of {}", side.errors + side.refused, side.requests)
                };
                let text = format!(
                    "{share} of the requests{by}: {} with an error, {} beside it",
                    told(&seen.green),
                    told(&seen.blue)
                );
                self.put("canary", &text, None);
            }
            Some((Gets::Copies, _)) => self.put("shadow", "copies of the requests", None),
            _ => {}
        }
        if let Some(copies) = gateway.copies.filter(|copies| copies.pairs > 0) {
            let text = format!(
                "{} requests asked of both: the new version alone failed at {}, {} of {} \
                 predictions differ",
                copies.pairs, copies.green_failed, copies.differing, copies.compared
            );
            self.put("compared", &text, None);
        }
    }

    /// Who changes the service, and what changed last.
    fn changes(&mut self, status: &ServiceStatus, now_ms: u64) {
        if let Some(last) = &status.last {
            let ago = span(Duration::from_millis(now_ms.saturating_sub(last.at_ms)));
            let by = match last.cause.actor.as_str() {
                "" => String::new(),
                actor => format!(" by {actor}"),
            };
            let how = match &last.outcome {
                Outcome::Released => "released",
                Outcome::RolledBack(_) => "rolled back",
                Outcome::Failed(_) => "failed",
                Outcome::Interrupted => "interrupted",
            };
            let version = last.label.get("version");
            let version =
                version.map_or_else(String::new, |version| format!(" (version {version})"));
            self.put("last", &format!("{}{version} {how} {ago} ago{by}", last.id), None);
        }
        if let Some(holder) = &status.holder {
            let since = span(Duration::from_millis(now_ms.saturating_sub(holder.since_ms)));
            let text = format!("process {} ({}) for {since}", holder.pid, holder.what);
            self.put("busy", &text, Some(YELLOW));
        }
        if let Some(id) = &status.unfinished {
            let text = format!("the release of {id} was interrupted; the next deploy settles it");
            self.put("unfinished", &text, Some(YELLOW));
        }
        if let Some(error) = &status.runtime_error {
            self.put("runtime", &format!("cannot be asked: {error}"), Some(RED));
        }
    }

    fn registry(&mut self, told: &Told<'_>) {
        if let Some(difference) = &told.registry.difference {
            self.put("differs", &difference.sentence(), Some(YELLOW));
        }
        if let Some(drift) = &told.registry.drift {
            let at = u64::try_from(drift.at_ms).unwrap_or_default();
            let ago = span(Duration::from_millis(told.now_ms.saturating_sub(at)));
            let style = (drift.verdict != "stable").then_some(YELLOW);
            self.put("drift", &format!("{}, looked at {ago} ago", drift.verdict), style);
        }
        if let Some(error) = &told.registry.error {
            self.put("registry", &format!("cannot be asked: {error}"), Some(YELLOW));
        }
    }

    fn supervisor(&mut self, told: &Told<'_>) {
        let since = |ms: u64| span(Duration::from_millis(told.now_ms.saturating_sub(ms)));
        match &told.status.supervisor {
            Some(seen) if seen.is_silent => {
                let silent = since(seen.heartbeat_ms);
                let text = format!("process {} has said nothing for {silent}: it hangs", seen.pid);
                self.put("supervisor", &text, Some(RED));
            }
            Some(seen) => {
                let (up, heartbeat) = (since(seen.started_ms), since(seen.heartbeat_ms));
                let text = format!("process {}, up {up}, heartbeat {heartbeat} ago", seen.pid);
                self.put("supervisor", &text, None);
            }
            None if matches!(told.state, State::Stopped | State::NeverReleased) => {}
            None => {
                let text = "none: what dies stays dead (`trainyard up` brings it back)";
                self.put("supervisor", text, Some(YELLOW));
            }
        }
    }
}

/// What the gateway's clients get: `IrisClassifier version 3 (Production)`.
fn model(told: &Told<'_>) -> Option<String> {
    let mut current = told.status.instances.iter().filter(|one| one.role == Role::Current);
    let instance = current.find(|one| one.is_well())?;
    let (name, version) = (said(instance, "model")?, said(instance, "version")?);
    let alias = match said(instance, "alias") {
        Some(alias) => format!(" ({alias})"),
        None if told.registry.agrees() => " (Production)".to_owned(),
        None => String::new(),
    };
    Some(format!("{name} version {version}{alias}"))
}

fn word(state: State) -> &'static str {
    match state {
        State::Serving => "serving",
        State::Degraded => "DEGRADED",
        State::Down => "DOWN",
        State::Stopped => "stopped, as somebody wished; `trainyard deploy` brings it up",
        State::NeverReleased => "nothing was ever released here",
    }
}

/// Who wanted the gateway to be as it is, where that was asked on the service's page.
fn asked(told: &Told<'_>, mode: &Mode) -> String {
    match told.asked.as_ref().filter(|asked| asked.is_in_force(mode)) {
        Some(asked) => {
            let at = u64::try_from(asked.wish.at_ms).unwrap_or_default();
            let ago = span(Duration::from_millis(told.now_ms.saturating_sub(at)));
            format!(" (asked on the service's page {ago} ago)")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use trainyard_deploy::gateway::Lately;
    use trainyard_deploy::{Health, InstanceReport, Restarts, SupervisorSeen, Wanted};
    use trainyard_pipeline::monitor::LastVerdict;

    use super::super::status_told::Registry;
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn status() -> ServiceStatus {
        let gateway = serde_json::json!({
            "protocol": 1, "pid": 1, "listen": "127.0.0.1:8080", "started_ms": NOW_MS - 90_000_000,
            "in_flight": 0, "standby_in_flight": 0, "connections": 12, "ejected": ["r7"],
            "route": {"current": null, "standby": null, "went_back": null},
        });
        let lately = Lately {
            span_ms: 60_000,
            requests: 1204,
            instance_faults: 1,
            p50_us: Some(3100),
            p99_us: Some(12_000),
            ..Lately::default()
        };
        let mut gateway: GatewayStatus = serde_json::from_value(gateway).unwrap();
        gateway.lately = lately;
        let instance = InstanceReport {
            id: "r7".to_owned(),
            role: Role::Current,
            running: true,
            ended: None,
            health: Some(Health::Well),
            said: Some(serde_json::json!({
                "model": "IrisClassifier", "version": "4", "pinned": true,
                "from_copy_of": "2023-11-14T20:00:00.000Z",
            })),
            address: Some(([127, 0, 0, 1], 40123).into()),
            handle: Some("4711".to_owned()),
            label: std::collections::BTreeMap::new(),
            up_ms: Some(7_380_000),
            memory_bytes: Some(214 << 20),
            restarts: Restarts {
                count: 2,
                last_ms: NOW_MS - 300_000,
                last_cause: "signal 9".to_owned(),
            },
            lately: Some(lately),
        };
        ServiceStatus {
            wanted: Wanted::Serving,
            url: Some("http://127.0.0.1:8080".to_owned()),
            gateway: Some(gateway),
            gateway_error: None,
            instances: vec![instance],
            runtime_error: None,
            certificate: None,
            supervisor: Some(SupervisorSeen {
                pid: 4242,
                started_ms: NOW_MS - 90_000_000,
                heartbeat_ms: NOW_MS - 2000,
                version: String::new(),
                projects: Vec::new(),
                is_silent: false,
            }),
            holder: None,
            unfinished: None,
            last: None,
        }
    }

    fn page(status: &ServiceStatus, registry: &Registry, columns: Option<usize>) -> Vec<String> {
        let told = Told {
            asked: None,
            asked_release: None,
            state: status.state(),
            outage: status.outage(),
            warnings: vec!["0.0.0.0:8080 can be reached from other machines ".repeat(3)],
            status,
            registry,
            now_ms: NOW_MS,
        };
        lines(&told, Look { columns, has_colour: false })
    }

    #[test]
    fn all_is_told_within_eighty_columns() {
        let drift = LastVerdict {
            verdict: "stable".to_owned(),
            at_ms: 1_699_989_000_000,
            run_id: "a".to_owned(),
        };
        let registry = Registry { drift: Some(drift), ..Registry::default() };
        let status = status();
        let lines = page(&status, &registry, Some(80));
        for line in [
            "state      serving",
            "gateway    http://127.0.0.1:8080, up 1 d 1 h, 12 connections",
            "model      IrisClassifier version 4 (Production)",
            "traffic    1204 requests/min, 0.1 % errors, p50 3.1 ms, p99 12 ms",
            "serving    r7 running at http://127.0.0.1:40123",
            "           version 4, pinned, up 2 h 3 min, 214 MiB",
            "           gets no requests while others are well",
            "           restarted 2 times, the last 5 min ago: signal 9",
            "drift      stable, looked at 3 h 3 min ago",
            "supervisor process 4242, up 1 d 1 h, heartbeat 2 s ago",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}\n{}", lines.join("\n"));
        }
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", lines.join("\n"));
        // Where no person looks, a thing is one line.
        let names = |lines: &[String]| lines.iter().filter(|line| !line.starts_with(' ')).count();
        let unwrapped = page(&status, &registry, None);
        assert!(unwrapped.len() < lines.len() && names(&unwrapped) == names(&lines));
    }

    #[test]
    fn what_is_wrong_comes_first_and_a_missing_supervisor_is_said() {
        let mut status = status();
        status.supervisor = None;
        status.instances[0].health = None;
        status.instances[0].running = false;
        status.instances[0].ended = Some("signal 9".to_owned());
        let lines = page(&status, &Registry::default(), Some(80));
        assert_eq!(lines[0], "state      DOWN: r7 has stopped (signal 9)");
        let text = lines.join("\n");
        assert!(
            text.contains("serving    r7 stopped (signal 9) at http://127.0.0.1:40123"),
            "{text}"
        );
        assert!(text.contains("supervisor none: what dies stays dead"), "{text}");
        status.gateway = None;
        status.gateway_error = Some("no answer within 5 s".to_owned());
        let lines = page(&status, &Registry::default(), Some(80));
        assert_eq!(lines[0], "state      DOWN: the gateway does not answer: no answer within 5 s");
        assert_eq!(lines[1], "gateway    does not answer (no answer within 5 s)");
    }
}
