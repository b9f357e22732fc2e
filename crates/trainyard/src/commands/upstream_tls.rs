//! Certificates as `mlflow server` is given them: among the options of its Python servers. They are honoured; what
//! else is said of TLS there is refused, because a server that speaks less than it was told to is worse than
//! one that does not start.

use std::path::PathBuf;

use super::tls::TlsFiles;
use crate::failure::Failure;

/// Options of gunicorn and uvicorn that name the certificate, and its key.
const CERTIFICATE: [&str; 2] = ["--certfile", "--ssl-certfile"];
const KEY: [&str; 2] = ["--keyfile", "--ssl-keyfile"];
/// What is in the names of their other options that are about TLS.
const ABOUT_TLS: [&str; 5] = ["ssl", "cert", "keyfile", "cipher", "handshake"];

/// The files that one of these options names: `options` are flags of ours and what they were given.
pub(super) fn files(options: &[(&str, Option<&str>)]) -> Result<Option<TlsFiles>, Failure> {
    let mut found = None;
    for (flag, text) in options {
        let Some(text) = text else { continue };
        let Some(files) = of_text(flag, text)? else { continue };
        if found.as_ref().is_some_and(|before| *before != files) {
            return Err(Failure::input(format!("{flag} {text:?} names a second certificate"))
                .hint("give one certificate, by --tls-cert and --tls-key"));
        }
        found = Some(files);
    }
    Ok(found)
}

fn of_text(flag: &str, text: &str) -> Result<Option<TlsFiles>, Failure> {
    let (mut certificate, mut key) = (None, None);
    let mut words = words(text).into_iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let place = if CERTIFICATE.contains(&name.as_str()) {
            &mut certificate
        } else if KEY.contains(&name.as_str()) {
            &mut key
        } else if name.starts_with("--") && ABOUT_TLS.iter().any(|part| name.contains(part)) {
            return Err(Failure::input(format!("{flag} has {name}, which is not done here")).hint(
                "--tls-cert and --tls-key make the server speak TLS 1.2 and 1.3; for clients with \
                 certificates of their own put a proxy in front",
            ));
        } else {
            continue;
        };
        let value = value.or_else(|| words.next()).filter(|value| !value.is_empty());
        let Some(value) = value else {
            return Err(Failure::input(format!("{flag} has {name} without a file")));
        };
        *place = Some(PathBuf::from(value));
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(half(flag, CERTIFICATE, "the key", KEY)),
        (None, Some(_)) => Err(half(flag, KEY, "the certificate", CERTIFICATE)),
    }
}

fn half(flag: &str, has: [&str; 2], lacks: &str, name: [&str; 2]) -> Failure {
    let [has, name] = [has, name].map(|names| names.join(" or "));
    Failure::input(format!("{flag} has {has}, and nothing names {lacks}"))
        .hint(format!("add {name} FILE"))
}

/// The words of a command line as a shell splits it, with quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Option<(String, String)>, String> {
        let found = files(&[("--gunicorn-opts", Some(text))]).map_err(|failure| failure.message)?;
        let shown = |path: PathBuf| path.display().to_string();
        Ok(found.map(|files| (shown(files.certificate), shown(files.key))))
    }

    #[test]
    fn certificates_are_found_as_their_programs_find_them() {
        let pair = |certificate: &str, key: &str| -> Result<Option<(String, String)>, String> {
            Ok(Some((certificate.to_owned(), key.to_owned())))
        };
        assert_eq!(check("--certfile c.pem --keyfile k.pem"), pair("c.pem", "k.pem"));
        assert_eq!(
            check("--ssl-keyfile='a k' --timeout 60 --ssl-certfile=\"c\""),
            pair("c", "a k")
        );
        assert_eq!(check("--timeout 60 --keep-alive 5 --log-level debug"), Ok(None));
        assert_eq!(check(""), Ok(None));
        let same = ("--uvicorn-opts", Some("--ssl-certfile c --ssl-keyfile k"));
        let both = [("--gunicorn-opts", Some("--certfile c --keyfile k")), same];
        assert!(files(&both).unwrap().is_some());
        assert!(files(&[("--gunicorn-opts", Some("--certfile d --keyfile k")), same]).is_err());
    }

    #[test]
    fn nothing_about_tls_is_swallowed() {
        for (text, expected) in [
            ("--certfile c", "nothing names the key"),
            ("--keyfile k", "nothing names the certificate"),
            ("--certfile", "--certfile without a file"),
            ("--certfile c --keyfile=", "--keyfile without a file"),
            ("--certfile c --keyfile k --ca-certs ca", "--ca-certs, which is not done here"),
            ("--cert-reqs=2", "--cert-reqs, which"),
            ("--ssl-keyfile-password x", "--ssl-keyfile-password, which"),
            ("--ssl-version 2", "--ssl-version, which"),
            ("--ciphers TLSv1", "--ciphers, which"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
