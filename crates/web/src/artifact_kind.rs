//! How a file is shown, by its name.

use trainyard_base::media_type::{self, extension};

/// How a file is shown, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image(&'static str),
    Page,
    Text,
    Other,
}

impl Kind {
    pub(crate) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        match extension(path).as_deref() {
            Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "svg") => {
                Self::Image(media_type::of(path))
            }
            Some("html" | "htm") => Self::Page,
            Some(
                "txt" | "log" | "md" | "json" | "jsonl" | "yaml" | "yml" | "toml" | "csv" | "tsv"
                | "py" | "rs" | "r" | "sql" | "sh" | "ini" | "cfg" | "xml" | "lgb",
            ) => Self::Text,
            None if matches!(name, "MLmodel" | "Dockerfile" | "Makefile") => Self::Text,
            _ => Self::Other,
        }
    }

    /// Whether it is a web page.
    pub(crate) fn is_page(path: &str) -> bool {
        Self::of(path) == Self::Page
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Image(kind) => kind,
            Self::Page => "text/html; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
            Self::Other => "application/octet-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_name() {
        for (path, kind) in [
            ("plots/roc.SVG", Kind::Image("image/svg+xml")),
            ("a/report.html", Kind::Page),
            ("model/MLmodel", Kind::Text),
            ("x.csv", Kind::Text),
            ("model.onnx", Kind::Other),
            ("html", Kind::Other),
            ("a.html/b", Kind::Other),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }
}
