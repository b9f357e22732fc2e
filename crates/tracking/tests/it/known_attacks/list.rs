//! Every kind of attack in turn, on one server.

use std::collections::BTreeMap;

use super::row::Attack;
use super::{
    artifact_paths, locations, names_and_sizes, open_routes, other_hosts, server_disk,
    version_sources, web_pages,
};
use crate::attack::Target;

/// By kind.
const ATTACKS: &[&[Attack]] = &[
    version_sources::ATTACKS,
    locations::ATTACKS,
    artifact_paths::ATTACKS,
    server_disk::ATTACKS,
    other_hosts::ATTACKS,
    web_pages::ATTACKS,
    names_and_sizes::ATTACKS,
    open_routes::ATTACKS,
];

/// What upstream's clients, its ways to serve and its pages were open to, and this server has none of.
const NOT_HERE: &[(&str, &str)] = &[
    ("CVE-2023-4033", "a command line made of a request: none is made"),
    ("CVE-2023-6014", "accounts are made by requests: only the file has them (auth.rs)"),
    ("CVE-2023-6709", "templates of recipes"),
    ("CVE-2023-6940", "a command line made of an MLmodel file"),
    ("CVE-2024-0520", "a client's download of a data set over HTTP"),
    ("CVE-2024-27132", "recipes in notebooks"),
    ("CVE-2024-27133", "data sets in recipes"),
    ("CVE-2024-27134", "folders of spark_udf that others may write to"),
    ("CVE-2024-37052", "pickles of models: none is executed"),
    ("CVE-2025-10279", "folders of environments that others may write to"),
    ("CVE-2025-11200", "short passwords: hash-password refuses them (auth.rs)"),
    ("CVE-2025-1473", "sign-up by a foreign page: there is no sign-up"),
    ("CVE-2025-1474", "accounts without a password: hash-password refuses them"),
    ("CVE-2025-15031", "archives that are unpacked: none is"),
    ("CVE-2026-0596", "a command line made of a model's URI"),
    ("CVE-2026-2635", "a password that everybody knows: there is none"),
    ("CVE-2026-2651", "rights on parts of uploads: who is let in may do everything (SECURITY.md)"),
    ("CVE-2026-33866", "rights on a model's files: the same"),
    (
        "CVE-2026-64849",
        "webhooks that reach a host by another spelling, a redirect or a second answer of DNS (webhooks.rs)",
    ),
    ("CVE-2026-4137", "folders of downloads that others may write to"),
];

#[test]
fn none_of_the_known_attacks_works() {
    let target = Target::start();
    let before = target.around();
    for attack in ATTACKS.iter().copied().flatten() {
        let name = format!("{}: {}", attack.id, attack.idea);
        for answer in (attack.attempt)(&target) {
            let text = answer.text();
            assert!(!text.contains("SECRET-7261"), "{name}: read\n{text}");
            assert!(!matches!(answer.status, 500 | 502), "{name}: {} {text}", answer.status);
            let kind = answer.header("content-type").unwrap_or_default();
            let runs = kind.starts_with("text/html") || kind.contains("xml");
            let is_kept = answer.header("content-disposition").is_some();
            assert!(is_kept || !runs || !text.contains("<script>alert"), "{name}: shown\n{text}");
        }
        assert_eq!(target.around(), before, "{name}: written or removed");
        assert_eq!(target.internal.asked(), 0, "{name}: asked a host for it");
        assert_eq!(target.get("/health").status, 200, "{name}");
    }
    let mut ids = BTreeMap::new();
    let known = ATTACKS
        .iter()
        .copied()
        .flatten()
        .map(|attack| attack.id)
        .chain(NOT_HERE.iter().map(|(id, _)| *id));
    for id in known {
        *ids.entry(id).or_insert(0) += 1;
    }
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
}
