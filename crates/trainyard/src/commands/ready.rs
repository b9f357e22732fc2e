//! The one line that a server says at its start: where it is, what it keeps things in, whom it asks, and whether others
//! can read along.

use crate::printer;

/// What a server says of itself.
#[derive(Debug)]
pub(crate) struct Ready<'a> {
    /// What it does: `tracking`, a model.
    pub(crate) what: &'a str,
    /// Where it is reached.
    pub(crate) url: &'a str,
    /// What it keeps things in or takes them from; nothing if that is the model itself.
    pub(crate) stores: Vec<String>,
    /// What it asks clients for, if for anything.
    pub(crate) asks: Option<&'a str>,
    /// Whether what passes is encrypted.
    pub(crate) is_encrypted: bool,
}

impl Ready<'_> {
    /// Says it, on stderr, whoever reads: a person, or the log of a service.
    pub(crate) fn say(&self) {
        printer::note(&format!("{}, Ctrl-C stops it", self.line()));
    }

    fn line(&self) -> String {
        let asks = match self.asks {
            Some(what) => format!("asks for {what}"),
            None => "asks nobody who they are".to_owned(),
        };
        let encrypted = if self.is_encrypted { "TLS" } else { "no TLS" };
        let mut facts = self.stores.clone();
        facts.extend([asks, encrypted.to_owned()]);
        format!("{} at {} ({})", self.what, self.url, facts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_it_all() {
        let ready = Ready {
            what: "tracking",
            url: "http://127.0.0.1:5000",
            stores: vec!["store sqlite:///mlflow.db".to_owned()],
            asks: None,
            is_encrypted: false,
        };
        let line = "tracking at http://127.0.0.1:5000 (store sqlite:///mlflow.db, asks nobody who they are, no TLS)";
        assert_eq!(ready.line(), line);
        let ready =
            Ready { asks: Some("a token"), is_encrypted: true, stores: Vec::new(), ..ready };
        assert!(ready.line().ends_with("(asks for a token, TLS)"), "{}", ready.line());
    }
}
