//! Files, for those who may.
//!
//! Whoever asks for the files of a run, version or logged model has asked for that first, which is where they are
//! refused. What is left are the proxied files, which clients ask for by path: below the folder of an experiment;
//! and the files of versions, whose sources may be any place of a bucket, also one that holds what is others'.

use std::time::Duration;

use async_trait::async_trait;
use trainyard_mlflow::Result;
use trainyard_mlflow::artifacts::{
    ArtifactFile, Artifacts, ByteRange, ByteStream, DirectFile, SignedRequest,
};
use trainyard_mlflow::entities::FileInfo;

use super::guard::Guarded;
use crate::access::permission::Action;
use crate::access::resource::Kind;
use crate::access::rights::{denied, on, within};
use crate::artifacts::{percent_decoded, scheme};

/// The root of all proxied files, as the API asks for them by path.
pub(super) const PROXIED_ROOT: &str = "mlflow-artifacts:/";
/// What is below the folder of an experiment, each in folders of its own.
const ALL_OF_EXPERIMENT: &[Kind] = &[Kind::Run, Kind::Trace, Kind::LoggedModel];

/// Things that one location is looked through for: files lie in the folder of one, a few more may be in their names.
const NAMED_MAX: usize = 16;

/// Whether a name is one of a run: 32 hex digits.
fn names_run(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The experiment that a path is in, and the path below its folder.
fn experiment_of(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_start_matches('/');
    let path = match path.strip_prefix("workspaces/") {
        Some(rest) => rest.split_once('/').map_or("", |(_workspace, path)| path),
        None => path,
    };
    let (id, rest) = path.split_once('/').unwrap_or((path, ""));
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    is_id.then_some((id, rest))
}

/// What the things at a path below an experiment's folder are; none if they are the experiment's own.
/// A deletion takes everything below with it.
fn kinds_at(rest: &str, is_deletion: bool) -> &'static [Kind] {
    let mut names = rest.split('/').filter(|name| !name.is_empty());
    let Some(first) = names.next() else {
        return if is_deletion { ALL_OF_EXPERIMENT } else { &[] };
    };
    match first {
        "models" => &[Kind::LoggedModel],
        "traces" => &[Kind::Trace],
        _ if is_deletion || names_run(first) || names.next() == Some("artifacts") => &[Kind::Run],
        _ => &[],
    }
}

/// The kind of thing that has its files in a folder of this name, if one has.
fn kind_named(name: &str) -> Option<Kind> {
    if names_run(name) {
        return Some(Kind::Run);
    }
    if name.strip_prefix("m-").is_some_and(names_run) {
        return Some(Kind::LoggedModel);
    }
    name.strip_prefix("tr-").is_some_and(names_run).then_some(Kind::Trace)
}

/// The runs, logged models and traces that a URI or path names, however it is written.
fn named_in(location: &str) -> Vec<(Kind, String)> {
    let plain = percent_decoded(location).unwrap_or_else(|| location.to_owned());
    // URLs are read without these.
    let plain = plain.replace(['\t', '\n', '\r'], "");
    let names = plain.split(['/', '\\', '?', '#']);
    names.filter_map(|name| Some((kind_named(name)?, name.to_owned()))).collect()
}

