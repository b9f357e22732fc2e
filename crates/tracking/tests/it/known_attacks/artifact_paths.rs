//! Paths of artifacts.

use super::row::{Attack, FILES};
use crate::attack::encoded;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "CVE-2026-2033",
        idea: "the path of an artifact climbs (uploads, downloads, listings, removals, parts)",
        attempt: |target| {
            target.through_paths(&[
                "../outside/secret.txt",
                "..%2foutside%2fsecret.txt",
                "%2e%2e/outside/secret.txt",
                "%2e%2e%2foutside%2fsecret.txt",
                "x/../../outside/secret.txt",
                "./../outside/secret.txt",
                ".%00./outside/secret.txt",
                "..;/outside/secret.txt",
                "..%c0%afoutside%c0%afsecret.txt",
                "..%ef%bc%8foutside/secret.txt",
            ])
        },
    },
    Attack {
        id: "CVE-2024-1560",
        idea: "the path of an artifact is encoded twice and more often",
        attempt: |target| {
            let mut path = "../outside/secret.txt".to_owned();
            let mut paths = Vec::new();
            for _layer in 0..12 {
                path = encoded(&path);
                paths.push(path.clone());
            }
            paths.push("%252e%252e%252foutside%252fsecret.txt".to_owned());
            target.through_paths(&paths.iter().map(String::as_str).collect::<Vec<_>>())
        },
    },
    Attack {
        id: "CVE-2023-6975",
        idea: "the path of an artifact is absolute, or one of Windows",
        attempt: |target| {
            let outside = target.outside();
            target.through_paths(&[
                &format!("{outside}/secret.txt"),
                &encoded(&format!("{outside}/secret.txt")),
                &encoded(&format!("file://{outside}/secret.txt")),
                &encoded(&format!("FILE:{outside}/secret.txt")),
                "C:/outside/secret.txt",
                "C:%5Coutside%5Csecret.txt",
                "..%5C..%5Coutside%5Csecret.txt",
                "%5C%5C127.0.0.1%5Coutside",
            ])
        },
    },
    Attack {
        id: "CVE-2024-1593",
        idea: "the path of an artifact with params, query or fragment",
        attempt: |target| {
            target.through_paths(&[
                ";/../outside/secret.txt",
                "x;..%2foutside%2fsecret.txt",
                "x%3b/../../outside/secret.txt",
                "x%23/../../outside/secret.txt",
                "x%3f/../../outside/secret.txt",
            ])
        },
    },
    Attack {
        id: "CVE-2023-6831",
        idea: "removing takes the root of the artifacts, or what is above it",
        attempt: |target| {
            let keep = format!("{FILES}/artifacts/keep.txt");
            assert_eq!(target.put(&keep, b"kept").status, 200);
            let mut answers = Vec::new();
            for path in
                ["", "/", ".", "%2e", "//", "..", "%2e%2e", "%252e%252e", "..%2foutside", "./."]
            {
                let path = format!("{FILES}/artifacts/{path}");
                answers.push(target.send("DELETE", &path, &[], None));
            }
            assert_eq!(target.get(&keep).text(), "kept");
            answers
        },
    },
];
