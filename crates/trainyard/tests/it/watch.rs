//! `trainyard run --watch` trains anew on drift, not too often, says why on the run, and tells others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use trainyard_testkit::{KillOnDrop, run_python};

use crate::project::{TestProject, stdout_of, trainyard};

/// A delivery: path, headers by lower-case name, body.
pub(crate) struct Delivery {
    path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// A receiver of webhooks. The first delivery of all is answered with 503, to be tried again.
pub(crate) fn receiver() -> (String, Receiver<Delivery>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim().split_once(':') else { break };
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut delivery = Delivery { path, headers, body: String::new() };
            let length = delivery.header("content-length").parse().unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            delivery.body = String::from_utf8(body).unwrap();
            let status = if number == 0 { "503 Busy" } else { "204 Done" };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            if number > 0 && sender.send(delivery).is_err() {
                return;
            }
        }
    });
    (url, received)
}

pub(crate) const SECRET: &str = "whsec_dGVsbCBub2JvZHkgb2YgdGhpcw==";

/// The signature by other hands than ours.
fn signature(delivery: &Delivery) -> String {
    let script = "import base64, hashlib, hmac, sys\n\
        key = base64.b64decode(sys.argv[1].removeprefix('whsec_'))\n\
        print(base64.b64encode(hmac.new(key, sys.argv[2].encode(), hashlib.sha256).digest()).decode())";
    let (id, time) = (delivery.header("webhook-id"), delivery.header("webhook-timestamp"));
    let signed = format!("{id}.{time}.{}", delivery.body);
    run_python(script, &[SECRET, &signed], &[]).trim().to_owned()
}

#[test]
fn drift_leads_to_one_training_and_everybody_hears_of_it() {
    let (url, received) = receiver();
    let project = TestProject::iris();
    project.accept_every_version();
    // Any share counts as drift, so there is some.
    project.edit("drift_share = 0.5", "drift_share = 0.0");
    project.edit(
        "every = \"1h\"                           # or cron = \"17 3 * * *\" (UTC)\ncool_down = \"6h\"",
        "every = \"1s\"\nmin_requests = 5\ncool_down = \"1s\"",
    );
    project.edit("max_per_day = 3", "max_per_day = 1");
    project.edit(
        "# [notify]  ",
        "[notify]\nwebhook_url_env = \"HOOK\"\nwebhook_secret_env = \"HOOK_SECRET\"\n\
         slack_url_env = \"SLACK\"\n#  ",
    );
    let watch = || {
        let mut watching = KillOnDrop::spawn(
            trainyard()
                .current_dir(project.path())
                .args(["run", "--watch", "--summary", "summary.md"])
                .envs([
                    ("HOOK", format!("{url}/hook")),
                    ("HOOK_SECRET", SECRET.to_owned()),
                    ("SLACK", format!("{url}/slack")),
                ])
                .stdout(Stdio::piped()),
        );
        let said = BufReader::new(watching.0.stdout.take().unwrap());
        (watching, said.lines().map_while(Result::ok))
    };
    let (mut watching, mut lines) = watch();
    let nothing = lines.find(|line| line.contains("nothing new to learn from since version 1"));
    assert!(nothing.is_some(), "the same data would make the same model");
    project.add_training_row("5.0,3.4,1.5,0.2,setosa");
    let trained = lines.find(|line| line.contains("version 2 serves now"));
    assert!(trained.is_some(), "it trained anew");
    project.add_training_row("5.1,3.3,1.6,0.2,setosa");
    let spent = "not trained: 1 trainings in 24 hours, 1 are allowed";
    assert!(lines.any(|line| line.contains(spent)), "and then no more");

    let mut heard: Vec<String> = Vec::new();
    while heard.iter().filter(|what| *what == "slack").count() < 4 {
        let delivery = received.recv_timeout(Duration::from_secs(30)).unwrap();
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        if delivery.path == "/slack" {
            assert!(body["text"].as_str().unwrap().starts_with("IrisClassifier"), "{body}");
            heard.push("slack".to_owned());
            continue;
        }
        assert_eq!(delivery.header("webhook-signature"), format!("v1,{}", signature(&delivery)));
        assert_eq!(body["model"], "IrisClassifier");
        heard.push(body["type"].as_str().unwrap().to_owned());
    }
    assert!(heard.contains(&"promoted".to_owned()), "{heard:?}");
    assert!(heard.contains(&"drift".to_owned()), "{heard:?}");

    let summary = std::fs::read_to_string(project.file("summary.md")).unwrap();
    assert!(
        summary.starts_with("<!-- trainyard:summary -->\n### ✅ IrisClassifier version 1"),
        "{summary}"
    );
    assert!(
        summary.contains("| accuracy |") && summary.contains("columns drifted in"),
        "{summary}"
    );

    // Why the second version was trained is on its run.
    let store = format!("sqlite:///{}", project.file("mlflow.db").display());
    let script = "import mlflow, sys\n\
        mlflow.set_tracking_uri(sys.argv[1])\n\
        client = mlflow.MlflowClient()\n\
        run = client.get_model_version('IrisClassifier', '2').run_id\n\
        tags = client.get_run(run).data.tags\n\
        print(tags['trainyard.trigger'], '|', tags['trainyard.trigger.reason'])";
    let tags = run_python(script, &[&store], &[]);
    assert!(tags.starts_with("drift | ") && tags.contains("requests to version 1"), "{tags}");
    // As systemd restarts it: what it deployed is none of that.
    let process = watching.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    assert_eq!(watching.0.wait().unwrap().code(), Some(0));
    stdout_of(&project.run(&["deploy", "status"]), 0);

    // There is drift and something new to learn from, but a restart is no reason to train.
    let (mut watching, mut lines) = watch();
    assert!(lines.any(|line| line.contains(spent)), "the quota outlives the process");
    watching.kill();
    let newest = stdout_of(&project.run(&["train", "--json"]), 0);
    let newest: Value = serde_json::from_str(&newest).unwrap();
    assert_eq!(newest["version"], "3", "nobody trained since version 2");
    stdout_of(&project.run(&["deploy", "stop"]), 0);
}

