//! The registry: models, versions, aliases, stages, tags, search.

use trainyard_mlflow::entities::{LoggedModelStatus, ModelVersionStatus};
use trainyard_mlflow::{
    AliasId, CreateLoggedModel, CreateModelVersion, ErrorCode, SearchModelVersions,
    SearchRegisteredModels, Tracking, VersionId,
};

use super::assertions::{assert_refused, own};
use super::fixtures::{new_experiment, new_run, pair, unique};

/// Models: create, rename, describe, tag, delete.
pub async fn registered_models(tracking: &Tracking) {
    let name = unique("Iris é");
    let model =
        tracking.registered_models.create(&name, &[pair("k", "v")], Some("first")).await.unwrap();
    assert_eq!(model.name, name);
    assert_eq!(model.description.as_deref(), Some("first"));
    let again = tracking.registered_models.create(&name, &[], None).await;
    assert_refused(again, ErrorCode::ResourceAlreadyExists, &name);
    for bad in ["", "a/b", "a:b"] {
        let refused = tracking.registered_models.create(bad, &[], None).await;
        assert_refused(refused, ErrorCode::InvalidParameterValue, "");
    }
    tracking.registered_models.set_tag(&name, pair("k", "w")).await.unwrap();
    tracking.registered_models.set_tag(&name, pair("x", "")).await.unwrap();
    tracking.registered_models.delete_tag(&name, "x").await.unwrap();
    tracking.registered_models.delete_tag(&name, "x").await.unwrap();
    let updated = tracking.registered_models.update(&name, Some("second")).await.unwrap();
    assert_eq!(updated.description.as_deref(), Some("second"));
    let model = tracking.registered_models.get(&name).await.unwrap();
    assert_eq!(own(&model.tags), own(&[pair("k", "w")]));
    assert_eq!((model.aliases.len(), model.latest_versions.len()), (0, 0));
    assert!(model.last_updated_timestamp >= model.creation_timestamp);

    let renamed = unique("renamed");
    let model = tracking.registered_models.rename(&name, &renamed).await.unwrap();
    assert_eq!(model.name, renamed);
    let old = tracking.registered_models.get(&name).await;
    assert_refused(old, ErrorCode::ResourceDoesNotExist, &name);
    tracking.registered_models.delete(&renamed).await.unwrap();
    let gone = tracking.registered_models.delete(&renamed).await;
    assert_refused(gone, ErrorCode::ResourceDoesNotExist, &renamed);
}

/// Registers a model with versions from logged models of a new run, and returns their ids.
async fn versions(tracking: &Tracking, name: &str, count: usize) -> Vec<String> {
    tracking.registered_models.create(name, &[], None).await.unwrap();
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    let mut model_ids = Vec::new();
    for n in 1..=count {
        let model = tracking
            .logged_models
            .create(CreateLoggedModel {
                experiment_id: experiment_id.clone(),
                source_run_id: Some(run_id.clone()),
                ..CreateLoggedModel::default()
            })
            .await
            .unwrap();
        let model_id = model.info.model_id;
        tracking.logged_models.finalize(&model_id, LoggedModelStatus::Ready).await.unwrap();
        let version = tracking
            .model_versions
            .create(CreateModelVersion {
                name: name.to_owned(),
                source: format!("models:/{model_id}"),
                run_id: Some(run_id.clone()),
                model_id: Some(model_id.clone()),
                run_link: None,
                description: Some(format!("number {n}")),
                tags: vec![pair("n", &n.to_string())],
            })
            .await
            .unwrap();
        assert_eq!(version.version, n.to_string());
        assert_eq!(version.run_id.as_deref(), Some(run_id.as_str()));
        assert_eq!(version.status, ModelVersionStatus::Ready);
        let version = tracking
            .model_versions
            .get(VersionId { name, version: &version.version })
            .await
            .unwrap();
        assert_eq!(version.source, format!("models:/{model_id}"));
        // Upstream's SQL registry does not keep the id by itself: the source has it.
        assert!(version.model_id.as_ref().is_none_or(|found| *found == model_id), "{version:?}");
        assert_eq!(version.description.as_deref(), Some(format!("number {n}").as_str()));
        model_ids.push(model_id);
    }
    model_ids
}

