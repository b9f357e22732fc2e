//! Copies that are made, replaced, damaged and forgotten.

use std::path::{Path, PathBuf};

use trainyard_mlflow::resolve::ResolvedModel;

use super::ModelCache;

fn source(name: &str) -> String {
    format!("models:/{name}@Production")
}

/// A model folder of so many bytes.
fn model(folder: &Path, bytes: usize) -> PathBuf {
    let model = folder.join(format!("model of {bytes}"));
    std::fs::create_dir_all(model.join("data")).unwrap();
    std::fs::write(model.join("data/weights"), vec![7; bytes]).unwrap();
    model
}

fn resolved(run_id: &str) -> ResolvedModel {
    ResolvedModel { run_id: Some(run_id.to_owned()), ..ResolvedModel::default() }
}

/// The run of the copy, with its weights; none if there is no copy.
fn taken(cache: &ModelCache, name: &str) -> Option<(String, Vec<u8>)> {
    let target = tempfile::tempdir().unwrap();
    let taken = cache.take(&source(name), target.path()).unwrap()?;
    let weights = std::fs::read(target.path().join("data/weights")).unwrap();
    Some((taken.resolved.run_id.unwrap(), weights))
}

/// The files of a cache that hold copies.
fn weights(dir: &Path) -> Vec<PathBuf> {
    let below = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let copies = below(dir).into_iter().flat_map(|place| below(&place));
    copies.map(|copy| copy.join("data/weights")).filter(|path| path.is_file()).collect()
}

#[test]
fn the_last_copy_counts_and_those_before_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("cache");
    let cache = ModelCache::new(&dir, "http://registry", 1 << 20);
    assert!(!cache.holds(&source("a")) && taken(&cache, "a").is_none());
    cache.forget(&source("a"));
    for bytes in [10, 20] {
        cache
            .keep(&source("a"), &resolved(&bytes.to_string()), &model(folder.path(), bytes))
            .unwrap();
        assert_eq!(taken(&cache, "a"), Some((bytes.to_string(), vec![7; bytes])));
        assert_eq!(weights(&dir).len(), 1);
    }
    // What a server that was killed left half.
    let mut places = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let place = places.find(|path| path.is_dir()).unwrap();
    std::fs::create_dir_all(place.join("model-half/data")).unwrap();
    std::fs::write(place.join("model-half/data/weights"), "half").unwrap();
    assert_eq!(taken(&cache, "a").unwrap().0, "20");
    cache.keep(&source("a"), &resolved("30"), &model(folder.path(), 30)).unwrap();
    assert_eq!(weights(&dir).len(), 1);
    // Another registry, and another source, are other models.
    let other = ModelCache::new(&dir, "http://elsewhere", 1 << 20);
    assert!(!other.holds(&source("a")) && !cache.holds(&source("b")));
    // A password is no part of a registry.
    let [mine, yours] = ["http://me:x@registry", "http://you:y@registry"]
        .map(|registry| ModelCache::new(&dir, registry, 1 << 20));
    mine.keep(&source("b"), &resolved("1"), &model(folder.path(), 10)).unwrap();
    assert!(yours.holds(&source("b")));
    mine.forget(&source("b"));
    cache.forget(&source("a"));
    assert!(!cache.holds(&source("a")) && weights(&dir).is_empty());
}

#[test]
fn a_damaged_copy_is_refused_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("cache");
    let cache = ModelCache::new(&dir, "http://registry", 1 << 20);
    cache.keep(&source("a"), &resolved("1"), &model(folder.path(), 10)).unwrap();
    let path = weights(&dir).pop().unwrap();
    let refusal = || {
        let target = tempfile::tempdir().unwrap();
        cache.take(&source("a"), target.path()).unwrap_err().to_string()
    };
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(refusal().contains("data/weights has 10 bytes and the digest"), "{}", refusal());
    std::fs::write(&path, &bytes[..9]).unwrap();
    assert!(refusal().contains("data/weights has 9 bytes"), "{}", refusal());
    std::fs::remove_file(&path).unwrap();
    assert!(refusal().contains("data/weights"), "{}", refusal());
    // The next copy is whole again.
    cache.keep(&source("a"), &resolved("2"), &model(folder.path(), 10)).unwrap();
    assert_eq!(taken(&cache, "a").unwrap().0, "2");
}

#[test]
fn all_copies_together_have_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("cache");
    // Somebody else's.
    std::fs::create_dir_all(dir.join("notes/model-1/data")).unwrap();
    let cache = ModelCache::new(&dir, "http://registry", 100);
    for (name, bytes) in [("a", 40), ("b", 50)] {
        cache.keep(&source(name), &resolved(name), &model(folder.path(), bytes)).unwrap();
    }
    cache.keep(&source("c"), &resolved("c"), &model(folder.path(), 30)).unwrap();
    // One of the older ones made room; which of them, where the clock saw no time between, is open.
    let held = ["a", "b", "c"].map(|name| cache.holds(&source(name)));
    assert!(held[2] && held.iter().filter(|is_held| **is_held).count() == 2, "{held:?}");
    // One that is too large is not kept, and does not leave an older version in its place.
    let error = cache.keep(&source("c"), &resolved("c"), &model(folder.path(), 101)).unwrap_err();
    assert!(error.to_string().contains("101 bytes"), "{error}");
    assert!(!cache.holds(&source("c")));
    assert!(dir.join("notes/model-1/data").is_dir());
}
