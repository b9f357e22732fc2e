//! No barrier on any page: axe finds nothing in both colour schemes on a large screen and a small one, the Tab key leads on,
//! and nothing is wider than a small screen.

use serde_json::{Value, json};
use trainyard_testkit::workspace_root;

use super::drive;
use super::site::{PASSWORD, Site};
use crate::project::{stdout_of, trainyard};
use crate::quality::two_countries;

/// Kinds of pages that are found from the first one; others may be, too.
const KINDS: [&str; 24] = [
    "/",
    "/experiments",
    "/experiments/*",
    "/experiments/*/curves",
    "/experiments/*/best",
    "/experiments/*/relations",
    "/experiments/*/scorers",
    "/experiments/*?order=*",
    "/logged-models/*",
    "/models",
    "/models/*",
    "/models/*/monitoring",
    "/models/*/monitoring?at=*",
    "/models/*/versions/*",
    "/runs/*",
    "/runs/*/files/*.csv",
    "/runs/*/files/*.ipynb",
    "/runs/*/files/*.md",
    "/runs/*/metrics/*",
    "/runs/*/raw/*.html",
    "/team",
    "/team/approvals",
    "/team/audit",
    "/webhooks",
];

/// The same of a server that knows people.
const KINDS_OF_PEOPLE: [&str; 5] =
    ["/account", "/team/roles/*", "/team/tokens", "/team/users/*", "/team/approvals"];

/// A page with a barrier of each kind: where there is something, it is found.
const BROKEN: &str = "<!doctype html><html lang=\"en\"><head><title>Broken</title><style>a { outline: none }</style></head>\
    <body><main><h1>Broken</h1><a href=\"#x\">one</a> <input><p style=\"color: #999\">soft</p>\
    <div style=\"width: 900px\">wide</div></main></body></html>";

/// What stands between somebody and a page.
pub(super) fn found(site: &Site) -> Vec<String> {
    let mut findings = Vec::new();
    let mut look = |input: &Value, kinds: &[&str], base: &str| {
        let looked = barriers(input);
        let seen: Vec<&str> =
            looked["kinds"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for kind in kinds {
            assert!(seen.contains(&format!("{base}{kind}").as_str()), "{kind}: {seen:#?}");
        }
        let found = looked["findings"].as_array().unwrap();
        findings.extend(found.iter().filter_map(Value::as_str).map(str::to_owned));
    };
    let of = |base: &str, paths: &[&str]| -> Vec<String> {
        paths.iter().map(|path| format!("{base}{path}")).collect()
    };
    // Pages that no link leads to: of what went wrong, and of forms.
    let more = [
        "/",
        "/experiments/1?q=metrics.x+%3E",
        "/experiments/1?col=metrics.loss@min&find=loss",
        "/experiments/1/relations?x=params.depth&y=metrics.accuracy",
        "/compare",
        "/models/IrisClassifier/diff?a=1&b=3",
        "/models/IrisClassifier/diff",
        "/models/none",
        "/nowhere",
        "/search?q=iris",
        "/search?q=nothing-like-it",
        "/team/audit?since=soon",
        "/style",
    ];
    let mut pages = of(&site.url, &more);
    let run = site.seeded["files"].as_str().unwrap();
    pages.push(format!("{}/runs/{run}", site.url));
    pages.push(format!("{}/experiments/1/chosen?run={run}", site.url));
    look(&json!({ "pages": pages, "crawl": true }), &KINDS, &site.url);
    let sign_in = json!({
        "address": format!("{}/sign-in", site.team), "name": "admin", "password": PASSWORD,
    });
    let pages = of(&site.team, &["/", "/team", "/account", "/signup", "/sign-in"]);
    let input = json!({ "pages": pages, "crawl": true, "signIn": sign_in });
    look(&input, &KINDS_OF_PEOPLE, &site.team);
    let mut alone = of(&site.team, &["/sign-in?next=%2F"]);
    alone.extend(of(&site.gateway, &["/", "/docs"]));
    alone.extend(of(&site.instance, &["/", "/docs", "/docs#explain"]));
    alone.extend(reports(site));
    assert_broken_is_found(site);
    look(&json!({ "pages": alone }), &[], "");
    findings
}

fn assert_broken_is_found(site: &Site) {
    let broken = site.project.file("broken.html");
    std::fs::write(&broken, BROKEN).unwrap();
    let found = barriers(&json!({ "pages": [format!("file://{}", broken.display())] }));
    let found = found["findings"].to_string();
    for kind in ["color-contrast", "label, ", "wider than a screen", "focus that is not seen"] {
        assert!(found.contains(kind), "{kind}: {found}");
    }
}

fn barriers(input: &Value) -> Value {
    drive(&workspace_root().join("crates/testkit/browser/barriers.js"), input)
}

/// Files that people open without a server: one report of each kind.
fn reports(site: &Site) -> Vec<String> {
    let project = &site.project;
    let sides = ["--reference", "data/train.csv", "--current", "data/production_logs.csv"];
    let in_parts = ["--segment", "species", "--output", "reports/parts.html", "--no-log"];
    let monitor = [["monitor"].as_slice(), sides.as_slice(), in_parts.as_slice()].concat();
    stdout_of(&project.run(&monitor), 0);
    let labelled = project.file("labelled");
    std::fs::create_dir(&labelled).unwrap();
    two_countries(&labelled);
    let quality = [
        "quality",
        "--predictions=predictions.csv",
        "--labels=labels.csv",
        "--reference=holdout.csv",
        "--segment=country",
        "-o",
        "quality.html",
    ];
    stdout_of(&trainyard().current_dir(&labelled).args(quality).output().unwrap(), 0);
    let written = ["drift", "parts", "windows"].map(|name| format!("reports/{name}.html"));
    let written = written.iter().map(|name| project.file(name));
    let files = written.chain([labelled.join("quality.html")]);
    files.map(|file| format!("file://{}", file.display())).collect()
}
