//! All services in a table, those first that somebody should look at.

use std::cmp::Reverse;

use maud::{Markup, html};
use trainyard_base::duration::of_micros;
use trainyard_base::service::Traffic;

use super::recorded::{SERVICES_MAX, Service};
use super::sentence::{state, versions, well_of_all};
use crate::site::Web;
use crate::{format, page};

/// What a host stopped recording so long ago lies at the end of the list, in milliseconds: a week.
const FORGOTTEN_AFTER_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The table; what to do where there is none.
pub(super) fn table(web: &Web, services: &mut [Service], has_more: bool, now: i64) -> Markup {
    if services.is_empty() {
        return page::empty(
            "No service is recorded.",
            &html! {
                p { "In the folder of a project, on the host that is to serve it:" }
                (page::code("trainyard up"))
                p { "It keeps the deployment up and records each minute how it is; " code { "trainyard deploy" } " does once." }
            },
        );
    }
    services.sort_by(|one, other| order(one, now).cmp(&order(other, now)));
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th { "Service" } th { "State" } th { "Version" } th { "Instances" }
                        th.number { "Requests/min" } th.number { "Errors" } th.number { "4xx" } th.number { "p99" }
                        th.number.wide { "Restarts" } th.wide { "Host" } th { "Heard of" }
                    }
                }
                tbody { @for service in services.iter() { (row(web, service, now)) } }
            }
        }
        @if has_more { p.soft { "The newest " (SERVICES_MAX) " are shown." } }
    }
}

/// The worst first, what is long forgotten last.
fn order(service: &Service, now: i64) -> (bool, u8, &str, Reverse<i64>) {
    let at = service.record.at_ms;
    let is_forgotten = now.saturating_sub(at) > FORGOTTEN_AFTER_MS;
    (is_forgotten, service.health(now).rank(), &service.model, Reverse(at))
}

fn row(web: &Web, service: &Service, now: i64) -> Markup {
    let record = &service.record;
    if !service.is_vouched {
        return html! {
            tr {
                td { (service.health(now).dot()) a href=(web.links.service(&service.run_id)) { (format::short(&service.model, 60)) } }
                td colspan="10" { (state(service, now)) ": the model does not vouch for this record" }
            }
        };
    }
    // What went through a while ago says nothing of now.
    let minute = record.minute.filter(|_| service.is_heard(now));
    let (well, all) = well_of_all(&record.instances);
    let restarts = record.instances.iter().map(|one| one.restarts);
    let restarts = restarts.fold(0, u64::saturating_add);
    html! {
        tr {
            td {
                (service.health(now).dot())
                a href=(web.links.service(&service.run_id)) { (format::short(&service.model, 60)) }
            }
            td { (state(service, now)) }
            td {
                @for version in versions(&record.instances) {
                    a href=(web.links.version(&service.model, version)) { (version) } " "
                }
            }
            td.tight {
                @if service.is_heard(now) { (well) " of " (all) " well" } @else { span.soft { (all) } }
            }
            (numbers(minute.as_ref()))
            td.number.wide { (restarts) }
            td.wide { (format::short(&record.host, 40)) }
            td.tight { span title=(format::time_text(record.at_ms)) { (format::ago(record.at_ms, now)) } }
        }
    }
}

/// Requests, errors, clients' faults and p99 of a minute: four cells.
pub(super) fn numbers(minute: Option<&Traffic>) -> Markup {
    let p99 = minute.and_then(|minute| minute.p99_us);
    html! {
        @if let Some(minute) = minute {
            td.number { (minute.requests) }
            td.number { (format!("{:.1} %", minute.error_share() * 100.0)) }
            td.number { (format!("{:.1} %", minute.client_fault_share() * 100.0)) }
        } @else {
            td.number { "–" }
            td.number { "–" }
            td.number { "–" }
        }
        td.number { @if let Some(p99) = p99 { (of_micros(p99)) } @else { "–" } }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_base::service::{GatewayMode, ServiceRecord, ServiceState, Teller};

    use super::super::recorded::tests::service;
    use super::*;

    #[test]
    fn what_is_wrong_comes_first_and_what_is_forgotten_last() {
        let now = 1_000_000_000_000;
        let of = |state, at_ms| {
            service(ServiceRecord {
                at_ms,
                by: Teller::Up,
                state,
                mode: GatewayMode::Open,
                ..ServiceRecord::default()
            })
        };
        let mut services = [
            of(ServiceState::Down, now - 2 * FORGOTTEN_AFTER_MS),
            of(ServiceState::Serving, now),
            of(ServiceState::Serving, now - 3_600_000),
            of(ServiceState::Degraded, now),
            of(ServiceState::Down, now),
        ];
        services.sort_by(|one, other| order(one, now).cmp(&order(other, now)));
        let told: Vec<_> = services.iter().map(|one| state(one, now)).collect();
        assert_eq!(told, ["down", "serving in part", "not known", "serving", "not known"]);
    }
}
