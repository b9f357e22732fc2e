//! What the pages of the team have in common: the ways between them, and whom they ask.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use trainyard_mlflow::team::{Myself, Team};
use trainyard_mlflow::{Error as StoreError, ErrorCode};

use crate::error::Result;
use crate::page::{self, Section};
use crate::site::Web;

/// A page that the others lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    People,
    Tokens,
    Approvals,
    Audit,
}

/// The people of the server; an error where it asks nobody who they are.
pub(super) fn team(web: &Web) -> Result<&dyn Team> {
    let Some(team) = &web.beside.team else {
        let told = "this server has no users: `trainyard server --app-name basic-auth` has them";
        return Err(StoreError::not_found(told).into());
    };
    Ok(&**team)
}

/// Whoever asks; none where that is not known.
pub(super) async fn myself(web: &Web) -> Result<Option<Myself>> {
    match &web.beside.team {
        Some(team) => Ok(Some(team.myself().await?)),
        None => Ok(None),
    }
}

/// None of what is not for whoever asks.
pub(super) fn allowed<T>(found: Result<T, StoreError>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == ErrorCode::PermissionDenied => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A page of the section. Pages that are below one of the places have no place of their own.
pub(super) fn respond(
    web: &Web,
    me: Option<&Myself>,
    place: Option<Place>,
    title: &str,
    body: &Markup,
) -> Response {
    let body = html! {
        (ways(web, me, place))
        (body)
    };
    let above = place != Some(Place::People);
    let trail: Vec<_> = above.then(|| (web.links.team(), "Team".to_owned())).into_iter().collect();
    let page = page::layout(&web.links, title, Some(Section::Team), &trail, &body);
    page::respond(StatusCode::OK, &page)
}

fn ways(web: &Web, me: Option<&Myself>, place: Option<Place>) -> Markup {
    let way = |to: Place, address: String, name: &str| {
        html! { a href=(address) aria-current=[(place == Some(to)).then_some("page")] { (name) } }
    };
    // Where nobody is asked who they are, everybody sees everything.
    let sees_all = me.is_none_or(|me| me.manages);
    let is_admin = me.is_none_or(|me| me.is_admin);
    html! {
        nav.actions aria-label="Team" {
            (way(Place::People, web.links.team(), "People"))
            @if me.is_some() { (way(Place::Tokens, web.links.tokens(), "Tokens")) }
            (way(Place::Approvals, web.links.approvals(), "Approvals"))
            @if sees_all { (way(Place::Audit, web.links.audit(), "Audit log")) }
            @if is_admin && web.beside.webhooks.is_some() { a href=(web.links.webhooks()) { "Webhooks" } }
            @if let Some(me) = me { a href=(me.account) { "Signed in as " (me.username) } }
        }
    }
}
