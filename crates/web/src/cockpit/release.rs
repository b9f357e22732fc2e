//! Releasing a version and going back, with what there is to know in front of each button: what the gate said, what clients
//! would notice, who agreed, what changes where, and what became of what was asked last.
//!
//! It is done where the service runs, by whoever keeps it up there: the page only asks.

use maud::{Markup, html};
use trainyard_base::service::{
    GatewayMode, RELEASE_REASON_CHARACTERS, ReleaseAnswer, ReleaseKind, ReleaseState, ReleaseWish,
    WISH_GOOD_FOR_MS,
};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{ApprovalRequest, ModelVersion, RegisteredModel, Tag};
use trainyard_mlflow::{SearchModelVersions, VersionId};
use trainyard_signature::contract;

use super::actions::{self, Beside};
use super::snippets::shell;
use super::standing::PRODUCTION;
use crate::form::Forms;
use crate::grammar::equals;
use crate::services::{Service, serving_in_short, why_not};
use crate::site::Web;
use crate::{format, page, signature};

/// Services that have buttons.
const SERVICES_MAX: usize = 5;
/// Characters that are shown of what a host said, and of a name.
const SAID_SHOWN: usize = 800;
const NAME_SHOWN: usize = 60;

/// The version that may be released next, and what that would change for clients.
pub(crate) struct Candidate {
    version: ModelVersion,
    beside: Option<Beside>,
}

impl Candidate {
    /// A version beside the one that serves.
    pub(super) fn new(version: ModelVersion, beside: Option<Beside>) -> Self {
        Self { version, beside }
    }

    /// What a service may get next: what is approved and waits, else the newest version; none where that serves already, was
    /// refused or taken back, or nobody would do it.
    pub(crate) async fn next(
        web: &Web,
        model: &RegisteredModel,
        services: &[Service],
        now: i64,
    ) -> Option<Self> {
        let service = services.iter().find(|one| one.takes_releases(now))?;
        let serves = service.record.serves.as_deref();
        let staged = model.aliases.iter().find(|alias| alias.alias == "Staging");
        let staged = match staged {
            Some(staged) => {
                let id = VersionId { name: &model.name, version: &staged.version };
                web.tracking.model_versions.get(id).await.ok()
            }
            None => None,
        };
        // What was refused or taken back is released from its own page, where it says why it was.
        let is_next = |version: &ModelVersion| {
            Some(version.version.as_str()) != serves && !is_refused(version)
        };
        let version = match staged.filter(is_next) {
            Some(staged) => staged,
            None => newest(web, &model.name).await.filter(is_next)?,
        };
        let beside = match serves {
            Some(serves) => beside(web, &version, serves).await,
            None => None,
        };
        Some(Self { version, beside })
    }
}

async fn newest(web: &Web, model: &str) -> Option<ModelVersion> {
    let search = SearchModelVersions {
        filter: equals("name", model),
        max_results: Some(1),
        order_by: vec!["version_number DESC".to_owned()],
        page_token: None,
    };
    let found = web.tracking.model_versions.search(search).await.ok()?;
    found.items.into_iter().next().filter(|version| version.name == model)
}

/// What a version would change for clients of another one; none where either cannot be read.
async fn beside(web: &Web, version: &ModelVersion, serves: &str) -> Option<Beside> {
    let id = VersionId { name: &version.name, version: serves };
    let before = signature::of_version(&web.tracking, id).await.ok()?;
    let after = signature::of_version(&web.tracking, version.id()).await.ok()?;
    let contract = contract::compare(before.signature.as_ref(), after.signature.as_ref());
    Some(Beside { production: serves.to_owned(), contract })
}

/// The section of a page.
#[derive(Clone, Copy)]
pub(crate) struct Releases<'a> {
    pub(crate) web: &'a Web,
    pub(crate) forms: Forms<'a>,
    pub(crate) model: &'a str,
    /// Those of the model that whoever looks may see.
    pub(crate) services: &'a [Service],
    pub(crate) candidate: Option<&'a Candidate>,
    /// What waits for approval.
    pub(crate) requests: &'a [ApprovalRequest],
    pub(crate) now: i64,
}