/// Versions, aliases, stages.
pub async fn model_versions(tracking: &Tracking) {
    let name = unique("Versions");
    let model_ids = versions(tracking, &name, 3).await;
    let missing = tracking.model_versions.get(VersionId { name: &name, version: "9" }).await;
    assert_refused(missing, ErrorCode::ResourceDoesNotExist, "9");
    let odd = tracking.model_versions.get(VersionId { name: &name, version: "one" }).await;
    assert_refused(odd, ErrorCode::InvalidParameterValue, "");
    let nowhere = CreateModelVersion {
        name: unique("none"),
        source: format!("models:/{}", model_ids[0]),
        model_id: Some(model_ids[0].clone()),
        ..CreateModelVersion::default()
    };
    let nowhere = tracking.model_versions.create(nowhere).await;
    assert_refused(nowhere, ErrorCode::ResourceDoesNotExist, "none");

    let uri = tracking
        .model_versions
        .download_uri(VersionId { name: &name, version: "1" })
        .await
        .unwrap();
    assert_eq!(uri, tracking.logged_models.get(&model_ids[0]).await.unwrap().info.artifact_uri);

    aliases(tracking, &name).await;
    stages(tracking, &name).await;

    tracking
        .model_versions
        .set_tag(VersionId { name: &name, version: "1" }, pair("gate", "passed"))
        .await
        .unwrap();
    tracking
        .model_versions
        .set_tag(VersionId { name: &name, version: "1" }, pair("n", "one"))
        .await
        .unwrap();
    tracking
        .model_versions
        .delete_tag(VersionId { name: &name, version: "1" }, "absent")
        .await
        .unwrap();
    let updated = tracking
        .model_versions
        .update(VersionId { name: &name, version: "1" }, Some("text"))
        .await
        .unwrap();
    assert_eq!(updated.description.as_deref(), Some("text"));
    let version =
        tracking.model_versions.get(VersionId { name: &name, version: "1" }).await.unwrap();
    assert_eq!(own(&version.tags), own(&[pair("gate", "passed"), pair("n", "one")]));
    tracking
        .model_versions
        .delete_tag(VersionId { name: &name, version: "1" }, "gate")
        .await
        .unwrap();
    let version =
        tracking.model_versions.get(VersionId { name: &name, version: "1" }).await.unwrap();
    assert_eq!(own(&version.tags), own(&[pair("n", "one")]));

    // A number is never given twice, even when its version is gone.
    tracking.model_versions.delete(VersionId { name: &name, version: "3" }).await.unwrap();
    let again = tracking.model_versions.delete(VersionId { name: &name, version: "3" }).await;
    assert_refused(again, ErrorCode::ResourceDoesNotExist, "3");
    let copy = CreateModelVersion {
        name: name.clone(),
        source: format!("models:/{name}/1"),
        ..CreateModelVersion::default()
    };
    let copy = tracking.model_versions.create(copy).await.unwrap();
    assert_eq!(copy.version, "4");
    let copied = tracking
        .model_versions
        .download_uri(VersionId { name: &name, version: "4" })
        .await
        .unwrap();
    assert_eq!(copied, uri);
}

async fn aliases(tracking: &Tracking, name: &str) {
    tracking
        .registered_models
        .set_alias(VersionId { name, version: "1" }, "Production")
        .await
        .unwrap();
    tracking
        .registered_models
        .set_alias(VersionId { name, version: "2" }, "Production")
        .await
        .unwrap();
    tracking
        .registered_models
        .set_alias(VersionId { name, version: "2" }, "champ-ion_1")
        .await
        .unwrap();
    let version = tracking
        .registered_models
        .get_by_alias(AliasId { name, alias: "Production" })
        .await
        .unwrap();
    assert_eq!(version.version, "2");
    let mut aliases = version.aliases.clone();
    aliases.sort();
    assert_eq!(aliases, ["Production", "champ-ion_1"]);
    let model = tracking.registered_models.get(name).await.unwrap();
    let mut pairs: Vec<_> =
        model.aliases.iter().map(|alias| (alias.alias.as_str(), alias.version.as_str())).collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [("Production", "2"), ("champ-ion_1", "2")]);

    let unknown = tracking.registered_models.get_by_alias(AliasId { name, alias: "nobody" }).await;
    assert_refused(unknown, ErrorCode::InvalidParameterValue, "nobody");
    let other_case =
        tracking.registered_models.get_by_alias(AliasId { name, alias: "production" }).await;
    assert_refused(other_case, ErrorCode::InvalidParameterValue, "production");
    for bad in ["latest", "v1", "a b", ""] {
        let refused =
            tracking.registered_models.set_alias(VersionId { name, version: "1" }, bad).await;
        assert_refused(refused, ErrorCode::InvalidParameterValue, "");
    }
    let missing =
        tracking.registered_models.set_alias(VersionId { name, version: "99" }, "x").await;
    assert_refused(missing, ErrorCode::ResourceDoesNotExist, "99");
    tracking.registered_models.delete_alias(AliasId { name, alias: "champ-ion_1" }).await.unwrap();
    tracking.registered_models.delete_alias(AliasId { name, alias: "champ-ion_1" }).await.unwrap();
    let version = tracking.model_versions.get(VersionId { name, version: "2" }).await.unwrap();
    assert_eq!(version.aliases, ["Production"]);
}

