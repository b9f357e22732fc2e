//! An instance on the page of a status: how it is, what it serves, what it did lately.

use std::time::Duration;

use trainyard_deploy::{Health, InstanceReport, Role};

use super::status_lines::Page;
use super::status_told::Told;
use super::status_words::{alarm, traffic};
use crate::printer::{RED, YELLOW, span};

impl Page {
    /// An instance in some lines.
    pub(super) fn instance(&mut self, instance: &InstanceReport, told: &Told<'_>) {
        let address =
            instance.address.map_or_else(String::new, |address| format!(" at http://{address}"));
        let (state, style) = match (&instance.health, &instance.ended) {
            (Some(Health::Well), _) => ("running".to_owned(), None),
            (Some(Health::Sick(said)), _) => (format!("not well ({said})"), Some(RED)),
            (Some(Health::Silent(how)), _) => (format!("not answering ({how})"), Some(RED)),
            (None, _) if instance.running => ("running".to_owned(), None),
            (None, Some(how)) => (format!("stopped ({how})"), Some(RED)),
            (None, None) => ("stopped".to_owned(), Some(RED)),
        };
        let text = format!("{} {state}{address}", instance.id);
        self.put(role(instance.role), &text, style);
        let about = about(instance);
        if !about.is_empty() {
            self.put("", &about, None);
        }
        if let Some(lately) = instance.lately.filter(|lately| lately.requests > 0) {
            self.put("", &traffic(&lately), alarm(&lately));
        }
        let mut ejected = told.status.gateway.iter().flat_map(|gateway| &gateway.ejected);
        if ejected.any(|id| *id == instance.id) {
            self.put("", "gets no requests while others are well", Some(YELLOW));
        }
        let restarts = &instance.restarts;
        if restarts.count > 0 {
            let times = match restarts.count {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            };
            let ago = span(Duration::from_millis(told.now_ms.saturating_sub(restarts.last_ms)));
            let text = format!("restarted {times}, the last {ago} ago: {}", restarts.last_cause);
            self.put("", &text, Some(YELLOW));
        }
        if let Some(at) = said(instance, "from_copy_of") {
            let text = format!("from its own copy of {at}, for the registry could not be reached");
            self.put("", &text, Some(YELLOW));
        }
        for key in ["warning", "last_error"] {
            if let Some(text) = said(instance, key) {
                self.put("", &text, Some(YELLOW));
            }
        }
    }
}

/// Which version it is and how it came by it, for how long it has run, what it holds.
fn about(instance: &InstanceReport) -> String {
    let mut parts = Vec::new();
    if let Some(version) = said(instance, "version") {
        parts.push(format!("version {version}"));
    } else {
        let label = instance.label.iter().map(|(key, value)| format!("{key} {value}"));
        let label: Vec<String> = label.collect();
        if !label.is_empty() {
            parts.push(format!("released as {}", label.join(", ")));
        }
    }
    let is_pinned = instance.said.as_ref().and_then(|said| said.get("pinned")?.as_bool());
    match (is_pinned, said(instance, "follows")) {
        (Some(true), _) => parts.push("pinned".to_owned()),
        (_, Some(alias)) => parts.push(format!("follows {alias}")),
        _ => {}
    }
    parts.extend(instance.up_ms.map(|up| format!("up {}", span(Duration::from_millis(up)))));
    parts.extend(instance.memory_bytes.map(|bytes| format!("{} MiB", bytes >> 20)));
    parts.join(", ")
}

/// A text of what an instance said of itself.
pub(super) fn said(instance: &InstanceReport, key: &str) -> Option<String> {
    let value = instance.said.as_ref()?.get(key)?;
    let text = value.as_str()?;
    let first = text.lines().next().unwrap_or_default();
    Some(first.to_owned())
}

/// What an instance is for.
fn role(role: Role) -> &'static str {
    match role {
        Role::Current => "serving",
        Role::Standby => "standby",
        Role::Candidate => "candidate",
        Role::Other => "other",
    }
}
