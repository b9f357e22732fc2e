//! The journeys, and in how many clicks each answers; times are measured elsewhere (bench/pages).

use serde_json::{Value, json};

use super::site::Site;
use super::{drive, own};

/// Questions of people at the first page, in the words of `walked.js`; the clicks to each answer, and the presses of Enter
/// and Space where there is only a keyboard.
const JOURNEYS: [(&str, u64, u64); 11] = [
    ("the best run by two conditions", 3, 2),
    ("losses of twenty runs", 3, 2),
    ("the smallest loss of each run", 5, 3),
    ("which params differ", 5, 4),
    ("what production serves and since when", 1, 1),
    ("why a version was refused", 2, 2),
    ("whether data are all right and which column is not", 1, 1),
    ("back to the version before", 4, 3),
    ("a run registered and promoted", 7, 5),
    ("a running run moves", 1, 1),
    ("who moved the alias", 1, 1),
];

/// Chromium and Firefox, with scripts and without, large and small; and twice with a keyboard alone.
fn walks() -> Vec<Value> {
    let mut walks = Vec::new();
    for engine in ["chrome", "firefox"] {
        for scripts in [true, false] {
            for width in [1440, 390] {
                walks.push(json!({ "engine": engine, "scripts": scripts, "width": width }));
            }
        }
    }
    for (scripts, width) in [(true, 390), (false, 1440)] {
        let keyboard = true;
        walks.push(
            json!({ "engine": "chrome", "scripts": scripts, "width": width, "keyboard": keyboard }),
        );
    }
    walks
}

/// Walks all of them, and says what went otherwise.
pub(super) fn otherwise(site: &Site) -> Vec<String> {
    let walks = walks();
    let input = json!({ "url": site.url, "seeded": site.seeded, "walks": walks });
    let walked = drive(&own("walked.js"), &input);
    let walked = walked.as_array().unwrap();
    assert_eq!(walked.len(), walks.len() * JOURNEYS.len(), "{walked:?}");
    let mut otherwise = Vec::new();
    for one in walked {
        let journey = one["journey"].as_str().unwrap();
        let (_, clicks, presses) = JOURNEYS.iter().find(|(known, ..)| *known == journey).unwrap();
        let wanted = if one["keyboard"] == true { presses } else { clicks };
        if !one["trouble"].is_null() || one["clicks"] != *wanted {
            otherwise.push(one.to_string());
        }
    }
    otherwise
}
