//! Curves of several runs, and how params and metrics go together.

use std::collections::BTreeSet;

use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{CreateRun, LogBatch, SearchRuns, Wanted, WantedValues};

use crate::site::Site;

/// Three runs whose loss falls over forty steps; the last has an infinity.
async fn site() -> (Site, Vec<String>) {
    let site = Site::empty();
    let mut ids = Vec::new();
    for n in 1..=3_i32 {
        let run_id = site.plain_run(&format!("run {n}")).await;
        let mut metrics: Vec<Metric> = (0..40_i32)
            .map(|step| {
                let value = f64::from(n) / f64::from(step + 1);
                Metric::new("loss", value, i64::from(1000 * step), i64::from(step))
            })
            .collect();
        metrics.push(Metric::new("far", if n == 3 { f64::INFINITY } else { 1.0 }, 1, 1));
        let params = vec![Tag::new("lr", format!("0.{n}"))];
        let batch = LogBatch { metrics, params, tags: Vec::new() };
        site.tracking.runs.log_batch(&run_id, batch).await.unwrap();
        ids.push(run_id);
    }
    (site, ids)
}

#[tokio::test]
async fn curves_are_drawn_as_the_address_says() {
    let (site, ids) = site().await;
    let page = site.get("/experiments/0/curves?metric=loss").await.text;
    assert!(page.contains("<small>3 runs</small>"), "{page}");
    // A line a run, and the same in the legend.
    assert_eq!(page.matches("<path class=\"line c").count(), 6, "{page}");
    let values =
        "<td class=\"number\">0.05</td><td class=\"number\">0.05</td><td class=\"number\">2</td>";
    assert!(page.contains(values), "newest, smallest and largest: {page}");
    assert!(page.contains("<title>run 2</title>") && page.contains("data-log=\"0 0\""), "{page}");

    let address = format!(
        "/experiments/0/curves?run={}&run={}&metric=loss&x=time&ylog=1&smooth=0.5&from=5&to=20",
        ids[0], ids[2]
    );
    let page = site.get(&address).await.text;
    assert_eq!(page.matches("<path class=\"raw c").count(), 2, "{page}");
    assert!(page.contains("data-log=\"0 1\"") && page.contains("data-x=\"5e0 2e1\""), "{page}");
    assert!(page.contains("Whole range") && page.contains("seconds since"), "{page}");
    assert!(!page.contains("run 2"), "{page}");

    let missing = site.get("/experiments/0/curves?metric=none").await.text;
    assert!(missing.contains("Nothing to draw here."), "{missing}");
}

/// As small as a word, and of a history that is longer than what is drawn whole.
#[tokio::test]
async fn the_small_line_of_a_long_history_has_its_end() {
    let site = Site::empty();
    let run_id = site.plain_run("long").await;
    for part in [0..900_i64, 900..1800] {
        let value = |step: i64| if step < 1500 { 1.0 } else { 0.0 };
        let metrics = part.map(|step| Metric::new("loss", value(step), step, step)).collect();
        let batch = LogBatch { metrics, ..LogBatch::default() };
        site.tracking.runs.log_batch(&run_id, batch).await.unwrap();
    }
    let page = site.get(&format!("/runs/{run_id}")).await.text;
    let (_, line) = page.split_once("class=\"spark\"").unwrap();
    let (_, line) = line.split_once(" d=\"M").unwrap();
    let heights = line.split('"').next().unwrap().split('L');
    let heights: BTreeSet<&str> = heights.map(|point| point.split(' ').nth(1).unwrap()).collect();
    assert_eq!(heights.len(), 2, "the fall is in it: {line}");

    let metric = format!("/runs/{run_id}/metrics/loss");
    let page = site.get(&metric).await.text;
    assert!(page.contains("1800 values, from 0 to 1"), "{page}");
    assert!(page.contains(&format!("{metric}?from=200")), "{page}");
    let last = site.get(&format!("{metric}?from=1700")).await.text;
    assert!(last.contains(">1799</td>") && last.contains("?from=1500"), "{last}");
    assert!(!last.contains("Later values"), "{last}");
    let beyond = site.get(&format!("{metric}?from=99999999")).await;
    assert!(beyond.status.is_success() && !beyond.text.contains("Later values"));
}

#[tokio::test]
async fn a_metric_is_drawn_by_a_param() {
    let (site, _ids) = site().await;
    let page = site.get("/experiments/0/relations?x=params.lr&y=metrics.loss").await.text;
    assert!(page.contains("<svg class=\"chart boxes\""), "{page}");
    assert_eq!(page.matches("<path class=\"box\"").count(), 3, "a group a value: {page}");
    assert!(page.contains("<title>0.2: 1 run, median 0.05, quartiles 0.05 and 0.05</title>"));
    assert!(page.contains("<th scope=\"row\">0.3</th><td class=\"number\">1</td>"), "{page}");
    // Of histories as well: the loss began at 1, 2 and 3.
    let page = site.get("/experiments/0/relations?x=params.lr&y=metrics.loss@max").await.text;
    assert!(page.contains("0.3: 1 run, median 3") && page.contains("max loss by lr"), "{page}");
    let none = site.get("/experiments/0/relations?x=params.lr&y=metrics.none").await.text;
    assert!(none.contains("No run has both."), "{none}");
}

