//! Every route of users, roles, permissions, tokens and sign-ins, for clients and, as a twin, for pages.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, patch, post};

use super::asked::Users;
use super::{doors, grants, groups, roles, sign_up, tokens, users};
use crate::access::directory::Directory;
use crate::access::sign_in::SignIn;

/// All of them.
pub(crate) fn router(directory: Arc<Directory>, sign_in: Arc<SignIn>) -> Router {
    Router::new()
        .nest("/api/2.0/mlflow/users", second())
        .nest("/ajax-api/2.0/mlflow/users", second())
        .nest("/api/3.0/mlflow", third())
        .nest("/ajax-api/3.0/mlflow", third())
        .nest("/api/3.0/trainyard", own())
        .nest("/ajax-api/3.0/trainyard", own())
        .route("/sign-in", get(doors::show).post(doors::enter))
        .route("/sign-in/{issuer}", get(doors::begin))
        .route("/sign-in/{issuer}/callback", get(doors::finish))
        .route("/sign-out", post(doors::leave))
        .route("/account", get(doors::account))
        .route("/signup", get(sign_up::show))
        .with_state(Users { directory, sign_in })
}

fn second() -> Router<Users> {
    Router::new()
        .route("/create", post(users::create))
        .route("/create-ui", post(sign_up::enter))
        .route("/get", get(users::by_name))
        .route("/current", get(users::current))
        .route("/list", get(users::list))
        .route("/update-password", patch(users::update_password))
        .route("/update-admin", patch(users::update_admin))
        .route("/delete", delete(users::delete))
}

fn third() -> Router<Users> {
    Router::new()
        .route("/users/current/permissions", get(grants::of_current))
        .route("/users/permissions/list", get(grants::of_user))
        .route("/users/permissions/grant", post(grants::grant))
        .route("/users/permissions/revoke", post(grants::revoke))
        .route("/users/permissions/get", get(grants::effective))
        .route("/users/roles/list", get(roles::of_user))
        .route("/roles/create", post(roles::create))
        .route("/roles/get", get(roles::by_id))
        .route("/roles/list", get(roles::list))
        .route("/roles/update", patch(roles::update))
        .route("/roles/delete", delete(roles::delete))
        .route("/roles/permissions/add", post(roles::add_grant))
        .route("/roles/permissions/remove", delete(roles::remove_grant))
        .route("/roles/permissions/list", get(roles::grants))
        .route("/roles/permissions/update", patch(roles::update_grant))
        .route("/roles/assign", post(roles::assign))
        .route("/roles/unassign", delete(roles::unassign))
        .route("/roles/users/list", get(roles::users))
}

fn own() -> Router<Users> {
    Router::new()
        .route("/tokens/create", post(tokens::create))
        .route("/tokens/list", get(tokens::list))
        .route("/tokens/delete", delete(tokens::delete))
        .route("/sign-in", get(doors::offers))
        .route("/sign-in/token", post(doors::exchange))
        .route("/sessions/list", get(doors::sessions))
        .route("/sessions/delete", delete(doors::end_sessions))
        .route("/groups/list", get(groups::list))
        .route("/groups/get", get(groups::by_name))
        .route("/groups/create", post(groups::create))
        .route("/groups/update", patch(groups::update))
        .route("/groups/delete", delete(groups::delete))
        .route("/groups/members/add", post(groups::add_member))
        .route("/groups/members/remove", delete(groups::remove_member))
        .route("/groups/roles/assign", post(groups::give_role))
        .route("/groups/roles/unassign", delete(groups::take_role))
        .route("/groups/permissions/grant", post(groups::grant))
        .route("/groups/permissions/revoke", post(groups::revoke))
        .route("/service-accounts/create", post(tokens::create_account))
}
