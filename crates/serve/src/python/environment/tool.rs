//! One run of a tool that makes environments: uv, pip, a Python.
//!
//! Tools run in an empty folder of their own: Python and uv would take modules and settings from the folder of the
//! model. What they say may hold the password of a package index: it goes to the log without it, and only the sentence
//! that tells why, without paths and addresses, to whoever asks.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use trainyard_mlflow::secrets::hide;

use super::lock::Lock;
use crate::python::group::Group;
use crate::python::variables::Variables;

/// How often the log says that a tool is still at work.
const PROGRESS: Duration = Duration::from_secs(10);

/// Of the output of a tool, the end is where the reason is.
const OUTPUT_BYTES_MAX: usize = 8000;

/// What a Python says of itself it says at once, on a busy machine within seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Of the reason: lines, and characters.
const REASON_LINES_MAX: usize = 6;
const REASON_CHARACTERS_MAX: usize = 600;

/// Shorter ones stand in words, too.
const SECRET_CHARACTERS_MIN: usize = 4;

/// Where tools run, and with what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workshop<'w> {
    pub(super) folder: &'w Path,
    pub(super) variables: &'w Variables,
    /// The lock of what is being made, which tools hold as well.
    pub(super) lock: &'w Lock,
    /// When all work must be done.
    pub(super) deadline: Instant,
}

/// A tool that did not do it.
#[derive(Debug)]
pub(super) struct Failure {
    /// Why, in words that anybody may read.
    pub(super) reason: String,
    /// The end of what it said, which is for the log and for what is tried next.
    pub(super) said: String,
}

impl Failure {
    /// Whether what the tool said has one of these words, in small letters.
    pub(super) fn names(&self, words: &[&str]) -> bool {
        let said = self.said.to_ascii_lowercase();
        words.iter().any(|word| said.contains(word))
    }
}

impl Workshop<'_> {
    fn has(&self, variable: &str) -> bool {
        self.variables.iter().any(|(name, _)| name == variable)
    }

    fn command(&self, program: &OsStr, arguments: &[&OsStr]) -> std::io::Result<Command> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // An empty file: nothing is to be read, and the lock is held as long as it is open.
            .stdin(Stdio::from(self.lock.held()?))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Ok(command)
    }

    /// What a program answers at once, or why it does not.
    pub(super) async fn ask(&self, program: &Path, arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let asked = async {
            let mut child = self.command(program.as_os_str(), &arguments)?.spawn()?;
            let group = Group::of(child.id(), Signal::KILL);
            let (answer, complaint) = (Said::default(), Said::default());
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let ((), (), status) =
                tokio::join!(answer.read(stdout), complaint.read(stderr), child.wait());
            let status = status?;
            group.has_ended();
            Ok::<_, std::io::Error>((status, answer, complaint))
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        let (status, answer, complaint) = answered
            .map_err(|_| format!("does not answer within {} s", ANSWER_TIMEOUT.as_secs()))?
            .map_err(|error| error.to_string())?;
        if status.success() {
            if answer.is_cut() {
                return Err(format!("answers more than {OUTPUT_BYTES_MAX} bytes"));
            }
            return Ok(answer.text());
        }
        let said = complaint.text();
        let said = said.lines().find(|line| !line.trim().is_empty());
        Err(telling(said.unwrap_or("does not run")))
    }

    /// Runs a tool to its end. What it and its children are still at when nobody waits any more is killed.
    pub(super) async fn run(
        &self,
        program: &OsStr,
        arguments: &[&OsStr],
        more: &[(&str, &str)],
        what: &str,
    ) -> Result<(), Failure> {
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
        let failed = |reason: String, said: String| Failure {
            reason: format!("{name} could not {what} ({reason})"),
            said,
        };
        let spawned = self.command(program, arguments).and_then(|mut command| {
            // What the server itself is told counts.
            let more = more.iter().filter(|(name, _)| !self.has(name));
            command.envs(more.copied()).spawn()
        });
        let mut child = spawned.map_err(|error| failed(error.to_string(), String::new()))?;
        let group = Group::of(child.id(), Signal::KILL);
        let said = Said::default();
        let status = self.watched(&mut child, &said, &name, what).await;
        let text = without_secrets(&said.text(), self.variables);
        let status = match status {
            Some(status) => status.map_err(|error| failed(error.to_string(), text.clone()))?,
            None => return Err(failed("it took too long".to_owned(), text)),
        };
        group.has_ended();
        if status.success() {
            return Ok(());
        }
        tracing::error!(tool = %program.to_string_lossy(), %status, "a tool failed:\n{text}");
        let telling = telling(&text);
        let mut failure = failed(status.to_string(), text);
        if !telling.is_empty() {
            failure.reason.push_str(": ");
            failure.reason.push_str(&telling);
        }
        Err(failure)
    }

    /// Waits for the end, and says meanwhile that it is waited; none at the deadline.
    async fn watched(
        &self,
        child: &mut Child,
        said: &Said,
        name: &str,
        what: &str,
    ) -> Option<std::io::Result<ExitStatus>> {
        let began = Instant::now();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let ended = async {
            let ((), (), status) = tokio::join!(said.read(stdout), said.read(stderr), child.wait());
            status
        };
        tokio::pin!(ended);
        let mut progress = tokio::time::interval_at(began + PROGRESS, PROGRESS);
        loop {
            tokio::select! {
                status = &mut ended => return Some(status),
                () = tokio::time::sleep_until(self.deadline) => return None,
                _ = progress.tick() => {
                    let last = without_secrets(&said.last_line(), self.variables);
                    let seconds = began.elapsed().as_secs();
                    tracing::info!(tool = name, seconds, last, "still at work: {what}");
                }
            }
        }
    }
}

