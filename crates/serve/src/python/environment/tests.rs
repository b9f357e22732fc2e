//! Environments by the real uv and pip, from packages that `tests.py` makes: no network.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::build::Tool;
use super::cache::Cache;
use super::lock::{Hold, Lock};
use super::obtain::{Environment, Tools, obtain};
use super::wanted::Requirements;
use crate::python::variables;

const PACKAGES: &str = include_str!("tests.py");

/// A folder of packages, made once, and one for each test: of environments, and of what `slow` says.
struct Place {
    packages: PathBuf,
    cache: Cache,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        static MADE: std::sync::LazyLock<tempfile::TempDir> = std::sync::LazyLock::new(|| {
            let folder = tempfile::tempdir().unwrap();
            trainyard_testkit::run_python(PACKAGES, &[&folder.path().display().to_string()], &[]);
            folder
        });
        let folder = tempfile::tempdir().unwrap();
        Self::at(MADE.path(), folder)
    }

    fn at(packages: &Path, folder: tempfile::TempDir) -> Self {
        let cache = Cache::open(&folder.path().join("cache")).unwrap();
        Self { packages: packages.to_owned(), cache, folder }
    }

    /// Where packages come from is the server's to say: what the tools keep by themselves counts for nothing here.
    fn tools(&self, tool: Tool) -> Tools {
        tools(tool, &self.packages, self.folder.path())
    }

    async fn obtain(&self, tool: Tool, wanted: &Requirements) -> Result<Environment, String> {
        obtain(&self.cache, wanted, u64::MAX, &self.tools(tool)).await
    }

    fn signal(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How often `slow` was built.
    fn begun(&self) -> usize {
        std::fs::read_to_string(self.signal("began")).unwrap_or_default().lines().count()
    }
}

fn tools(tool: Tool, packages: &Path, signals: &Path) -> Tools {
    let mut variables = variables::for_tools();
    variables.retain(|(name, _)| {
        let name = name.to_string_lossy();
        !name.starts_with("PIP_") && !name.starts_with("UV_")
    });
    for (name, value) in [
        ("PIP_NO_INDEX", "1".as_ref()),
        ("PIP_NO_CACHE_DIR", "1".as_ref()),
        ("PIP_FIND_LINKS", packages.as_os_str()),
        ("UV_OFFLINE", "1".as_ref()),
        ("UV_NO_CACHE", "1".as_ref()),
        ("UV_FIND_LINKS", packages.as_os_str()),
        ("SIGNALS", signals.as_os_str()),
    ] {
        variables.push((name.into(), value.into()));
    }
    Tools { tool, variables }
}

fn uv() -> Tool {
    Tool::Uv(trainyard_testkit::test_env().join("python/bin/uv"))
}

/// What a model wants of the Python of the tests.
fn wanted(build: &[&str], packages: &[&str]) -> Requirements {
    static VERSION: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let script = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
        trainyard_testkit::run_python(script, &[], &[]).trim().to_owned()
    });
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
    Requirements { python: VERSION.clone(), build: lines(build), packages: lines(packages) }
}

fn says(environment: &Environment, script: &str) -> String {
    let output = Command::new(&environment.interpreter).args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn folder_of(environment: &Environment) -> &Path {
    environment.interpreter.parent().and_then(Path::parent).unwrap()
}

#[tokio::test]
async fn an_environment_is_made_once_by_either_tool() {
    for tool in [Tool::Pip, uv()] {
        let place = Place::new();
        let first = wanted(&[], &["ours==1.0"]);
        // Two that ask at the same time.
        let (one, other) =
            tokio::join!(place.obtain(tool.clone(), &first), place.obtain(tool.clone(), &first));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.interpreter, other.interpreter);
        assert_eq!(says(&one, "import ours, pyarrow; print(ours.VALUE + pyarrow.VALUE)"), "14");
        let made = folder_of(&one).metadata().unwrap().ino();
        // What is there needs no tool, and whoever makes nothing removes nothing.
        let none = Tool::Uv("/no/such/uv".into());
        let left = place.cache.place(&"0".repeat(32));
        std::fs::create_dir(&left).unwrap();
        let again = place.obtain(none, &first).await.unwrap();
        assert!(left.is_dir());
        assert_eq!(folder_of(&again).metadata().unwrap().ino(), made);
        // Nobody removes what is used.
        let lock = Lock::try_take(&folder_of(&one).with_extension("lock"), Hold::Alone);
        assert!(lock.unwrap().is_none());

        // Other words for the same packages: the same environment.
        let same = wanted(&[], &["ours>=1.0"]);
        let twin = place.obtain(tool.clone(), &same).await.unwrap();
        assert_eq!(twin.interpreter, one.interpreter);
        assert!(!place.cache.place(&same.digest()).exists());

        // More packages: another one, which shares files.
        let more = wanted(&[], &["other==1.0", "ours==1.0"]);
        let larger = place.obtain(tool.clone(), &more).await.unwrap();
        assert_ne!(larger.interpreter, one.interpreter);
        assert!(!left.exists());
        let file =
            |environment| PathBuf::from(says(environment, "import ours; print(ours.__file__)"));
        let inode = |path: &Path| path.metadata().unwrap().ino();
        assert_eq!(inode(&file(&one)), inode(&file(&larger)));
        assert_ne!(file(&one), file(&larger));

        // A Python that was removed from the machine.
        let python = one.interpreter.clone();
        drop((one, other, again, twin));
        std::fs::remove_file(&python).unwrap();
        assert_eq!(place.obtain(tool, &first).await.unwrap().interpreter, python);
        assert!(python.is_file());
    }
}

