//! Files made to take memory or time: each is refused at once, and little is taken before.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use trainyard_models::{Error, Format, load, load_bytes};

/// Refusals come within this time, also of a slow debug build on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(20);

fn refused(bytes: &[u8], format: Format) -> String {
    let started = Instant::now();
    let error = load_bytes(bytes, format).unwrap_err();
    assert!(started.elapsed() < AT_ONCE, "{:?} until {error}", started.elapsed());
    error.to_string()
}

/// An archive with one deflated file.
fn zip(name: &str, content: impl Iterator<Item = Vec<u8>>, claimed: Option<u32>) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut size = 0_u32;
    let mut checksum = flate2::Crc::new();
    for part in content {
        size += u32::try_from(part.len()).unwrap();
        checksum.update(&part);
        packer.write_all(&part).unwrap();
    }
    let packed = packer.finish().unwrap();
    let size = claimed.unwrap_or(size);
    let len = u32::try_from(packed.len()).unwrap();
    let name_len = u16::try_from(name.len()).unwrap();
    let checksum = checksum.sum().to_le_bytes();
    let mut bytes = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    bytes.extend(checksum);
    bytes.extend(len.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(name_len.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(name.as_bytes());
    bytes.extend(&packed);
    let directory = u32::try_from(bytes.len()).unwrap();
    bytes.extend(b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0");
    bytes.extend(checksum);
    bytes.extend(len.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(name_len.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(name.as_bytes());
    let directory_len = u32::try_from(bytes.len()).unwrap() - directory;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(directory_len.to_le_bytes());
    bytes.extend(directory.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn archives_that_unpack_without_measure_are_refused() {
    let zeros = || (0..400).map(|_| vec![b' '; 1 << 20]);
    let honest = zip("schema.json", zeros(), None);
    assert!(honest.len() < 4 << 20, "{}", honest.len());
    assert!(refused(&honest, Format::Estimator).contains("more than the limit"));
    let liar = zip("schema.json", zeros(), Some(100));
    assert!(refused(&liar, Format::Estimator).contains("does not unpack"));
    let giant = zip("schema.json", std::iter::once(vec![b' '; 10]), Some(u32::MAX - 1));
    assert!(refused(&giant, Format::Estimator).contains("more than the limit"));
}

#[test]
fn objects_nested_without_end_are_refused() {
    let open = r#"{"__loader__":"ListNode","__module__":"builtins","__class__":"list","content":["#;
    let schema = open.repeat(50_000);
    let archive = zip("schema.json", std::iter::once(schema.into_bytes()), None);
    assert!(refused(&archive, Format::Estimator).contains("too many nested"));
    // Pickles nest by reference, so depth costs nothing until an estimator is looked for.
    let mut deep = b"\x80\x04".to_vec();
    deep.extend(b"]".repeat(1_000_000));
    deep.extend(b"a".repeat(999_999));
    deep.push(b'.');
    assert!(refused(&deep, Format::Estimator).contains("a list"));
    assert!(refused(&b"[".repeat(1_000_000), Format::Xgboost).contains("format"));
    assert!(refused(&b"{\"a\":".repeat(1_000_000), Format::Xgboost).contains("too many nested"));
    assert!(refused(&b"{i\x01a".repeat(1_000_000), Format::Xgboost).contains("deeper"));
    assert!(refused(&b"{\"a\":".repeat(1_000_000), Format::Catboost).contains("too many nested"));
}

/// One value that is made again and again from one that is remembered.
#[test]
fn pickles_that_copy_what_they_remember_are_refused() {
    let bytes_again = {
        // BINBYTES of 1 MiB, memo 0; bytearray, memo 1; then get, get, tuple, reduce, pop for ever.
        let mut pickle = b"\x80\x04B\x00\x00\x10\x00".to_vec();
        pickle.extend(vec![0; 1 << 20]);
        pickle.extend(b"q\x000cbuiltins\nbytearray\nq\x010");
        pickle.extend(b"h\x01h\x00\x85R0".repeat(100_000));
        pickle.extend(b"N.");
        pickle
    };
    assert!(refused(&bytes_again, Format::Estimator).contains("bomb"));
    let arguments_again = {
        let mut pickle = b"\x80\x04(".to_vec();
        pickle.extend(b"N".repeat(500_000));
        pickle.extend(b"tq\x000csklearn.svm\nSVC\nq\x010");
        pickle.extend(b"h\x01h\x00R0".repeat(100_000));
        pickle.extend(b"N.");
        pickle
    };
    assert!(refused(&arguments_again, Format::Estimator).contains("bomb"));
    let nothing_but_lists = {
        let mut pickle = b"\x80\x04".to_vec();
        pickle.extend(b"]".repeat(9_000_000));
        pickle.push(b'.');
        pickle
    };
    assert!(refused(&nothing_but_lists, Format::Estimator).contains("objects"));
    let circle = b"\x80\x04]q\x00h\x00a.";
    assert!(refused(circle, Format::Estimator).contains("a list"));
}

#[test]
fn trees_that_are_none_are_refused() {
    let tree = |children: &str| {
        format!(
            "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=regression\nfeature_names=a\n\n\
             Tree=0\nnum_leaves=3\nsplit_feature=0 0\nthreshold=1 2\ndecision_type=2 2\n{children}\nleaf_value=1 2 3\n\nend of trees\n"
        )
    };
    let circle = tree("left_child=1 0\nright_child=-1 -2");
    assert!(refused(circle.as_bytes(), Format::Lightgbm).contains("reached twice"));
    let shared = tree("left_child=1 -1\nright_child=1 -2");
    assert!(refused(shared.as_bytes(), Format::Lightgbm).contains("reached twice"));
    let out_of_range = tree("left_child=7 -1\nright_child=-3 -2");
    assert!(refused(out_of_range.as_bytes(), Format::Lightgbm).contains("out of range"));
    let many = tree("left_child=1 -1\nright_child=-3 -2")
        .replace("num_tree_per_iteration=1", "num_tree_per_iteration=4000000000");
    assert!(refused(many.as_bytes(), Format::Lightgbm).contains("trees in a round"));
}

#[test]
fn yaml_bombs_are_refused() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let last = format!("*a{}, ", level - 1).repeat(10);
        writeln!(yaml, "a{level}: &a{level} [{last}]").unwrap();
    }
    yaml.push_str("flavors: {python_function: *a29}\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("MLmodel"), yaml).unwrap();
    let started = Instant::now();
    let error = load(folder.path()).unwrap_err();
    assert!(matches!(error, Error::ModelFile(_) | Error::Unsupported { .. }), "{error}");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}
