//! What a file is, by its name: the types that browsers show, play, run or lay out a page with.
//!
//! No crate: those know a thousand types more, which nobody here shows.

/// What everything else is.
const BYTES: &str = "application/octet-stream";

const TYPES: [(&str, &str); 31] = [
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("mjs", "text/javascript"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain"),
    ("wasm", "application/wasm"),
    ("wav", "audio/x-wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("zip", "application/zip"),
];

/// The media type of a file by the end of its name; bytes if it is none of ours.
pub fn of(name: &str) -> &'static str {
    let extension = extension(name).unwrap_or_default();
    TYPES.iter().find(|(known, _)| *known == extension).map_or(BYTES, |(_, kind)| kind)
}

/// The extension of a path's last part, in lower case.
pub fn extension(path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_are() {
        for (name, kind) in [
            ("plots/roc.PNG", "image/png"),
            ("index.html", "text/html"),
            ("a.b/model", BYTES),
            ("model.skops", BYTES),
            ("png", BYTES),
            ("", BYTES),
        ] {
            assert_eq!(of(name), kind, "{name}");
        }
    }
}
