//! The forms a JSON request may have, each read straight into the buffers of a [`Plan`].

use super::column::Column;
use super::context::{Casting, Context, Limits};
use super::json::{Kind, Reader, Syntax};
use super::names::list_text;
use super::plan::{Content, Plan, Slot};
use super::rejection::{Rejection, Step, Violation};
use crate::model::DataType;

/// Why reading stopped before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    Syntax(Syntax),
    Rejected(Rejection),
}

impl From<Syntax> for Stop {
    fn from(syntax: Syntax) -> Self {
        Self::Syntax(syntax)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Stop>;

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Stop::Rejected(Rejection::parse(message)))
}

/// Names of extra columns that are kept for the message; a request may hold a million.
const EXTRA_MAX: usize = 20;

/// A request being read.
#[derive(Debug)]
pub(crate) struct Request<'e> {
    pub(crate) plan: &'e Plan,
    pub(crate) slots: Vec<Slot<'e>>,
    pub(crate) context: Context<'e>,
    /// Rows of the request; for columns, the length of the longest.
    pub(crate) rows: usize,
    /// Names that the signature does not know.
    pub(crate) extra: Vec<String>,
    /// Values beyond the signature in a request without names.
    extra_positions: usize,
    /// For each input, how many of the first records did not have it.
    absent: Vec<usize>,
    /// Names of the first record, for unnamed signatures.
    positions: Vec<String>,
    /// Whether the input had the form of a data frame, not of arrays.
    pub(crate) frame: bool,
}

impl<'e> Request<'e> {
    pub(crate) fn new(plan: &'e Plan, casting: Casting, limits: &'e Limits, bytes: usize) -> Self {
        // Ten bytes a value is what JSON takes at least in practice; a guess only saves growing.
        let capacity = (bytes / 10 / plan.inputs.len().max(1)).clamp(1, 4096);
        Self {
            slots: plan.slots(capacity),
            context: Context::new(casting, limits),
            rows: 0,
            extra: Vec::new(),
            extra_positions: 0,
            absent: vec![0; plan.inputs.len()],
            positions: Vec::new(),
            frame: true,
            plan,
        }
    }

    pub(crate) fn note_extra(&mut self, name: &str) {
        if self.extra.len() < EXTRA_MAX && !self.extra.iter().any(|extra| extra == name) {
            self.extra.push(name.to_owned());
        }
    }

    pub(crate) fn next_row(&mut self) -> Result<()> {
        self.rows += 1;
        // Checked on the way, so that a request over the limit is not read to its end.
        if self.rows > self.context.limits.rows_max { self.check_rows() } else { Ok(()) }
    }

    /// `[{"a": 1, "b": 2}, …]`
    pub(crate) fn records(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        match reader.kind()? {
            Kind::Array => {}
            kind => {
                let name = match kind {
                    Kind::Object => "dictionary".to_owned(),
                    other => format!("type <class '{}'>", other.python()),
                };
                return refuse(format!(
                    "Invalid input. Dataframe records format must be a list of records. Got {name}."
                ));
            }
        }
        let mut more = reader.array_start()?;
        while more {
            self.context.row = self.rows;
            if reader.kind()? == Kind::Object {
                self.record(reader)?;
            } else {
                let kind = reader.kind()?.python();
                reader.skip()?;
                self.context.report_row(format!("a record must be an object, got a {kind}"));
                self.fill_row();
            }
            self.next_row()?;
            more = reader.array_next()?;
        }
        self.report_late_columns();
        self.check_rows()
    }

