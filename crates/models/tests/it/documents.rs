//! What docs/models.md says of estimators is what the code reads.

/// The table of estimators in the document: its lines up to the first empty one.
pub(crate) fn table(document: &str) -> Option<&str> {
    let table = document.get(document.find("| kind | estimators |")?..)?;
    table.get(..=table.find("|\n\n")? + 1)
}

#[test]
fn the_table_of_estimators_is_made_of_their_readers() {
    let document = include_str!("../../../../docs/models.md");
    assert_eq!(
        table(document).unwrap(),
        trainyard_models::estimators_table(),
        "renew it: cargo run -p trainyard-models --example estimators"
    );
}
