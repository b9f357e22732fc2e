//! What else lies on the disk of the server, among the artifacts or linked from there.

use std::path::Path;

use serde_json::json;
use trainyard_mlflow::ErrorCode;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::{Lending, share};

use super::row::{API, Attack, FILES};
use crate::attack::Target;
use crate::http::{Answer, Request, get, post, send};
use crate::served::Served;
use crate::store::{options, uri};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "symlinks",
        idea: "symlinks among the artifacts lead out of them",
        attempt: symlinks,
    },
    Attack {
        id: "own files",
        idea: "the database and the passwords lie among the artifacts",
        attempt: own_files,
    },
];

/// Links that somebody with rights on the folder made: to files, to folders, to nothing.
fn symlinks(target: &Target) -> Vec<Answer> {
    use std::os::unix::fs::symlink;

    let run = target.run("0");
    let uri = target.artifact_uri(&run);
    let folder = Path::new(&target.artifacts()).join(uri.trim_start_matches("mlflow-artifacts:/"));
    std::fs::create_dir_all(&folder).unwrap();
    let outside = target.outside();
    for (to, name) in [
        (format!("{outside}/secret.txt"), "file.txt"),
        (outside.clone(), "folder"),
        ("../../../../outside/secret.txt".to_owned(), "relative.txt"),
        (format!("{outside}/new.txt"), "dangling.txt"),
        ("../../../../outside/new2.txt".to_owned(), "dangling2.txt"),
        ("/".to_owned(), "disk"),
    ] {
        symlink(to, folder.join(name)).unwrap();
    }
    symlink("file.txt", folder.join("MLmodel")).unwrap();
    let mut answers = Vec::new();
    for path in [
        "file.txt",
        "folder",
        "folder/secret.txt",
        "folder/new.txt",
        "relative.txt",
        "dangling.txt",
        "dangling2.txt",
        "MLmodel",
        &format!("disk{outside}/secret.txt"),
    ] {
        answers.extend(target.one_file_of_run(&run, path));
    }
    let listed = target.get(&format!("{API}/artifacts/list?run_id={run}"));
    assert_eq!(listed.json().get("files"), None, "{}", listed.text());
    answers.push(listed);
    answers
}

/// The files of the server itself, where its owner keeps them below the artifacts.
fn own_files(target: &Target) -> Vec<Answer> {
    let mut answers = Vec::new();
    for name in ["users", "users/", "./users", "users%00", "alias-of-users"] {
        let path = format!("{FILES}/artifacts/{name}");
        answers.push(target.get(&path));
        answers.push(target.put(&path, b"user mallory"));
        answers.push(target.send("DELETE", &path, &[], None));
    }
    let users = Path::new(&target.artifacts()).join("users");
    assert_eq!(std::fs::read_to_string(users).unwrap(), "SECRET-7261 user");
    let listed = target.get(&format!("{FILES}/artifacts"));
    assert!(!listed.text().contains("users"), "{}", listed.text());
    answers
}

/// What SQLite keeps beside databases that are symlinks lies among the artifacts.
#[test]
fn files_of_symlinked_databases_are_no_artifacts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("mlartifacts")).unwrap();
    for name in ["mlflow.db", "models.db"] {
        std::os::unix::fs::symlink(format!("mlartifacts/real-{name}"), at(name)).unwrap();
    }
    // As an upgrade leaves it beside the database.
    let copy = "real-mlflow.db.before-upgrade-97727af70f4d";
    std::fs::write(at(&format!("mlartifacts/{copy}")), "copy").unwrap();
    let registry_uri = Some(format!("sqlite:///{}", at("models.db").display()));
    let lending = Lending { registry_uri, ..Lending::default() };
    let shared = share(&uri(&folder), options(&folder), &lending).unwrap();
    let server = Served::over(shared.lent, ServerOptions::default());
    for kind in ["experiments", "registered-models"] {
        let made = post(&server.url, &format!("{API}/{kind}/create"), &json!({ "name": "n" }));
        assert_eq!(made.status, 200, "{}", made.text());
    }
    for name in ["real-mlflow.db", "real-models.db"] {
        assert!(at(&format!("mlartifacts/{name}-wal")).exists(), "{name}");
        for end in ["", "-wal", "-shm", "-journal"] {
            let path = format!("{FILES}/artifacts/{name}{end}");
            for method in ["GET", "PUT", "DELETE"] {
                let body = (method == "PUT").then_some(b"planted".as_slice());
                let request = Request { method, path: &path, headers: Vec::new(), body };
                let answer = send(&server.url, &request);
                assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
            }
        }
        assert!(at(&format!("mlartifacts/{name}-wal")).exists(), "{name}");
    }
    assert_eq!(get(&server.url, &format!("{FILES}/artifacts/{copy}")).status, 400);
    let listed = get(&server.url, &format!("{FILES}/artifacts"));
    assert!(!listed.text().contains("real-"), "{}", listed.text());
    assert_eq!(get(&server.url, "/health").text(), "OK");
}

#[test]
fn errors_do_not_show_the_servers_disk() {
    use std::os::unix::fs::PermissionsExt;

    let target = Target::start();
    let run = target.run("0");
    let uri = target.artifact_uri(&run);
    let folder = Path::new(&target.artifacts()).join(uri.trim_start_matches("mlflow-artifacts:/"));
    std::fs::create_dir_all(folder.join("closed")).unwrap();
    std::fs::write(folder.join("file"), "x").unwrap();
    for name in ["closed", "file"] {
        std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o000)).unwrap();
    }
    // Root may do everything, whatever the mode: these are answers then.
    let mut answers = target.one_file_of_run(&run, "closed/x");
    answers.extend(target.one_file_of_run(&run, "file"));
    answers.extend(target.one_file_of_run(&run, "file/below"));
    answers.extend(target.one_file_of_run(&run, &"long".repeat(100)));
    let home = target.folder.path().display().to_string();
    for answer in answers {
        assert!(!answer.text().contains(&home), "{}", answer.text());
    }
    let error = trainyard_mlflow::Error::api(
        ErrorCode::InternalError,
        "artifact storage: GET http://169.254.169.254/latest/api/token: 401 INTERNAL",
    );
    assert!(!error.for_clients().contains("169.254"), "{}", error.for_clients());
}
