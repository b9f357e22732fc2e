//! Who does what, with what: for the tags of versions, the history and the records of releases.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use trainyard_deploy::Cause;

use crate::Project;

/// Characters of a name or a reason that are kept: more is no name, and tags have limits.
const CHARACTERS_MAX: usize = 500;

/// Whoever runs this program now, and why.
pub(crate) fn cause(project: &Project, reason: Option<&str>) -> Cause {
    cause_of(project, reason, None)
}

/// The same for whoever asked this program on a page, if somebody did: it acts for them.
pub(crate) fn cause_of(project: &Project, reason: Option<&str>, asked_by: Option<&str>) -> Cause {
    let variable = |name: &str| std::env::var(name).ok();
    let tool = format!("trainyard {}", env!("CARGO_PKG_VERSION"));
    let (actor, tool) = match asked_by {
        Some(by) => (plain(by), format!("{tool}, asked on a page")),
        None => (actor(&variable, &project.tracking_uri), tool),
    };
    Cause {
        actor,
        tool,
        reason: reason.map(plain).filter(|reason| !reason.is_empty()),
        ..Cause::default()
    }
}

/// The user of the tracking server, else whoever started a workflow on GitHub or a job on GitLab, else the user of this
/// host, by the environment or by the process.
fn actor(variable: &dyn Fn(&str) -> Option<String>, tracking_uri: &str) -> String {
    let given = |name: &str| variable(name).map(|value| plain(&value)).filter(|v| !v.is_empty());
    given("MLFLOW_TRACKING_USERNAME")
        .or_else(|| user_of(tracking_uri).map(plain))
        .or_else(|| given("GITHUB_ACTOR"))
        .or_else(|| given("GITLAB_USER_LOGIN"))
        .or_else(|| given("USER"))
        .or_else(|| given("LOGNAME"))
        .or_else(user_of_process)
        .unwrap_or_default()
}

/// The user that this process runs as, where the environment does not say (services, containers): the name in
/// `/etc/passwd`, else `uid 1000`. None on systems without `/proc`.
fn user_of_process() -> Option<String> {
    let uid = fs::metadata("/proc/self").ok()?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(name_of(uid, &users).unwrap_or_else(|| format!("uid {uid}")))
}

/// The user that owns a folder, by name if it has one; none for the superuser, or where nobody can tell.
pub fn owner(folder: &Path) -> Option<String> {
    let uid = fs::metadata(folder).ok()?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    (uid != 0).then(|| name_of(uid, &users).unwrap_or_else(|| uid.to_string()))
}

/// The name of a user in the form of `/etc/passwd`: `name:password:uid:…`, a line each.
fn name_of(uid: u32, users: &str) -> Option<String> {
    let uid = uid.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1) == Some(uid.as_str())).then(|| plain(name))
    })
}

/// The user in `https://user:password@host`. Without a password it may be a token, which is nobody's name.
fn user_of(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    let (authority, _path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, _host) = authority.rsplit_once('@')?;
    let (user, _password) = credentials.split_once(':')?;
    (scheme.starts_with("http") && !user.is_empty()).then_some(user)
}

/// One line of bounded length: names and reasons come from outside and are shown in terminals and pages.
fn plain(text: &str) -> String {
    let visible = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_known_name_is_taken() {
        let of = |known: &[(&str, &str)], uri: &str| {
            let known = known.to_vec();
            let variable = move |name: &str| {
                known.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            actor(&variable, uri)
        };
        let all = [("MLFLOW_TRACKING_USERNAME", "ana"), ("GITHUB_ACTOR", "octo"), ("USER", "root")];
        assert_eq!(of(&all, "https://ben:x@host/a"), "ana");
        assert_eq!(of(&all[1..], "https://ben:x@host/a"), "ben");
        assert_eq!(of(&all[1..], "https://host/a@b"), "octo");
        assert_eq!(of(&all[1..], "https://t0ken@host/a"), "octo");
        assert_eq!(of(&all[2..], "sqlite:////a/b@c.db"), "root");
        assert_eq!(
            of(&[("USER", "root"), ("GITLAB_USER_LOGIN", "tanuki")], "https://host"),
            "tanuki"
        );
        let nothing = of(&[("MLFLOW_TRACKING_USERNAME", " ")], "http://host");
        assert_eq!(nothing, user_of_process().unwrap_or_default());
    }

    #[test]
    fn a_user_is_known_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n:x:7:7::/:\ncut\nana:x:1000:1000::/home/ana:\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("ana"));
        assert_eq!(name_of(0, users).as_deref(), Some("root"));
        assert_eq!(name_of(100, users), None);
        assert_eq!(name_of(7, users), None);
    }

    #[test]
    fn what_is_kept_is_one_line() {
        assert_eq!(plain(" wrong\nthreshold\u{1b}[2J "), "wrong threshold [2J");
        assert_eq!(plain(&"a".repeat(1000)).len(), CHARACTERS_MAX);
    }
}
