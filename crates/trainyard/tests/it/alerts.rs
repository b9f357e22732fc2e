//! Alerts by mail and to Alertmanager: a message a cause, said again as long as it goes on, and that it is over.

use serde_json::Value;
use trainyard_testkit::alertmanager::Alertmanager;
use trainyard_testkit::mail_server::MailServer;

use crate::project::{TestProject, stdout_of};
use crate::watch::{SECRET, receiver};
use crate::windows::{SIDES, usual, write};

/// A project with rules on two columns that move together, and with these keys.
fn project(keys: &str) -> TestProject {
    let project = TestProject::iris();
    project.edit("# [notify]  ", &format!("{keys}\n#  "));
    let rules: String = ["x", "n"]
        .map(|column| {
            let metric = "metric = \"drift_score\"\nabove = 0.3";
            format!("[[monitor.alert]]\nname = \"{column}\"\ncolumn = \"{column}\"\n{metric}\n\n")
        })
        .concat();
    project.edit("[watch]", &format!("{rules}[watch]"));
    project
}

/// Looks at so many days, the fifth being odd; what it said to whoever watches.
fn look(project: &TestProject, last: u32) -> String {
    write(project.path(), &usual(last));
    let window = ["--window", "1d", "--time-column", "time", "--no-log"];
    let output = project.run(&[SIDES.as_slice(), window.as_slice()].concat());
    stdout_of(&output, 0);
    String::from_utf8(output.stderr).unwrap()
}

fn read(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn each_cause_is_a_thread_of_mails_from_its_beginning_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = MailServer::start(folder.path());
    let (url, received) = receiver();
    let mut project = project(&format!(
        "[notify]\nwebhook_url_env = \"HOOK\"\nwebhook_secret_env = \"HOOK_SECRET\"\n\
         [notify.email]\nserver = \"localhost\"\nport = {}\nca_file = {:?}\nuser = \"{}\"\n\
         password_file = \"password\"\nfrom = \"Trainyard <ty@example.org>\"\n\
         to = [\"Team <team@example.org>\", \"me@example.org\"]\n",
        server.port,
        server.ca_file,
        MailServer::USER
    ));
    project.env = vec![("HOOK".to_owned(), url), ("HOOK_SECRET".to_owned(), SECRET.to_owned())];
    // Who is not known is told nothing, and the password is in no message.
    std::fs::write(project.file("password"), "hunter3").unwrap();
    let said = look(&project, 5);
    assert!(said.contains("the mail server was not told"), "{said}");
    assert!(!said.contains("hunter3"), "{said}");
    assert!(read(&server.mails()).is_empty());
    // Who did not hear is told again, and who did is not.
    std::fs::write(project.file("password"), format!("{}\n", MailServer::PASSWORD)).unwrap();
    look(&project, 5);
    look(&project, 5);
    look(&project, 6);
    let mails = read(&server.mails());
    let subjects: Vec<&str> =
        mails.iter().map(|mail| mail["headers"]["subject"].as_str().unwrap()).collect();
    let alert =
        |answer: &str, column: &str| format!("{answer}IrisClassifier: alert on column {column}");
    assert_eq!(subjects, [alert("", "n"), alert("", "x"), alert("Re: ", "n"), alert("Re: ", "x")]);
    for (first, last) in mails[..2].iter().zip(&mails[2..]) {
        let id = &first["headers"]["message-id"];
        assert_eq!(&last["headers"]["in-reply-to"], id);
        assert_eq!(&last["headers"]["references"], id);
        assert_eq!(first["headers"]["to"], "Team <team@example.org>, me@example.org");
        assert_eq!(first["headers"]["auto-submitted"], "auto-generated");
        let said = first["plain"].as_str().unwrap();
        assert!(said.contains("above 0.3, since 2026-02-05"), "{said}");
        assert!(first["html"].as_str().unwrap().contains("<p>IrisClassifier: drift_score"));
        assert!(last["plain"].as_str().unwrap().contains("back to what is usual"), "{last}");
    }
    let heard: Vec<String> = received.try_iter().map(|delivery| delivery.body).collect();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[1].contains("back to what is usual"), "{heard:?}");
}

#[test]
fn an_alertmanager_hears_what_goes_on_until_it_is_over_and_again_when_it_forgot() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Alertmanager::start(folder.path());
    // One of two that is away keeps nobody from hearing.
    let project = project(&format!(
        "[notify]\nlink = \"https://models.example.org/iris\"\n\
         [[notify.alertmanager]]\nurl = \"http://127.0.0.1:1\"\n\
         [[notify.alertmanager]]\nurl = \"{}\"\nuser = \"{}\"\npassword_file = \"password\"\n\
         labels = {{ team = \"ml\" }}\n",
        server.url,
        Alertmanager::USER
    ));
    std::fs::write(project.file("password"), Alertmanager::PASSWORD).unwrap();
    look(&project, 5);
    let alerts = || {
        let mut alerts = read(&server.alerts());
        alerts.sort_by_key(|one| one["labels"]["column"].to_string());
        alerts
    };
    let first = alerts();
    let columns: Vec<&Value> = first.iter().map(|one| &one["labels"]["column"]).collect();
    assert_eq!(columns, ["n", "x"]);
    for one in &first {
        let labels = &one["labels"];
        assert_eq!(labels["alertname"], "TrainyardWindowAlert");
        assert_eq!((&labels["model"], &labels["team"]), (&"IrisClassifier".into(), &"ml".into()));
        assert_eq!((&labels["metric"], &labels["window"]), (&"drift_score".into(), &"1d".into()));
        assert_eq!(one["startsAt"], "2026-02-05T00:00:00.000Z");
        assert_eq!(one["generatorURL"], "https://models.example.org/iris");
        let summary = one["annotations"]["summary"].as_str().unwrap();
        assert!(summary.ends_with("above 0.3"), "{summary}");
    }
    server.start_again();
    assert!(read(&server.alerts()).is_empty(), "it has forgotten");
    look(&project, 5);
    assert_eq!(read(&server.alerts()).len(), 2, "what goes on is said again");
    look(&project, 6);
    assert!(read(&server.alerts()).is_empty(), "it is over");
}
