//! Rooms that compute cannot reach a network: no crate that could is among what they are built from.

use std::process::Command;

/// Take data, return data.
const ROOMS: [&str; 5] = [
    "trainyard-data",
    "trainyard-drift",
    "trainyard-models",
    "trainyard-quality",
    "trainyard-signature",
];

/// What anything that speaks over a network is built on.
const NETWORK: [&str; 8] = ["axum", "h2", "hyper", "mio", "reqwest", "rustls", "socket2", "tokio"];

#[test]
fn rooms_that_compute_have_no_network() {
    for room in ROOMS {
        let output = Command::new(env!("CARGO"))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(["tree", "--package", room, "--edges", "normal", "--prefix", "none", "--offline"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        let found: Vec<&str> = names.filter(|name| NETWORK.contains(name)).collect();
        assert!(found.is_empty(), "{room} is built from {found:?}");
        assert!(tree.lines().count() > 10, "{tree}");
    }
}
