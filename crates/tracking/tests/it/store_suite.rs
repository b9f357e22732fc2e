//! The suite that every home of tracking passes, over the embedded store.

use trainyard_testkit::tracking_suite;
use trainyard_tracking::open;

use crate::store::{options, uri};

#[tokio::test]
async fn the_embedded_store_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&uri(&folder), options(&folder)).unwrap();
    tracking_suite::all(&store).await;
    drop(store);
    // And once more on what is there now.
    let store = open(&uri(&folder), options(&folder)).unwrap();
    tracking_suite::all(&store).await;
}

#[tokio::test]
async fn a_store_in_memory_passes_the_suite_and_is_gone_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = open("sqlite://", options(&folder)).unwrap();
    tracking_suite::all(&store).await;
}
