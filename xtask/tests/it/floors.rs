//! A crate uses only crates of lower floors (ARCHITECTURE.md draws them).

use std::process::Command;

use serde_json::Value;

/// Floor of each crate; a crate that is not listed fails the test.
const FLOORS: [(&str, u8); 23] = [
    ("trainyard-base", 0),
    ("trainyard-chart", 0),
    ("trainyard-net", 0),
    ("trainyard-storage", 0),
    ("trainyard-data", 1),
    ("trainyard-drift", 1),
    ("trainyard-mlflow", 1),
    ("trainyard-signature", 1),
    ("trainyard-engine", 2),
    ("trainyard-models", 2),
    ("trainyard-quality", 2),
    ("trainyard-deploy", 3),
    ("trainyard-report", 3),
    ("trainyard-serve", 3),
    ("trainyard-tracking", 3),
    ("trainyard-train", 3),
    ("trainyard-pipeline", 4),
    ("trainyard-web", 4),
    ("trainyard", 5),
    // Outside of the house: never a dependency of what ships.
    ("trainyard-testkit", 6),
    ("xtask", 6),
    ("bench-drift", 6),
    ("bench-serving", 6),
];

fn floor(package: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == package).map(|(_, floor)| *floor)
}

#[test]
fn a_crate_uses_only_lower_floors() {
    let output = Command::new(env!("CARGO"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() >= 12, "{} packages", packages.len());

    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let Some(own_floor) = floor(name) else {
            wrong.push(format!("{name} has no floor: add it to this test and to ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let is_normal = dependency["kind"].is_null();
            if let Some(other_floor) = floor(on)
                && is_normal
                && other_floor >= own_floor
            {
                wrong.push(format!("{name} (floor {own_floor}) uses {on} (floor {other_floor})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
