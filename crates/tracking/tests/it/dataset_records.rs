//! Records that several clients add to one dataset of examples at once: what each of them says is kept.

use serde_json::{Map, json};
use trainyard_mlflow::Tracking;
use trainyard_tracking::open;

use crate::store::{options, uri};

const CLIENTS: usize = 8;

/// All speak of the same example, and each says something else of it.
pub(crate) async fn added_at_once(store: &Tracking) {
    let datasets = &store.tracing.as_ref().unwrap().evaluation_datasets;
    let id = datasets.create("shared", vec![], vec![]).await.unwrap().dataset_id;
    let adding = (0..CLIENTS).map(|client| {
        let mut expectations = Map::new();
        expectations.insert(format!("e{client}"), client.into());
        let record = json!({ "inputs": { "q": "x" }, "expectations": expectations });
        datasets.upsert_records(&id, vec![record])
    });
    for counts in futures::future::join_all(adding).await {
        counts.unwrap();
    }
    let records = datasets.records(&id, 0, None).await.unwrap().items;
    assert_eq!(records.len(), 1, "{records:?}");
    let said = records[0]["expectations"].as_object().unwrap();
    assert_eq!(said.len(), CLIENTS, "{said:?}");
    let schema = datasets.get(&id).await.unwrap().schema.unwrap();
    let is_known = |client: usize| schema.contains(&format!("\"e{client}\""));
    assert!((0..CLIENTS).all(is_known), "{schema}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_say_of_one_example_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    added_at_once(&open(&uri(&folder), options(&folder)).unwrap()).await;
}

#[tokio::test]
async fn a_record_is_from_somewhere_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let datasets = &store.tracing.as_ref().unwrap().evaluation_datasets;
    let id = datasets.create("examples", vec![], vec![]).await.unwrap().dataset_id;
    let record = |kind: &str| json!({ "inputs": { "q": kind }, "source": { "source_type": kind, "source_data": {} } });
    datasets.upsert_records(&id, vec![record("HUMAN"), record("code")]).await.unwrap();
    let refused = datasets.upsert_records(&id, vec![record("CSV"), record("TRACE")]).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("Invalid dataset record source type: CSV."), "{told}");
    assert_eq!(datasets.records(&id, 0, None).await.unwrap().items.len(), 2);
}