async fn stages(tracking: &Tracking, name: &str) {
    for (version, stage) in [("1", "Production"), ("2", "staging"), ("3", "None")] {
        let moved = tracking
            .model_versions
            .transition_stage(VersionId { name, version }, stage, false)
            .await;
        let moved = moved.unwrap();
        assert!(moved.current_stage.eq_ignore_ascii_case(stage), "{moved:?}");
    }
    let latest = tracking
        .registered_models
        .get_latest_versions(name, &["Production".to_owned()])
        .await
        .unwrap();
    assert_eq!(latest.iter().map(|found| found.version.as_str()).collect::<Vec<_>>(), ["1"]);
    let all = tracking.registered_models.get_latest_versions(name, &[]).await.unwrap();
    assert_eq!(all.len(), 3, "one a stage: {all:?}");
    tracking
        .model_versions
        .transition_stage(VersionId { name, version: "2" }, "Production", true)
        .await
        .unwrap();
    let archived = tracking.model_versions.get(VersionId { name, version: "1" }).await.unwrap();
    assert_eq!(archived.current_stage, "Archived");
    let bad = tracking
        .model_versions
        .transition_stage(VersionId { name, version: "1" }, "Nowhere", false)
        .await;
    assert_refused(bad, ErrorCode::InvalidParameterValue, "Nowhere");
}

/// Search over models and versions.
pub async fn registry_search(tracking: &Tracking) {
    let stem = unique("Search");
    let names = ["a", "b", "c"].map(|letter| format!("{stem}-{letter}"));
    for (position, name) in names.iter().enumerate() {
        versions(tracking, name, position + 1).await;
        let letter = &name[name.len() - 1..];
        tracking.registered_models.set_tag(name, pair("letter", letter)).await.unwrap();
    }
    let search = |filter: String, order_by: &[&str]| SearchRegisteredModels {
        filter,
        order_by: order_by.iter().map(|&clause| clause.to_owned()).collect(),
        ..SearchRegisteredModels::default()
    };
    for (filter, order_by, expected) in [
        (format!("name LIKE '{stem}%'"), vec![], vec![0, 1, 2]),
        (format!("name LIKE '{stem}%'"), vec!["name DESC"], vec![2, 1, 0]),
        (format!("name = '{}'", names[1]), vec![], vec![1]),
        (format!("name ILIKE '{}%' AND tags.letter = 'c'", stem.to_uppercase()), vec![], vec![2]),
        (format!("name LIKE '{stem}%' AND tags.letter != 'c'"), vec!["name"], vec![0, 1]),
    ] {
        let found = tracking.registered_models.search(search(filter.clone(), &order_by)).await;
        let found: Vec<usize> = found
            .unwrap()
            .items
            .iter()
            .map(|model| names.iter().position(|name| *name == model.name).unwrap())
            .collect();
        assert_eq!(found, expected, "{filter}");
    }
    let mut paged = search(format!("name LIKE '{stem}%'"), &[]);
    paged.max_results = Some(2);
    let first = tracking.registered_models.search(paged.clone()).await.unwrap();
    paged.page_token = first.next_page_token;
    assert!(paged.page_token.is_some());
    let second = tracking.registered_models.search(paged).await.unwrap();
    assert_eq!((first.items.len(), second.items.len()), (2, 1));

    let search = |filter: String| SearchModelVersions {
        filter,
        order_by: vec!["version_number ASC".to_owned()],
        ..SearchModelVersions::default()
    };
    let run_id = tracking
        .model_versions
        .get(VersionId { name: &names[2], version: "1" })
        .await
        .unwrap()
        .run_id
        .unwrap();
    for (filter, expected) in [
        (format!("name = '{}'", names[2]), vec!["1", "2", "3"]),
        (format!("name = '{}' AND version_number > 1", names[2]), vec!["2", "3"]),
        (format!("name = '{}' AND tags.n = '2'", names[2]), vec!["2"]),
        (format!("run_id = '{run_id}'"), vec!["1", "2", "3"]),
        (format!("name = '{stem}'"), vec![]),
    ] {
        let found = tracking.model_versions.search(search(filter.clone())).await.unwrap();
        let found: Vec<&str> = found.items.iter().map(|item| item.version.as_str()).collect();
        assert_eq!(found, expected, "{filter}");
    }
    let bad = tracking.model_versions.search(search("stage = 'x'".to_owned())).await;
    assert_refused(bad, ErrorCode::InvalidParameterValue, "stage");
    let bad = search_nonsense();
    let bad = tracking.registered_models.search(bad).await;
    assert_refused(bad, ErrorCode::InvalidParameterValue, "");
}

fn search_nonsense() -> SearchRegisteredModels {
    SearchRegisteredModels {
        filter: "nonsense = 'x'".to_owned(),
        ..SearchRegisteredModels::default()
    }
}
