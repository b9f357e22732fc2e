//! Addresses of pages. Names and paths come from users, so every part is percent-encoded.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the characters that RFC 3986 never reserves.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes addresses that start with the prefix of the mount point.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    prefix: Arc<str>,
}

/// One part of a path or query.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// A path: its slashes stay.
fn path(text: &str) -> String {
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// `?a=b&c=d` of what is not empty; nothing if all is.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        text.push_str(&part(value));
    }
    text
}

impl Links {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: Arc::from(prefix.trim_end_matches('/')) }
    }

    pub(crate) fn home(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// The list of experiments.
    pub(crate) fn experiments(&self) -> String {
        format!("{}/experiments", self.prefix)
    }

    /// Where colours are chosen.
    pub(crate) fn colours(&self) -> String {
        format!("{}/colours", self.prefix)
    }

    /// What happened lately.
    pub(crate) fn recent(&self) -> String {
        format!("{}/recent", self.prefix)
    }

    pub(crate) fn search(&self) -> String {
        format!("{}/search", self.prefix)
    }

    pub(crate) fn webhooks(&self) -> String {
        format!("{}/webhooks", self.prefix)
    }

    /// The people of the server.
    pub(crate) fn team(&self) -> String {
        format!("{}/team", self.prefix)
    }

    pub(crate) fn member(&self, username: &str) -> String {
        format!("{}/users/{}", self.team(), part(username))
    }

    pub(crate) fn group(&self, group_id: i64) -> String {
        format!("{}/groups/{group_id}", self.team())
    }

    pub(crate) fn role(&self, role_id: i64) -> String {
        format!("{}/roles/{role_id}", self.team())
    }

    pub(crate) fn tokens(&self) -> String {
        format!("{}/tokens", self.team())
    }

    /// Approvals that wait for whoever asks.
    pub(crate) fn approvals(&self) -> String {
        format!("{}/approvals", self.team())
    }

    /// The log of changes.
    pub(crate) fn audit(&self) -> String {
        format!("{}/audit", self.team())
    }

    pub(crate) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{name}", self.prefix)
    }

    pub(crate) fn experiment(&self, experiment_id: &str) -> String {
        format!("{}/experiments/{}", self.prefix, part(experiment_id))
    }

    /// Curves of an experiment's runs.
    pub(crate) fn curves(&self, experiment_id: &str) -> String {
        format!("{}/curves", self.experiment(experiment_id))
    }

    /// Params and metrics of an experiment's runs against each other.
    pub(crate) fn relations(&self, experiment_id: &str) -> String {
        format!("{}/relations", self.experiment(experiment_id))
    }

    /// What can be done with several of an experiment's runs.
    /// Where it is chosen which runs of an experiment are the best.
    pub(crate) fn best(&self, experiment_id: &str) -> String {
        format!("{}/best", self.experiment(experiment_id))
    }

    pub(crate) fn chosen_runs(&self, experiment_id: &str) -> String {
        format!("{}/chosen", self.experiment(experiment_id))
    }

    /// An experiment's scorers.
    pub(crate) fn scorers(&self, experiment_id: &str) -> String {
        format!("{}/scorers", self.experiment(experiment_id))
    }

    pub(crate) fn runs_csv(&self, experiment_id: &str) -> String {
        format!("{}/runs.csv", self.experiment(experiment_id))
    }

    pub(crate) fn run(&self, run_id: &str) -> String {
        format!("{}/runs/{}", self.prefix, part(run_id))
    }

    pub(crate) fn metric(&self, run_id: &str, key: &str) -> String {
        format!("{}/metrics/{}", self.run(run_id), path(key))
    }

    pub(crate) fn compare(&self) -> String {
        format!("{}/compare", self.prefix)
    }

    pub(crate) fn models(&self) -> String {
        format!("{}/models", self.prefix)
    }

    pub(crate) fn model(&self, name: &str) -> String {
        format!("{}/models/{}", self.prefix, part(name))
    }

    /// A model's data and quality over time.
    pub(crate) fn monitoring(&self, name: &str) -> String {
        format!("{}/monitoring", self.model(name))
    }

    /// What hosts record of services.
    pub(crate) fn services(&self) -> String {
        format!("{}/services", self.prefix)
    }

    /// One service, by the run that it is recorded in.
    pub(crate) fn service(&self, run_id: &str) -> String {
        format!("{}/{}", self.services(), part(run_id))
    }

    pub(crate) fn version(&self, name: &str, version: &str) -> String {
        format!("{}/versions/{}", self.model(name), part(version))
    }

    /// Where two versions of a model are compared.
    pub(crate) fn model_diff(&self, name: &str) -> String {
        format!("{}/diff", self.model(name))
    }

    /// The comparison of an old version with a new one.
    pub(crate) fn versions_diff(&self, name: &str, old: &str, new: &str) -> String {
        format!("{}?a={}&b={}", self.model_diff(name), part(old), part(new))
    }

    pub(crate) fn logged_model(&self, model_id: &str) -> String {
        format!("{}/logged-models/{}", self.prefix, part(model_id))
    }

    /// All files of `owner`, a folder at a time.
    pub(crate) fn files(owner: &str) -> String {
        format!("{owner}/files")
    }

    /// The page that shows a file or folder of `owner` (an address of a run or logged model).
    pub(crate) fn file(owner: &str, file: &str) -> String {
        format!("{owner}/files/{}", path(file))
    }

    /// The file itself.
    pub(crate) fn raw(owner: &str, file: &str) -> String {
        format!("{owner}/raw/{}", path(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_named_cannot_change_the_address() {
        let links = Links::new("/base/");
        assert_eq!(links.home(), "/base/");
        assert_eq!(links.model("a/b?c#d é"), "/base/models/a%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(links.metric("r", "val/a&b"), "/base/runs/r/metrics/val/a%26b");
        assert_eq!(Links::raw(&links.run("r"), "x/\"y\""), "/base/runs/r/raw/x/%22y%22");
        assert_eq!(query(&[("q", "a b&c"), ("empty", ""), ("p", "1")]), "?q=a%20b%26c&p=1");
        assert_eq!(query(&[("q", "")]), "");
    }
}