impl Guarded {
    /// Requires something of the runs, logged models and traces that a location names.
    pub(super) async fn things_named_in(&self, location: &str, action: Action) -> Result<()> {
        if self.sees_everything()? {
            return Ok(());
        }
        let named = named_in(location);
        if named.len() > NAMED_MAX {
            return Err(denied());
        }
        for (kind, id) in named {
            let experiment_id = match kind {
                Kind::Run => {
                    let run = self.inner.runs.get(&id).await;
                    run.map(|run| run.info.experiment_id)
                }
                Kind::LoggedModel => {
                    let model = self.inner.logged_models.get_or_deleted(&id).await;
                    model.map(|model| model.info.experiment_id)
                }
                _ => {
                    let Ok(traces) = self.inner_traces() else { continue };
                    traces.get_info(&id).await.map(|info| info.experiment_id)
                }
            };
            match experiment_id {
                Ok(experiment_id) => self.inside(&experiment_id, kind, action)?,
                // A folder of that name which is nobody's.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Refuses what is not theirs to read, below a root that they were asked about. The root of a version may be a whole
    /// bucket; no other is more than one run's, logged model's or trace's.
    async fn may_read(&self, root_uri: &str, path: &str) -> Result<()> {
        self.proxied(root_uri, path, Action::Read)?;
        match scheme(root_uri) {
            None | Some("file" | "mlflow-artifacts") => Ok(()),
            Some(_bucket) => self.things_named_in(path, Action::Read).await,
        }
    }

    /// Refuses a proxied path that is not theirs.
    pub(super) fn proxied(&self, root_uri: &str, path: &str, action: Action) -> Result<()> {
        if root_uri != PROXIED_ROOT {
            return Ok(());
        }
        let Some((id, rest)) = experiment_of(path) else {
            // Nobody's folder: what everybody may do with what nothing was granted on.
            let may = self.directory.rights(|rights| rights.may_with_nobodys(action))?;
            return if may { Ok(()) } else { Err(denied()) };
        };
        let kinds = kinds_at(rest, action == Action::Manage);
        if kinds.is_empty() {
            return self.experiment(id, action);
        }
        let mut needed = vec![on(Kind::Experiment, id, Action::Read)];
        needed.extend(kinds.iter().map(|kind| within(*kind, action, (Kind::Experiment, id))));
        self.directory.require(&needed)
    }

    /// Leaves out what a listing of proxied files would tell of things that are not theirs to read.
    fn without_hidden(&self, path: &str, files: Vec<FileInfo>) -> Result<Vec<FileInfo>> {
        if self.sees_everything()? {
            return Ok(files);
        }
        let mut shown = Vec::with_capacity(files.len());
        for file in files {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let is_shown = match experiment_of(path) {
                None => match experiment_of(&file.path) {
                    Some((id, _)) => {
                        self.directory.permits(&[on(Kind::Experiment, id, Action::Read)])?
                    }
                    None => true,
                },
                Some((id, "")) if names_run(name) => {
                    let run = within(Kind::Run, Action::Read, (Kind::Experiment, id));
                    self.directory.permits(&[run])?
                }
                Some(_) => true,
            };
            if is_shown {
                shown.push(file);
            }
        }
        Ok(shown)
    }
}

#[async_trait]
impl Artifacts for Guarded {
    async fn list(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        self.may_read(root_uri, path).await?;
        let files = self.inner.artifacts.list(root_uri, path).await?;
        if root_uri == PROXIED_ROOT { self.without_hidden(path, files) } else { Ok(files) }
    }

    async fn download(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        self.may_read(root_uri, path).await?;
        self.inner.artifacts.download(root_uri, path).await
    }

    async fn open(
        &self,
        root_uri: &str,
        path: &str,
        range: Option<ByteRange>,
    ) -> Result<ArtifactFile> {
        self.may_read(root_uri, path).await?;
        self.inner.artifacts.open(root_uri, path, range).await
    }

    async fn upload(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()> {
        self.proxied(root_uri, path, Action::Update)?;
        self.inner.artifacts.upload(root_uri, path, body).await
    }

    async fn delete(&self, root_uri: &str, path: &str) -> Result<()> {
        self.proxied(root_uri, path, Action::Manage)?;
        self.inner.artifacts.delete(root_uri, path).await
    }

    async fn may_download(&self, root_uri: &str, path: &str) -> Result<()> {
        self.may_read(root_uri, path).await
    }

    async fn may_upload(&self, root_uri: &str, path: &str) -> Result<()> {
        self.proxied(root_uri, path, Action::Update)
    }

    async fn direct_file(&self, root_uri: &str, path: &str) -> Result<Option<Box<dyn DirectFile>>> {
        let file = self.inner.artifacts.direct_file(root_uri, path).await?;
        let Some(inner) = file else { return Ok(None) };
        let may_read = allowed(self.may_read(root_uri, path).await)?;
        let may_write = allowed(self.proxied(root_uri, path, Action::Update))?;
        Ok(Some(Box::new(GuardedFile { inner, may_read, may_write })))
    }
}

/// Whether something was allowed, where a refusal is no error yet.
fn allowed(asked: Result<()>) -> Result<bool> {
    match asked {
        Ok(()) => Ok(true),
        Err(error) if error.code() == denied().code() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file of a bucket that its sender may read, write, or neither.
struct GuardedFile {
    inner: Box<dyn DirectFile>,
    may_read: bool,
    may_write: bool,
}

impl GuardedFile {
    fn write(&self) -> Result<&dyn DirectFile> {
        if self.may_write { Ok(&*self.inner) } else { Err(denied()) }
    }
}

#[async_trait]
impl DirectFile for GuardedFile {
    async fn sign_download(&self, lifetime: Duration) -> Result<(SignedRequest, u64)> {
        if !self.may_read {
            return Err(denied());
        }
        self.inner.sign_download(lifetime).await
    }

    async fn sign_upload(&self, lifetime: Duration, content_type: &str) -> Result<SignedRequest> {
        self.write()?.sign_upload(lifetime, content_type).await
    }

    async fn start_parts(&self, parts: u32) -> Result<(String, Vec<SignedRequest>)> {
        self.write()?.start_parts(parts).await
    }

    async fn complete_parts(&self, upload_id: &str, etags: Vec<String>) -> Result<()> {
        self.write()?.complete_parts(upload_id, etags).await
    }

    async fn abort_parts(&self, upload_id: &str) -> Result<()> {
        self.write()?.abort_parts(upload_id).await
    }
}

/// Whether a source of a version is a proxied path, and which.
pub(super) fn proxied_path(source: &str) -> Option<&str> {
    source.strip_prefix("mlflow-artifacts:").map(|path| path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_things_however_it_is_written() {
        let run = "0123456789abcdef0123456789abcdef";
        let kinds = |location: &str| -> Vec<Kind> {
            named_in(location).into_iter().map(|(kind, _id)| kind).collect()
        };
        assert_eq!(kinds(&format!("s3://bucket/root/7/{run}/artifacts/model")), [Kind::Run]);
        assert_eq!(kinds(&format!("s3://bucket/{run}?versionId=1")), [Kind::Run]);
        assert_eq!(kinds(&format!("gs://b/7/%2530{}", &run[1..])), [Kind::Run]);
        assert_eq!(kinds(&format!("s3://b/7/0\t{}/x", &run[1..])), [Kind::Run]);
        assert_eq!(kinds(&format!("7/models/m-{run}/artifacts")), [Kind::LoggedModel]);
        assert_eq!(kinds(&format!("traces/tr-{run}/artifacts/traces.json")), [Kind::Trace]);
        assert!(kinds("s3://bucket/model/MLmodel").is_empty());
    }

    #[test]
    fn paths_lead_to_what_they_are_files_of() {
        type Case<'a> = (&'a str, Option<&'a str>, &'a [Kind], &'a [Kind]);

        let run = "0123456789abcdef0123456789abcdef";
        let of_run = format!("7/{run}/artifacts/model.pkl");
        let cases: [Case<'_>; 12] = [
            (&of_run, Some("7"), &[Kind::Run], &[Kind::Run]),
            (&format!("7/{run}"), Some("7"), &[Kind::Run], &[Kind::Run]),
            ("7/named/artifacts/x", Some("7"), &[Kind::Run], &[Kind::Run]),
            ("7/models/m-1/artifacts/x", Some("7"), &[Kind::LoggedModel], &[Kind::LoggedModel]),
            ("7/traces/t", Some("7"), &[Kind::Trace], &[Kind::Trace]),
            ("7/notes.txt", Some("7"), &[], &[Kind::Run]),
            ("7", Some("7"), &[], ALL_OF_EXPERIMENT),
            ("7/", Some("7"), &[], ALL_OF_EXPERIMENT),
            ("workspaces/default/7/x", Some("7"), &[], &[Kind::Run]),
            ("", None, &[], &[]),
            ("notes/7/x", None, &[], &[]),
            ("7x/y", None, &[], &[]),
        ];
        for (path, experiment, read, delete) in cases {
            let found = experiment_of(path);
            assert_eq!(found.map(|(id, _)| id), experiment, "{path}");
            if let Some((_, rest)) = found {
                assert_eq!(kinds_at(rest, false), read, "{path}");
                assert_eq!(kinds_at(rest, true), delete, "{path}");
            }
        }
    }
}