impl Releases<'_> {
    pub(crate) fn section(&self) -> Markup {
        let now = self.now;
        let listening = || self.services.iter().filter(|one| one.takes_releases(now));
        // What serves everywhere is nobody's next version.
        let is_next = |candidate: &&Candidate| {
            let number = Some(candidate.version.version.as_str());
            listening().any(|service| service.record.serves.as_deref() != number)
        };
        html! {
            h2 #release { "Release and roll back" }
            @if let Some(candidate) = self.candidate.filter(is_next) { (self.known(candidate)) }
            @for service in listening().take(SERVICES_MAX) { (self.of(service)) }
            @if listening().nth(SERVICES_MAX).is_some() {
                p.soft { "There are more of its services; each has buttons on " a href=(self.web.links.services()) { "its own page" } "." }
            }
            @if listening().next().is_none() { (self.by_hand()) } @else {
                p.soft {
                    "Its host does it by the steps of " code { "trainyard deploy" } " and " code { "deploy rollback" }
                    ", within seconds, for whoever asks: that takes the right to move " (PRODUCTION)
                    ", and the approvals of others where it is protected. Both are written down."
                }
            }
        }
    }

    /// What to know of a version before it is released.
    fn known(&self, candidate: &Candidate) -> Markup {
        let Candidate { version, beside } = candidate;
        let number = &version.version;
        let wanted =
            |request: &&ApprovalRequest| request.alias == PRODUCTION && request.version == *number;
        let approvals = self.requests.iter().find(wanted);
        html! {
            p {
                a href=(self.web.links.version(self.model, number)) { "Version " (number) } " "
                (judged(version))
                @if let Some(request) = approvals {
                    " " (request.approvals.len()) " of " (request.needed) " approvals"
                    @for approval in &request.approvals { ", " (format::short(&approval.who, NAME_SHOWN)) }
                    "."
                }
            }
            @match beside {
                Some(beside) => (actions::contract(beside)),
                None => p.soft { "What it changes for clients is not known: the signature of one of both cannot be read, or nothing serves." },
            }
        }
    }

    /// One service.
    fn of(&self, service: &Service) -> Markup {
        let now = self.now;
        let record = &service.record;
        html! {
            div.box {
                p {
                    strong { "On " a href=(self.web.links.service(&service.run_id)) { (format::short(&record.host, NAME_SHOWN)) } }
                    ": " (serving_in_short(service, now)) "."
                }
                (became(service, now))
                @if service.is_free_for(ReleaseKind::Release, now) { (self.forward(service)) }
                @if service.is_free_for(ReleaseKind::Rollback, now) { (self.back(service)) }
            }
        }
    }

    /// The way to another version.
    fn forward(&self, service: &Service) -> Markup {
        let record = &service.record;
        let serves = record.serves.as_deref();
        let candidate = self.candidate.map(|candidate| &candidate.version);
        let candidate = candidate.filter(|version| Some(version.version.as_str()) != serves);
        let is_open = record.mode == GatewayMode::Open;
        html! {
            @if let Some(version) = candidate {
                @let number = &version.version;
                @let class = is_refused(version).then_some("danger");
                @let answer = html! { button class=[class] { "Release version " (number) } };
                @if is_open { div id=(own("release", service, number)) { (self.asking("release", service, number, &answer)) } }
                @else { p.soft { "It is not open, so nothing is released: nobody would know how a new version does." } }
                @if !is_approved(version) {
                    @let answer = html! { button.quiet { "Put version " (number) " through the gate alone" } };
                    div id=(own("promote", service, number)) { (self.asking("promote", service, number, &answer)) }
                }
            }
        }
    }

    /// The way back.
    fn back(&self, service: &Service) -> Markup {
        let record = &service.record;
        let serves = record.serves.as_deref();
        html! {
            @if let Some(number) = &record.returns_to {
                @let answer = html! { button.danger { "Roll back to version " (number) } };
                div id=(own("rollback", service, number)) { (self.asking("rollback", service, number, &answer)) }
                p.soft {
                    @if Some(number.as_str()) == serves { "That ends the release that goes on; users keep version " (number) "." }
                    @else {
                        "Version " (number) " comes back as it served before, and is not judged again"
                        @if let Some(serves) = serves { "; version " (serves) " counts as rolled back if it is newer" }
                        "."
                    }
                }
            } @else { p.soft { "There is nothing to roll back to: no other version served here." } }
        }
    }

    /// A form that asks for something with a version.
    fn asking(&self, action: &str, service: &Service, version: &str, button: &Markup) -> Markup {
        self.forms.form(
            action,
            &html! {
                input type="hidden" name="service" value=(service.run_id);
                input type="hidden" name="version" value=(version);
                @for beside in service.beside() { input type="hidden" name="beside" value=(beside); }
                label { "Why " input type="text" name="reason" maxlength=(RELEASE_REASON_CHARACTERS); }
                (button)
            },
        )
    }

    /// Where nobody would do it.
    fn by_hand(&self) -> Markup {
        let now = self.now;
        let number = self.candidate.map_or("N".to_owned(), |one| shell(&one.version.version));
        html! {
            p.soft {
                "There is no button, as no host takes releases of it from this page"
                @if self.services.is_empty() { ": no service of it is recorded here." } @else { ":" }
            }
            @if !self.services.is_empty() {
                ul {
                    @for service in self.services.iter().take(SERVICES_MAX) {
                        li {
                            a href=(self.web.links.service(&service.run_id)) {
                                @if service.is_vouched { (format::short(&service.record.host, NAME_SHOWN)) } @else { "a service" }
                            }
                            ": " (why_not(service, now))
                        }
                    }
                }
            }
            p { "In the project's folder, where it is deployed:" }
            @match self.candidate.map(|candidate| &candidate.version) {
                Some(version) if actions::is_refused(version) => {
                    p.soft { "Judge it again, with what the gate asks for now:" }
                    (page::code(&format!("trainyard promote --version {number}")))
                }
                _ => {
                    p.soft { "Release it; the gate judges it first if it has not:" }
                    (page::code(&format!("trainyard deploy --version {number}")))
                }
            }
            p.soft { "Go back to the version before:" }
            (page::code("trainyard deploy rollback"))
        }
    }
}

