//! Who does what, with what: for the tags of versions, the history and the records of releases.

use trainyard_deploy::Cause;

use crate::Project;

/// Characters of a name or a reason that are kept: more is no name, and tags have limits.
const CHARACTERS_MAX: usize = 500;

/// Whoever runs this program now, and why.
pub(crate) fn cause(project: &Project, reason: Option<&str>) -> Cause {
    let variable = |name: &str| std::env::var(name).ok();
    Cause {
        actor: actor(&variable, &project.tracking_uri),
        tool: format!("trainyard {}", env!("CARGO_PKG_VERSION")),
        reason: reason.map(plain).filter(|reason| !reason.is_empty()),
        ..Cause::default()
    }
}

/// The user of the tracking server, else whoever started a workflow on GitHub, else the user of this host.
fn actor(variable: &dyn Fn(&str) -> Option<String>, tracking_uri: &str) -> String {
    let given = |name: &str| variable(name).map(|value| plain(&value)).filter(|v| !v.is_empty());
    given("MLFLOW_TRACKING_USERNAME")
        .or_else(|| user_of(tracking_uri).map(plain))
        .or_else(|| given("GITHUB_ACTOR"))
        .or_else(|| given("USER"))
        .or_else(|| given("LOGNAME"))
        .unwrap_or_default()
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
        assert_eq!(of(&[("MLFLOW_TRACKING_USERNAME", " ")], "http://host"), "");
    }

    #[test]
    fn what_is_kept_is_one_line() {
        assert_eq!(plain(" wrong\nthreshold\u{1b}[2J "), "wrong threshold [2J");
        assert_eq!(plain(&"a".repeat(1000)).len(), CHARACTERS_MAX);
    }
}
