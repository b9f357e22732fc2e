//! `trainyard user group`: groups of users, their roles, and what is granted to them.

use clap::{Args, Subcommand};
use trainyard_tracking::access::AccessControl;

use crate::failure::Failure;
use crate::printer;

/// What is done with groups.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a group of nobody
    Create(CreateArguments),
    /// Show all groups, and who is in each
    List,
    /// Take users into a group
    Add(MemberArguments),
    /// Take users out of a group
    Remove(MemberArguments),
    /// Give a role to whoever is in a group
    Assign(RoleArguments),
    /// Take a role from whoever is in a group
    Unassign(RoleArguments),
    /// Grant a group a permission on a thing
    Grant(GrantArguments),
    /// Take back what was granted to a group
    Revoke(ThingArguments),
    /// Remove a group, with what was granted to it
    Delete(GroupArguments),
}

#[derive(Debug, Args)]
pub(super) struct GroupArguments {
    /// The group
    #[arg(value_name = "GROUP")]
    group: String,
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// Its name
    #[arg(value_name = "GROUP")]
    group: String,
    /// Who is to be in it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct MemberArguments {
    /// The group
    #[arg(value_name = "GROUP")]
    group: String,
    /// The users
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct RoleArguments {
    /// The group
    #[arg(value_name = "GROUP")]
    group: String,
    /// The role, by its name
    #[arg(value_name = "ROLE")]
    role: String,
}

#[derive(Debug, Args)]
pub(super) struct ThingArguments {
    /// The group
    #[arg(value_name = "GROUP")]
    group: String,
    /// The kind of thing: experiment, registered_model, run, …
    #[arg(value_name = "KIND")]
    kind: String,
    /// Its id or name, or * for all of the kind
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Debug, Args)]
pub(super) struct GrantArguments {
    #[command(flatten)]
    thing: ThingArguments,
    /// READ, USE, EDIT, MANAGE or DENY
    #[arg(value_name = "PERMISSION")]
    permission: String,
}

pub(super) async fn act(control: &AccessControl, action: Action) -> Result<(), Failure> {
    match action {
        Action::Create(made) => {
            control.create_group(&made.group, made.description.as_deref()).await?;
        }
        Action::List => {
            for (name, members) in control.groups() {
                printer::line(&format!("{name}: {}", members.join(", ")));
            }
        }
        Action::Add(members) => control.set_members(&members.group, &members.users, true).await?,
        Action::Remove(members) => {
            control.set_members(&members.group, &members.users, false).await?;
        }
        Action::Assign(role) => control.set_group_role(&role.group, &role.role, true).await?,
        Action::Unassign(role) => control.set_group_role(&role.group, &role.role, false).await?,
        Action::Grant(GrantArguments { thing, permission }) => {
            let named = (thing.kind.as_str(), thing.id.as_str());
            control.grant_to_group(&thing.group, named, &permission).await?;
        }
        Action::Revoke(thing) => {
            control.revoke_from_group(&thing.group, (&thing.kind, &thing.id)).await?;
        }
        Action::Delete(group) => control.delete_group(&group.group).await?,
    }
    Ok(())
}
