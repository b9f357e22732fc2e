//! Quality by windows of time: tables are read once, and a window is some of their rows.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_cast::cast;
use trainyard_base::words::log_columns::MODEL_VERSION;
use trainyard_data::Columns;
use trainyard_data::arrow_schema::{DataType, TimeUnit};
use trainyard_drift::{About, Measure, Window, WindowLength};
use trainyard_quality::{Quality, Standing};
use trainyard_report::quality::Part;

use super::columns::{arrow, wanted};
use super::defined::{Defined, OfLabels};
use super::found::Rows;
use super::job::QualityJob;
use super::known::Known;
use super::part::{Sides, own};
use super::verdict::is_expected_worse;
use super::whose::Whose;
use crate::{Error, Result};

/// Predictions that estimates look at: of all windows, and of one, whose sampling errors are then far below what matters.
const SAMPLED_MAX: usize = 1 << 18;
const SAMPLED_A_WINDOW_MAX: usize = 4096;

/// What labels and estimates say of a window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowQuality {
    pub(crate) window: Window,
    /// Rows with a label; none where there are no labels.
    pub(crate) labelled: Option<u64>,
    pub(crate) measures: Vec<Measure>,
}

/// Places of rows among others, by the window that they lie in.
type Places = BTreeMap<Window, Vec<usize>>;

impl QualityJob {
    /// Judges each window of time that predictions lie in, all versions together and, where a window has several, each
    /// by itself, and each of these segments; and what metrics come to that are of what was true.
    pub(crate) async fn windows(
        &self,
        length: WindowLength,
        of_labels: &OfLabels,
        segments: &[String],
    ) -> Result<Vec<WindowQuality>> {
        let predictions = Box::pin(self.predictions()).await?;
        let (columns, source) = (&predictions.columns, predictions.source.as_str());
        let time = self.time_column();
        let all: Vec<u32> = (0..columns.rows() as u32).collect();
        let rows = places(columns, source, &all, time, length)?;
        if rows.is_empty() && !all.is_empty() {
            return Err(Error::Missing {
                what: format!("no prediction of {source} has a time in {time:?}"),
                hint: "name a column of times with --time-column, as in 2026-01-31T12:00:00Z"
                    .to_owned(),
            });
        }
        drop(all);
        let sampled = sampled(&rows);
        drop(rows);
        let of_runs = predictions.of_runs.clone();
        let known = self.known(columns, source, of_runs, &sampled, segments)?;
        let placed = |rows: &Rows| places(columns, source, &rows.positions, time, length);
        let labelled = known.labelled.as_ref().map(placed).transpose()?.unwrap_or_default();
        let sample = placed(&known.sample)?;
        let defined = match &known.labelled {
            Some(rows) if !of_labels.metrics.is_empty() => {
                Some(self.defined(of_labels, columns, rows, segments)?)
            }
            _ => None,
        };
        let reference = known.before.reference.as_ref();
        let own = |place| own(reference.and_then(|rows| rows.segment(place)).as_ref());
        let own = (0..segments.len()).map(own).collect::<Result<Vec<_>>>()?;
        let cut = Cut { known: &known, defined: defined.as_ref(), segments, own: &own };
        let windows: BTreeSet<Window> = labelled.keys().chain(sample.keys()).copied().collect();
        let mut all = Vec::with_capacity(windows.len());
        for window in windows {
            let places = |of: &Places| of.get(&window).cloned().unwrap_or_default();
            all.push(cut.judged(window, &[places(&labelled), places(&sample)])?);
        }
        Ok(all)
    }
}

/// An even part of the rows of each window, rising. What is estimated of a window depends on its own rows: not on how
/// many there are in others, of which some come and go with each look.
fn sampled(rows: &Places) -> Vec<u32> {
    // Another one only when there are twice as many windows.
    let most = (SAMPLED_MAX / rows.len().max(1).next_power_of_two()).clamp(1, SAMPLED_A_WINDOW_MAX);
    let of_window = |places: &Vec<usize>| {
        let step = places.len().div_ceil(most).max(1);
        places.iter().step_by(step).map(|place| *place as u32).collect::<Vec<u32>>()
    };
    let mut sampled: Vec<u32> = rows.values().flat_map(of_window).collect();
    sampled.sort_unstable();
    sampled
}

/// Where the rows at these positions are among them, by window; those without a time are in none.
fn places(
    columns: &Columns,
    source: &str,
    positions: &[u32],
    time: &str,
    length: WindowLength,
) -> Result<Places> {
    let times = wanted(columns, source, time, positions)?;
    // Text without a zone is UTC, and so are times without one.
    let times = cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None)).map_err(arrow)?;
    let mut places = Places::new();
    for (row, time) in times.as_primitive::<TimestampMillisecondType>().iter().enumerate() {
        if let Some(time) = time {
            places.entry(length.window_of(time)).or_default().push(row);
        }
    }
    Ok(places)
}

/// What windows are judged by, each as a whole and in its parts.
struct Cut<'a> {
    known: &'a Known,
    /// Metrics that a project defines, where there are labels.
    defined: Option<&'a Defined<'a>>,
    segments: &'a [String],
    /// How good each segment of the reference is.
    own: &'a [Option<Quality>],
}

/// Places of rows with labels, and of those that estimates look at.
type Sided = [Vec<usize>; 2];

