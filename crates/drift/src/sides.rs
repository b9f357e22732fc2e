//! Both sides of a column.

use std::cell::OnceCell;

use crate::column::Column;
use crate::compat::Compat;
use crate::labels;
use crate::statistics::counts::Frequencies;
use crate::text_content::TextContent;
use crate::values::family::type_name;
use crate::values::{Pair, Strings};

/// Both sides of a column, with what several methods need computed once.
pub(crate) struct Sides<'a> {
    pub(crate) reference: &'a Column,
    pub(crate) current: &'a Column,
    pair: Option<Pair<'a>>,
    pub(crate) compat: Compat,
    frequencies: OnceCell<Frequencies>,
    content: OnceCell<Option<TextContent>>,
}

impl<'a> Sides<'a> {
    pub(crate) fn new(reference: &'a Column, current: &'a Column, compat: Compat) -> Self {
        let pair = match (reference.numbers(), current.numbers()) {
            (Some(reference), Some(current)) => Some(Pair::new(reference, current)),
            _ => None,
        };
        let (frequencies, content) = (OnceCell::new(), OnceCell::new());
        Self { reference, current, pair, compat, frequencies, content }
    }

    /// Both sides as numbers.
    pub(crate) fn numbers(&self) -> Result<&Pair<'a>, String> {
        self.pair.as_ref().ok_or_else(|| {
            let (before, after) =
                (type_name(self.reference.data_type()), type_name(self.current.data_type()));
            format!(
                "numbers are needed on both sides; the reference is {before}, current is {after}"
            )
        })
    }

    /// Both sides as texts.
    pub(crate) fn strings(&self) -> Option<(&Strings, &Strings)> {
        Some((self.reference.strings()?, self.current.strings()?))
    }

    pub(crate) fn pair(&self) -> Option<&Pair<'a>> {
        self.pair.as_ref()
    }

    /// Counts of every value.
    pub(crate) fn frequencies(&self) -> &Frequencies {
        self.frequencies
            .get_or_init(|| labels::frequencies(self.reference, self.current, self.compat))
    }

    /// How well the texts of both sides can be told apart; `None` where there are none.
    pub(crate) fn content(&self) -> Option<&TextContent> {
        let tell = || {
            let (reference, current) = self.strings()?;
            Some(TextContent::new(reference, current))
        };
        self.content.get_or_init(tell).as_ref()
    }

    /// Distinct values of both sides together, at most `limit` + 1.
    pub(crate) fn distinct_up_to(&self, limit: usize) -> usize {
        match &self.pair {
            Some(pair) => pair.distinct_up_to(limit),
            None => self.frequencies().distinct().min(limit + 1),
        }
    }
}
