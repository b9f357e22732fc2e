//! Rows of values with the names apart: `{"columns": ["a", "b"], "data": [[1, 2], …]}`.

use std::borrow::Cow;

use trainyard_base::json::{Kind, Reader};

use super::arrays::first_length;
use crate::enforce::buffer::Buffer;
use crate::enforce::names::list_text;
use crate::enforce::request::{EXTRA_MAX, Request, Result, refuse};

impl Request<'_> {
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
        let mut columns: Option<Vec<Cow<'_, str>>> = None;
        let mut data_at = None;
        let mut data_read = false;
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            reader.kind()?;
            match key.as_ref() {
                "columns" => columns = column_names(reader, self.plan.width_max())?,
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

    pub(super) fn split_data(
        &mut self,
        reader: &mut Reader<'_>,
        columns: Option<&[Cow<'_, str>]>,
    ) -> Result<()> {
        if reader.kind()? != Kind::Array {
            return refuse("Invalid input. The 'data' of dataframe_split must be a list of rows.");
        }
        if let [Buffer::Tensor(tensor)] = self.buffers.as_mut_slice()
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
                self.context.report_row(|| format!("a row must be a list of values, got a {kind}"));
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
                .and_then(|index| Some((self.buffers.get_mut(index)?, plan.inputs.get(index)?)))
            {
                Some((buffer, input)) => {
                    self.context.enter(input);
                    buffer.read_row(reader, &mut self.context)?;
                }
                None => {
                    reader.skip()?;
                }
            }
            count += 1;
            more = reader.array_next()?;
        }
        if count != targets.len() {
            let named = targets.len();
            self.context
                .report_row(|| format!("{named} columns are named, this row has {count} values"));
        }
        // Of the values some may belong to no input.
        let filled = targets.iter().take(count).flatten().count();
        if filled < plan.inputs.len() {
            self.fill_row();
        }
        Ok(())
    }

    /// Which buffer each named column of a split goes to.
    pub(crate) fn targets(&mut self, columns: &[impl AsRef<str>]) -> Result<Vec<Option<usize>>> {
        let plan = self.plan;
        let mut targets = Vec::with_capacity(columns.len());
        let mut taken = vec![false; plan.inputs.len()];
        for (position, name) in columns.iter().map(AsRef::as_ref).enumerate() {
            let index = if plan.named {
                plan.lookup(name, position)
            } else {
                Some(position).filter(|position| *position < plan.inputs.len())
            };
            if let Some(taken) = index.and_then(|index| taken.get_mut(index))
                && std::mem::replace(taken, true)
            {
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
        self.check_width(length)?;
        Ok((0..length)
            .map(|position| {
                let known = self.plan.by_position && position < self.plan.inputs.len();
                if !known {
                    self.extra_positions += 1;
                }
                known.then_some(position)
            })
            .collect())
    }
}

/// The names in `columns`, at most so many: texts, or numbers that pandas made; null means none.
pub(in crate::enforce) fn column_names<'t>(
    reader: &mut Reader<'t>,
    max: usize,
) -> Result<Option<Vec<Cow<'t, str>>>> {
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
        if names.len() == max {
            return refuse(format!("Invalid input. The request has more than {max} columns."));
        }
        names.push(match reader.kind()? {
            Kind::Text => reader.string()?,
            _ => Cow::Borrowed(reader.skip()?),
        });
        more = reader.array_next()?;
    }
    Ok(Some(names))
}
