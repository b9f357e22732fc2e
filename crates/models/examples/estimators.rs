//! `estimators`: writes the table of estimators into docs/models.md, from the lists of their readers.

use std::path::Path;

#[path = "../tests/it/documents.rs"]
mod documents;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models.md");
    let text = std::fs::read_to_string(&path)?;
    let table = documents::table(&text).ok_or("docs/models.md has no table of estimators")?;
    std::fs::write(&path, text.replace(table, &trainyard_models::estimators_table()))?;
    Ok(())
}
