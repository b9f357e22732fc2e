//! `cargo xtask upstream` reads what a new version of MLflow changes out of its wheel.

use std::path::Path;
use std::process::Command;

const COMPARE: &str = include_str!("../../src/upstream.py");

/// Two versions of a package, in little: the newer has a migration, a route and a flag more.
const MAKE: &str = r#"
import pathlib, sys, zipfile
folder, head = pathlib.Path(sys.argv[1]), sys.argv[2]
migration = '"""{title}"""\nrevision = "{revision}"\ndown_revision = {before}\n{body}\n'
versions = "mlflow/store/db_migrations/versions/"
before = {
    "mlflow/version.py": 'VERSION = "3.17.2"\n',
    versions + "a.py": migration.format(title="first", revision=head, before=None, body=""),
    "mlflow/server/__init__.py": '@app.route("/health")\ndef health(): ...\n',
    "mlflow/cli/__init__.py": '@click.option("--host")\ndef server(host): ...\n',
}
after = {
    **before,
    "mlflow/version.py": 'VERSION = "9.9.9"\n',
    versions + "b.py": migration.format(
        title="second", revision="bbb", before=repr(head), body='op.add_column("runs", x)'
    ),
    "mlflow/server/new.py": '@router.get("/news")\ndef news(): ...\n',
    "mlflow/cli/__init__.py": '@click.option("--host")\n@click.option("--brand-new")\ndef server(host): ...\n',
}
for name, text in before.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
with zipfile.ZipFile(folder / "new.whl", "w") as wheel:
    for name, text in after.items():
        wheel.writestr(name, text)
"#;

fn python(script: &str, arguments: &[&Path]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(root.join("target/test-env/python/bin/python"))
        .args(["-c", script])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_a_new_version_changes_is_named_with_what_to_do() {
    let folder = std::env::temp_dir().join(format!("trainyard-upstream-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let migrations = root.join("crates/tracking/src/store/upgrade/migrations.rs");
    let migrations = std::fs::read_to_string(migrations).unwrap();
    let (_, rest) = migrations.split_once("const HEAD: &str = \"").unwrap();
    let (head, _) = rest.split_once('"').unwrap();
    python(MAKE, &[&folder, Path::new(head)]);
    let said = python(COMPARE, &[&folder.join("new.whl"), &folder.join("mlflow"), &root]);
    std::fs::remove_dir_all(&folder).unwrap();
    for line in [
        "MLflow 9.9.9 beside 3.17.2, which this checkout was measured against",
        "  bbb second (runs)",
        "  -> look whether columns of these tables change: such databases are refused if a statement would break",
        "  GET /news [new.py]",
        "  --brand-new",
        "routes that are gone: nothing",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\n{said}");
    }
    // What is taken is not said to be missing.
    assert!(!said.lines().any(|line| line == "  --host"), "{said}");
}
