//! What follows from a look at windows: the page, metrics for Prometheus, messages, and a failure where one is wanted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use trainyard_data::write_atomically;
use trainyard_drift::{About, DatasetVerdict, Episode, News, metric};
use trainyard_report::drift::{self as report, Meta};

use super::super::job::MonitorJob;
use super::look::OverTime;
use crate::notify::{Alert, Happened, Receiver, repeat, tell};
use crate::{Project, Result};

/// The page, beside that of single comparisons.
const PAGE: &str = "windows.html";

impl MonitorJob {
    /// Writes the page, here or beside that of single comparisons, and, where the settings want them, the metrics.
    /// Returns where the page is.
    pub fn write_windows(&self, over_time: &OverTime, page: Option<&Path>) -> Result<PathBuf> {
        let history = &over_time.history;
        let (results, length, alerts) = (history.results(), history.window, &over_time.alerts);
        let meta = Meta {
            title: history.title.clone(),
            reference: history.reference.clone(),
            current: history.current.clone(),
            time: String::new(),
        };
        let usual = || self.settings.report().with_file_name(PAGE);
        let path = page.map_or_else(usual, Path::to_path_buf);
        let html = report::windows_page(&results, length, alerts, &meta);
        write_atomically(&path, |file| file.write_all(html.as_bytes()))?;
        if let Some(path) = &self.settings.prometheus {
            let metrics = report::windows_prometheus(&results, length, alerts, &meta.title);
            write_atomically(path, |file| file.write_all(metrics.as_bytes()))?;
        }
        Ok(path)
    }

    /// Tells whom the project names what is news to them, in one message or one for each cause, and keeps who heard it. What
    /// somebody did not hear is news to him the next time, too. What goes on and is known is told to those who would forget it.
    pub async fn tell(&self, over_time: &mut OverTime) -> Result<()> {
        let Some(project) = &self.project else {
            return if over_time.untold.is_empty() { Ok(()) } else { over_time.remember(&[], &[]) };
        };
        let all = Receiver::all(&project.config.notify);
        // To whom the same is news is told together: it is one mail.
        let mut groups: Vec<Vec<Receiver>> = Vec::new();
        for receiver in &all {
            let news = over_time.untold.to(receiver);
            let is_same = |one: &Receiver| over_time.untold.to(one) == news;
            match groups.iter_mut().find(|group| group.first().is_some_and(is_same)) {
                Some(group) => group.push(receiver.clone()),
                None => groups.push(vec![receiver.clone()]),
            }
        }
        let tell = |group: &Vec<Receiver>| {
            let news = group.first().map(|one| over_time.untold.to(one));
            give(project, over_time, news, group.clone())
        };
        let heard = join_all(groups.iter().map(tell)).await.concat();
        if over_time.untold.is_empty() {
            return Ok(());
        }
        over_time.remember(&all, &heard)
    }

    /// Why a look is to end with exit code 4, if the verdict on the last closed window is one that is not accepted.
    pub fn windows_fail(&self, over_time: &OverTime) -> Option<String> {
        let fails_on = self.settings.fails_on(&[], false);
        if let Some(silent) = over_time.silent
            && fails_on.iter().any(|choice| choice.holds(DatasetVerdict::Broken, 0))
        {
            let name = silent.name(over_time.history.window);
            return Some(format!("the verdict on {name} is broken: nothing came to the log"));
        }
        let last = over_time.last_closed()?;
        let name = last.window.name(over_time.history.window);
        if last.is_partial && fails_on.iter().any(|choice| choice.holds(DatasetVerdict::Broken, 0))
        {
            return Some(format!("nobody can judge {name}: {}", last.remarks.join("; ")));
        }
        let value = last.whole(About::Drift, metric::VERDICT)?.value;
        let verdict = DatasetVerdict::ALL.into_iter().find(|one| f64::from(*one as u8) == value)?;
        let serious = last.whole(About::Data, metric::SERIOUS_FINDINGS);
        let serious = serious.map_or(0, |measure| measure.value as usize);
        let fails = fails_on.iter().any(|choice| choice.holds(verdict, serious));
        // Serious findings are said first; a metric that is not known is no reason for more than a warning.
        let is_said =
            serious > 0 || [DatasetVerdict::Warning, DatasetVerdict::Broken].contains(&verdict);
        fails.then(|| match last.remarks.first().filter(|_| is_said) {
            Some(remark) => format!("the verdict on {name} is {}: {remark}", verdict.name()),
            None => format!("the verdict on {name} is {}", verdict.name()),
        })
    }
}

/// Tells these what is news to them; who heard it.
async fn give(
    project: &Project,
    over_time: &OverTime,
    news: Option<&News>,
    to: Vec<Receiver>,
) -> Vec<Receiver> {
    let Some(news) = news else { return to };
    let length = over_time.history.window;
    let known: BTreeSet<_> = news.told.iter().map(|told| (&told.rule, &told.series)).collect();
    let goes_on = |one: &&Episode| one.ended.is_none() && known.contains(&(&one.rule, &one.series));
    let firing: Vec<Episode> = over_time.alerts.iter().filter(goes_on).cloned().collect();
    if news.is_empty() && firing.is_empty() {
        return to;
    }
    let alert = Happened::Alert(Alert {
        text: over_time.news_text(news),
        began: [news.began.as_slice(), &news.passed].concat(),
        over: news.over.clone(),
        causes: news.by_cause(length),
        firing,
        length,
    });
    if news.is_empty() {
        repeat(project, &alert, &to).await;
        return to;
    }
    tell(project, &alert, &to).await
}
