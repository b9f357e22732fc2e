//! Damaged files of every format: an error or some prediction, never a panic or endless memory.

use std::path::Path;
use std::time::Instant;

use trainyard_models::{Error, Format, load, load_bytes};

use crate::corpus;
use crate::support::{inputs, json, models};

/// A small generator of our own, so that each failure can be made again (Steele, Lea, Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % below.max(1) as u64) as usize
    }
}

/// Numbers that are not what a file should have in their place.
const NUMBERS: [&str; 10] =
    ["0", "1", "-1", "2", "7", "255", "2147483647", "4294967296", "1e308", "nan"];

/// Puts another number in the place of one that is written in digits.
fn damage_digits(bytes: &mut Vec<u8>, from: usize, random: &mut SplitMix) {
    let Some(start) = (from..bytes.len()).find(|&at| bytes[at].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|&at| !bytes[at].is_ascii_digit()).unwrap_or(bytes.len());
    bytes.splice(start..end, NUMBERS[random.next(NUMBERS.len())].bytes());
}

/// Cuts, flips, repeats, removes or exchanges bytes, or writes other numbers.
fn damage(bytes: &[u8], random: &mut SplitMix) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.next(4) {
        let at = random.next(bytes.len());
        match random.next(8) {
            0 => bytes.truncate(at),
            5 => damage_digits(&mut bytes, at, random),
            // Two numbers of eight bytes, as binary formats have them.
            6 => {
                let other = random.next(bytes.len());
                for place in 0..8 {
                    if at.max(other) + place < bytes.len() {
                        bytes.swap(at + place, other + place);
                    }
                }
            }
            7 => {
                let number = [0_i64, 1, -1, i64::MAX, i64::from(i32::MAX), 1 << 40][random.next(6)];
                let end = (at + 8).min(bytes.len());
                let written = number.to_le_bytes();
                bytes[at..end].copy_from_slice(&written[..end - at]);
            }
            1 => drop(bytes.drain(at..(at + random.next(40)).min(bytes.len()))),
            2 => {
                let part = bytes[at..(at + random.next(40)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = [0, 0xff, 0x7f, b'9', random.next(256) as u8][random.next(5)];
                }
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn check(model: &str, file: &str, rounds: usize) {
    let folder = models().join(model);
    let original = std::fs::read(folder.join(file)).unwrap();
    let input = inputs(&json(&folder.join("expected.json")));
    let scratch = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("MLmodel"), scratch.path().join("MLmodel")).unwrap();
    let mut random = SplitMix(original.len() as u64);
    let mut refused = 0;
    for _ in 0..rounds {
        std::fs::write(scratch.path().join(file), damage(&original, &mut random)).unwrap();
        match load(scratch.path()) {
            // Damage to a number is not seen; the model must still answer or say why not, alone and in a block.
            Ok(model) => {
                drop(model.predictor.predict(&input));
                drop(model.predictor.predict(&input.slice(0, 1)));
                drop(model.predictor.predict(&input.slice(0, 0)));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "{model}: no damage was noticed");
}

#[test]
fn damaged_files_are_no_panic() {
    check("onnx_rf_nozipmap", "model.onnx", 60);
    check("sk_logreg", "model.skops", 150);
    check("sk_logreg_cloudpickle", "model.pkl", 400);
    check("sk_pipeline", "model.skops", 40);
    check("lgbm_booster", "model.lgb", 60);
    check("xgb_booster", "model.ubj", 60);
    check("xgb_classifier", "model.ubj", 40);
    check("onnx_rf", "model.onnx", 40);
    check("lgbm_classifier", "model.skops", 20);
    check("cb_classifier", "model.cb", 200);
    check("cb_json", "model.cb", 60);
    check("cb_leafwise", "model.cb", 200);
    check("sm_logit", "model.statsmodels", 150);
}

/// Every kept model of old versions, damaged a few times; for minutes where `TRAINYARD_FUZZ_SECONDS` says so,
/// and as `TRAINYARD_FUZZ_SEED` says.
#[test]
fn damaged_models_of_all_estimators_are_no_panic() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let deadline = number("TRAINYARD_FUZZ_SECONDS")
        .map(|seconds| Instant::now() + std::time::Duration::from_secs(seconds));
    let mut random = SplitMix(number("TRAINYARD_FUZZ_SEED").unwrap_or(1));
    let corpora: Vec<_> =
        ["sklearn-1.2.gz", "sklearn-1.7.gz", "boosters-0.90.gz", "catboost-1.1.gz", "packages.gz"]
            .map(|file| corpus::read(&models().join("old").join(file)))
            .into_iter()
            .collect();
    let (mut tried, mut refused) = (0_u32, 0_u32);
    loop {
        for (index, bytes) in &corpora {
            for model in index["models"].as_array().unwrap() {
                let at = |key: &str| usize::try_from(model[key].as_u64().unwrap()).unwrap();
                let original = &bytes[at("start")..at("start") + at("length")];
                let format = match model["file"].as_str().unwrap() {
                    "model.ubj" | "model.json" | "model.deprecated" => Format::Xgboost,
                    "model.lgb" => Format::Lightgbm,
                    "model.cb" => Format::Catboost,
                    "model.statsmodels" => Format::Statsmodels,
                    _ => Format::Estimator,
                };
                let damaged = damage(original, &mut random);
                tried += 1;
                match load_bytes(&damaged, format) {
                    Ok(loaded) => {
                        let input = inputs(model);
                        drop(loaded.predict(&input));
                        drop(loaded.predict(&input.slice(0, 1)));
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        if deadline.is_none_or(|deadline| Instant::now() > deadline) {
            break;
        }
    }
    assert!(refused > tried / 10, "only {refused} of {tried} damages were noticed");
}

fn refusal(file_of: &str, file: &str, bytes: &[u8]) -> Error {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::copy(models().join(file_of).join("MLmodel"), scratch.path().join("MLmodel")).unwrap();
    std::fs::write(scratch.path().join(file), bytes).unwrap();
    load(Path::new(scratch.path())).unwrap_err()
}

#[test]
fn pickles_that_would_run_something_are_refused_by_name() {
    // `os.system("true")`, as a pickle of protocol 0 and by reduction of a builtin.
    for (pickle, name) in [
        (&b"cos\nsystem\n(S'true'\ntR."[..], "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
    ] {
        for (folder, file) in
            [("sk_logreg_cloudpickle", "model.pkl"), ("sm_logit", "model.statsmodels")]
        {
            match refusal(folder, file, pickle) {
                Error::Unsupported { what, .. } => assert!(what.contains(name), "{what}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// MLflow can load none of these, so its workers are no way out, and the hint does not name them as one.
#[test]
fn what_python_could_not_serve_either_says_what_helps() {
    for (pickle, named, help) in [
        (&b"c__main__\nMine\n."[..], "__main__.Mine", "cloudpickle"),
        (
            b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\ncmine\nModel\n.",
            "mine.Model",
            "joblib.load",
        ),
        (b"\xfd7zXZ\0", "xz", "without compress="),
        (b"\x80\x04}.", "dict", "estimator alone"),
    ] {
        match refusal("sk_logreg_cloudpickle", "model.pkl", pickle) {
            Error::Unservable { what, hint } => {
                assert!(what.contains(named) && hint.contains(help), "{what}: {hint}");
            }
            other => panic!("{named}: {other:?}"),
        }
    }
}

/// What begins as XGBoost's binary format and is none, and what is written behind one.
#[test]
fn binary_boosters_are_read_to_their_end() {
    let refused = |bytes: &[u8]| match load_bytes(bytes, Format::Xgboost) {
        Err(Error::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refused(b"binf\0\0\0?\x03\0\0\0").contains("too early"));
    assert!(refused(&[0xff; 200]).contains("version"));
    let (corpus, bytes) = corpus::read(&models().join("old/boosters-1.6.gz"));
    let each = corpus["models"].as_array().unwrap();
    let model = each.iter().find(|model| model["file"] == "model.deprecated").unwrap();
    let at = |key: &str| usize::try_from(model[key].as_u64().unwrap()).unwrap();
    let mut file = bytes[at("start")..at("start") + at("length")].to_vec();
    for end in 0..file.len() {
        assert!(load_bytes(&file[..end], Format::Xgboost).is_err(), "cut at byte {end}");
    }
    file.push(0);
    assert!(refused(&file).contains("behind its end"));
}

#[test]
fn sizes_that_files_claim_are_not_believed() {
    for bytes in
        [&b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f."[..], b"\x80\x04B\xff\xff\xff\xff."]
    {
        assert!(matches!(
            refusal("sk_logreg_cloudpickle", "model.pkl", bytes),
            Error::Malformed { .. }
        ));
    }
    assert!(matches!(
        refusal("xgb_booster", "model.ubj", b"{L\x7f\xff\xff\xff\xff\xff\xff\xff"),
        Error::Malformed { .. }
    ));
}
