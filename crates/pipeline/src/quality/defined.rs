//! Metrics that a project defines of what was true (`[monitor.metrics]`): computed once labels came, of the rows that have one.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use trainyard_data::arrow_schema::{Field, Schema};
use trainyard_data::{Columns, Metric, RowFilter};
use trainyard_drift::{About, Measure};

use super::answers::Answers;
use super::columns::{arrow, gather, texts, wanted};
use super::found::{Rows, of_segment};
use super::job::QualityJob;
use super::tables::open;
use super::whose::Whose;
use crate::Result;

/// Metrics of what was true, as a project defines them.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfLabels {
    /// By name.
    pub(crate) metrics: Vec<(String, Metric)>,
    /// What they may call what was true.
    pub(crate) truths: Vec<String>,
    /// Those that a rule holds to the reference, which is then to be known.
    pub(crate) relative: BTreeSet<String>,
}

/// What they are computed of.
pub(super) struct Defined<'a> {
    of: &'a OfLabels,
    /// Columns that they name, of all tables.
    names: Vec<String>,
    /// All rows with a label, with the columns that are there.
    rows: RecordBatch,
    /// What each is of the reference.
    reference: Vec<Option<f64>>,
    /// The same of each segment of it.
    of_segments: Vec<Vec<Option<f64>>>,
}

impl QualityJob {
    /// What these metrics are computed of, and what they are of the reference and of these segments of it.
    pub(super) fn defined<'a>(
        &self,
        of: &'a OfLabels,
        columns: &Columns,
        labelled: &Rows,
        segments: &[String],
    ) -> Result<Defined<'a>> {
        let mut names = [columns.names(), &of.truths].concat();
        let mut reference = vec![None; of.metrics.len()];
        let mut of_segments = vec![reference.clone(); segments.len()];
        if let Some(source) = self.reference() {
            let table = open(source, RowFilter::default(), &[])?;
            names.extend_from_slice(table.names());
            let all: Vec<u32> = (0..table.rows() as u32).collect();
            let truth = wanted(&table, source, &self.target(&table, source)?, &all)?;
            let truth = texts(&truth)?.into_iter().map(Option::unwrap_or_default).collect();
            let rows = batch(of, &names, &table, &all, &told(truth))?;
            let values = |rows: &RecordBatch| {
                let value = |(_, metric): &(String, Metric)| value(metric, &names, rows).ok();
                of.metrics.iter().map(value).collect::<Vec<Option<f64>>>()
            };
            reference = values(&rows);
            for (segment, known) in segments.iter().zip(&mut of_segments) {
                let is_of_it = of_segment(&table, segment, &all)?;
                // One that has no rows there has no sum of 0, either.
                if is_of_it.contains(&true) {
                    let rows = filter_record_batch(&rows, &is_of_it.into()).map_err(arrow)?;
                    *known = values(&rows);
                }
            }
        }
        let truth: ArrayRef = match &labelled.answers {
            Answers::Classes { truth, .. } => told(truth.clone()),
            Answers::Quantities { truth, .. } => Arc::new(Float64Array::from(truth.clone())),
        };
        let rows = batch(of, &names, columns, &labelled.positions, &truth)?;
        Ok(Defined { of, names, rows, reference, of_segments })
    }
}

impl Defined<'_> {
    /// What they are of some of the rows, by their places among these: of all of a window, or of a version or segment. Of
    /// the whole it is said, too, where one is not known, and a part may have no rows with a value.
    pub(super) fn measures(&self, places: &[usize], whose: Whose<'_>) -> Result<Vec<Measure>> {
        let rows = UInt32Array::from_iter_values(places.iter().map(|place| *place as u32));
        let rows = take_record_batch(&self.rows, &rows).map_err(arrow)?;
        let references = match whose {
            Whose::Segment(place, _) => self.of_segments.get(place),
            Whose::All | Whose::Version(_) => Some(&self.reference),
        };
        let mut measures = Vec::with_capacity(2 * self.of.metrics.len());
        for (number, (name, metric)) in self.of.metrics.iter().enumerate() {
            let reference = references.and_then(|all| *all.get(number)?);
            let value = value(metric, &self.names, &rows);
            if let (Err(why), Whose::All) = (&value, whose) {
                tracing::warn!(%why, "{name} is not known of windows with labels");
            }
            let lacks_reference = reference.is_none() && self.of.relative.contains(name);
            let is_unknown = value.is_err() || lacks_reference;
            measures.extend(value.ok().map(|value| Measure {
                samples: Some(places.len() as u64),
                ..Measure::new(About::Quality, name, value).beside(reference)
            }));
            if matches!(whose, Whose::All) {
                measures.push(Measure::unknown(About::Quality, name, is_unknown));
            }
        }
        Ok(measures)
    }
}

/// What was true, as flags or numbers where it is some: it is compared with what was predicted.
fn told(texts: Vec<String>) -> ArrayRef {
    let flag = |text: &String| match text.as_str() {
        "" => Some(None),
        "true" => Some(Some(true)),
        "false" => Some(Some(false)),
        _ => None,
    };
    if let Some(flags) = texts.iter().map(flag).collect::<Option<Vec<Option<bool>>>>()
        && flags.iter().any(Option::is_some)
    {
        return Arc::new(BooleanArray::from(flags));
    }
    let number = |text: &String| match text.trim() {
        "" => Some(None),
        text => text.parse::<f64>().ok().map(Some),
    };
    if let Some(numbers) = texts.iter().map(number).collect::<Option<Vec<Option<f64>>>>() {
        return Arc::new(Float64Array::from(numbers));
    }
    let text = |text: String| (!text.is_empty()).then_some(text);
    Arc::new(texts.into_iter().map(text).collect::<StringArray>())
}

/// The columns at these rows that the metrics look at, as far as they are there, and what was true by each of its names.
fn batch(
    of: &OfLabels,
    names: &[String],
    columns: &Columns,
    positions: &[u32],
    truth: &ArrayRef,
) -> Result<RecordBatch> {
    let looked_at: BTreeSet<String> =
        of.metrics.iter().flat_map(|(_, metric)| metric.columns_of(names)).collect();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for name in looked_at {
        let array = match gather(columns, &name, positions)? {
            Some(array) => array,
            None if of.truths.contains(&name) => Arc::clone(truth),
            None => continue,
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(positions.len()));
    RecordBatch::try_new_with_options(Schema::new(fields).into(), arrays, &options).map_err(arrow)
}

/// What a metric is of these rows, or why nobody knows.
fn value(
    metric: &Metric,
    names: &[String],
    rows: &RecordBatch,
) -> std::result::Result<f64, String> {
    // One that only another table has is a column, too, and not a text.
    if let Some(gone) =
        metric.columns_of(names).iter().find(|name| rows.column_by_name(name).is_none())
    {
        return Err(format!("there is no column {gone:?}"));
    }
    let value = metric.value(rows).map_err(|error| error.to_string())?;
    value.ok_or_else(|| "no row has a value, or it is divided by zero".to_owned())
}