    fn record(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if !self.plan.named {
            return self.record_by_position(reader);
        }
        let plan = self.plan;
        let mut hint = 0;
        let mut found = 0;
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            let index = plan.lookup(&key, hint);
            if let Some((index, slot)) = index.and_then(|i| Some((i, self.slots.get_mut(i)?))) {
                hint = index + 1;
                if let Some(input) = plan.inputs.get(index) {
                    self.context.enter(input);
                }
                if slot.len() > self.rows {
                    let raw = reader.skip()?;
                    self.report_twice(raw);
                } else {
                    slot.read_row(reader, &mut self.context)?;
                    found += 1;
                }
            } else {
                self.note_extra(&key);
                reader.skip()?;
            }
            more = reader.object_next()?;
        }
        if found < plan.inputs.len() {
            self.fill_row();
        }
        Ok(())
    }

    #[cold]
    fn report_twice(&mut self, value: &str) {
        let column = Some(self.context.column.to_owned());
        let row = Some(self.context.row);
        let value = Some(super::rejection::shorten(value));
        let problem = format!("column '{}' is given twice", self.context.column);
        self.context.report(Violation { column, row, value, expected: None, problem });
    }

    /// Fills what the record just read did not have.
    pub(crate) fn fill_row(&mut self) {
        for index in 0..self.slots.len() {
            let missing = self.slots.get(index).is_some_and(|slot| slot.len() <= self.rows);
            if !missing {
                continue;
            }
            // Absent from all records so far: perhaps the whole column is missing.
            let first = self.absent.get(index).is_some_and(|absent| *absent == self.rows);
            if first {
                if let Some(absent) = self.absent.get_mut(index) {
                    *absent += 1;
                }
            } else {
                self.report_absent(index, self.rows);
            }
            match self.slots.get_mut(index) {
                Some(Slot::Column(column)) => column.push_missing(),
                Some(Slot::Tensor(tensor)) => tensor.push_missing(),
                None => {}
            }
        }
    }

    /// A column that some records have and this one has not: a null where upstream would make
    /// one, otherwise a violation.
    fn report_absent(&mut self, index: usize, row: usize) {
        let Some(input) = self.plan.inputs.get(index) else { return };
        let lenient = self.context.casting != Casting::Strict;
        let tolerated = match &input.content {
            Content::Column { required: false, .. } => true,
            Content::Column { data_type, .. } => lenient && Column::holds_missing(data_type),
            Content::Tensor { .. } => false,
        };
        // Upstream turns the rows of `instances` into columns, which must then be equally long.
        if tolerated && (self.frame || !input.is_required()) {
            return;
        }
        let problem = if self.frame {
            format!("column '{}' is missing in this record", input.name)
        } else {
            format!(
                "The length of values for each input/column name are not the same: '{}' is \
                 missing in this record",
                input.name
            )
        };
        self.context.report(Violation {
            column: Some(input.name.clone()),
            row: Some(row),
            value: None,
            expected: None,
            problem,
        });
    }

    /// Columns that the first records did not have but later ones did.
    fn report_late_columns(&mut self) {
        for index in 0..self.plan.inputs.len() {
            let absent = self.absent.get(index).copied().unwrap_or(0);
            if absent == self.rows {
                continue;
            }
            for row in 0..absent {
                self.report_absent(index, row);
            }
        }
    }

    /// A record for an unnamed signature: its keys in the order of the first record's.
    fn record_by_position(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let first = self.rows == 0;
        let mut cells: Vec<Option<usize>> = vec![None; self.positions.len()];
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            reader.kind()?;
            let position = reader.position();
            reader.skip()?;
            if first {
                self.positions.push(key.into_owned());
                cells.push(Some(position));
            } else {
                let known = self.positions.iter().position(|name| *name == key);
                match known.and_then(|index| cells.get_mut(index)) {
                    Some(cell) => *cell = Some(position),
                    None => self.context.report_row(format!("unknown column '{key}'")),
                }
            }
            more = reader.object_next()?;
        }
        let end = reader.position();
        let found: Vec<usize> = cells.iter().flatten().copied().collect();
        if found.len() < cells.len() {
            self.context.report_row("this record has not the columns of the first".to_owned());
        }
        self.cells(reader, &found)?;
        reader.seek(end);
        Ok(())
    }

    /// Reads cells at known positions into the columns, or into the one tensor, in order.
    fn cells(&mut self, reader: &mut Reader<'_>, positions: &[usize]) -> Result<()> {
        if let [Slot::Tensor(tensor)] = self.slots.as_mut_slice() {
            return Ok(tensor.read_cells(reader, &mut self.context, positions)?);
        }
        let plan = self.plan;
        for ((slot, input), position) in self.slots.iter_mut().zip(&plan.inputs).zip(positions) {
            reader.seek(*position);
            self.context.enter(input);
            slot.read_row(reader, &mut self.context)?;
        }
        if positions.len() < self.slots.len() {
            self.fill_row();
        }
        Ok(())
    }

    /// `{"columns": ["a", "b"], "data": [[1, 2], …]}`; `index` is read past.
    pub(crate) fn split(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let kind = reader.kind()?;
        if kind != Kind::Object {
            let name = match kind {
                Kind::Array => "list".to_owned(),
                other => format!("type <class '{}'>", other.python()),
            };
            return refuse(format!(
                "Invalid input. Dataframe split format must be a dictionary. Got {name}."
            ));
        }
        let mut keys: Vec<String> = Vec::new();
        let mut columns: Option<Vec<String>> = None;
        let mut data_at = None;
        let mut data_read = false;
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            reader.kind()?;
            match key.as_ref() {
                "columns" => columns = column_names(reader)?,
                "data" if columns.is_some() && !data_read => {
                    self.split_data(reader, columns.as_deref())?;
                    data_read = true;
                }
                "data" => {
                    // The names come later (or never): come back when they are known.
                    data_at = Some(reader.position());
                    reader.skip()?;
                }
                _ => {
                    reader.skip()?;
                }
            }
            if keys.len() <= EXTRA_MAX {
                keys.push(key.into_owned());
            }
            more = reader.object_next()?;
        }
        let known = |key: &String| matches!(key.as_str(), "columns" | "data" | "index");
        if !keys.iter().all(known) || (data_at.is_none() && !data_read) {
            return refuse(format!(
                "Invalid input. Dataframe split format must have 'data' field and optionally \
                 'columns' and 'index' fields. Got {{{}}}.'",
                list_text(&keys).trim_matches(['[', ']'])
            ));
        }
        match data_at {
            Some(_) if data_read => refuse("Invalid input. 'data' is given twice."),
            Some(position) => {
                let end = reader.position();
                reader.seek(position);
                self.split_data(reader, columns.as_deref())?;
                reader.seek(end);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn split_data(&mut self, reader: &mut Reader<'_>, columns: Option<&[String]>) -> Result<()> {
        if reader.kind()? != Kind::Array {
            return refuse("Invalid input. The 'data' of dataframe_split must be a list of rows.");
        }
        if let [Slot::Tensor(tensor)] = self.slots.as_mut_slice()
            && !self.plan.named
        {
            tensor.read_whole(reader, &mut self.context)?;
            self.rows = tensor.len();
            return self.check_rows();
        }
        let mut targets = columns.map(|columns| self.targets(columns)).transpose()?;
        let mut more = reader.array_start()?;
        while more {
            self.context.row = self.rows;
            let kind = reader.kind()?;
            if kind == Kind::Array {
                let targets = match &mut targets {
                    Some(targets) => targets,
                    // Without names columns are known by position, from the first row's length.
                    none => none.insert(self.unnamed_targets(reader)?),
                };
                self.split_row(reader, targets)?;
            } else {
                reader.skip()?;
                let kind = kind.python();
                self.context.report_row(format!("a row must be a list of values, got a {kind}"));
                self.fill_row();
            }
            self.next_row()?;
            more = reader.array_next()?;
        }
        self.check_rows()
    }

    fn split_row(&mut self, reader: &mut Reader<'_>, targets: &[Option<usize>]) -> Result<()> {
        let plan = self.plan;
        let mut count = 0;
        let mut more = reader.array_start()?;
        while more {
            let target = targets.get(count).copied().flatten();
            match target
                .and_then(|index| Some((self.slots.get_mut(index)?, plan.inputs.get(index)?)))
            {
                Some((slot, input)) => {
                    self.context.enter(input);
                    slot.read_row(reader, &mut self.context)?;
                }
                None => {
                    reader.skip()?;
                }
            }
            count += 1;
            more = reader.array_next()?;
        }
        if count != targets.len() {
            let problem =
                format!("{} columns are named, this row has {count} values", targets.len());
            self.context.report_row(problem);
        }
        if count < plan.inputs.len() || targets.len() < plan.inputs.len() {
            self.fill_row();
        }
        Ok(())
    }

    /// Which slot each named column of a split goes to.
    pub(crate) fn targets(&mut self, columns: &[String]) -> Result<Vec<Option<usize>>> {
        let plan = self.plan;
        let mut targets = Vec::with_capacity(columns.len());
        for (position, name) in columns.iter().enumerate() {
            let index = if plan.named {
                plan.lookup(name, position)
            } else {
                Some(position).filter(|position| *position < plan.inputs.len())
            };
            if index.is_some() && targets.contains(&index) {
                return refuse(format!("Invalid input. Column '{name}' is given twice."));
            }
            if index.is_none() {
                self.note_extra(name);
            }
            targets.push(index);
        }
        // Absent columns stay absent in every row.
        Ok(targets)
    }

    fn unnamed_targets(&mut self, reader: &Reader<'_>) -> Result<Vec<Option<usize>>> {
        let length = first_length(reader)?;
        Ok((0..length)
            .map(|position| {
                let known = !self.plan.named && position < self.plan.inputs.len();
                if !known {
                    self.extra_positions += 1;
                }
                known.then_some(position)
            })
            .collect())
    }

    /// `{"a": [1, 3], "b": [2, 4]}`, or a single row `{"a": 1, "b": 2}`: one entry of the object
    /// at a time, because the caller knows which keys are columns.
    pub(crate) fn column(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let plan = self.plan;
        let Some((index, input)) =
            plan.lookup(key, 0).and_then(|index| Some((index, plan.inputs.get(index)?)))
        else {
            self.note_extra(key);
            reader.skip()?;
            return Ok(());
        };
        self.context.row = 0;
        self.context.enter(input);
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        if slot.len() > 0 {
            let raw = reader.skip()?;
            self.report_twice(raw);
            return Ok(());
        }
        match (slot, &input.content) {
            (Slot::Tensor(tensor), _) => tensor.read_whole(reader, &mut self.context)?,
            (Slot::Column(column), Content::Column { data_type, .. })
                if is_list_of(data_type, reader)? =>
            {
                let mut more = reader.array_start()?;
                while more {
                    self.context.row = column.len();
                    column.read(reader, &mut self.context)?;
                    more = reader.array_next()?;
                }
            }
            (Slot::Column(column), _) => column.read(reader, &mut self.context)?,
        }
        self.rows = self.rows.max(self.slots.get(index).map_or(0, Slot::len));
        self.check_rows()
    }

    /// There is at least one row, and not more than the limit.
    fn check_rows(&self) -> Result<()> {
        let max = self.context.limits.rows_max;
        match self.rows {
            0 => refuse("Invalid input. The request holds no rows."),
            rows if rows > max => refuse(format!(
                "Invalid input. The request has more than {max} rows; send it in parts."
            )),
            _ => Ok(()),
        }
    }

    /// After all columns: they must be equally long, absent ones become nulls.
    pub(crate) fn columns_end(&mut self) -> Result<()> {
        for index in 0..self.slots.len() {
            match self.slots.get_mut(index) {
                Some(slot) if slot.len() == self.rows => {}
                Some(Slot::Column(column)) if column.len() == 0 => {
                    (0..self.rows).for_each(|_| column.push_missing());
                    if let Some(absent) = self.absent.get_mut(index) {
                        *absent = self.rows;
                    }
                }
                Some(Slot::Tensor(tensor)) if tensor.len() == 0 => {
                    if let Some(absent) = self.absent.get_mut(index) {
                        *absent = self.rows;
                    }
                }
                _ => {
                    return refuse(
                        "Invalid input. The length of values for each input/column name are not \
                         the same",
                    );
                }
            }
        }
        Ok(())
    }

    /// `[[1, 2], …]` or a scalar: values without names.
    pub(crate) fn array(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.frame = false;
        let plan = self.plan;
        match self.slots.as_mut_slice() {
            [Slot::Tensor(tensor)] => {
                tensor.read_whole(reader, &mut self.context)?;
                self.rows = tensor.len();
                self.check_rows()
            }
            [Slot::Column(_)] => {
                let name = plan.inputs.first().map_or("", |input| &input.name);
                let rows_of_one = !plan.named && is_list_of_lists(reader)?;
                if rows_of_one { self.split_data(reader, None) } else { self.column(name, reader) }
            }
            _ if !plan.named && !plan.tensors => {
                self.check_one_type()?;
                self.split_data(reader, None)
            }
            _ => {
                // Names cannot be guessed: everything is missing, as upstream says.
                let length = if is_list_of_lists(reader)? {
                    let mut inner = reader.clone();
                    inner.array_start()?;
                    first_length(&inner)?
                } else {
                    1
                };
                self.extra_positions = length;
                reader.skip()?;
                self.absent.fill(0);
                Ok(())
            }
        }
    }

    /// Upstream makes one array of the rows, which has one type.
    fn check_one_type(&self) -> Result<()> {
        let types = self.plan.inputs.iter().map(|input| match &input.content {
            Content::Column { data_type, .. } => Some(data_type),
            Content::Tensor { .. } => None,
        });
        let types: Vec<_> = types.flatten().collect();
        for (position, pair) in types.windows(2).enumerate() {
            if let [first, second] = pair
                && first != second
            {
                let problem = format!(
                    "Incompatible input types for column {}. Can not safely convert {} to {}.",
                    position + 1,
                    super::names::numpy_name(first),
                    super::names::numpy_name(second)
                );
                return Err(Stop::Rejected(self.schema_rejection(&problem)));
            }
        }
        Ok(())
    }

    /// A refusal by the schema, in upstream's words.
    pub(crate) fn schema_rejection(&self, error: &str) -> Rejection {
        Rejection::whole(
            Step::Schema,
            format!(
                "Failed to enforce schema of data with schema '{}'. Error: {error}",
                self.plan.text
            ),
        )
    }

    /// Refuses a request that lacks required columns or is of another shape than the signature.
    pub(crate) fn check_schema(&self) -> std::result::Result<(), Box<Rejection>> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(Box::new(self.missing_rejection(&missing)));
        }
        for slot in &self.slots {
            if let Slot::Tensor(tensor) = slot
                && let Some(problem) = tensor.shape_problem()
            {
                return Err(Box::new(self.schema_rejection(&problem)));
            }
        }
        Ok(())
    }

    fn missing_rejection(&self, missing: &[&str]) -> Rejection {
        let declared = self.plan.inputs.len();
        let mut rejection = if self.plan.named {
            let extra = if self.extra_positions > 0 {
                let positions: Vec<String> =
                    (0..self.extra_positions.min(EXTRA_MAX)).map(|p| p.to_string()).collect();
                format!("[{}]", positions.join(", "))
            } else {
                list_text(&self.extra)
            };
            let note = match extra.as_str() {
                "[]" => String::new(),
                extra => format!(" Note that there were extra inputs: {extra}."),
            };
            self.schema_rejection(&format!("Model is missing inputs {}.{note}", list_text(missing)))
        } else {
            self.schema_rejection(&format!(
                "Model inference is missing inputs. The model signature declares {declared} \
                 inputs  but the provided value only has {} inputs. Note: the inputs were not \
                 named in the signature so we can only verify their count.",
                declared - missing.len()
            ))
        };
        let violation = |name: &&str| Violation {
            column: Some((*name).to_owned()),
            row: None,
            value: None,
            expected: self.plan.type_of(name),
            problem: "column is missing".to_owned(),
        };
        rejection.violations_total = missing.len();
        rejection.violations =
            missing.iter().take(self.context.limits.violations_max).map(violation).collect();
        rejection
    }

    /// Names of required inputs that the request does not have at all.
    fn missing(&self) -> Vec<&'e str> {
        let absent = |index: usize| {
            let never = self.absent.get(index).is_some_and(|absent| *absent >= self.rows);
            never || self.slots.get(index).is_none_or(|slot| slot.len() == 0)
        };
        self.plan
            .inputs
            .iter()
            .enumerate()
            .filter(|(index, input)| input.is_required() && absent(*index))
            .map(|(_, input)| input.name.as_str())
            .collect()
    }
}

