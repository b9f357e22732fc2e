//! The audit log, asked: events, and where aliases pointed at a time.

use std::collections::BTreeMap;

use async_trait::async_trait;
use trainyard_mlflow::entities::{AliasAt, AuditEvent, RegistryAt};
use trainyard_mlflow::{self as mlflow, AUDIT_EVENTS_MAX, Audit, SearchAudit};

use super::audit::{COLUMNS, read};
use super::audit_carried::carried;
use super::database::{Connection, List, Value};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use crate::error::{Result, invalid};

/// Aliases of one answer at most: beyond that a model is to be named.
const ALIASES_MAX: usize = 10_000;
/// Aliases of an answer whose reasons are looked up, which takes a query or two each.
const REASONS_MAX: usize = 100;
/// Where a release says on a version why it came to be there.
const REASON_TAG: &str = "trainyard.state.reason";

#[async_trait]
impl Audit for SqlStore {
    async fn events(&self, search: SearchAudit) -> mlflow::Result<Vec<AuditEvent>> {
        self.read_many(Reading::Listing, move |connection| events(connection, &search)).await
    }

    async fn registry_at(&self, at: i64, model: Option<&str>) -> mlflow::Result<RegistryAt> {
        let model = model.map(str::to_owned);
        self.read_many(Reading::Listing, move |connection| {
            registry_at(connection, at, model.as_deref())
        })
        .await
    }
}

/// Conditions and the values of their placeholders.
#[derive(Default)]
struct Where<'a> {
    conditions: Vec<String>,
    values: Vec<Value<'a>>,
}

impl<'a> Where<'a> {
    /// A condition on a value; `?` in it stands for the placeholder.
    fn and(&mut self, condition: &str, value: impl Into<Value<'a>>) {
        self.values.push(value.into());
        self.conditions.push(condition.replace('?', &format!("?{}", self.values.len())));
    }
}

pub(super) fn events(
    connection: &mut dyn Connection,
    search: &SearchAudit,
) -> Result<Vec<AuditEvent>> {
    let max = search.max_results.unwrap_or(AUDIT_EVENTS_MAX);
    if !(1..=AUDIT_EVENTS_MAX).contains(&max) {
        return invalid!("max_results must be between 1 and {AUDIT_EVENTS_MAX}, and is {max}");
    }
    let (behind, order) = if search.newest_first { ("<", "DESC") } else { (">", "ASC") };
    let mut filter = Where::default();
    if let Some(after) = search.after {
        filter.and(&format!("e.id {behind} ?"), after);
    }
    for (column, text) in [("subject", &search.subject), ("who", &search.who)] {
        if let Some(text) = text {
            filter.and(&format!("e.{column} = ?"), text);
        }
    }
    for (column, start) in [("part", &search.part), ("action", &search.action)] {
        if let Some(start) = start.as_deref().filter(|start| !start.is_empty()) {
            let length = start.chars().count();
            filter.and(&format!("substr(e.{column}, 1, {length}) = ?"), start);
        }
    }
    if let Some(since) = search.since {
        filter.and("e.at >= ?", since);
    }
    if let Some(until) = search.until {
        filter.and("e.at < ?", until);
    }
    let conditions = match filter.conditions.as_slice() {
        [] => String::new(),
        conditions => format!("WHERE {}", conditions.join(" AND ")),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM trainyard_audit e {conditions} ORDER BY e.id {order} LIMIT {max}"
    );
    connection.rows(&sql, &filter.values, read)
}

/// Where aliases pointed at a time. The walk over subjects and their parts jumps from one to the next in the
/// index, so it costs what there are aliases, and not what there are events.
pub(super) fn registry_at(
    connection: &mut dyn Connection,
    at: i64,
    model: Option<&str>,
) -> Result<RegistryAt> {
    let first = "SELECT e.at FROM trainyard_audit e ORDER BY e.id LIMIT 1";
    let known_since = connection.first(first, &[], |row| row.need_int(0))?;
    let last =
        "SELECT e.id FROM trainyard_audit e WHERE e.at <= ?1 ORDER BY e.at DESC, e.id DESC LIMIT 1";
    let Some(last) = connection.first(last, &[at.into()], |row| row.need_int(0))? else {
        return Ok(RegistryAt { at, known_since, aliases: Vec::new() });
    };
    let mut aliases = aliases_after(connection, last, model)?;
    let explained = if aliases.len() <= REASONS_MAX { aliases.as_mut_slice() } else { &mut [] };
    for alias in explained {
        alias.reason = reason(connection, alias)?;
    }
    Ok(RegistryAt { at, known_since, aliases })
}

/// Where aliases pointed after the event `last`, in the order of their names.
pub(super) fn aliases_after(
    connection: &mut dyn Connection,
    last: i64,
    model: Option<&str>,
) -> Result<Vec<AliasAt>> {
    let mut aliases = BTreeMap::new();
    for alias in carried(connection, model)? {
        aliases.insert((alias.model.clone(), alias.alias.clone()), alias);
    }
    for event in last_moves(connection, last, model)? {
        let Some((model, alias)) = names(&event) else { continue };
        let key = (model.to_owned(), alias.to_owned());
        match alias_of(&event) {
            Some(alias) => aliases.insert(key, alias),
            None => aliases.remove(&key),
        };
    }
    Ok(aliases.into_values().collect())
}