impl Cut<'_> {
    fn judged(&self, window: Window, places: &Sided) -> Result<WindowQuality> {
        let versions = self.versions(places);
        let of_all = self.known.before.of_runs.of_all(&versions);
        let (mut measures, labelled) = self.measured(places, Whose::All, None, of_all)?;
        // One version alone is what all predictions are.
        for version in versions.iter().filter(|_| versions.len() > 1) {
            let is_of_it = |rows: &Rows, row| rows.is_of_part(row, 0, version);
            let (places, whose) = (self.chosen(places, is_of_it), Whose::Version(version));
            measures.extend(self.measured(&places, whose, None, Some(version))?.0);
        }
        for (place, (segment, own)) in self.segments.iter().zip(self.own).enumerate() {
            let is_of_it = |rows: &Rows, row| rows.is_of_segment(row, place);
            let (places, whose) = (self.chosen(places, is_of_it), Whose::Segment(place, segment));
            measures.extend(self.measured(&places, whose, own.as_ref(), of_all)?.0);
        }
        let labelled = self.known.labelled.is_some().then_some(labelled);
        Ok(WindowQuality { window, labelled, measures })
    }

    /// What is found of the rows at these places, beside the same part of the reference or what the run of a version says;
    /// and the labels that it rests on.
    fn measured(
        &self,
        [labelled, sample]: &Sided,
        whose: Whose<'_>,
        own: Option<&Quality>,
        version: Option<&str>,
    ) -> Result<(Vec<Measure>, u64)> {
        let of = |rows: Option<&Rows>, places: &[usize]| {
            rows.filter(|_| !places.is_empty()).map(|rows| rows.of(places))
        };
        let rows = of(self.known.labelled.as_ref(), labelled);
        let came = of(Some(&self.known.sample), sample);
        let sides = Sides { labelled: rows.as_ref(), sample: came.as_ref(), own, version };
        let part = self.known.judge().part("", 0, sides)?;
        let mut measures = measures_of(self.known, &part, own, version);
        if let Some(defined) = self.defined.filter(|_| !labelled.is_empty()) {
            measures.extend(defined.measures(labelled, whose)?);
        }
        Ok((measures.into_iter().map(|measure| whose.name(measure)).collect(), part.labelled))
    }

    /// The places of the rows of which that is so.
    fn chosen(&self, places: &Sided, is_of_it: impl Fn(&Rows, usize) -> bool) -> Sided {
        let sides = [self.known.labelled.as_ref(), Some(&self.known.sample)];
        let chosen = |side: usize| {
            let rows = sides[side].into_iter();
            let rows = rows.flat_map(|rows| places[side].iter().map(move |row| (rows, *row)));
            rows.filter(|(rows, row)| is_of_it(rows, *row)).map(|(_, row)| row).collect()
        };
        [chosen(0), chosen(1)]
    }

    /// The versions that answered.
    fn versions(&self, places: &Sided) -> BTreeSet<String> {
        if self.known.parts.first().is_none_or(|name| name != MODEL_VERSION) {
            return BTreeSet::new();
        }
        let sides = [self.known.labelled.as_ref(), Some(&self.known.sample)];
        let values = sides
            .into_iter()
            .zip(places)
            .flat_map(|(rows, places)| places.iter().filter_map(move |row| rows?.value(0, *row)));
        values.map(str::to_owned).collect()
    }
}

/// What was found of a part as measures, beside the same part of the reference or what the run of a version says. What is judged says whether it is worse
/// beyond chance.
fn measures_of(
    known: &Known,
    part: &Part,
    own: Option<&Quality>,
    version: Option<&str>,
) -> Vec<Measure> {
    let interval =
        |low: f64, high: f64| (low.is_finite() && high.is_finite()).then_some([low, high]);
    let by_labels = part.quality.iter().flat_map(|quality| &quality.metrics).map(|measured| {
        let stand = part.stands.iter().find(|stand| stand.metric == measured.metric);
        let stand = stand.filter(|stand| stand.standing != Standing::Unknown);
        let before = known.before.figure(measured.metric, own, version);
        Measure {
            interval: measured.interval.and_then(|(low, high)| interval(low, high)),
            samples: Some(part.labelled),
            is_alarming: stand.map(|stand| stand.standing == Standing::Worse),
            ..Measure::new(About::Quality, measured.metric, measured.value).beside(before)
        }
    });
    let expected = part.expected.iter().map(|expected| {
        let estimate = &expected.estimate;
        let is_worse = is_expected_worse(expected, known.margin);
        Measure {
            interval: interval(estimate.low, estimate.high),
            is_alarming: expected.before.map(|_before| is_worse),
            ..Measure::new(About::Estimate, estimate.metric, estimate.value).beside(expected.before)
        }
    });
    by_labels.chain(expected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_of_a_window_depends_on_its_own_rows() {
        let window = |begins: i64| Window { begins, ends: begins + 1 };
        let day = |first: usize, rows: usize| (first..first + rows).collect::<Vec<usize>>();
        let two = Places::from([(window(0), day(0, 10)), (window(1), day(10, 9000))]);
        let of_second = |places: &Places, first: u32| -> Vec<u32> {
            let rows = sampled(places).into_iter().filter(|row| *row >= first);
            rows.map(|row| row - first).collect()
        };
        let looked_at = of_second(&two, 10);
        assert_eq!((looked_at.len(), looked_at[1]), (3000, 3));
        assert_eq!(sampled(&two)[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        // The rows of the first day were removed, or others came to it.
        let alone = Places::from([(window(1), day(0, 9000))]);
        assert_eq!(of_second(&alone, 0), looked_at);
        let more = Places::from([(window(0), day(0, 5000)), (window(1), day(5000, 9000))]);
        assert_eq!(of_second(&more, 5000), looked_at);
    }
}