/// What somebody wrote of one version is for no other: by this a page that changes by itself tells one from the other.
fn own(word: &str, service: &Service, version: &str) -> String {
    let serves = service.record.serves.as_deref().unwrap_or_default();
    format!("{word}-{}-{version}-{serves}", service.run_id)
}

/// Whether something was found against a version.
fn is_refused(version: &ModelVersion) -> bool {
    let tag = |key: &str| Tag::find(&version.tags, key);
    tag(tags::GATE) == Some("failed") || matches!(tag(tags::STATE), Some("refused" | "rolled_back"))
}

/// Whether a release would not judge a version anew, as the pipeline decides it.
fn is_approved(version: &ModelVersion) -> bool {
    let tag = |key: &str| Tag::find(&version.tags, key);
    matches!((tag(tags::STATE), tag(tags::GATE)), (None, Some("passed")))
        || tag(tags::STATE) == Some("approved") && tag(tags::GATE) != Some("failed")
}

/// What was decided of a version, and what a release makes of that.
fn judged(version: &ModelVersion) -> Markup {
    let tag = |key: &str| Tag::find(&version.tags, key);
    let why = tag("trainyard.state.reason").map(|reason| format::short(reason, 300));
    let anew = "A release puts it through the gate first, and ends there if it is refused.";
    html! {
        @if is_approved(version) {
            span.badge.good { "approved" } " The gate let it pass"
            @if let Some(by) = tag("trainyard.state.by").filter(|by| !by.is_empty()) { ", asked by " (format::short(by, NAME_SHOWN)) }
            "."
        } @else if actions::is_refused(version) {
            span.badge.bad { "refused" } " The gate refused it"
            @if tag(tags::STATE) == Some("refused") { @if let Some(why) = why { ": " (why) } }
            ". " (anew)
        } @else if let Some(state @ ("released" | "replaced" | "rolled_back")) = tag(tags::STATE) {
            span.badge.plain { (state.replace('_', " ")) } " It served before" @if let Some(why) = why { ": " (why) } ". " (anew)
        } @else {
            span.badge.plain { "not judged" } " " (anew)
        }
    }
}

/// What was asked last, and what its host says of it.
fn became(service: &Service, now: i64) -> Markup {
    let answer = service.record.release.as_ref();
    let wish = service.release.as_ref();
    let newer = wish.filter(|wish| answer.is_none_or(|answer| answer.id != wish.id));
    html! {
        @if let Some(answer) = answer { (answered(answer, now)) }
        @if let Some(wish) = newer { (waiting(wish, now)) }
    }
}

fn waiting(wish: &ReleaseWish, now: i64) -> Markup {
    let asked = html! {
        (capital(wish.what, &wish.version)) " was asked" (by(&wish.by)) " "
        span title=(format::time_text(wish.at_ms)) { (format::ago(wish.at_ms, now)) }
    };
    let minutes = WISH_GOOD_FOR_MS / 60_000;
    html! {
        @if wish.is_untimely(now) {
            p.notice.bad { (asked) ", and its host has not taken it within " (minutes) " min. It will not do it any more." }
        } @else { p.notice role="status" { (asked) "; waiting for its host to take it." } }
    }
}