/// The last event of each alias up to the event `last`, also that it went.
fn last_moves(
    connection: &mut dyn Connection,
    last: i64,
    model: Option<&str>,
) -> Result<Vec<AuditEvent>> {
    let mut values: Vec<Value<'_>> = vec![last.into()];
    let names = if let Some(model) = model {
        values.push(format!("model:{model}").into());
        "names(subject) AS (SELECT CAST(?2 AS TEXT))"
    } else {
        "names(subject) AS (\
         SELECT min(a.subject) FROM trainyard_audit a \
         WHERE a.subject >= 'model:' AND a.subject < 'model;' \
         UNION ALL SELECT (SELECT min(a.subject) FROM trainyard_audit a \
         WHERE a.subject > n.subject AND a.subject < 'model;') \
         FROM names n WHERE n.subject IS NOT NULL)"
    };
    let sql = format!(
        "WITH RECURSIVE {names}, parts(subject, part) AS (\
         SELECT n.subject, (SELECT min(a.part) FROM trainyard_audit a WHERE a.subject = n.subject \
         AND a.part >= 'alias:' AND a.part < 'alias;') FROM names n WHERE n.subject IS NOT NULL \
         UNION ALL SELECT p.subject, (SELECT min(a.part) FROM trainyard_audit a \
         WHERE a.subject = p.subject AND a.part > p.part AND a.part < 'alias;') \
         FROM parts p WHERE p.part IS NOT NULL) \
         SELECT (SELECT max(a.id) FROM trainyard_audit a WHERE a.subject = p.subject \
         AND a.part = p.part AND a.id <= ?1) FROM parts p WHERE p.part IS NOT NULL LIMIT {}",
        ALIASES_MAX + 1
    );
    let ids: Vec<i64> =
        connection.rows(&sql, &values, |row| row.int(0))?.into_iter().flatten().collect();
    if ids.len() > ALIASES_MAX {
        return invalid!("there are more than {ALIASES_MAX} aliases; name a model");
    }
    // In a statement of its own: whoever plans both at once takes the aliases for many and reads the whole log.
    let list = connection.dialect().list("?1");
    let sql = format!("SELECT {COLUMNS} FROM trainyard_audit e WHERE e.id IN {list}");
    connection.rows(&sql, &[Value::List(List::Ints(ids))], read)
}

fn names(event: &AuditEvent) -> Option<(&str, &str)> {
    Some((event.subject.strip_prefix("model:")?, event.part.strip_prefix("alias:")?))
}

/// Where an event left an alias; none if it went.
fn alias_of(event: &AuditEvent) -> Option<AliasAt> {
    let (model, alias) = names(event)?;
    Some(AliasAt {
        model: model.to_owned(),
        alias: alias.to_owned(),
        version: event.after.clone()?,
        since: event.at,
        who: event.who.clone(),
        token: event.token.clone(),
        request_id: event.request_id.clone(),
        reason: None,
        is_found: event.action == "alias.found",
        event: event.id,
    })
}

/// Why a version came to be there, as its release says on it: what was noted while the alias pointed there, else
/// before (a release whose approval said the same notes nothing new), else what is on it from before the log.
fn reason(connection: &mut dyn Connection, alias: &AliasAt) -> Result<Option<String>> {
    let subject = format!("model:{}", alias.model);
    let next = "SELECT min(e.id) FROM trainyard_audit e \
                WHERE e.subject = ?1 AND e.part = ?2 AND e.id > ?3";
    let part = format!("alias:{}", alias.alias);
    let values: [Value<'_>; 3] = [(&subject).into(), part.into(), alias.event.into()];
    let next = connection.first(next, &values, |row| row.int(0))?.flatten();
    let note = format!("version:{} tag:{REASON_TAG}", alias.version);
    for (range, order) in [("e.id >= ?3 AND e.id < ?4", "ASC"), ("e.id < ?3 AND e.id < ?4", "DESC")]
    {
        let sql = format!(
            "SELECT e.after FROM trainyard_audit e WHERE e.subject = ?1 AND e.part = ?2 AND {range} \
             ORDER BY e.id {order} LIMIT 1"
        );
        let end = next.unwrap_or(i64::MAX);
        let values: [Value<'_>; 4] =
            [(&subject).into(), (&note).into(), alias.event.into(), end.into()];
        let noted = connection.first(&sql, &values, |row| row.optional_text(0))?;
        if let Some(noted) = noted.flatten() {
            return Ok(Some(noted));
        }
    }
    let Ok(version) = alias.version.parse::<i64>() else { return Ok(None) };
    if next.is_some() {
        return Ok(None);
    }
    let sql = "SELECT value FROM model_version_tags WHERE workspace = ?1 AND name = ?2 \
               AND version = ?3 AND \"key\" = ?4";
    let values: [Value<'_>; 4] =
        [WORKSPACE.into(), (&alias.model).into(), version.into(), REASON_TAG.into()];
    Ok(connection.first(sql, &values, |row| row.optional_text(0))?.flatten())
}
