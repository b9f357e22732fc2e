//! A registry that lets nobody in without a password: credentials come from where `docker login` puts
//! them, or from a helper that it names.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use trainyard_testkit::{KillOnDrop, free_port, wait_for_port};

use crate::yard::{End, Yard};

const USER: &str = "me";
const PASSWORD: &str = "secret:1";
/// The password as `htpasswd -B -C 4` writes it.
const HASH: &str = "$2b$04$c9rl.VHlvAT9VIh2yk/UPOLPxWq7kZ8tYnFtjnefm6SaSLzJJWG3a";

/// A registry with one user.
struct Private {
    folder: TempDir,
    address: String,
    _process: KillOnDrop,
}

impl Private {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let users = folder.path().join("users");
        std::fs::write(&users, format!("{USER}:{HASH}\n")).unwrap();
        let config = folder.path().join("registry.yaml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n\
             auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            folder.path().join("data").display(),
            users.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let process = KillOnDrop::spawn(&mut command);
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        wait_for_port(port, Duration::from_mins(1));
        Self { folder, address, _process: process }
    }

    /// A folder for `DOCKER_CONFIG` with this file in it.
    fn config(&self, name: &str, text: &str) -> std::path::PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("config.json"), text).unwrap();
        folder
    }
}

/// `docker`, as somebody with this configuration.
fn docker(yard: &Yard, config: &Path, arguments: &[&str], input: &str) {
    let mut child = yard
        .engine
        .command()
        .env("DOCKER_CONFIG", config)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_registry_wants_what_docker_login_left() {
    let test = "a_private_registry_wants_what_docker_login_left";
    let Some(mut yard) = Yard::new(test).await else { return };
    let registry = Private::start();
    let image = format!("{}/part:1", registry.address);
    let login = registry.config("login", "{}");
    docker(&yard, &login, &["login", "-u", USER, "--password-stdin", &registry.address], PASSWORD);
    yard.engine.docker(&["pull", "-q", &yard.image]);
    yard.engine.docker(&["tag", &yard.image, &image]);
    docker(&yard, &login, &["push", "-q", &image], "");
    yard.engine.docker(&["rmi", &image]);

    let nothing = registry.config("nothing", "{}");
    // me:wrong
    let wrong = format!(r#"{{"auths": {{"{}": {{"auth": "bWU6d3Jvbmc="}}}}}}"#, registry.address);
    let wrong = registry.config("wrong", &wrong);
    let no_helper = format!(r#"{{"credHelpers": {{"{}": "is-not-there"}}}}"#, registry.address);
    let no_helper = registry.config("no-helper", &no_helper);
    for (config, reason) in [
        (nothing, "no basic auth credentials"),
        (wrong, "unauthorized"),
        (no_helper, "docker-credential-is-not-there: "),
    ] {
        yard.environment = vec![("DOCKER_CONFIG", config.into())];
        let (end, said) = yard.deploy("green", &["--image", &image]).await;
        assert_eq!(end, End::Failed, "{said}");
        for part in [&format!("cannot pull image {image}: "), reason, "`docker login`"] {
            assert!(said.contains(part), "{part:?} is missing in:\n{said}");
        }
        assert_eq!(yard.containers(), Vec::<String>::new());
    }

    yard.environment = vec![("DOCKER_CONFIG", login.into())];
    let said = yard.deployed("login", &["--image", &image]).await;
    assert!(said.contains(&format!("prepared: pulled {image}")), "{said}");

    // The same from a helper, which is asked for this registry by name.
    let helper = registry.folder.path().join("docker-credential-trainyard-test");
    let script = format!(
        "#!/bin/sh\nread -r registry\n[ \"$1 $registry\" = 'get {}' ] || exit 1\n\
         echo '{{\"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}'\n",
        registry.address
    );
    std::fs::write(&helper, script).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(r#"{{"credHelpers": {{"{}": "trainyard-test"}}}}"#, registry.address);
    let config = registry.config("helper", &config);
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::iter::once(registry.folder.path().to_owned()).chain(std::env::split_paths(&path));
    yard.environment =
        vec![("DOCKER_CONFIG", config.into()), ("PATH", std::env::join_paths(path).unwrap())];
    let said = yard.deployed("helper", &["--image", &image, "--pull", "always"]).await;
    assert!(said.contains(&format!("prepared: pulled {image}")), "{said}");
    yard.stop().await;
    // What was said and what is kept has no password in it.
    let kept = std::fs::read_dir(yard.root()).unwrap().flatten();
    for file in kept.filter(|entry| entry.path().is_file()) {
        let text = std::fs::read(file.path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(PASSWORD), "{file:?}");
    }
    assert!(!said.contains(PASSWORD), "{said}");
}
