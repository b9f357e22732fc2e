//! What a query selected, cut out of whole answers.

use serde_json::{Map, Value};

use super::schema::{Kind, Object};
use super::syntax::{Directive, Document, Selection};
use crate::api::fields::snake_case;

/// Most aliases in one selection.
const ALIASES_MAX: usize = 10;
/// Most fields of one query, fragments unfolded.
const FIELDS_MAX: usize = 1000;
/// Deepest chain of fragments.
const FRAGMENT_DEPTH_MAX: usize = 10;

/// A selected field.
pub(super) struct Selected<'a> {
    /// The key of the answer.
    pub(super) key: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a [(String, super::syntax::Literal)],
    pub(super) selections: Vec<&'a Selection>,
}

/// One query on its way through the schema.
pub(super) struct Projection<'a> {
    document: &'a Document,
    variables: &'a Map<String, Value>,
    fields: usize,
}

impl<'a> Projection<'a> {
    pub(super) fn new(document: &'a Document, variables: &'a Map<String, Value>) -> Self {
        Self { document, variables, fields: 0 }
    }

    /// The fields of a selection with fragments unfolded, directives obeyed and repeated fields
    /// merged.
    pub(super) fn fields(
        &mut self,
        selections: &[&'a Selection],
    ) -> Result<Vec<Selected<'a>>, String> {
        self.fields_at_most(selections, usize::MAX)
    }

    /// The same of the root, which has at most so many.
    pub(super) fn fields_at_most(
        &mut self,
        selections: &[&'a Selection],
        fields_max: usize,
    ) -> Result<Vec<Selected<'a>>, String> {
        let mut selected: Vec<Selected<'a>> = Vec::new();
        self.collect(selections, 0, &mut selected)?;
        let aliases = selected.iter().filter(|field| field.key != field.name).count();
        // The words are upstream's, and so is which of the two is told.
        for (count, most, what) in
            [(selected.len(), fields_max, "root fields"), (aliases, ALIASES_MAX, "aliases")]
        {
            if count > most {
                return Err(format!(
                    "GraphQL queries should have at most {most} {what}, got {count} {what}."
                ));
            }
        }
        Ok(selected)
    }

    fn collect(
        &mut self,
        selections: &[&'a Selection],
        depth: usize,
        selected: &mut Vec<Selected<'a>>,
    ) -> Result<(), String> {
        if depth > FRAGMENT_DEPTH_MAX {
            return Err("fragments are nested too deeply".to_owned());
        }
        for selection in selections {
            self.fields += 1;
            if self.fields > FIELDS_MAX {
                return Err(format!("Query exceeds maximum total selections of {FIELDS_MAX}"));
            }
            match selection {
                Selection::Field { alias, name, arguments, directives, selections } => {
                    if !self.included(directives) {
                        continue;
                    }
                    let key = alias.as_deref().unwrap_or(name);
                    match selected.iter_mut().find(|field| field.key == key) {
                        Some(field) if field.name == name => field.selections.extend(selections),
                        Some(_) => return Err(format!("Fields '{key}' conflict.")),
                        None => selected.push(Selected {
                            key,
                            name,
                            arguments,
                            selections: selections.iter().collect(),
                        }),
                    }
                }
                Selection::Inline { directives, selections } if self.included(directives) => {
                    let selections: Vec<&Selection> = selections.iter().collect();
                    self.collect(&selections, depth + 1, selected)?;
                }
                Selection::Spread { name, directives } if self.included(directives) => {
                    let document = self.document;
                    let fragment = document.fragments.iter().find(|known| known.name == *name);
                    let Some(fragment) = fragment else {
                        return Err(format!("Unknown fragment '{name}'."));
                    };
                    let selections: Vec<&Selection> = fragment.selections.iter().collect();
                    self.collect(&selections, depth + 1, selected)?;
                }
                Selection::Inline { .. } | Selection::Spread { .. } => {}
            }
        }
        Ok(())
    }

    /// `@skip` and `@include`; other directives (`@component`) mean nothing here.
    fn included(&self, directives: &[Directive]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.arguments.iter().find(|(name, _)| name == "if");
            let condition = condition.map(|(_, value)| value.resolve(self.variables));
            match directive.name.as_str() {
                "skip" => condition != Some(Value::Bool(true)),
                "include" => condition != Some(Value::Bool(false)),
                _ => true,
            }
        })
    }

    /// What `selections` select of `value`, an `object` in proto JSON.
    pub(super) fn project(
        &mut self,
        object: &'static Object,
        selections: &[&'a Selection],
        value: &Value,
    ) -> Result<Value, String> {
        let mut answer = Map::new();
        for field in self.fields(selections)? {
            if field.name == "__typename" {
                answer.insert(field.key.to_owned(), Value::from(object.name));
                continue;
            }
            let Some(declared) = object.field(field.name) else {
                return Err(unknown_field(field.name, object));
            };
            check_selections(&field, declared.kind)?;
            let found = value.get(snake_case(field.name));
            let projected = if declared.list {
                let items = found.and_then(Value::as_array).into_iter().flatten();
                items
                    .map(|item| self.convert(declared.kind, &field.selections, Some(item)))
                    .collect::<Result<Value, String>>()?
            } else {
                self.convert(declared.kind, &field.selections, found)?
            };
            answer.insert(field.key.to_owned(), projected);
        }
        Ok(Value::Object(answer))
    }

    fn convert(
        &mut self,
        kind: Kind,
        selections: &[&'a Selection],
        value: Option<&Value>,
    ) -> Result<Value, String> {
        Ok(match (kind, value) {
            (Kind::Object(object), value) => {
                return self.project(object, selections, value.unwrap_or(&Value::Null));
            }
            (Kind::Long, Some(Value::Number(number))) => Value::from(number.to_string()),
            // NaN and the infinities are strings in proto JSON and nothing in GraphQL.
            (Kind::Float, Some(Value::String(_))) | (Kind::Never(_), _) => Value::Null,
            (_, Some(value)) if !value.is_null() => value.clone(),
            (Kind::Text, _) => Value::from(""),
            (Kind::Long, _) => Value::from("0"),
            (Kind::Float, _) => Value::from(0.0),
            (Kind::Bool, _) => Value::from(false),
            (Kind::Enum(default), _) => Value::from(default),
        })
    }
}

/// Upstream's sentence for a field that is not there.
pub(super) fn unknown_field(name: &str, object: &Object) -> String {
    format!("Cannot query field '{name}' on type '{}'.", object.name)
}

/// Objects need a selection and leaves have none.
pub(super) fn check_selections(field: &Selected<'_>, kind: Kind) -> Result<(), String> {
    let name = field.name;
    match (kind, field.selections.is_empty()) {
        (Kind::Object(object) | Kind::Never(object), true) => Err(format!(
            "Field '{name}' of type '{}' must have a selection of subfields. Did you mean \
             '{name} {{ ... }}'?",
            object.name
        )),
        (Kind::Object(_) | Kind::Never(_), false) | (_, true) => Ok(()),
        (_, false) => Err(format!("Field '{name}' must not have a selection.")),
    }
}
