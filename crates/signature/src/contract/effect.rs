//! Whom a difference between two signatures breaks.

use std::fmt;

use serde::Serialize;

/// A way to write requests that a difference breaks while the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// CSV.
    Csv,
    /// Parquet, whose values have types already: none is converted, as upstream does.
    Parquet,
    /// All columns as one tensor of the Open Inference Protocol, which are known by their order.
    Table,
    /// Lists of values without column names (`inputs`, `instances`).
    Unnamed,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Table => "tables of the Open Inference Protocol",
            Self::Unnamed => "values without names",
        })
    }
}

/// Whom a difference breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nobody.
    Harmless,
    /// Those who write requests in one of these forms; JSON with names goes on.
    Forms(Vec<Form>),
    /// Clients that did nothing wrong, whatever they send.
    Break,
}

impl Effect {
    /// The effect of both differences together.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Break, _) | (_, Self::Break) => Self::Break,
            (Self::Harmless, other) | (other, Self::Harmless) => other,
            (Self::Forms(mut forms), Self::Forms(more)) => {
                forms.extend(more);
                forms.sort_unstable();
                forms.dedup();
                Self::Forms(forms)
            }
        }
    }

    /// Whether requests in this form go on.
    pub fn spares(&self, form: Form) -> bool {
        match self {
            Self::Harmless => true,
            Self::Forms(forms) => !forms.contains(&form),
            Self::Break => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_add_up() {
        let forms = |forms: &[Form]| Effect::Forms(forms.to_vec());
        let both = forms(&[Form::Parquet]).and(forms(&[Form::Csv, Form::Parquet]));
        assert_eq!(both, forms(&[Form::Csv, Form::Parquet]));
        assert_eq!(Effect::Harmless.and(both.clone()), both);
        assert_eq!(both.clone().and(Effect::Break), Effect::Break);
        assert!(both.spares(Form::Table) && !both.spares(Form::Csv));
    }
}
