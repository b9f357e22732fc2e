//! What the pages show of files: each kind in its form, all of them reachable, and nothing of them active.

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use trainyard_data::arrow_array::{ArrayRef, Int64Array, RecordBatch};
use trainyard_data::parquet_bytes;
use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::entities::{Metric, ModelInput, Tag};
use trainyard_mlflow::uri::local_path;
use trainyard_mlflow::{CreateModelVersion, LogBatch};

use crate::site::{NASTY, Site};

/// Writes a file of a run.
async fn upload(site: &Site, run_id: &str, path: &str, content: impl Into<Vec<u8>>) {
    let root = site.tracking.runs.get(run_id).await.unwrap().info.artifact_uri;
    let content: Vec<u8> = content.into();
    site.tracking.artifacts.upload(&root, path, once(content)).await.unwrap();
}

async fn file(site: &Site, run_id: &str, path: &str) -> String {
    let page = site.get(&format!("/runs/{run_id}/files/{path}")).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
    page.text
}

fn parquet() -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
    let batch = RecordBatch::try_from_iter([("<n>", numbers)]).unwrap();
    parquet_bytes(Path::new("t"), &[batch]).unwrap()
}

#[tokio::test]
async fn each_kind_of_file_is_shown_in_its_form() {
    let site = Site::empty();
    let run_id = site.plain_run("files").await;
    let many = (0..500).map(|n| format!("{n},<i>x</i>")).collect::<Vec<_>>().join("\n");
    let markdown = format!("# Card\n\n{NASTY}\n\n![p](plots/a.png) [w](https://example.org)");
    let notebook = r#"{"cells": [{"cell_type": "code", "source": ["1 < 2"], "outputs": []}]}"#;
    for (path, content) in [
        ("t.csv", format!("a,b\n{many}").into_bytes()),
        ("t.parquet", parquet()),
        ("broken.parquet", b"PAR1 no".to_vec()),
        ("deep/t.json", br#"{"columns": ["q"], "data": [["<u>"]]}"#.to_vec()),
        ("tree.json", br#"{"a": {"<k>": [1, null]}}"#.to_vec()),
        ("broken.json", b"{\"a\": <b>".to_vec()),
        ("README.md", markdown.into_bytes()),
        ("n.ipynb", notebook.as_bytes().to_vec()),
        ("paper.pdf", b"<script>alert(1)</script>".to_vec()),
    ] {
        upload(&site, &run_id, path, content).await;
    }
    let csv = file(&site, &run_id, "t.csv").await;
    assert!(csv.contains("&lt;i&gt;x&lt;/i&gt;") && csv.contains("The first 100 rows"), "{csv}");
    let parquet = file(&site, &run_id, "t.parquet").await;
    assert!(parquet.contains("&lt;n&gt; <small>Int64</small>"), "{parquet}");
    assert!(parquet.contains("100 of 1000 rows, 1 columns."), "{parquet}");
    assert!(file(&site, &run_id, "broken.parquet").await.contains("The file is not shown"));
    let table = file(&site, &run_id, "deep/t.json").await;
    assert!(table.contains("<td>&lt;u&gt;</td>") && table.contains("/files/deep\""), "{table}");
    let tree = file(&site, &run_id, "tree.json").await;
    assert!(tree.contains("<span class=\"key\">&lt;k&gt;</span>"), "{tree}");
    let broken = file(&site, &run_id, "broken.json").await;
    assert!(broken.contains("{&quot;a&quot;: &lt;b&gt;"), "{broken}");
    let card = file(&site, &run_id, "README.md").await;
    assert!(card.contains("<h2>Card</h2>") && card.contains("&lt;script&gt;"), "{card}");
    assert!(card.contains(&format!("<img src=\"/runs/{run_id}/raw/plots/a.png\"")), "{card}");
    assert!(file(&site, &run_id, "n.ipynb").await.contains("<code>1 &lt; 2</code>"));
    let paper = file(&site, &run_id, "paper.pdf").await;
    assert!(paper.contains("Download the PDF") && !paper.contains("<iframe"), "{paper}");
    let pdf = site.get(&format!("/runs/{run_id}/raw/paper.pdf")).await;
    assert_eq!(pdf.headers["content-disposition"], "attachment; filename*=UTF-8''paper.pdf");

    // The run's page has the notes and tables at once, the shortest way.
    let run = site.get(&format!("/runs/{run_id}")).await.text;
    assert!(run.contains("Tables and notes") && run.contains("<h4>Card</h4>"), "{run}");
    assert!(run.contains("The first 8 rows") && run.contains("8 of 1000 rows"), "{run}");
    assert!(!run.contains("<i>x") && !run.contains("<script>"), "{run}");
}

#[tokio::test]
async fn a_pdf_that_does_nothing_is_shown_and_another_is_a_download() {
    let site = Site::empty();
    let run_id = site.plain_run("papers").await;
    let paper = |acts: &str| {
        format!(
            "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R{acts}>>endobj\ntrailer<</Root 1 0 R>>"
        )
    };
    upload(&site, &run_id, "calm.pdf", paper("")).await;
    upload(&site, &run_id, "acts.pdf", paper("/OpenAction<</S/JavaScript/J#53(x)>>")).await;
    let calm = file(&site, &run_id, "calm.pdf").await;
    let shown = format!("/runs/{run_id}/raw/calm.pdf?shown=1");
    assert!(calm.contains(&format!("<iframe class=\"report\" src=\"{shown}\"")), "{calm}");
    // And on the page of the run, with those that people read; a notebook is another.
    let notebook = r#"{"cells": [{"cell_type": "code", "source": ["1 < 2"], "outputs": []}]}"#;
    upload(&site, &run_id, "n.ipynb", notebook).await;
    let run = site.get(&format!("/runs/{run_id}")).await.text;
    assert!(run.contains("<code>1 &lt; 2</code>"), "{run}");
    assert!(run.contains(&format!("src=\"{shown}\"")), "{run}");
    let answer = site.get(&shown).await;
    assert_eq!(answer.headers["content-type"], "application/pdf");
    assert!(
        answer.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("sandbox; default-src 'none'")
    );
    assert!(!answer.headers.contains_key("content-disposition"));
    let acts = file(&site, &run_id, "acts.pdf").await;
    assert!(acts.contains("It is not shown here") && !acts.contains("<iframe"), "{acts}");
    // Nor for whoever asks for it in that way.
    for address in ["raw/acts.pdf?shown=1", "raw/acts.pdf", "raw/calm.pdf"] {
        let answer = site.get(&format!("/runs/{run_id}/{address}")).await;
        let told = answer.headers["content-disposition"].to_str().unwrap();
        assert!(told.starts_with("attachment"), "{address}: {told}");
    }
}

#[tokio::test]
async fn pictures_lead_through_their_steps() {
    let site = Site::empty();
    let run_id = site.plain_run("pictures").await;
    upload(&site, &run_id, "plots/roc.svg", "<svg onload='alert(1)'/>").await;
    upload(&site, &run_id, "model/MLmodel", "flavors: {}").await;
    upload(&site, &run_id, "model/tree.png", "x").await;
    for step in [0, 10, 20] {
        let name = format!("images/val~cats+step+{step}+timestamp+1+u");
        upload(&site, &run_id, &format!("{name}.png"), "x").await;
        upload(&site, &run_id, &format!("{name}+compressed.webp"), "x").await;
    }
    let address = format!("/runs/{run_id}");
    let run = site.get(&address).await;
    assert!(
        run.text.contains(&format!("<img src=\"{address}/raw/plots/roc.svg\"")),
        "{}",
        run.text
    );
    assert!(!run.text.contains("raw/model/tree.png"), "what belongs to a model is no plot");
    assert!(run.text.contains("val/<wbr>cats, step 20"), "{}", run.text);
    let before = run.links().into_iter().find(|link| link.contains("step=10")).unwrap();
    let middle = site.get(before.trim_end_matches("#steps")).await;
    assert!(
        middle.text.contains("step+10") || middle.text.contains("step%2B10"),
        "{}",
        middle.text
    );
    assert!(
        middle.text.contains("val/<wbr>cats, step 10") && middle.text.contains("type=\"range\"")
    );
    for link in middle.links().into_iter().filter(|link| link.contains("/raw/images")) {
        assert_eq!(site.get(&link).await.status, StatusCode::OK, "{link}");
    }
    let between = site.get(&format!("{address}?step=19")).await.text;
    assert!(between.contains("val/<wbr>cats, step 10"), "{between}");
}

#[tokio::test]
async fn every_file_can_be_reached() {
    let site = Site::empty();
    let run_id = site.plain_run("many").await;
    let root = site.tracking.runs.get(&run_id).await.unwrap().info.artifact_uri;
    let folder = local_path(&root).unwrap().unwrap().join("a");
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..620 {
        std::fs::write(folder.join(format!("{n:04}.txt")), "x").unwrap();
    }
    upload(&site, &run_id, "b/c/last.txt", "x").await;
    let address = format!("/runs/{run_id}");
    let run = site.get(&address).await.text;
    assert!(run.contains("and 520 more") && run.contains("last.txt"), "{run}");
    let first = site.get(&format!("{address}/files/a")).await;
    assert!(
        first.text.contains("620 entries") && first.text.contains("0499.txt"),
        "{}",
        first.text
    );
    assert!(!first.text.contains("0500.txt"), "{}", first.text);
    let next = first.links().into_iter().find(|link| link.contains("entries=2")).unwrap();
    let second = site.get(next.trim_end_matches("#entries")).await;
    assert!(second.text.contains("0619.txt") && !second.text.contains("0499.txt"));
    let all = site.get(&format!("{address}/files")).await;
    assert!(all.links().contains(&format!("{address}/files/b")), "{}", all.text);
    assert_eq!(site.get(&format!("{address}/files/b/")).await.status, StatusCode::OK);
    assert_eq!(site.get(&format!("{address}/files/none")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_are_grouped_and_found_and_lineage_leads_both_ways() {
    let site = Site::empty();
    let run_id = site.nasty_run().await;
    let model_id = site.nasty_model(&run_id, "Iris").await;
    let runs = &site.tracking.runs;
    let keys = (0..20).map(|n| format!("val/m{n}")).chain(["system/cpu".to_owned()]);
    let batch = LogBatch {
        metrics: keys.map(|key| Metric::new(key, 1.0, 1, 1)).collect(),
        ..LogBatch::default()
    };
    runs.log_batch(&run_id, batch).await.unwrap();
    let read = ModelInput { model_id: model_id.clone() };
    runs.log_inputs(&run_id, Vec::new(), vec![read]).await.unwrap();
    let address = format!("/runs/{run_id}");
    let run = site.get(&address).await;
    assert!(run.text.contains("<summary>val/ <small>20</small>"), "{}", run.text);
    assert!(run.text.contains("<details class=\"more\"><summary>system/ "), "it is folded");
    assert!(run.text.contains("read here") && run.text.contains("what serves, and since when"));
    assert!(run.links().contains(&format!("/logged-models/{model_id}")), "{:?}", run.links());
    let same = run.links().into_iter().find(|link| link.contains("datasets.digest")).unwrap();
    assert!(site.get(&same).await.links().contains(&address), "{same}");
    let found = site.get(&format!("{address}?find=M1")).await.text;
    assert!(found.contains("/metrics/val/m19") && !found.contains("/metrics/val/m2\""), "{found}");
    assert!(found.contains("None has this in its name."), "no param has: {found}");

    for address in ["/models/Iris/versions/1".to_owned(), format!("/logged-models/{model_id}")] {
        let page = site.get(&address).await.text;
        assert!(page.contains("Learned from") && page.contains("<code>d1</code>"), "{page}");
    }

    // What records a release or a look names its version.
    runs.set_tag(&run_id, Tag::new("trainyard.model", "Iris")).await.unwrap();
    runs.set_tag(&run_id, Tag::new("trainyard.model_version", "1")).await.unwrap();
    let look = site.get(&address).await;
    assert!(look.text.contains("About <a href=\"/models/Iris\">Iris</a>"), "{}", look.text);
    assert!(look.links().contains(&"/models/Iris/versions/1".to_owned()));
}

#[tokio::test]
async fn a_model_among_the_artifacts_is_offered_to_be_registered() {
    let site = Site::empty();
    let run_id = site.plain_run("model").await;
    upload(&site, &run_id, "out/forest/MLmodel", "flavors: {}").await;
    let run = site.get(&format!("/runs/{run_id}")).await.text;
    assert!(run.contains("value=\"out/forest\""), "{run}");
    site.tracking.registered_models.create("m", &[], Some("**bold** <b>")).await.unwrap();
    let version = CreateModelVersion {
        name: "m".to_owned(),
        source: format!("runs:/{run_id}/out/forest"),
        run_id: Some(run_id),
        description: Some("*soft*".to_owned()),
        ..CreateModelVersion::default()
    };
    site.tracking.model_versions.create(version).await.unwrap();
    let model = site.get("/models/m").await.text;
    assert!(model.contains("<strong>bold</strong> &lt;b&gt;"), "{model}");
    assert!(site.get("/models/m/versions/1").await.text.contains("<em>soft</em>"));
}
