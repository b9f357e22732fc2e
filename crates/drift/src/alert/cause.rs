//! News cause by cause: what is wrong with one column, or with the table as a whole, is one story from its beginning to its
//! end, for those who get a message for each.

use std::collections::{BTreeMap, BTreeSet};

use super::news::{News, Told, stories};
use crate::over_time::{Window, WindowLength};

/// What is new of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseNews {
    /// The column; none for the table as a whole.
    pub column: Option<String>,
    /// The window with which the story began: with the column it tells one story from another.
    pub began: Window,
    /// Whether nobody was told anything of it yet.
    pub is_first: bool,
    /// What is to be said.
    pub text: String,
}

impl News {
    /// The same news, one entry for each cause; the table as a whole first.
    pub fn by_cause(&self, length: WindowLength) -> Vec<CauseNews> {
        let mut causes: BTreeMap<Option<&str>, Self> = BTreeMap::new();
        for one in &self.began {
            causes.entry(one.series.column.as_deref()).or_default().began.push(one.clone());
        }
        for one in &self.passed {
            causes.entry(one.series.column.as_deref()).or_default().passed.push(one.clone());
        }
        for one in &self.over {
            causes.entry(one.series.column.as_deref()).or_default().over.push(one.clone());
        }
        let new: BTreeSet<_> = self.began.iter().map(|one| (&one.rule, &one.series)).collect();
        let is_known = |told: &&Told| !new.contains(&(&told.rule, &told.series));
        let known: Vec<Told> = self.told.iter().filter(is_known).cloned().collect();
        let (known, over, all) = (stories(&known), stories(&self.over), stories(&self.told));
        let of = |(name, news): (Option<&str>, Self)| {
            let before = known.get(&name).into_iter().chain(over.get(&name)).min().copied();
            // What goes on is called so by all that follows; what has passed is not told of again.
            let first = all.get(&name).copied();
            let first = first.or_else(|| news.passed.iter().map(|one| one.began).min());
            Some(CauseNews {
                column: name.map(str::to_owned),
                began: before.or(first)?,
                is_first: before.is_none(),
                text: news.text(length),
            })
        };
        causes.into_iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Episode, Range, Series, news};
    use super::*;
    use crate::over_time::About;

    fn window(day: i64) -> Window {
        Window { begins: day * 86_400_000, ends: (day + 1) * 86_400_000 }
    }

    fn episode(metric: &str, column: &str, began: i64, ended: Option<i64>) -> Episode {
        Episode {
            rule: metric.to_owned(),
            series: Series {
                about: About::Drift,
                metric: metric.to_owned(),
                segment: None,
                version: None,
                column: Some(column.to_owned()),
            },
            began: window(began),
            fired: window(began),
            ended: ended.map(window),
            value: 0.5,
            range: Range { low: None, high: Some(0.3) },
        }
    }

    /// Column, day of the beginning, whether it is the first message, and its text.
    type Cause = (String, i64, bool, String);

    fn told(episodes: &[Episode], before: &[Told]) -> (Vec<Cause>, Vec<Told>) {
        let news = news(episodes, before, |_| false, |_| true);
        let causes = news.by_cause("1d".parse().unwrap()).into_iter().map(|one| {
            let day = one.began.begins / 86_400_000;
            (one.column.unwrap(), day, one.is_first, one.text)
        });
        (causes.collect(), news.told)
    }

    #[test]
    fn a_story_is_one_from_its_first_measure_to_the_end_of_its_last() {
        let drifts = |ended| episode("drift_score", "x", 1, ended);
        let lacks = |ended| episode("missing_share", "x", 3, ended);
        let other = episode("drift_score", "y", 3, None);
        let (first, known) = told(&[drifts(None)], &[]);
        assert_eq!((first[0].0.as_str(), first[0].1, first[0].2), ("x", 1, true));
        let (second, known) = told(&[drifts(None), lacks(None), other.clone()], &known);
        let found: Vec<_> = second.iter().map(|one| (one.0.as_str(), one.1, one.2)).collect();
        assert_eq!(found, [("x", 1, false), ("y", 3, true)]);
        // What began first is over, and the story goes on by its name.
        let (third, known) = told(&[drifts(Some(4)), lacks(None), other.clone()], &known);
        assert_eq!((third.len(), third[0].1, third[0].2), (1, 1, false));
        assert_eq!(third[0].3, "back to what is usual: drift_score of x");
        let (last, known) = told(&[lacks(Some(5)), other], &known);
        assert_eq!((last.len(), last[0].1, last[0].2), (1, 1, false));
        assert_eq!(known.len(), 1);
        // Another one of the same column is another story.
        let again = episode("drift_score", "x", 9, None);
        let (next, _) = told(&[again], &known);
        let x = next.iter().find(|one| one.0 == "x").unwrap();
        assert_eq!((x.1, x.2), (9, true));
    }

    #[test]
    fn what_passed_before_does_not_change_the_name_of_what_goes_on() {
        let passed = episode("missing_share", "x", 1, Some(2));
        let (first, known) = told(&[passed.clone(), episode("drift_score", "x", 3, None)], &[]);
        assert_eq!((first.len(), first[0].1, first[0].2), (1, 3, true));
        let (last, _) = told(&[episode("drift_score", "x", 3, Some(4))], &known);
        assert_eq!((last[0].1, last[0].2), (3, false));
        let (alone, _) = told(&[passed], &[]);
        assert_eq!((alone[0].1, alone[0].2), (1, true));
    }

    #[test]
    fn what_was_told_before_stories_had_names_is_called_by_its_own_beginning() {
        let old: Told = serde_json::from_str(
            r#"{"rule":"r","series":{"about":"drift","metric":"m","column":"x"},
                "began":{"begins":86400000,"ends":172800000}}"#,
        )
        .unwrap();
        let (over, _) = told(&[], &[old]);
        assert_eq!((over[0].1, over[0].2), (1, false));
    }
}
