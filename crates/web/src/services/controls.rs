//! Pausing a service and closing it for maintenance: what can be asked of its host, and what became of what was.

use maud::{Markup, html};
use trainyard_base::service::{
    GatewayMode, ServiceWish, WISH_GOOD_FOR_MS, WISH_MESSAGE_CHARACTERS, wish_tag,
};
use trainyard_mlflow::SearchAudit;

use super::recorded::Service;
use crate::form::Forms;
use crate::site::Web;
use crate::{format, page};

/// Who asked last, as the audit log has it; none where there is none, or it is not for whoever looks.
pub(super) async fn who(web: &Web, service: &Service) -> Option<String> {
    service.wish.as_ref()?;
    let search = SearchAudit {
        subject: Some(format!("model:{}", service.model)),
        part: Some(format!("tag:{}", wish_tag(&service.run_id))),
        newest_first: true,
        max_results: Some(1),
        ..SearchAudit::default()
    };
    let events = match web.tracking.audit.events(search).await {
        Ok(events) => events,
        Err(error) => {
            tracing::debug!(%error, "who asked a service is not shown");
            return None;
        }
    };
    events.into_iter().next().map(|event| event.who).filter(|who| !who.is_empty())
}

/// The section of a service's page.
pub(super) fn section(service: &Service, who: Option<&str>, forms: Forms<'_>, now: i64) -> Markup {
    html! {
        h2 #control { "Pause and maintenance" }
        @if let Some(wish) = &service.wish { (became(service, wish, who, now)) }
        @if service.takes_wishes(now) { (buttons(service.record.mode, forms)) }
        @else {
            p.soft { "Its host does not listen to this page: " code { "trainyard up" } " of this version does, while it is heard of." }
        }
        p { "On its host, in the folder of the project:" }
        (page::code("trainyard deploy pause\ntrainyard deploy maintenance --message \"back at 10\"\ntrainyard deploy resume\ntrainyard deploy status --watch\ntrainyard deploy logs -f"))
    }
}

fn buttons(mode: GatewayMode, forms: Forms<'_>) -> Markup {
    let message = html! {
        label { "What users read " input type="text" name="message" maxlength=(WISH_MESSAGE_CHARACTERS) placeholder="This service is being maintained."; }
        button.danger { "Close for maintenance" }
    };
    let pause = html! { button.danger { "Pause" } " Requests wait, up to 30 s each." };
    let open = html! { button { "Open again" } };
    html! {
        @if matches!(mode, GatewayMode::Paused | GatewayMode::Maintenance) { (forms.form("open", &open)) }
        @if mode != GatewayMode::Unknown {
            details.more {
                summary { "Let requests wait, or turn them away" }
                // What somebody writes there stays when the other one comes or goes meanwhile.
                (forms.form("maintenance", &message))
                @if mode != GatewayMode::Paused { (forms.form("pause", &pause)) }
                p.soft { "It takes the right to change the model, and is written down in the audit log. The host does it within seconds." }
            }
        } @else { p.soft { "There is no gateway that could be closed or opened." } }
    }
}

/// What was asked last, and what the host says of it.
fn became(service: &Service, wish: &ServiceWish, who: Option<&str>, now: i64) -> Markup {
    let answer = service.record.wish.as_ref().filter(|answer| answer.id == wish.id);
    let asked = html! {
        (word(wish.mode)) " was asked "
        @if let Some(who) = who { "by " (format::short(who, 60)) " " }
        span title=(format::time_text(wish.at_ms)) { (format::ago(wish.at_ms, now)) }
    };
    match answer.map(|answer| answer.error.as_deref()) {
        Some(None) => html! { p { (asked) ", and its host did it." } },
        Some(Some(error)) => {
            html! { p.notice.bad { (asked) ", and its host did not do it: " (format::short(error, 300)) } }
        }
        None if wish.is_untimely(now) => {
            let minutes = WISH_GOOD_FOR_MS / 60_000;
            html! {
                p.notice.bad { (asked) ", and its host has not said that it did it within " (minutes) " min. It will not do it any more." }
            }
        }
        None => html! { p.notice { (asked) "; its host has not done it yet." } },
    }
}

fn word(mode: GatewayMode) -> &'static str {
    match mode {
        GatewayMode::Paused => "A pause",
        GatewayMode::Maintenance => "Maintenance",
        GatewayMode::Open | GatewayMode::Unknown => "Opening it again",
    }
}

#[cfg(test)]
mod tests {
    use trainyard_base::service::{ServiceRecord, WishAnswer};

    use super::super::recorded::tests::service;
    use super::*;

    const NOW: i64 = 1_000_000_000_000;

    #[test]
    fn what_became_of_a_wish_is_said() {
        let mode = GatewayMode::Maintenance;
        let wish = |at_ms| ServiceWish { id: "a".to_owned(), mode, message: String::new(), at_ms };
        let answer = |id: &str, error: Option<&str>| {
            Some(WishAnswer { id: id.to_owned(), error: error.map(str::to_owned) })
        };
        let old = NOW - 2 * WISH_GOOD_FOR_MS;
        for (at_ms, answer, told) in [
            (NOW, None, "has not done it yet"),
            (NOW, answer("b", None), "has not done it yet"),
            (NOW, answer("a", None), "and its host did it."),
            (old, answer("a", None), "and its host did it."),
            (old, None, "will not do it any more"),
            (NOW, answer("a", Some("no <gateway>")), "did not do it: no &lt;gateway&gt;"),
        ] {
            let service = service(ServiceRecord { wish: answer, ..ServiceRecord::default() });
            let page = became(&service, &wish(at_ms), Some("ada"), NOW).into_string();
            assert!(page.contains("Maintenance was asked by ada"), "{page}");
            assert!(page.contains(told), "{told}: {page}");
        }
    }
}
