//! The page: small, closed to the outside, and readable in a real browser.

use trainyard_drift::Options;
use trainyard_report::drift::page;
use trainyard_testkit::browser;

use crate::samples::{drift, meta};

#[test]
fn a_page_of_25_columns_is_below_200_kb_and_one_of_1000_below_2_mb() {
    let small = page(&drift(23, "odd"), &meta()).len();
    assert!(small < 200_000, "{small} bytes");
    let large = page(&drift(998, "odd"), &meta()).len();
    assert!(large < 2_000_000, "{large} bytes");
}

#[test]
fn what_comes_from_data_is_text() {
    let label = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>";
    let html = page(&drift(1, label), &meta());
    assert!(!html.contains("<img") && !html.contains("</script><script>document"), "not escaped");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, html).unwrap();
    let dom = browser::dom(&format!("file://{}", file.display()));
    assert!(!dom.contains("<title>taken"), "the category ran as a script");
}

#[test]
fn what_changed_is_said_and_what_is_gone_comes_first() {
    let mut drift = drift(3, "odd");
    let gone = drift.columns.iter_mut().find(|column| column.name == "x1").unwrap();
    *gone = trainyard_drift::unreadable("x1", "page 3 is damaged", &Options::default());
    let html = page(&drift, &meta());
    assert!(html.contains("<h2>✕ Broken: some columns have drifted, others could not"), "{html}");
    let rows: Vec<&str> = html.split("<tr data-i=").skip(1).collect();
    assert!(rows[0].contains("x1") && rows[0].contains("page 3 is damaged"), "{}", rows[0]);
    assert!(rows[1].contains("x0"), "{}", rows[1]);
    assert!(rows[1].contains("<td class=\"h\">median 0."), "{}", rows[1]);
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let html = page(&drift(5, "odd"), &meta());
    assert!(html.contains("default-src 'none'"));
    for pattern in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!html.contains(pattern), "{pattern} is in the page");
    }
}

#[test]
fn the_script_adds_a_filter_and_the_page_is_whole_without_it() {
    let html = page(&drift(5, "odd"), &meta());
    assert!(html.contains("<h2>◆ Warning: some columns have drifted</h2>"));
    assert!(html.contains("2 of 7 tested columns drifted"));
    assert!(
        html.contains("class=\"tools\" hidden"),
        "tools that need the script are shown without it"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, html).unwrap();
    let dom = browser::dom(&format!("file://{}", file.display()));
    assert!(
        !dom.contains("class=\"tools\" hidden"),
        "the page's own policy keeps its script from running"
    );
    assert!(dom.contains(">Score</button>"), "{dom}");
}
