//! Files that end too soon, or that something was put behind: refused, or the very same model.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use trainyard_models::{Format, load_bytes};

use crate::corpus;
use crate::support::{inputs, json, models, values};

/// A file with rows to ask it.
struct Sample {
    name: String,
    format: Format,
    bytes: Vec<u8>,
    input: RecordBatch,
}

/// What a file answers; `None` if it is refused when it is loaded.
fn answer(bytes: &[u8], format: Format, input: &RecordBatch) -> Option<String> {
    let model = load_bytes(bytes, format).ok()?;
    Some(match model.predict(input) {
        Ok(prediction) => values(&prediction),
        Err(error) => format!("refused: {error}"),
    })
}

fn format_of(file: &str) -> Format {
    match file.rsplit('.').next() {
        Some("ubj" | "json") => Format::Xgboost,
        Some("lgb") => Format::Lightgbm,
        Some("cb") => Format::Catboost,
        Some("onnx") => Format::Onnx,
        _ => Format::Estimator,
    }
}

/// Small models of every format and of old and new versions.
fn samples() -> Vec<Sample> {
    /// Files of one kind and version: each is cut at every byte.
    const OF_KIND: usize = 3;
    let mut samples = Vec::new();
    for file in ["sklearn-1.2.gz", "sklearn-1.7.gz"] {
        let (corpus, bytes) = corpus::read(&models().join("old").join(file));
        let mut of_kind: HashMap<&str, usize> = HashMap::new();
        for model in corpus["models"].as_array().unwrap() {
            let number = |key: &str| usize::try_from(model[key].as_u64().unwrap()).unwrap();
            let (start, length) = (number("start"), number("length"));
            let file_name = model["file"].as_str().unwrap();
            let limit = match file_name {
                "model.pkl" => 3_000,
                "model.skops" => 9_300,
                // With linear trees.
                "model.lgb" => 6_000,
                _ => 5_000,
            };
            if length > limit || model["predict_fn"] != "predict" {
                continue;
            }
            let count = of_kind.entry(file_name).or_default();
            *count += 1;
            if *count > OF_KIND {
                continue;
            }
            samples.push(Sample {
                name: format!("{file}: {}", model["name"]),
                format: format_of(file_name),
                bytes: bytes[start..start + length].to_vec(),
                input: inputs(model),
            });
        }
    }
    for (name, file) in [
        ("onnx_rf_nozipmap", "model.onnx"),
        ("cb_classifier", "model.cb"),
        ("cb_leafwise", "model.cb"),
    ] {
        let folder = models().join(name);
        samples.push(Sample {
            name: name.to_owned(),
            format: format_of(file),
            bytes: std::fs::read(folder.join(file)).unwrap(),
            input: inputs(&json(&folder.join("expected.json"))),
        });
    }
    samples
}

/// Lengths at which a file still loads and answers something else.
fn cuts_that_deceive(sample: &Sample) -> Vec<usize> {
    let whole = answer(&sample.bytes, sample.format, &sample.input);
    assert!(whole.is_some(), "{} does not load", sample.name);
    let deceives = |&length: &usize| {
        let cut = answer(&sample.bytes[..length], sample.format, &sample.input);
        cut.is_some() && cut != whole
    };
    (0..sample.bytes.len()).filter(deceives).collect()
}

#[test]
fn a_file_cut_anywhere_is_refused_or_the_same_model() {
    let samples = samples();
    let formats =
        [Format::Estimator, Format::Xgboost, Format::Lightgbm, Format::Catboost, Format::Onnx];
    for format in formats {
        assert!(samples.iter().any(|sample| sample.format == format), "no {format:?}");
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let mine = samples.iter().skip(worker).step_by(workers);
                scope.spawn(move || {
                    mine.filter_map(|sample| {
                        let cuts = cuts_that_deceive(sample);
                        (!cuts.is_empty()).then(|| format!("{}: {cuts:?}", sample.name))
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} files:\n{}", failures.len(), failures.join("\n"));
}

/// Each line of a LightGBM text that is a list, one value shorter and one longer.
#[test]
fn no_list_of_a_text_may_be_of_another_length() {
    let mut failures = Vec::new();
    for sample in samples().iter().filter(|sample| sample.format == Format::Lightgbm) {
        let text = std::str::from_utf8(&sample.bytes).unwrap();
        // Without the sizes of the trees, which would notice everything.
        let free: Vec<&str> =
            text.lines().filter(|line| !line.starts_with("tree_sizes=")).collect();
        let whole = answer(free.join("\n").as_bytes(), sample.format, &sample.input);
        assert!(whole.is_some(), "{}: without tree_sizes", sample.name);
        assert_eq!(whole, answer(&sample.bytes, sample.format, &sample.input));
        for (at, line) in free.iter().enumerate() {
            let Some((key, list)) = line.split_once('=').filter(|(_, list)| !list.is_empty())
            else {
                continue;
            };
            let words: Vec<&str> = list.split(' ').collect();
            let (last, before) = words.split_last().unwrap();
            let shorter = format!("{key}={}", before.join(" "));
            let longer = format!("{line} {last}");
            for damaged in [shorter, longer] {
                let mut lines = free.clone();
                lines[at] = &damaged;
                let answer = answer(lines.join("\n").as_bytes(), sample.format, &sample.input);
                if answer.is_some() && answer != whole {
                    failures.push(format!("{}: {line:.60} as {damaged:.60}", sample.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

/// Tools change line ends and leave out what only sizes; neither is damage.
#[test]
fn texts_of_tools_go_on_loading() {
    let sample = samples().into_iter().find(|sample| sample.format == Format::Lightgbm).unwrap();
    let whole = answer(&sample.bytes, sample.format, &sample.input);
    let text = std::str::from_utf8(&sample.bytes).unwrap();
    let end = text.find("end of trees").unwrap() + "end of trees\n".len();
    let old = text.replace("version=v3", "version=v2").replace("version=v4", "version=v2");
    let importances = text.find("feature_importances:").unwrap();
    for (what, text) in [
        ("line ends of another system", text.replace('\n', "\r\n")),
        ("nothing behind the trees", text[..end].to_owned()),
        ("no line behind the trees", text[..end].trim_end().to_owned()),
        // As version 2 ends.
        (
            "version 2",
            old[..old.find("end of trees").unwrap()].to_owned()
                + "\nfeature importances:\n"
                + &text[importances + "feature_importances:\n".len()..],
        ),
    ] {
        let error = || load_bytes(text.as_bytes(), sample.format).err().map(|e| e.to_string());
        assert_eq!(
            answer(text.as_bytes(), sample.format, &sample.input),
            whole,
            "{what}: {:?}",
            error()
        );
    }
}