/// How many versions the registry of a project has.
fn versions(project: &TestProject) -> String {
    let script = "import sqlite3, sys\n\
        database = sqlite3.connect(sys.argv[1])\n\
        print(database.execute('select count(*) from model_versions').fetchone()[0])";
    run_python(script, &[&project.file("mlflow.db").to_string_lossy()], &[]).trim().to_owned()
}

#[test]
fn nothing_is_trained_on_broken_data() {
    let project = TestProject::iris();
    // An export that lost its first column.
    let table = std::fs::read_to_string(project.file("data/train.csv")).unwrap();
    let export: Vec<&str> =
        table.lines().filter_map(|line| Some(line.split_once(',')?.1)).collect();
    std::fs::write(project.file("data/export.csv"), export.join("\n") + "\n").unwrap();
    project.edit(
        "drift_share = 0.5",
        "reference = \"data/train.csv\"\ncurrent = \"data/export.csv\"\ndrift_share = 0.5",
    );
    project.edit("every = \"1h\"", "min_requests = 5\nevery = \"1s\"");

    let broken = project.run(&["run", "--json", "--fail-on", "broken"]);
    let summary: Value = serde_json::from_str(&stdout_of(&broken, 4)).unwrap();
    assert_eq!(summary["drift"]["verdict"], "broken", "{summary}");

    let mut watching = KillOnDrop::spawn(
        trainyard().current_dir(project.path()).args(["run", "--watch"]).stdout(Stdio::piped()),
    );
    let said = BufReader::new(watching.0.stdout.take().unwrap());
    let mut looks = said
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.contains("not trained: nobody can tell what changed"));
    assert!(looks.next().is_some() && looks.next().is_some(), "it looked twice");
    // That of the run; the looks made none, nor did the start of watching.
    assert_eq!(versions(&project), "1");
    watching.kill();

    for (flags, code) in [
        (&["--fail-on", "broken"][..], 4),
        (&["--fail-on", "drift"], 4),
        (&["--fail-on", "warning"], 4),
        (&[], 0),
        (&["--fail-on", "warning", "--current", "data/train.csv"], 0),
    ] {
        stdout_of(&project.run(&[&["monitor"][..], flags].concat()), code);
    }
    stdout_of(&project.run(&["deploy", "stop"]), 0);
}
