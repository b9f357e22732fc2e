//! What hostile people log, in a real browser: it runs on no page of ours, asks nobody, leads nowhere, and is text in what is
//! exported.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::entities::{Dataset, DatasetInput, Metric, Tag};
use trainyard_mlflow::{CreateModelVersion, CreateRun, LogBatch, VersionId};
use trainyard_testkit::{browser, workspace_root};

use crate::browser::serve;
use crate::site::Site;

/// Names and values that would run, load or lead elsewhere, were they more than text. `hit` is what the browser listens to.
const TEXTS: [&str; 20] = [
    "<script>hit('text')</script>",
    "\"><script>hit('attribute')</script>",
    "'><img src=x onerror=hit('image')>",
    "\" onmouseover=\"hit('mouse')\" autofocus onfocus=\"hit('focus')",
    "' style='background:url(http://127.0.0.1:9/style)' x='",
    "</title><script>hit('title')</script>",
    "</textarea></option></select><script>hit('field')</script>",
    "--><svg/onload=hit('svg')>]]>",
    "<base href=http://127.0.0.1:9/><meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
    "<iframe srcdoc=\"<script>parent.hit('frame')</script>\"></iframe>",
    "<style>@import 'http://127.0.0.1:9/'</style>",
    "<form action=http://127.0.0.1:9/><button>x</button></form>",
    "javascript:hit('address')",
    "data:text/html,<script>hit('data')</script>",
    "&lt;script&gt;hit('twice')&lt;/script&gt; &#60;b&#62; %3Cb%3E",
    "{{constructor.constructor('hit(1)')()}} ${hit(1)} #{hit(1)}",
    "[a](javascript:hit('markdown')) <img src=x onerror=hit('note')>",
    "=cmd|' /C calc'!A0",
    "\u{202e}\u{2028}</script><script>hit('line')</script>\u{0}",
    "@SUM(1+1)*cmd|' /C calc'!A0",
];

/// Files that would; `\"><img …` is a name.
const FILES: [(&str, &str); 10] = [
    ("report.html", include_str!("hostile/report.html")),
    // A page that goes elsewhere by itself is looked at within one of ours, which holds it.
    ("leaving.html", include_str!("hostile/leaving.html")),
    ("picture.svg", include_str!("hostile/picture.svg")),
    ("card.md", include_str!("hostile/card.md")),
    ("rows.csv", include_str!("hostile/rows.csv")),
    ("trial.ipynb", include_str!("hostile/trial.ipynb")),
    ("tree.json", include_str!("hostile/tree.json")),
    // Browsers run what is in one, so it is not within a page of ours.
    ("paper.pdf", include_str!("hostile/paper.pdf")),
    ("plain.txt", "</pre><script>hit('text file')</script>"),
    ("\"><img src=x onerror=hit('name')>.txt", "<script>hit('named')</script>"),
];

/// Where nobody must be led; it keeps what whoever comes asks for.
struct Elsewhere {
    address: String,
    came: Arc<Mutex<Vec<String>>>,
}

impl Elsewhere {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let came = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&came);
        // Ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut line = String::new();
                if let Ok(stream) = stream {
                    // Who connects and says nothing keeps nobody else waiting.
                    let _always_there = stream.set_read_timeout(Some(Duration::from_secs(1)));
                    let _silent = BufReader::new(stream).read_line(&mut line);
                }
                kept.lock().unwrap().push(line);
            }
        });
        Self { address, came }
    }

    /// A text that leads here, without what a store refuses anywhere.
    fn text(&self, text: &str) -> String {
        text.replace('\0', "").replace("127.0.0.1:9/", &format!("{}/", self.address))
    }

    fn texts(&self) -> Vec<String> {
        TEXTS.iter().map(|text| self.text(text)).collect()
    }
}

/// A run with all texts at every place, with all files; and one for each text.
async fn runs(site: &Site, elsewhere: &Elsewhere) -> String {
    let tracking = &site.tracking;
    let mut whole = String::new();
    let texts = elsewhere.texts();
    for (number, text) in texts.iter().enumerate() {
        let experiment_id = tracking.experiments.create(text, None, &[]).await.unwrap();
        let note = Tag::new("mlflow.note.content", text);
        let run = CreateRun {
            experiment_id: if number == 0 { experiment_id } else { "0".to_owned() },
            user_id: text.clone(),
            run_name: Some(text.clone()),
            start_time: 1_700_000_000_000,
            tags: vec![note, Tag::new("mlflow.source.name", text), Tag::new("own", text)],
        };
        let run_id = tracking.runs.create(run).await.unwrap().info.run_id;
        let params = texts.iter().enumerate().map(|(at, text)| Tag::new(format!("p{at}"), text));
        let values =
            (0..3).map(|step| Metric::new("loss", 1.0 / f64::from(step + 1), 1, step.into()));
        let batch =
            LogBatch { metrics: values.collect(), params: params.collect(), tags: Vec::new() };
        tracking.runs.log_batch(&run_id, batch).await.unwrap();
        let dataset = Dataset {
            name: text.clone(),
            digest: "d1".to_owned(),
            source_type: text.clone(),
            source: json!({ "uri": text }).to_string(),
            schema: Some(text.clone()),
            profile: None,
        };
        let tags = vec![Tag::new("mlflow.data.context", text)];
        let input = DatasetInput { tags, dataset };
        tracking.runs.log_inputs(&run_id, vec![input], Vec::new()).await.unwrap();
        whole = run_id;
    }
    let root = tracking.runs.get(&whole).await.unwrap().info.artifact_uri;
    for (name, text) in FILES {
        tracking.artifacts.upload(&root, name, once(elsewhere.text(text))).await.unwrap();
    }
    whole
}

