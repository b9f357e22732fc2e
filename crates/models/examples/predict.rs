//! `predict FOLDER [INPUT.json]`: loads a model folder and prints what it predicts, as JSON lines.
//!
//! The input is a JSON file with `inputs` (a dataframe in split form or a list of rows); without one,
//! `expected.json` of the folder.

#![expect(clippy::unwrap_used, clippy::panic, reason = "it shares its reader with the tests")]

use std::path::Path;

#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/support.rs"]
mod support;

#[expect(clippy::print_stdout, reason = "printing is what this example does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: predict FOLDER [INPUT.json]")?;
    let folder = Path::new(&folder);
    let input = arguments.next().map_or_else(|| folder.join("expected.json"), Into::into);
    let model = trainyard_models::load(folder)?;
    let prediction = model.predictor.predict(&support::inputs(&support::json(&input)))?;
    println!("{prediction:?}");
    Ok(())
}
