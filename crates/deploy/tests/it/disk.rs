//! A state folder on a disk that is full: releases are refused with the reason, clients notice nothing,
//! and the next release tidies up.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use http::StatusCode;
use tempfile::TempDir;
use trainyard_base::Advise as _;
use trainyard_deploy::{Keeper, history};
use trainyard_testkit::docker::SKIPPED;

use crate::client::{Load, get};
use crate::kept_up::heal;
use crate::stage::Stage;

const PAGE: u64 = 4096;

/// A file system in memory that is soon full.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` (said loudly, past the harness's capture) where none can be mounted.
    fn new(test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "none"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(folder));
        }
        let line = format!("{SKIPPED}{test}: no file system can be mounted here\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it until only so many pages are free; what fills it goes when this is dropped.
    fn fill_but(&self, pages: u64) -> tempfile::NamedTempFile<File> {
        let mut filler = tempfile::NamedTempFile::new_in(self.path()).unwrap();
        let free = rustix::fs::statvfs(self.path()).unwrap().f_bavail;
        let bytes = usize::try_from(free.saturating_sub(pages) * PAGE).unwrap();
        filler.write_all(&vec![7; bytes]).unwrap();
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that was killed a moment ago may still have a file open.
        let _left_for_the_reader = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Files that a write which failed may have left.
fn temporary_files(root: &Path) -> Vec<String> {
    let names = std::fs::read_dir(root).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.to_ascii_lowercase().ends_with(".tmp")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_releases_and_no_request() {
    let Some(disk) = SmallDisk::new("a_full_disk_refuses_releases_and_no_request") else { return };
    let stage = Stage::on(tempfile::tempdir_in(disk.path()).unwrap());
    stage.release(&Stage::spec("first")).await.unwrap();
    let load = Load::start(stage.address(), 2);
    let (mut refused, mut finished) = (0, 0);
    // With more room each time a release meets the end of the disk at a later step, until it does not.
    for pages in 0..10 {
        let filler = disk.fill_but(pages);
        match stage.release(&Stage::spec(&format!("green{pages}"))).await {
            Ok(_) => finished += 1,
            Err(error) => {
                refused += 1;
                let text = error.with_hint();
                let is_said = text.contains("No space left on device")
                    && text.contains("hint: make room there");
                // Or it was the new instance that could not even say what it wanted to.
                assert!(is_said || text.contains("ended (exit code 101)"), "{pages}: {text}");
            }
        }
        assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK, "{pages} pages");
        drop(filler);
        let name = format!("kept{pages}");
        stage.release(&Stage::spec(&name)).await.unwrap();
        assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name));
        assert_eq!(stage.backends().len(), 1, "after {pages} pages: {:?}", stage.processes());
        assert_eq!(temporary_files(&stage.root()), Vec::<String>::new());
    }
    assert!(refused > 0 && finished > 0, "{refused} refused, {finished} finished");
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    // Every release that said so is in the history, in order, whatever was cut in between.
    let entries = history(&stage.service).unwrap();
    let kept = entries.iter().filter(|entry| entry.label["version"].starts_with("kept")).count();
    assert_eq!(kept, 10, "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_on_a_full_disk_is_started_again() {
    let Some(disk) = SmallDisk::new("what_ends_on_a_full_disk_is_started_again") else { return };
    let stage = Stage::on(tempfile::tempdir_in(disk.path()).unwrap());
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut keeper = Keeper::new(stage.service.clone());
    let filler = disk.fill_but(0);
    for pid in [stage.backends()[0], stage.gateways()[0]] {
        stage.kill(pid).await;
        heal(&mut keeper).await;
        let answer = get(stage.address(), "/").await.unwrap();
        assert_eq!(answer, (StatusCode::OK, "blue".to_owned()));
        assert_eq!(stage.backends().len(), 1, "it is known what was started");
    }
    // What could not be written down is as soon as there is room: whoever comes next knows it too.
    drop(filler);
    let alive = stage.backends();
    heal(&mut keeper).await;
    heal(&mut Keeper::new(stage.service.clone())).await;
    assert_eq!(stage.backends(), alive);
}
