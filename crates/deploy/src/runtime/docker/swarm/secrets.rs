//! What an instance may know and nobody else: Swarm gives it to the nodes that need it, encrypted, and shows it to
//! nobody who asks. It becomes a file in the memory of the container.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::models::{SecretSpec, TaskSpecContainerSpecFile, TaskSpecContainerSpecSecrets};
use bollard::query_parameters::ListSecretsOptions;
use trainyard_base::words::TOKEN_VARIABLE;

use super::super::engine::Engine;
use super::super::labels::INSTANCE_LABEL;
use super::owner::Owner;
use crate::error::{Error, Result};
use crate::release::ReleaseSpec;
use crate::workload::SwarmSpec;

/// Where an instance finds its token.
pub(super) const TOKEN_FILE: &str = "/run/secrets/trainyard-token";

/// Bytes of a secret: what Swarm takes.
const BYTES_MAX: usize = 500 << 10;

/// Whoever runs in the container may read it, and nobody may change it.
const MODE: u32 = 0o444;

/// A file that an instance is given.
struct SecretFile {
    target: String,
    content: Vec<u8>,
}

/// The token in a release's environment, which its instances get as a file.
pub(super) fn token(release: &ReleaseSpec) -> Option<&str> {
    let mut found = release.env.iter().rev().filter(|(name, _)| name == TOKEN_VARIABLE);
    found.next().map(|(_, value)| value.as_str()).filter(|token| !token.is_empty())
}

/// Gives the swarm all secrets of an instance; what its service is told of them.
pub(super) async fn provide(
    engine: &Engine,
    owner: &Owner,
    instance: &str,
    release: &ReleaseSpec,
    swarm: &SwarmSpec,
) -> Result<Vec<TaskSpecContainerSpecSecrets>> {
    // What is left of a start that was broken off may be another's content.
    remove(engine, owner, Some(instance)).await?;
    let mut given = Vec::new();
    for (number, file) in files(release, swarm)?.into_iter().enumerate() {
        let name = format!("{}-{number}", owner.service_name(instance));
        let secret = SecretSpec {
            name: Some(name.clone()),
            labels: Some(owner.labels_of(instance)),
            data: Some(STANDARD.encode(&file.content)),
            ..SecretSpec::default()
        };
        let doing = || format!("cannot give the swarm secret {name} ({})", file.target);
        let request = || engine.docker.create_secret(secret.clone());
        let id = match engine.call_unless(&[409], doing, request).await? {
            Some(created) => created.id,
            // Asked again after the daemon went away with the answer.
            None => id_of(engine, owner, &name).await?,
        };
        given.push(TaskSpecContainerSpecSecrets {
            secret_id: Some(id),
            secret_name: Some(name),
            file: Some(TaskSpecContainerSpecFile {
                name: Some(file.target),
                uid: Some("0".to_owned()),
                gid: Some("0".to_owned()),
                mode: Some(MODE),
            }),
        });
    }
    Ok(given)
}

/// The instances that have secrets.
pub(super) async fn instances(engine: &Engine, owner: &Owner) -> Result<Vec<String>> {
    Ok(list(engine, owner).await?.into_iter().map(|secret| secret.instance).collect())
}

/// Removes the secrets of an instance, or of all; those that a service has stay.
pub(super) async fn remove(engine: &Engine, owner: &Owner, instance: Option<&str>) -> Result<()> {
    for secret in list(engine, owner).await? {
        if instance.is_some_and(|instance| instance != secret.instance) {
            continue;
        }
        let id = secret.id.as_str();
        let doing = || format!("cannot remove secret {}", secret.name);
        let request = || engine.docker.delete_secret(id);
        engine.call_unless(&[404], doing, request).await?;
    }
    Ok(())
}

/// A secret that the swarm has.
struct Known {
    id: String,
    name: String,
    instance: String,
}

async fn list(engine: &Engine, owner: &Owner) -> Result<Vec<Known>> {
    let options = ListSecretsOptions { filters: Some(owner.filters()) };
    let request = || engine.docker.list_secrets(Some(options.clone()));
    let found = engine.call(|| "cannot list secrets".to_owned(), request).await?;
    let known = found.into_iter().filter_map(|secret| {
        let spec = secret.spec?;
        let instance = spec.labels?.remove(INSTANCE_LABEL)?;
        Some(Known { id: secret.id?, name: spec.name?, instance })
    });
    Ok(known.collect())
}

async fn id_of(engine: &Engine, owner: &Owner, name: &str) -> Result<String> {
    let found = list(engine, owner).await?.into_iter().find(|secret| secret.name == name);
    found.map(|secret| secret.id).ok_or_else(|| Error::Docker {
        doing: format!("cannot give the swarm secret {name}"),
        reason: "somebody else has one of this name".to_owned(),
        hint: format!("`docker secret rm {name}` if nobody needs it"),
    })
}

fn files(release: &ReleaseSpec, swarm: &SwarmSpec) -> Result<Vec<SecretFile>> {
    let token = token(release).map(|token| SecretFile {
        target: TOKEN_FILE.to_owned(),
        content: token.as_bytes().to_vec(),
    });
    let read = swarm.files.iter().map(|path| read(path));
    token.map(Ok).into_iter().chain(read).collect()
}

fn read(path: &Path) -> Result<SecretFile> {
    let content = std::fs::read(path).map_err(|source| Error::io("cannot read", path, source))?;
    if content.len() > BYTES_MAX {
        return Err(Error::Docker {
            doing: format!("cannot give the swarm {} as a secret", path.display()),
            reason: format!("{} bytes; Swarm takes {BYTES_MAX}", content.len()),
            hint: "put it into the image".to_owned(),
        });
    }
    Ok(SecretFile { target: path.display().to_string(), content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn the_token_and_files_are_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.json");
        std::fs::write(&key, "{}").unwrap();
        let mut swarm = SwarmSpec::new("iris:1");
        swarm.files.push(key.clone());
        let mut release = ReleaseSpec::new(Workload::Swarm(swarm.clone()));
        let targets = |release: &ReleaseSpec, swarm: &SwarmSpec| -> Vec<String> {
            files(release, swarm).unwrap().into_iter().map(|file| file.target).collect()
        };
        assert_eq!(targets(&release, &swarm), [key.display().to_string()]);
        release.env.push((TOKEN_VARIABLE.to_owned(), "pl4nted".to_owned()));
        assert_eq!(targets(&release, &swarm), [TOKEN_FILE, &key.display().to_string()]);
        std::fs::write(&key, vec![0; BYTES_MAX + 1]).unwrap();
        let refused = files(&release, &swarm).err().unwrap().to_string();
        assert!(refused.contains("key.json") && refused.contains("512000"), "{refused}");
        std::fs::remove_file(&key).unwrap();
        assert!(files(&release, &swarm).is_err());
    }
}