/// The end of what a tool says, on both ways.
#[derive(Debug, Default)]
struct Said(Mutex<Vec<u8>>);

impl Said {
    async fn read(&self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0; OUTPUT_BYTES_MAX];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
            let over = bytes.len().saturating_sub(2 * OUTPUT_BYTES_MAX);
            bytes.drain(..over);
        }
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let start = text.floor_char_boundary(text.len().saturating_sub(OUTPUT_BYTES_MAX));
        let end = text.get(start..).unwrap_or_default();
        // The rest of a line may be that of an address, in which nobody would see a password any more.
        let whole = if start == 0 { 0 } else { end.find(['\n', '\r']).unwrap_or(end.len()) };
        end.get(whole..).unwrap_or_default().trim().to_owned()
    }

    /// Whether more was said than [`Self::text`] gives.
    fn is_cut(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() > OUTPUT_BYTES_MAX
    }

    fn last_line(&self) -> String {
        self.text().lines().last().unwrap_or_default().trim().to_owned()
    }
}

/// A text without passwords: those of addresses, and those that the tools were given.
fn without_secrets(text: &str, variables: &Variables) -> String {
    let mut shown = hide(text).into_owned();
    for (name, value) in variables {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        let is_secret = ["PASSWORD", "TOKEN", "SECRET"].iter().any(|part| name.contains(part));
        let of_addresses = value.split_whitespace().filter_map(|address| {
            let (_, rest) = address.split_once("://")?;
            let (account, _) = rest.split('/').next()?.rsplit_once('@')?;
            account.rsplit(':').next()
        });
        for secret in of_addresses.chain(is_secret.then_some(value)) {
            if secret.len() >= SECRET_CHARACTERS_MIN {
                shown = shown.replace(secret, "***");
            }
        }
    }
    shown
}

/// Why a tool failed, by what it said, for anybody: the lines that name errors, else the last ones; no paths, no
/// addresses, no advice of the tool.
fn telling(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_advice = |line: &&str| {
        let line = line.trim_start_matches('[').to_ascii_lowercase();
        ["hint:", "note:", "notice", "warning"].iter().any(|word| line.starts_with(word))
    };
    let lines: Vec<&str> = lines.filter(|line| !is_advice(line)).collect();
    let names_error = |line: &&str| {
        // `ERROR: `, `error: `, `ModuleNotFoundError: `, but not that another program had one.
        (line.contains("rror: ") || line.contains("ERROR: ") || line.starts_with("cause: "))
            && !["subprocess-exited-with-error", "metadata-generation-failed"]
                .iter()
                .any(|other| line.ends_with(other))
    };
    let errors: Vec<&str> = lines.iter().copied().filter(names_error).collect();
    let lines = if errors.is_empty() { lines } else { errors };
    let last = lines.get(lines.len().saturating_sub(REASON_LINES_MAX)..).unwrap_or_default();
    // What frames a message of uv or pip.
    let is_frame = |c: char| "×╰─▶│├".contains(c);
    let words = last.iter().flat_map(|line| line.split_whitespace()).filter_map(|word| {
        let word = word.trim_matches(is_frame);
        let bare = word.trim_start_matches(['"', '\'', '`', '(', '<', '=']);
        if word.contains("://") || word.contains('@') {
            return Some("(an address)");
        }
        if bare.starts_with('/') || bare.starts_with("~/") {
            return Some("(a path)");
        }
        (!word.is_empty()).then_some(word)
    });
    let text = words.collect::<Vec<_>>().join(" ");
    let start = text.chars().count().saturating_sub(REASON_CHARACTERS_MAX);
    if start == 0 {
        return text;
    }
    let end: String = text.chars().skip(start).collect();
    format!("… {end}")
}

#[cfg(test)]
mod tests {
    use super::super::lock::Hold;
    use super::*;

