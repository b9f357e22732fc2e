//! Random frames against the real Evidently.

use serde_json::Value;
use trainyard_drift::{Compat, Options, Status, compare};
use trainyard_testkit::run_python;

use crate::support::{close, number, read};

/// Makes frames of random types, sizes, missing values and shifts, and asks Evidently about each.
const SCRIPT: &str = r#"
import json, os, sys, warnings
warnings.filterwarnings("ignore")
os.environ["DO_NOT_TRACK"] = "1"
import numpy as np, pandas as pd
from evidently import Report, Dataset
from evidently.presets import DataDriftPreset
from evidently.legacy.calculations.stattests import registry

folder, seed, frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ids = {t.display_name: name for name, types in registry._registered_stat_tests.items() for t in types.values()}
rng = np.random.default_rng(seed)

def column(kind, n, shift):
    if kind == "normal": v = rng.normal(shift, 1 + shift, n)
    elif kind == "lognormal": v = rng.lognormal(shift, 2, n)
    elif kind == "rounded": v = np.round(rng.normal(shift, 1, n), 1)
    elif kind == "few": v = rng.integers(0, 4, n) + 0.5
    elif kind == "single": v = rng.normal(shift, 1, n).astype("float32")
    elif kind == "count": return rng.poisson(8 + 4 * shift, n)
    elif kind == "digit": return rng.integers(0, 7, n)
    elif kind == "wide": return rng.integers(-10**12, 10**12, n)
    elif kind == "bool": return rng.random(n) < 0.3 + shift / 4
    elif kind == "label":
        v = np.array(list("abcdefg"), dtype=object)[np.minimum(rng.geometric(0.35 + shift / 9, n), 7) - 1]
        return pd.Series(np.where(rng.random(n) < 0.1, None, v))
    elif kind == "constant": v = np.full(n, 3.25)
    if rng.random() < 0.4: v = np.where(rng.random(n) < rng.uniform(0, 0.5), np.nan, v).astype(v.dtype)
    return v

kinds = ["normal", "lognormal", "rounded", "few", "single", "count", "digit", "wide", "bool", "label", "constant"]
methods = [None, None, None, "psi", "kl_div", "jensenshannon", "hellinger"]
out = []
for index in range(frames):
    n1, n2 = (int(np.exp(rng.uniform(np.log(5), np.log(4000)))) for _ in range(2))
    chosen = rng.choice(kinds, 8)
    shift = float(rng.choice([0, 0.1, 0.5]))
    names = [f"{kind}_{place}" for place, kind in enumerate(chosen)]
    ref = pd.DataFrame({name: column(kind, n1, 0.0) for name, kind in zip(names, chosen)})
    cur = pd.DataFrame({name: column(kind, n2, shift) for name, kind in zip(names, chosen)})
    method = methods[rng.integers(len(methods))]
    num_threshold = float(rng.choice([0.05, 0.2])) if rng.random() < 0.3 else None
    ref.to_parquet(f"{folder}/{index}.reference.parquet"); cur.to_parquet(f"{folder}/{index}.current.parquet")
    entry = {"method": method, "num_threshold": num_threshold}
    try:
        arguments = {k: v for k, v in entry.items() if v is not None}
        snapshot = Report([DataDriftPreset(**arguments)], include_tests=True).run(Dataset.from_pandas(cur), Dataset.from_pandas(ref)).dict()
        flags = {t["metric_config"]["params"]["column"]: str(t["status"]).endswith("FAIL") for t in snapshot["tests"] if t["id"] == "drift"}
        entry["columns"] = {}
        for m in snapshot["metrics"]:
            c = m["config"]
            if "column" in c:
                score = float(m["value"])
                entry["columns"][c["column"]] = {"method": ids.get(c["method"], c["method"]), "threshold": c["threshold"],
                    "score": score if np.isfinite(score) else str(score), "drifted": flags[c["column"]]}
            else:
                entry["count"] = m["value"]["count"]
    except Exception as e:
        entry["error"] = f"{type(e).__name__}: {e}"[:300]
    out.append(entry)
print(json.dumps(out))
"#;

#[test]
fn random_frames_have_evidentlys_scores() {
    let folder = tempfile::tempdir().unwrap();
    let (seed, frames) = ("20261123", "24");
    let printed = run_python(SCRIPT, &[folder.path().to_str().unwrap(), seed, frames], &[]);
    let entries: Vec<Value> = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let mut found = Vec::new();
    let mut compared = 0;
    for (index, entry) in entries.iter().enumerate() {
        let table = |side: &str| read(&folder.path().join(format!("{index}.{side}.parquet")));
        let options = Options {
            method: entry["method"].as_str().map(|name| name.parse().unwrap()),
            num_threshold: entry["num_threshold"].as_f64(),
            compat: Compat::Evidently,
            ..Options::default()
        };
        let drift = compare(&table("reference"), &table("current"), &options);
        if let Some(error) = entry["error"].as_str() {
            if drift.evidently_error.is_none() {
                found.push(format!("frame {index}: Evidently says {error}"));
            }
            continue;
        }
        if let Some(error) = &drift.evidently_error {
            found.push(format!("frame {index}: {error}, Evidently has no error"));
        }
        if Some(drift.drifted as f64) != entry["count"].as_f64() {
            found.push(format!(
                "frame {index}: {} drifted, Evidently {}",
                drift.drifted, entry["count"]
            ));
        }
        for column in &drift.columns {
            let expected = &entry["columns"][&column.name];
            let Status::Tested(verdict) = &column.status else {
                if !expected.is_null() {
                    found.push(format!(
                        "frame {index} {}: {:?}, Evidently {expected}",
                        column.name, column.status
                    ));
                }
                continue;
            };
            compared += 1;
            let score = if expected.is_null() { f64::NAN } else { number(&expected["score"]) };
            // Near-identical samples leave the rounding of a hash-ordered sum under a square root.
            let noise = verdict.method.id() == "hellinger"
                && score.abs() < 2e-8
                && verdict.score.abs() < 2e-8;
            let agrees = expected["method"] == verdict.method.id()
                && expected["threshold"].as_f64() == Some(verdict.threshold)
                && expected["drifted"].as_bool() == Some(verdict.drifted)
                && (noise || close(verdict.score, score, 1e-9));
            if !agrees {
                found.push(format!(
                    "frame {index} {}: {} {:e}, Evidently {expected}",
                    column.name, verdict.method, verdict.score
                ));
            }
        }
    }
    assert!(compared > 100, "{compared} columns compared:\n{}", found.join("\n"));
    assert!(found.is_empty(), "{} of {compared} differ:\n{}", found.len(), found.join("\n"));
}