/// The names in `columns`: texts, or numbers that pandas made; null means none.
fn column_names(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>> {
    match reader.kind()? {
        Kind::Null => {
            reader.null()?;
            return Ok(None);
        }
        Kind::Array => {}
        _ => return refuse("Invalid input. The 'columns' of dataframe_split must be a list."),
    }
    let mut names = Vec::new();
    let mut more = reader.array_start()?;
    while more {
        names.push(match reader.kind()? {
            Kind::Text => reader.string()?.into_owned(),
            _ => reader.skip()?.to_owned(),
        });
        more = reader.array_next()?;
    }
    Ok(Some(names))
}

/// How many elements the list has that comes next; the reader stays where it is.
fn first_length(reader: &Reader<'_>) -> Result<usize> {
    let mut ahead = reader.clone();
    if ahead.kind()? != Kind::Array {
        return Ok(1);
    }
    let mut length = 0;
    let mut more = ahead.array_start()?;
    while more {
        ahead.skip()?;
        length += 1;
        more = ahead.array_next()?;
    }
    Ok(length)
}

/// How many lists open before the first value that is none.
fn list_depth(reader: &Reader<'_>, limit: usize) -> Result<usize> {
    let mut ahead = reader.clone();
    let mut depth = 0;
    while depth < limit && ahead.kind()? == Kind::Array {
        depth += 1;
        if !ahead.array_start()? {
            break;
        }
    }
    Ok(depth)
}

fn is_list_of_lists(reader: &Reader<'_>) -> Result<bool> {
    Ok(list_depth(reader, 2)? == 2)
}

/// Whether the value is a list of values of the type, not one value of it.
fn is_list_of(data_type: &DataType, reader: &Reader<'_>) -> Result<bool> {
    let mut own = 0;
    let mut inner = data_type;
    while let DataType::Array(items) = inner {
        own += 1;
        inner = items;
    }
    Ok(list_depth(reader, own + 1)? > own)
}
