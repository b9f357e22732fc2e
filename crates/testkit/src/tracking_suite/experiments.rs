//! Experiments: life, tags, search.

use trainyard_mlflow::entities::{LifecycleStage, ViewType};
use trainyard_mlflow::{ErrorCode, SearchExperiments, Tracking};

use super::assertions::{assert_refused, own};
use super::fixtures::{pair, unique};

/// Create, get, rename, tag, delete, restore; and what is refused.
pub async fn experiments(tracking: &Tracking) {
    let name = unique("iris staging/é");
    let tags = [pair("team", "a b"), pair("empty", "")];
    let id = tracking.experiments.create(&name, None, &tags).await.unwrap();
    let experiment = tracking.experiments.get(&id).await.unwrap();
    assert_eq!(experiment.experiment_id, id);
    assert_eq!(experiment.name, name);
    assert_eq!(experiment.lifecycle_stage, LifecycleStage::Active);
    assert!(experiment.artifact_location.ends_with(&format!("/{id}")), "{experiment:?}");
    assert!(experiment.creation_time.unwrap() > 1_700_000_000_000, "{experiment:?}");
    assert_eq!(own(&experiment.tags), own(&tags));
    assert_eq!(tracking.experiments.get_by_name(&name).await.unwrap(), experiment);

    let again = tracking.experiments.create(&name, None, &[]).await;
    assert_refused(again, ErrorCode::ResourceAlreadyExists, &name);
    let missing = tracking.experiments.get_by_name("no such experiment").await;
    assert_refused(missing, ErrorCode::ResourceDoesNotExist, "no such experiment");
    let missing = tracking.experiments.get("999999999").await;
    assert_refused(missing, ErrorCode::ResourceDoesNotExist, "999999999");
    let nameless = tracking.experiments.create("", None, &[]).await;
    assert_refused(nameless, ErrorCode::InvalidParameterValue, "name");
    let long = "x".repeat(501);
    let long = tracking.experiments.create(&long, None, &[]).await;
    assert_refused(long, ErrorCode::InvalidParameterValue, "500");

    tracking.experiments.set_tag(&id, pair("team", "c")).await.unwrap();
    tracking.experiments.set_tag(&id, pair("new", "1")).await.unwrap();
    tracking.experiments.delete_tag(&id, "empty").await.unwrap();
    let absent = tracking.experiments.delete_tag(&id, "empty").await;
    assert_refused(absent, ErrorCode::ResourceDoesNotExist, "empty");
    let experiment = tracking.experiments.get(&id).await.unwrap();
    assert_eq!(own(&experiment.tags), own(&[pair("new", "1"), pair("team", "c")]));

    let renamed = unique("renamed");
    tracking.experiments.rename(&id, &renamed).await.unwrap();
    assert_eq!(tracking.experiments.get(&id).await.unwrap().name, renamed);

    tracking.experiments.delete(&id).await.unwrap();
    let deleted = tracking.experiments.get(&id).await.unwrap();
    assert_eq!(deleted.lifecycle_stage, LifecycleStage::Deleted);
    let tagged = tracking.experiments.set_tag(&id, pair("a", "b")).await;
    assert_refused(tagged, ErrorCode::InvalidParameterValue, "active");
    tracking.experiments.restore(&id).await.unwrap();
    let restored = tracking.experiments.get(&id).await.unwrap();
    assert_eq!(restored.lifecycle_stage, LifecycleStage::Active);

    let located = unique("located");
    let location = format!("mlflow-artifacts:/elsewhere/{located}");
    let id = tracking.experiments.create(&located, Some(&location), &[]).await.unwrap();
    assert_eq!(tracking.experiments.get(&id).await.unwrap().artifact_location, location);
}

/// Filter, order, view and pages.
pub async fn experiment_search(tracking: &Tracking) {
    let group = unique("group");
    let mut ids = Vec::new();
    for position in 0..5 {
        let tags = [pair("group", &group), pair("parity", ["even", "odd"][position % 2])];
        let name = format!("{group}-{position}");
        ids.push(tracking.experiments.create(&name, None, &tags).await.unwrap());
    }
    tracking.experiments.delete(&ids[4]).await.unwrap();
    let search = |filter: &str, order_by: &[&str], view_type| SearchExperiments {
        filter: format!("tags.group = '{group}'{filter}"),
        order_by: order_by.iter().map(|&clause| clause.to_owned()).collect(),
        view_type,
        ..SearchExperiments::default()
    };
    let positions = |items: &[trainyard_mlflow::entities::Experiment]| -> Vec<usize> {
        items
            .iter()
            .map(|found| ids.iter().position(|id| *id == found.experiment_id).unwrap())
            .collect()
    };
    for (filter, order_by, view, expected) in [
        ("", vec!["name ASC"], ViewType::ActiveOnly, vec![0, 1, 2, 3]),
        ("", vec!["name DESC"], ViewType::All, vec![4, 3, 2, 1, 0]),
        ("", vec!["name"], ViewType::DeletedOnly, vec![4]),
        (" AND tags.parity = 'odd'", vec!["name"], ViewType::All, vec![1, 3]),
        (" and tags.parity != 'odd'", vec!["name"], ViewType::ActiveOnly, vec![0, 2]),
        (" AND name LIKE '%-2'", vec![], ViewType::All, vec![2]),
        (" AND name ILIKE '%GROUP%-3'", vec![], ViewType::All, vec![3]),
        (" AND name LIKE '%GROUP%-3'", vec![], ViewType::All, vec![]),
        (" AND creation_time > 0", vec!["attribute.name"], ViewType::ActiveOnly, vec![0, 1, 2, 3]),
    ] {
        let found = tracking.experiments.search(search(filter, &order_by, view)).await.unwrap();
        assert_eq!(positions(&found.items), expected, "{filter} {order_by:?} {view:?}");
        assert_eq!(found.next_page_token, None);
    }

    let mut paged = search("", &["name"], ViewType::All);
    paged.max_results = Some(2);
    let mut seen = Vec::new();
    loop {
        let page = tracking.experiments.search(paged.clone()).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(positions(&page.items));
        let Some(token) = page.next_page_token else { break };
        paged.page_token = Some(token);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);

    for (filter, part) in
        [("tags.group = 5", "5"), ("nonsense = 'a'", "nonsense"), ("name", "name")]
    {
        let bad = SearchExperiments { filter: filter.to_owned(), ..SearchExperiments::default() };
        let answer = tracking.experiments.search(bad).await;
        assert_refused(answer, ErrorCode::InvalidParameterValue, part);
    }
    let many = SearchExperiments { max_results: Some(50_001), ..SearchExperiments::default() };
    let answer = tracking.experiments.search(many).await;
    assert_refused(answer, ErrorCode::InvalidParameterValue, "50000");
}
