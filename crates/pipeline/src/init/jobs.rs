//! Jobs of a repository's CI, as files of the plan.

use std::path::{Path, PathBuf};

use super::folder::{Folder, LIST_BYTES_MAX, read_text};
use super::options::Ci;
use super::project_file::slug;
use super::python::Python;
use super::scaffold::Scaffold;
use super::settings::Settings;
use super::workflow::{Workflows, working_folder};
use super::{dependabot, gitlab, ignore, remote};
use crate::Result;
use crate::install_from::InstallFrom;

const INSTALL: &str = include_str!("../../templates/install-trainyard.sh");
const HOST: &str = include_str!("../../templates/trainyard-host.sh");

impl Scaffold {
    pub(super) fn github(
        &mut self,
        folder: &Folder,
        python: Option<&Python>,
        install_from: Option<&InstallFrom>,
        by_ssh: bool,
    ) -> Result<()> {
        let github = folder.root.join(".github");
        let own = format!("{}-", slug(&folder.name));
        // A workflow of somebody else's that has the name stays, and ours has another.
        let is_others = |name: &str| {
            let path = github.join("workflows").join(name);
            let text = read_text(&path, LIST_BYTES_MAX);
            path.symlink_metadata().is_ok() && !text.is_some_and(|text| text.contains("trainyard "))
        };
        // Of two folders of one name each has workflows.
        let is_taken = || {
            let text =
                read_text(&github.join(format!("workflows/{own}pipeline.yaml")), LIST_BYTES_MAX);
            text.is_some_and(|text| !text.contains(&working_folder(&folder.inside)))
        };
        let whole = format!("{}-", slug(&folder.inside));
        let prefix = if !folder.inside.is_empty() {
            if is_taken() { whole.as_str() } else { own.as_str() }
        } else if is_others("pipeline.yaml") || is_others("drift.yaml") {
            "trainyard-"
        } else {
            ""
        };
        let inside = &folder.inside;
        let workflows = Workflows { inside, python, prefix, install_from, by_ssh };
        let is_there = |name: &&str| github.join(name).symlink_metadata().is_ok();
        let [usual, _] = dependabot::NAMES;
        let name = dependabot::NAMES.into_iter().find(is_there).unwrap_or(usual);
        self.make(github.join(name), dependabot::text(&folder.inside, python))?;
        self.make(github.join("install-trainyard.sh"), INSTALL.to_owned())?;
        if by_ssh {
            self.make(github.join("trainyard-host.sh"), HOST.to_owned())?;
        }
        for (name, text) in workflows.files() {
            let path = github.join("workflows").join(name);
            self.warn_of_a_runner(&path, by_ssh);
            self.make(path, text)?;
        }
        Ok(())
    }

    pub(super) fn gitlab(
        &mut self,
        folder: &Folder,
        python: Option<&Python>,
        install_from: Option<&InstallFrom>,
        by_ssh: bool,
    ) -> Result<()> {
        let name = match folder.inside.as_str() {
            "" => "trainyard".to_owned(),
            inside => format!("{}-trainyard", slug(inside)),
        };
        let jobs = format!(".gitlab/{name}.yml");
        let text = gitlab::jobs(&folder.inside, python, install_from, by_ssh);
        self.make(folder.root.join(".gitlab/install-trainyard.sh"), INSTALL.to_owned())?;
        if by_ssh {
            self.make(folder.root.join(".gitlab/trainyard-host.sh"), HOST.to_owned())?;
        }
        let path = folder.root.join(&jobs);
        self.warn_of_a_runner(&path, by_ssh);
        self.make(path, text)?;
        let entry = folder.root.join(".gitlab-ci.yml");
        let there = read_text(&entry, LIST_BYTES_MAX);
        if there.is_some_and(|text| !text.contains(&jobs)) {
            self.missing
                .push(format!("add to .gitlab-ci.yml: {}", gitlab::entry(&jobs).trim_end()));
        }
        self.make(entry, gitlab::entry(&jobs))
    }

    /// Jobs that are there stay, and with them the way that they reach the host.
    fn warn_of_a_runner(&mut self, jobs: &Path, by_ssh: bool) {
        let there = read_text(jobs, LIST_BYTES_MAX);
        if by_ssh && there.is_some_and(|text| !text.contains("trainyard-host.sh")) {
            self.missing.push(format!(
                "{} stays as it is, and deploys by a runner on the host: for --deploy-by ssh move it away first",
                jobs.display()
            ));
        }
    }

    /// What git leaves out, runners do not have.
    pub(super) fn warn_of_data_outside_of_git(&mut self, folder: &Folder, settings: &Settings) {
        let data = settings.data.as_deref().unwrap_or_default();
        let lists = [folder.path.join(".gitignore"), folder.root.join(".gitignore")];
        let is_out = |list: &PathBuf| {
            read_text(list, LIST_BYTES_MAX).is_some_and(|list| ignore::leaves_out(&list, data))
        };
        let is_file = !data.is_empty() && !data.contains("://");
        if folder.is_in_git && is_file && lists.iter().any(is_out) {
            self.missing.push(format!(
                "git leaves {data} out, so the workflows have no data: let `data` name where they are for all (s3://…)"
            ));
        }
    }
}

/// Where the jobs of a repository run: where it is pushed to, else by what it has.
pub(super) fn usual_ci(folder: &Folder) -> Ci {
    let host = remote::host(&folder.root).unwrap_or_default();
    let has_jobs = folder.root.join(".gitlab-ci.yml").is_file();
    if host.contains("gitlab") || (has_jobs && !host.contains("github")) {
        Ci::Gitlab
    } else {
        Ci::Github
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_where_the_repository_is_pushed_to() {
        for (url, has_jobs, ci) in [
            ("git@gitlab.example.com:us/churn.git", false, Ci::Gitlab),
            ("https://code.example.com/us/gitlab-tools.git", false, Ci::Github),
            ("https://code.example.com/us/churn.git", true, Ci::Gitlab),
            ("https://github.example.com/us/churn.git", true, Ci::Github),
        ] {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir(root.path().join(".git")).unwrap();
            let config = format!("[remote \"origin\"]\n\turl = {url}\n");
            std::fs::write(root.path().join(".git/config"), config).unwrap();
            if has_jobs {
                std::fs::write(root.path().join(".gitlab-ci.yml"), "test: {script: id}\n").unwrap();
            }
            assert_eq!(usual_ci(&Folder::look(root.path()).unwrap()), ci, "{url}");
        }
    }
}
