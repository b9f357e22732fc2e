//! The host that a repository is pushed to, as git's own settings name it. Files are read as text: a repository of
//! somebody else's makes no program of git run.

use std::path::{Path, PathBuf};

use super::folder::read_text;

/// Settings of a repository are written by hand: larger than this, they are something else.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Host of the remote `origin`, or of the first where none is called so, in small letters.
pub(super) fn host(root: &Path) -> Option<String> {
    let config = read_text(&settings(root)?, CONFIG_BYTES_MAX)?;
    let mut section = "";
    let mut first = None;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let Some((key, url)) = line.split_once('=') else { continue };
        if key.trim() != "url" || !section.starts_with("[remote ") {
            continue;
        }
        let Some(found) = host_of(url.trim()) else { continue };
        if section == "[remote \"origin\"]" {
            return Some(found);
        }
        first.get_or_insert(found);
    }
    first
}

/// The file of settings: of a work tree beside the repository, or of a submodule, `.git` says where that is.
fn settings(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git.join("config"));
    }
    let link = read_text(&git, CONFIG_BYTES_MAX)?;
    let folder = root.join(link.strip_prefix("gitdir:")?.trim());
    let common = read_text(&folder.join("commondir"), CONFIG_BYTES_MAX);
    Some(match common {
        Some(common) => folder.join(common.trim()).join("config"),
        None => folder.join("config"),
    })
}

/// Host of `scheme://user@host:port/path` or of `user@host:path`; none of a path.
fn host_of(url: &str) -> Option<String> {
    let authority = match url.split_once("://") {
        Some((_, rest)) => rest.split('/').next()?,
        // A slash before the colon makes it a path.
        None => url.split_once(':').map(|(before, _)| before).filter(|text| !text.contains('/'))?,
    };
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_from_a_path_and_from_a_name() {
        for (url, host) in [
            ("https://GitLab.example.com/us/churn.git", Some("gitlab.example.com")),
            ("ssh://git@gitlab.example.com:2222/us/churn", Some("gitlab.example.com")),
            ("git@code.example.com:us/gitlab-tools.git", Some("code.example.com")),
            ("https://me:x@code.example.com/gitlab", Some("code.example.com")),
            ("/srv/gitlab/churn.git", None),
            ("../a:b/gitlab", None),
            ("file:///srv/gitlab", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
    }

    #[test]
    fn origin_goes_before_others_and_work_trees_have_it_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("main");
        std::fs::create_dir_all(root.join(".git/worktrees/w")).unwrap();
        let config = "[remote \"mirror\"]\n\turl = git@gitlab.example.com:a.git\n\
                      [remote \"origin\"]\n\turl = https://code.example.com/a\n[x]\n\turl = y:z\n";
        std::fs::write(root.join(".git/config"), config).unwrap();
        assert_eq!(host(&root).as_deref(), Some("code.example.com"));
        std::fs::write(root.join(".git/worktrees/w/commondir"), "../..\n").unwrap();
        let tree = place.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        let link = format!("gitdir: {}\n", root.join(".git/worktrees/w").display());
        std::fs::write(tree.join(".git"), link).unwrap();
        assert_eq!(host(&tree).as_deref(), Some("code.example.com"));
        assert_eq!(host(place.path()), None);
    }
}
