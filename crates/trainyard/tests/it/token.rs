//! `trainyard token`: what is printed, what is kept, and who may read it.

use std::os::unix::fs::PermissionsExt as _;

use crate::project::{TestProject, stdout_of};

#[test]
fn a_token_is_shown_once_and_kept_as_a_digest() {
    let project = TestProject::iris();
    let nowhere = project.run(&["token", "new", "shop"]);
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert_eq!(nowhere.status.code(), Some(2), "{said}");
    assert!(said.contains("tokens_file"), "{said}");

    project.edit("[deploy]\n", "[deploy]\ntokens_file = \"tokens\"\n");
    let made = |arguments: &[&str]| stdout_of(&project.run(arguments), 0);
    let rules = ["--scope", "operate", "--rate", "10/m", "--expires", "2027-01-01"];
    let secret = made(&[["token", "new", "oncall"].as_slice(), rules.as_slice()].concat());
    let secret = secret.trim();
    assert!(secret.len() > 60 && secret.starts_with("ty_"), "{secret}");
    let other = made(&["token", "new", "shop"]);
    assert_ne!(other.trim(), secret);

    let file = project.file("tokens");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(!kept.contains(secret) && kept.lines().count() == 2, "{kept}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    let listed = made(&["token", "list"]);
    assert!(listed.contains("operate 10/m expires 2027-01-01"), "{listed}");
    assert!(!listed.contains("sha256"), "{listed}");

    let shown = |arguments: &[&str]| {
        let output = project.run(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for wrong in [
        ["token", "new", "shop", "--rate=1/s"],
        ["token", "new", "other", "--rate=1"],
        ["token", "new", "other", "--expires=soon"],
        ["token", "new", "a/b", "--rate=1/s"],
        ["token", "revoke", "nobody", "."],
    ] {
        let (code, said) = shown(&wrong);
        assert_eq!(code, Some(2), "{wrong:?}: {said}");
    }
    made(&["token", "revoke", "oncall"]);
    assert_eq!(made(&["token", "list"]).lines().count(), 1);
}
