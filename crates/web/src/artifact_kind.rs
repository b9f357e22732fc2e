//! How a file is shown, by its name.

use trainyard_base::media_type::{self, extension};

/// How a file is shown, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image(&'static str),
    Page,
    Pdf,
    /// A table with separators.
    Delimited,
    Parquet,
    Json,
    Markdown,
    Notebook,
    Text,
    Other,
}

impl Kind {
    pub(crate) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        match extension(path).as_deref() {
            Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" | "avif" | "bmp") => {
                Self::Image(media_type::of(path))
            }
            Some("html" | "htm") => Self::Page,
            Some("pdf") => Self::Pdf,
            Some("csv" | "tsv") => Self::Delimited,
            Some("parquet") => Self::Parquet,
            Some("json") => Self::Json,
            Some("md" | "markdown") => Self::Markdown,
            Some("ipynb") => Self::Notebook,
            Some(
                "txt" | "log" | "jsonl" | "yaml" | "yml" | "toml" | "py" | "rs" | "r" | "sql"
                | "sh" | "ini" | "cfg" | "xml" | "lgb",
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
            Self::Pdf => "application/pdf",
            Self::Delimited | Self::Json | Self::Markdown | Self::Notebook | Self::Text => {
                "text/plain; charset=utf-8"
            }
            Self::Parquet | Self::Other => "application/octet-stream",
        }
    }

    /// Whether a browser keeps the file instead of showing it. A PDF file may act, and is shown only where it was looked
    /// through.
    pub(crate) fn is_download(self) -> bool {
        matches!(self, Self::Pdf | Self::Parquet | Self::Other)
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
            ("x.csv", Kind::Delimited),
            ("x.PARQUET", Kind::Parquet),
            ("README.md", Kind::Markdown),
            ("x.json", Kind::Json),
            ("x.jsonl", Kind::Text),
            ("x.ipynb", Kind::Notebook),
            ("x.pdf", Kind::Pdf),
            ("model.onnx", Kind::Other),
            ("html", Kind::Other),
            ("a.html/b", Kind::Other),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }
}