/// Registered models of such names, with such versions.
async fn models(site: &Site, elsewhere: &Elsewhere, run_id: &str) {
    let tracking = &site.tracking;
    for (number, text) in elsewhere.texts().iter().enumerate() {
        // A model's name has neither of these.
        let name = text.replace(['/', ':'], "");
        let tag = Tag::new("own", text);
        let models = &tracking.registered_models;
        models.create(&name, std::slice::from_ref(&tag), Some(text)).await.unwrap();
        let version = CreateModelVersion {
            name: name.clone(),
            source: format!("runs:/{run_id}/model"),
            run_id: Some(run_id.to_owned()),
            description: Some(text.clone()),
            tags: vec![
                tag,
                Tag::new("trainyard.gate", "failed"),
                Tag::new("trainyard.gate.accuracy", text),
                Tag::new("trainyard.state.reason", text),
                Tag::new("trainyard.state.by", text),
            ],
            ..CreateModelVersion::default()
        };
        tracking.model_versions.create(version).await.unwrap();
        if number % 2 == 0 {
            let id = VersionId { name: &name, version: "1" };
            models.set_alias(id, "Production").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_people_log_runs_on_a_page_or_reaches_anybody() {
    let (site, elsewhere) = (Site::empty(), Elsewhere::new());
    let run_id = runs(&site, &elsewhere).await;
    models(&site, &elsewhere, &run_id).await;
    let url = serve(&site).await;
    let part =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut pages = vec![
        format!("{url}/"),
        format!("{url}/runs/{run_id}"),
        format!("{url}/runs/{run_id}/raw/report.html"),
    ];
    pages.extend(
        FILES.map(|(name, _)| {
            format!("{url}/runs/{run_id}/files/{}", part(name).replace('+', "%20"))
        }),
    );
    // What people are led to: the text is in the address, and in the page.
    for text in elsewhere.texts() {
        let text = part(&text);
        pages.push(format!("{url}/search?q={text}"));
        pages.push(format!(
            "{url}/experiments/0?q={text}&order={text}&group={text}&col=params.{text}"
        ));
        pages.push(format!("{url}/models?q={text}"));
        pages.push(format!("{url}/experiments/0/curves?metric={text}&smooth={text}"));
    }
    let input = json!({ "pages": pages, "crawl": true }).to_string();
    let program = workspace_root().join("crates/testkit/browser/hostile.js");
    let drive = move || browser::drive(&program, &input);
    let said = tokio::task::spawn_blocking(drive).await.unwrap();
    let found: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(found["escaped"], json!([]), "{found:#}");
    // Connections on which nothing is said count, too.
    let came = elsewhere.came.lock().unwrap().clone();
    assert!(came.is_empty(), "somebody was asked: {came:?}: {found:#}");
    // It was alive: scripts ran where they may, and were held back there.
    assert!(found["ran"].as_u64() > Some(0) && found["held"].as_u64() > Some(0), "{found:#}");
    let kinds: Vec<&str> =
        found["kinds"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for kind in ["/runs/*/raw/*.html", "/runs/*/raw/*.svg", "/models/*", "/models/*/versions/*"] {
        assert!(kinds.contains(&format!("{url}{kind}").as_str()), "{kind}: {kinds:#?}");
    }
    // Nothing came of what the page tried at the API of its own server.
    assert!(site.tracking.experiments.get_by_name("taken").await.is_err());
}

#[tokio::test]
async fn exports_hold_texts_and_no_formulas() {
    let site = Site::empty();
    runs(&site, &Elsewhere::new()).await;
    let columns: Vec<String> = (0..TEXTS.len()).map(|at| format!("col=params.p{at}")).collect();
    let table = site.get(&format!("/experiments/0/runs.csv?{}", columns.join("&"))).await;
    let kind = table.headers["content-disposition"].to_str().unwrap();
    assert!(kind.starts_with("attachment"), "{kind}");
    let mut reader = csv::Reader::from_reader(table.text.as_bytes());
    let mut rows = 0;
    for row in reader.records() {
        let row = row.unwrap();
        rows += 1;
        for cell in &row {
            let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            assert!(!is_formula || cell.parse::<f64>().is_ok(), "{cell:?}");
        }
        // Nothing is lost.
        assert!(row.iter().any(|cell| cell == "'=cmd|' /C calc'!A0"), "{row:?}");
        assert!(row.iter().any(|cell| cell == TEXTS[0]), "{row:?}");
    }
    assert_eq!(rows, TEXTS.len() - 1);
}
