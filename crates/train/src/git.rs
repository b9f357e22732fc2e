//! The commit that a folder is at, read from the repository's files: no git program is needed.

use std::path::{Path, PathBuf};

/// Longest chain of symbolic references that is followed.
const REFERENCES_MAX: usize = 5;

/// Commit of the repository that `folder` is in; none without one or before its first commit.
pub fn commit(folder: &Path) -> Option<String> {
    let folder = std::path::absolute(folder).ok()?;
    let git = folder.ancestors().map(|parent| parent.join(".git")).find(|git| git.exists())?;
    let git = if git.is_dir() { git } else { linked(&git)? };
    // A worktree keeps its branches in the repository it belongs to.
    let common = match std::fs::read_to_string(git.join("commondir")) {
        Ok(path) => git.join(path.trim()),
        Err(_) => git.clone(),
    };
    let mut content = std::fs::read_to_string(git.join("HEAD")).ok()?;
    for _ in 0..REFERENCES_MAX {
        let text = content.trim();
        let Some(reference) = text.strip_prefix("ref:").map(str::trim) else {
            return is_commit(text).then(|| text.to_owned());
        };
        if reference.split('/').any(|part| part == "..") {
            return None;
        }
        content = std::fs::read_to_string(git.join(reference))
            .or_else(|_| std::fs::read_to_string(common.join(reference)))
            .ok()
            .or_else(|| packed(&common, reference))?;
    }
    None
}

/// Where the `.git` file of a worktree or submodule points.
fn linked(file: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(file).ok()?;
    let target = text.trim().strip_prefix("gitdir:")?.trim();
    Some(file.parent()?.join(target))
}

fn packed(git: &Path, reference: &str) -> Option<String> {
    let text = std::fs::read_to_string(git.join("packed-refs")).ok()?;
    text.lines().find_map(|line| {
        let (commit, name) = line.split_once(' ')?;
        (name.trim() == reference).then(|| commit.to_owned())
    })
}

/// SHA-1 or SHA-256 in hexadecimal.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn branches_loose_and_packed_and_worktrees() {
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join("repo/.git");
        let inner = folder.path().join("repo/data/deep");
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(commit(&inner), None, "no HEAD");

        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(commit(&inner), None, "no commit yet");
        fs::write(git.join("packed-refs"), format!("# pack-refs\n{COMMIT} refs/heads/main\n"))
            .unwrap();
        assert_eq!(commit(&inner).as_deref(), Some(COMMIT));
        let other = COMMIT.replace('0', "f");
        fs::write(git.join("refs/heads/main"), format!("{other}\n")).unwrap();
        assert_eq!(commit(&inner).as_deref(), Some(other.as_str()));

        let tree = folder.path().join("tree");
        let private = git.join("worktrees/tree");
        fs::create_dir_all(&private).unwrap();
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join(".git"), format!("gitdir: {}\n", private.display())).unwrap();
        fs::write(private.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(private.join("commondir"), "../..\n").unwrap();
        assert_eq!(commit(&tree).as_deref(), Some(other.as_str()));
    }

    #[test]
    fn what_is_no_commit_is_not_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        for head in ["ref: ../../etc/passwd", "garbage", "ref: HEAD"] {
            fs::write(folder.path().join(".git/HEAD"), head).unwrap();
            assert_eq!(commit(folder.path()), None, "{head}");
        }
    }
}