#[tokio::test]
async fn source_packages_are_built_with_what_the_model_was_built_with() {
    for tool in [Tool::Pip, uv()] {
        let place = Place::new();
        // It is in the environment, too, as packages import it that do not say so.
        let old = place.obtain(tool.clone(), &wanted(&["ourbuild==1.0"], &["source==1.0"])).await;
        let script = "import ourbuild, source; print(ourbuild.VERSION, source.BUILT_WITH)";
        assert_eq!(says(&old.unwrap(), script), "1.0 1.0");
        // What a package itself asks for wins where both cannot be had.
        let newer = place.obtain(tool, &wanted(&["ourbuild==1.0"], &["newer==1.0"])).await;
        let script = "import ourbuild, newer; print(ourbuild.VERSION, newer.BUILT_WITH)";
        assert_eq!(says(&newer.unwrap(), script), "1.0 2.0");
    }
}

#[tokio::test]
async fn a_failure_is_told_without_secrets_and_places() {
    // Not every pip says which package it was that could not be built.
    for (tool, about) in [(Tool::Pip, "no compiler"), (uv(), "about broken")] {
        let place = Place::new();
        for (packages, said) in [
            (["nobody-has-this==9.9"], ["nobody-has-this==9.9", "about nobody-has-this"]),
            (["broken==1.0"], ["RuntimeError: no compiler", about]),
        ] {
            let mut tools = place.tools(tool.clone());
            let index = "http://me:s3cret@127.0.0.1:9/simple";
            tools.variables.push(("PIP_EXTRA_INDEX_URL".into(), index.into()));
            let made = obtain(&place.cache, &wanted(&[], &packages), u64::MAX, &tools).await;
            let error = made.unwrap_err();
            assert!(said.into_iter().all(|said| error.contains(said)), "{error}");
            let packages = place.packages.display().to_string();
            for leak in ["s3cret", packages.as_str(), "://"] {
                assert!(!error.contains(leak), "{error}");
            }
        }
        assert_eq!(place.cache.names().unwrap(), (vec![], vec![]), "nothing is left");
    }
    let place = Place::new();
    let older = Requirements { python: "2.4.1".to_owned(), ..wanted(&[], &["ours==1.0"]) };
    let error = place.obtain(Tool::Pip, &older).await.unwrap_err();
    assert!(error.contains("needs Python 2.4") && error.contains("looked at"), "{error}");
}

/// The folder of a child that makes an environment, and that of the packages.
const CHILD: &str = "TRAINYARD_TEST_ENVIRONMENT_FOLDER";
const CHILD_PACKAGES: &str = "TRAINYARD_TEST_ENVIRONMENT_PACKAGES";

#[tokio::test]
async fn a_child_makes_an_environment() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let packages = PathBuf::from(std::env::var_os(CHILD_PACKAGES).unwrap());
    let cache = Cache::open(&folder.join("cache")).unwrap();
    let tools = tools(uv(), &packages, &folder);
    let made = obtain(&cache, &wanted(&[], &["slow==1.0"]), u64::MAX, &tools).await.unwrap();
    assert_eq!(says(&made, "import slow; print(slow.BUILT_WITH)"), "@VERSION@");
}

fn child(place: &Place) -> Child {
    let name = "python::environment::tests::a_child_makes_an_environment";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD, place.folder.path())
        .env(CHILD_PACKAGES, &place.packages)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn what_a_killed_process_left_is_not_taken_for_whole() {
    let place = Place::new();
    let slow = wanted(&[], &["slow==1.0"]);
    let digest = slow.digest();
    let mut killed = child(&place);
    let started = Instant::now();
    while place.begun() == 0 {
        assert!(killed.try_wait().unwrap().is_none(), "the child ended by itself");
        assert!(started.elapsed() < Duration::from_mins(2), "nothing is built");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(place.cache.place(&digest).is_dir() && place.cache.entry(&digest).is_none());
    // The tool that it had started is still at work there, so nobody else may be.
    let lock = || Lock::try_take(&place.cache.lock(&digest), Hold::Alone).unwrap();
    assert!(lock().is_none());
    File::create(place.signal("go")).unwrap();
    let made = place.obtain(uv(), &slow).await.unwrap();
    assert_eq!(says(&made, "import slow; print(slow.BUILT_WITH)"), "@VERSION@");
    assert!(place.cache.whole(&digest).is_some());
}

#[tokio::test]
async fn processes_that_want_the_same_make_it_once() {
    let alone = Place::new();
    File::create(alone.signal("go")).unwrap();
    alone.obtain(uv(), &wanted(&[], &["slow==1.0"])).await.unwrap();
    let place = Place::new();
    File::create(place.signal("go")).unwrap();
    let children = [child(&place), child(&place), child(&place)];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(place.begun(), alone.begun());
}