#[tokio::test]
async fn what_many_newer_runs_hide_is_told() {
    let (site, _ids) = site().await;
    let experiments = &site.tracking.experiments;
    let busy = experiments.create("busy", None, &[]).await.unwrap();
    for number in 0..101 {
        let run = CreateRun {
            experiment_id: busy.clone(),
            start_time: 1_700_000_000_000 + number,
            ..CreateRun::default()
        };
        site.tracking.runs.create(run).await.unwrap();
    }
    for (part, drawn) in [("curves", "the first 100 runs"), ("relations", "101 runs")] {
        let page = site.get(&format!("/experiments/{busy}/{part}")).await.text;
        assert!(page.contains(&format!("<small>{drawn}</small>")), "{page}");
        let page = site.get(&format!("/experiments/0/{part}")).await.text;
        assert!(page.contains("<small>3 runs</small>"), "{page}");
    }
    // The first page reads twenty runs, all of them of one experiment.
    let home = site.get("/").await.text;
    let row = |name: &str| {
        let (_, rest) = home.split_once(&format!(">{name}</a></td>")).unwrap();
        rest.split("</tr>").next().unwrap().to_owned()
    };
    assert!(row("busy").contains("2023-11-14"), "{home}");
    assert!(row("Default").contains("1970-01-01"), "{home}");
}

/// More than have names in a drawing, by the columns that are drawn alone.
#[tokio::test]
async fn hundreds_of_runs_are_drawn_against_each_other() {
    let site = Site::empty();
    for number in 0..320_i32 {
        let run_id = site.plain_run(&format!("run {number}")).await;
        let metrics = vec![
            Metric::new("loss", f64::from(number % 50), 1, 1),
            Metric::new("other", if number == 0 { f64::NAN } else { f64::from(number) }, 1, 1),
        ];
        let text = if number % 2 == 0 { "even".repeat(100) } else { "odd".to_owned() };
        let params = vec![Tag::new("lr", number.to_string()), Tag::new("half", text)];
        let batch = LogBatch { metrics, params, tags: Vec::new() };
        site.tracking.runs.log_batch(&run_id, batch).await.unwrap();
    }
    let all = "/experiments/0/relations?x=params.lr&y=metrics.loss&col=metrics.loss&col=metrics.other&col=params.half";
    let page = site.get(all).await.text;
    assert!(page.contains("<small>320 runs</small>"), "{page}");
    assert!(page.contains("loss against lr of 320 runs"), "{page}");
    assert!(page.contains("class=\"dots\"") && page.contains("class=\"many q"), "{page}");
    assert!(!page.contains("<circle") && !page.contains("run 7:"), "no names: {page}");
    assert!(
        page.contains("n 40") && page.contains("loss: smaller is better, by its name."),
        "{page}"
    );
    // Few of them have names, also of a filter, and every one its beginning of a long text.
    let even = site.get(&format!("{all}&q=params.half%20LIKE%20'even%25'")).await.text;
    assert!(
        even.contains("<small>160 runs</small>") && even.matches("<circle").count() >= 160,
        "{even}"
    );
    // A history is read of the first ones alone.
    let page = site.get("/experiments/0/relations?x=params.lr&y=metrics.loss@max").await.text;
    assert!(page.contains("<small>the first 100 runs</small>"), "{page}");

    // What is read is what was asked for.
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let wanted = WantedValues {
        metrics: keys(&["other"]),
        params: keys(&["half", "none"]),
        tags: keys(&["mlflow.runName"]),
    };
    for (filter, count) in [("", 320), ("params.lr = '0'", 1)] {
        let search = SearchRuns {
            experiment_ids: keys(&["0"]),
            filter: filter.to_owned(),
            max_results: Some(1000),
            ..SearchRuns::default()
        };
        let found = site
            .tracking
            .runs
            .search_for(search, Wanted::Values(wanted.clone()))
            .await
            .unwrap()
            .items;
        assert_eq!(found.len(), count);
        for run in &found {
            assert_eq!(
                (run.data.metrics.len(), run.data.params.len(), run.data.tags.len()),
                (1, 1, 1),
                "{run:?}"
            );
            assert!(matches!(run.data.params[0].value.len(), 3 | 250), "{run:?}");
        }
        let first = found.iter().find(|run| run.info.run_name == "run 0").unwrap();
        assert!(first.data.metrics[0].value.is_nan(), "{first:?}");
    }
}

#[tokio::test]
async fn params_and_metrics_are_drawn_against_each_other() {
    let (site, ids) = site().await;
    let page = site.get("/experiments/0/relations?x=params.lr&y=metrics.loss&ylog=1").await.text;
    assert_eq!(page.matches("<circle").count(), 3, "{page}");
    assert!(page.contains("<title>run 1: 0.1, 0.025</title>"), "{page}");
    assert!(page.contains("class=\"chart parallel\""), "{page}");
    // An infinity has no length and no place.
    let compare = format!("/compare?run={}&run={}", ids[0], ids[2]);
    for address in [compare.as_str(), "/experiments/0/relations?y=metrics.far"] {
        let page = site.get(address).await.text;
        assert!(!page.contains("=\"inf\"") && !page.contains("NaN"), "{address}: {page}");
    }
}