    #[test]
    fn the_reason_is_told_without_places_and_advice() {
        let uv = "Using Python 3.11.7 environment at: /root/x\n  × No solution found when resolving dependencies:\n  \
                  ╰─▶ Because nobody==9.9 was not found in the registry, we can conclude that your\n      \
                  requirements are unsatisfiable.\n\n      hint: try --find-links <uri>\n";
        assert_eq!(
            telling(uv.split_once('\n').unwrap().1),
            "No solution found when resolving dependencies: Because nobody==9.9 was not found in the registry, \
             we can conclude that your requirements are unsatisfiable."
        );
        let pip = "Looking in indexes: https://me:s3cret@host/simple\nERROR: No matching distribution found for \
                   nobody==9.9\n[notice] A new release of pip\n";
        assert_eq!(telling(pip), "ERROR: No matching distribution found for nobody==9.9");
        let built = "error: subprocess-exited-with-error\n  × Preparing metadata did not run\n  ╰─> [12 lines]\n      \
                     File \"/tmp/x.py\", line 3\n      RuntimeError: no /opt/cc, see https://x/y\n\
                     error: metadata-generation-failed\n╰─> See above for output.\nhint: See above\n";
        assert_eq!(telling(built), "RuntimeError: no (a path) see (an address)");
        let newer = "Resolved 1 package\nerror: Failed to build `x==1.0`\n  cause: The build backend returned an error\n\n\
                     hint: Build failures usually indicate a problem\n";
        assert_eq!(
            telling(newer),
            "error: Failed to build `x==1.0` cause: The build backend returned an error"
        );
        assert_eq!(telling("one\ntwo in /a/b\n"), "one two in (a path)");
        let long = telling(&"word ".repeat(1000));
        assert!(long.starts_with("… ") && long.chars().count() <= REASON_CHARACTERS_MAX + 2);
    }

    #[tokio::test]
    async fn a_tool_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let lock_path = folder.path().join("lock");
        let lock = Lock::try_take(&lock_path, Hold::Alone).unwrap().unwrap();
        let workshop = Workshop {
            folder: folder.path(),
            variables: &vec![("PATH".into(), "/usr/bin:/bin".into())],
            lock: &lock,
            // As soon as it is looked.
            deadline: Instant::now(),
        };
        // The tool waits for one that would wait for long, and has the lock as well.
        let script = OsStr::new("sleep 600; true");
        let ran = workshop.run("sh".as_ref(), &["-c".as_ref(), script], &[], "wait").await;
        let failure = ran.unwrap_err();
        assert_eq!(failure.reason, "sh could not wait (it took too long)");
        drop(lock);
        let began = std::time::Instant::now();
        while Lock::try_take(&lock_path, Hold::Alone).unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_mins(1), "it still holds the lock");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn an_answer_is_kept_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::try_take(&folder.path().join("lock"), Hold::Alone).unwrap().unwrap();
        let workshop = Workshop {
            folder: folder.path(),
            variables: &vec![("PATH".into(), "/usr/bin:/bin".into())],
            lock: &lock,
            deadline: Instant::now(),
        };
        let ask = async |script| workshop.ask(Path::new("sh"), &["-c", script]).await;
        assert_eq!(ask("echo 3.11; echo no >&2").await.unwrap(), "3.11");
        let lengthy = ask("yes | head -c 100000").await.unwrap_err();
        assert_eq!(lengthy, "answers more than 8000 bytes");
        assert_eq!(ask("echo 'bad: no' >&2; exit 1").await.unwrap_err(), "bad: no");
    }

    #[tokio::test]
    async fn what_is_cut_off_begins_with_a_whole_line() {
        let said = Said::default();
        let long = format!("https://me:s3cret@host/{}\nlast\n", "x".repeat(OUTPUT_BYTES_MAX - 16));
        said.read(Some(long.as_bytes())).await;
        assert_eq!(said.text(), "last");
        let short = Said::default();
        short.read(Some("one\ntwo\n".as_bytes())).await;
        assert_eq!((short.text().as_str(), short.last_line().as_str()), ("one\ntwo", "two"));
    }

    #[test]
    fn passwords_of_addresses_and_variables_are_taken_out() {
        let variables = [
            ("PIP_EXTRA_INDEX_URL", "https://a/simple http://me:s3cret@host/simple"),
            ("UV_INDEX_OURS_PASSWORD", "hunter22"),
            ("PATH", "/bin"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into())).to_vec();
        let shown = without_secrets("s3cret http://you:pw@x/ hunter22 in /bin", &variables);
        assert!(
            !shown.contains("s3cret") && !shown.contains("pw@") && !shown.contains("hunter"),
            "{shown}"
        );
        assert!(shown.ends_with("in /bin"), "{shown}");
    }
}