fn answered(answer: &ReleaseAnswer, now: i64) -> Markup {
    let said = format::short(&answer.said, SAID_SHOWN);
    let what = html! {
        (capital(answer.what, &answer.version)) ", asked" (by(&answer.by)) " "
        @let at = answer.ended_ms.unwrap_or(answer.taken_ms);
        @let word = if answer.ended_ms.is_some() { "ended" } else { "taken" };
        "and " (word) " " span title=(format::time_text(at)) { (format::ago(at, now)) }
    };
    html! {
        @match answer.state {
            ReleaseState::Doing => {
                p.notice role="status" { (what) ", goes on: " @if said.is_empty() { "its host has begun" } @else { (said) } "." }
            }
            ReleaseState::Done => p { span.badge.good { "done" } " " (what) ": " (said) "." },
            ReleaseState::Refused => p.notice.bad { (what) ", was refused: " (said) },
            ReleaseState::Failed => p.notice.bad { (what) ", failed, and users have what they had: " (said) },
            ReleaseState::Unknown => p.notice.bad { (what) ": it is not known whether it was done. " (said) },
        }
    }
}

fn by(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" by {}", format::short(name, NAME_SHOWN)) }
}

fn capital(what: ReleaseKind, version: &str) -> String {
    match what {
        ReleaseKind::Release => format!("The release of version {version}"),
        ReleaseKind::Rollback => format!("The way back to version {version}"),
        ReleaseKind::Promote => format!("The judgement of version {version}"),
        ReleaseKind::Unknown => "Something".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000_000;

    fn version(tags: &[(&str, &str)]) -> ModelVersion {
        let tags = tags.iter().map(|(key, value)| Tag::new(*key, *value)).collect();
        ModelVersion { tags, ..ModelVersion::default() }
    }

    #[test]
    fn only_what_a_release_takes_as_it_is_counts_as_approved() {
        for (tags, is, told) in [
            (&[][..], false, "not judged"),
            (&[("trainyard.gate", "passed")], true, "The gate let it pass."),
            (&[("trainyard.gate", "failed")], false, "The gate refused it"),
            (&[("trainyard.state", "approved"), ("trainyard.gate", "passed")], true, "approved"),
            (&[("trainyard.state", "approved"), ("trainyard.gate", "failed")], false, "refused"),
            (
                &[("trainyard.state", "rolled_back"), ("trainyard.gate", "passed")],
                false,
                "rolled back",
            ),
            (
                &[("trainyard.state", "levitating"), ("trainyard.gate", "passed")],
                false,
                "not judged",
            ),
        ] {
            let version = version(tags);
            assert_eq!(is_approved(&version), is, "{tags:?}");
            let page = judged(&version).into_string();
            assert!(page.contains(told), "{told}: {page}");
            assert_eq!(page.contains("puts it through the gate first"), !is, "{page}");
        }
    }

    #[test]
    fn what_became_of_a_release_is_said() {
        let answer = |state, ended_ms| ReleaseAnswer {
            id: "a".to_owned(),
            what: ReleaseKind::Release,
            version: "4".to_owned(),
            by: "<ada>".to_owned(),
            taken_ms: NOW - 5_000,
            ended_ms,
            state,
            said: "no <way>".to_owned(),
        };
        for (state, ended, told) in [
            (ReleaseState::Doing, None, "goes on: no &lt;way&gt;."),
            (ReleaseState::Done, Some(NOW), ">done<"),
            (ReleaseState::Refused, Some(NOW), "was refused: no &lt;way&gt;"),
            (ReleaseState::Failed, Some(NOW), "users have what they had: no &lt;way&gt;"),
            (ReleaseState::Unknown, Some(NOW), "not known whether it was done"),
        ] {
            let page = answered(&answer(state, ended), NOW).into_string();
            assert!(page.contains(told), "{told}: {page}");
            assert!(page.contains("The release of version 4, asked by &lt;ada&gt;"), "{page}");
        }
        let wish = |at_ms| ReleaseWish {
            id: "b".to_owned(),
            what: ReleaseKind::Rollback,
            version: "3".to_owned(),
            beside: Vec::new(),
            reason: String::new(),
            by: String::new(),
            at_ms,
        };
        let page = waiting(&wish(NOW), NOW).into_string();
        assert!(page.contains("The way back to version 3 was asked "), "{page}");
        assert!(page.contains("waiting for its host"), "{page}");
        let page = waiting(&wish(NOW - 2 * WISH_GOOD_FOR_MS), NOW).into_string();
        assert!(page.contains("will not do it any more"), "{page}");
    }
}
