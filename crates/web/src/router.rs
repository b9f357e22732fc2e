//! Which page is where, and what every answer carries.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::team::Myself;

use crate::gzip;
use crate::links::Links;
use crate::site::{Beside, Web};
use crate::ticket::Ticket;
use crate::turns::Turns;
use crate::{
    artifact, assets, best, chosen_runs, cockpit, colour_choice, compare, curves, error,
    experiment, experiments, frame, home, logged_model, metric, models, monitoring, page,
    relations, run, run_change, runs_csv, scorers, search, services, style_page, team, webhooks,
};

/// All pages, to be mounted at `/`.
pub fn router(tracking: Tracking) -> Router {
    router_below(tracking, "")
}

/// All pages, with links that start with `prefix` (`/mlflow`), for a server that is mounted below
/// a path. The caller nests the router there.
pub fn router_below(tracking: Tracking, prefix: &str) -> Router {
    router_with(tracking, prefix, Beside::default())
}

/// The same with what the server has beside: whom it tells, and its people.
pub fn router_with(tracking: Tracking, prefix: &str, beside: Beside) -> Router {
    let web = Web { tracking, links: Links::new(prefix), beside, turns: Turns::new() };
    Router::new()
        .route("/", get(home::show))
        .route("/recent", get(cockpit::show_recent))
        .route("/search", get(search::show))
        .route("/experiments", get(experiments::list))
        .route("/experiments/{experiment_id}", get(experiment::show))
        .route("/experiments/{experiment_id}/curves", get(curves::show))
        .route("/experiments/{experiment_id}/relations", get(relations::show))
        .route(
            "/experiments/{experiment_id}/chosen",
            get(chosen_runs::show).post(chosen_runs::change),
        )
        .route("/experiments/{experiment_id}/best", get(best::show).post(best::change))
        .route("/experiments/{experiment_id}/scorers", get(scorers::show))
        .route("/experiments/{experiment_id}/runs.csv", get(runs_csv::download))
        .route("/experiments/{experiment_id}/runs/{run_id}", get(run::show_in_experiment))
        .route("/runs/{run_id}", get(run::show).post(run_change::change))
        .route("/runs/{run_id}/metrics/{*key}", get(metric::show))
        .route("/runs/{run_id}/files", get(artifact::all_of_run))
        .route("/runs/{run_id}/files/{*path}", get(artifact::show_of_run))
        .route("/runs/{run_id}/raw/{*path}", get(artifact::raw_of_run))
        .route("/compare", get(compare::show))
        .route("/logged-models/{model_id}", get(logged_model::show))
        .route("/logged-models/{model_id}/files", get(artifact::all_of_model))
        .route("/logged-models/{model_id}/files/{*path}", get(artifact::show_of_model))
        .route("/logged-models/{model_id}/raw/{*path}", get(artifact::raw_of_model))
        .route("/models", get(models::list))
        .route("/models/{name}", get(cockpit::show).post(cockpit::change))
        .route("/models/{name}/{version}", get(models::to_version))
        .route("/models/{name}/diff", get(cockpit::show_difference))
        .route("/models/{name}/monitoring", get(monitoring::show))
        .route(
            "/models/{name}/versions/{version}",
            get(cockpit::show_version).post(cockpit::change_version),
        )
        .route("/services", get(services::list))
        .route("/services/{run_id}", get(services::show).post(services::change))
        .route("/webhooks", get(webhooks::show).post(webhooks::change))
        .route("/team", get(team::show).post(team::change))
        .route("/team/users/{name}", get(team::show_member).post(team::change_member))
        .route("/team/roles/{role_id}", get(team::show_role).post(team::change_role))
        .route("/team/groups/{group_id}", get(team::show_group).post(team::change_group))
        .route("/team/tokens", get(team::show_tokens).post(team::change_tokens))
        .route("/team/approvals", get(team::show_approvals).post(team::decide))
        .route("/team/audit", get(team::show_audit))
        .route("/colours", post(colour_choice::choose))
        .route("/style", get(style_page::show))
        .route("/assets/{name}", get(asset))
        .fallback(error::no_page)
        .layer(middleware::from_fn_with_state(web.clone(), finish))
        .with_state(web)
}

/// A file that pages need. A name of another version leads to that of this one: pages of an older server are open still,
/// or a server of another version stands beside this one.
async fn asset(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> error::Result {
    match assets::find(&name) {
        Some((asset, true)) => Ok(asset.answer(gzip::is_taken(&headers))),
        Some((asset, false)) => {
            Ok(Redirect::temporary(&web.links.asset(&asset.name)).into_response())
        }
        None => Err(error::no_page().await),
    }
}

/// Who looks at a page; none where the server asks nobody, or cannot tell now.
async fn signed_in(web: &Web) -> Option<Myself> {
    let me = web.beside.team.as_ref()?.myself().await;
    me.map_err(|error| tracing::debug!(%error, "it is not known who looks at a page")).ok()
}

/// Nothing from elsewhere, no inline script or style, no foreign frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'self'";

/// Gives a page's forms what they have to know, draws failures as pages, and adds the headers that browsers protect
/// users by; an answer that set its own keeps it. Text goes as gzip to those who take it.
async fn finish(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let ticket = Ticket::of(request.headers());
    request.extensions_mut().insert(ticket.clone());
    let takes_gzip = gzip::is_taken(request.headers());
    let headers = request.headers().clone();
    let is_asset = request.uri().path().contains("/assets/");
    let me = if is_asset { None } else { signed_in(&web).await };
    let draw = async { error::draw(&web.links, next.run(request).await) };
    let mut response = frame::drawing(&headers, me, draw).await;
    let headers = response.headers_mut();
    // Pages of ours have forms; what users logged is none, and comes with a policy of its own.
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == page::MEDIA_TYPE)
        && !headers.contains_key(header::CONTENT_SECURITY_POLICY);
    if let Some(cookie) = ticket.cookie().filter(|_| is_page) {
        headers.append(header::SET_COOKIE, cookie);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept-encoding"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if takes_gzip { gzip::pack(response).await } else { response }
}
