//! What stands between two fields.

use std::path::Path;

/// The separator of a file for which none is given: a tab for `.tsv`, a comma otherwise.
pub(super) fn default_delimiter(path: &Path) -> u8 {
    // `.tsv`, also with `.gz` or `.zst` behind it.
    let is_tab = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
    let inner = path.file_stem().map(Path::new);
    if is_tab(path) || inner.is_some_and(is_tab) { b'\t' } else { b',' }
}
