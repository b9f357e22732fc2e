//! Writes changes down in the transaction that makes them: both are stored, or neither.
//!
//! There is one chain for all who write to a database. Each event holds the hash of the one before it, so whoever
//! appends must know the last one: in SQLite there is one writer anyway; in PostgreSQL an advisory lock is held
//! from here to the end of the transaction. It is the last thing that a change waits for, so that no two
//! changes wait for each other, and changes that are not written down (metrics, params, batches) never see it.

use trainyard_mlflow::entities::AuditEvent;
use trainyard_mlflow::secrets::hide;

use super::clock::now_millis;
use super::database::{Connection, Dialect, Row};
use crate::audit::{NO_HASH, seal};
use crate::error::{Error, Result};
use crate::governance::Audited;
use crate::origin::Origin;

/// Characters of a value that are kept: tags may have thousands, and what they say is in their own table.
const VALUE_CHARACTERS_MAX: usize = 1000;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "e.id, e.at, e.action, e.subject, e.part, e.before, e.after, e.who, \
    e.kind, e.token, e.address, e.request_id, e.previous, e.hash";

/// One change that is to be written down.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    action: &'static str,
    subject: String,
    part: String,
    before: Option<String>,
    after: Option<String>,
    /// Whether the values are kept as they are: our own, which are read again.
    is_whole: bool,
}

impl Change {
    pub(crate) fn new(action: &'static str, subject: String) -> Self {
        Self { action, subject, part: String::new(), before: None, after: None, is_whole: false }
    }

    pub(crate) fn of_model(action: &'static str, name: &str) -> Self {
        Self::new(action, format!("model:{name}"))
    }

    pub(crate) fn of_experiment(action: &'static str, id: impl std::fmt::Display) -> Self {
        Self::new(action, format!("experiment:{id}"))
    }

    pub(crate) fn of_run(action: &'static str, id: &str) -> Self {
        Self::new(action, format!("run:{id}"))
    }

    pub(crate) fn of_logged_model(action: &'static str, id: &str) -> Self {
        Self::new(action, format!("logged_model:{id}"))
    }

    pub(crate) fn of_user(action: &'static str, name: &str) -> Self {
        Self::new(action, format!("user:{name}"))
    }

    /// Which part of the subject; parts of parts are named one after the other.
    pub(crate) fn part(mut self, kind: &str, name: impl std::fmt::Display) -> Self {
        let named = format!("{kind}:{name}");
        self.part = if self.part.is_empty() { named } else { format!("{} {named}", self.part) };
        self
    }

    /// A field of the subject itself.
    pub(crate) fn field(self, name: &str) -> Self {
        Self { part: name.to_owned(), ..self }
    }

    pub(crate) fn before(mut self, value: impl Into<Option<String>>) -> Self {
        self.before = value.into();
        self
    }

    pub(crate) fn after(mut self, value: impl Into<Option<String>>) -> Self {
        self.after = value.into();
        self
    }

    pub(crate) fn whole(self) -> Self {
        Self { is_whole: true, ..self }
    }

    pub(crate) fn changes_nothing(&self) -> bool {
        self.before.is_some() && self.before == self.after
    }

    /// What is written down of it, without a place in a chain.
    pub(crate) fn event(self, origin: &Origin) -> AuditEvent {
        let is_whole = self.is_whole;
        let value = |value: Option<String>| match value {
            Some(value) if !is_whole => Some(kept(&value)),
            value => value,
        };
        AuditEvent {
            at: now_millis(),
            action: self.action.to_owned(),
            subject: self.subject,
            part: self.part,
            before: value(self.before),
            after: value(self.after),
            who: origin.who().to_owned(),
            kind: origin.kind().to_owned(),
            token: origin.token().map(str::to_owned),
            address: origin.address().map(|address| address.to_string()),
            request_id: origin.request_id().map(str::to_owned),
            ..AuditEvent::default()
        }
    }
}

/// Writes down what one origin changes.
#[derive(Debug, Clone)]
pub(crate) struct Auditor {
    audited: Audited,
    origin: Origin,
}

impl Auditor {
    /// For whoever asks the current task.
    pub(crate) fn current(audited: Audited) -> Self {
        Self { audited, origin: Origin::current() }
    }

    /// For this program itself.
    pub(crate) fn local(audited: Audited) -> Self {
        Self { audited, origin: Origin::local() }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether anything is written down: what was there before need not be looked up otherwise.
    pub(crate) fn is_on(&self) -> bool {
        self.audited != Audited::Off
    }

    /// The same for what runs do all the time.
    pub(crate) fn notes_runs(&self) -> bool {
        self.audited == Audited::All
    }

    /// Writes changes down. To be called as the last of a change.
    pub(crate) fn note(&self, connection: &mut dyn Connection, changes: Vec<Change>) -> Result<()> {
        if !self.is_on() {
            return Ok(());
        }
        let changes = changes.into_iter().filter(|change| !change.changes_nothing());
        append(connection, changes.map(|change| change.event(&self.origin)).collect())
    }
}

/// A value without credentials, shortened.
fn kept(value: &str) -> String {
    let value = hide(value);
    let end = value.char_indices().nth(VALUE_CHARACTERS_MAX).map(|(end, _)| end);
    match end {
        Some(end) => {
            let start = value.get(..end).unwrap_or_default();
            format!("{start}… ({} bytes in all)", value.len())
        }
        None => value.into_owned(),
    }
}

/// The last event, which nobody else follows until this transaction has ended.
pub(crate) fn last(connection: &mut dyn Connection) -> Result<AuditEvent> {
    if connection.dialect() == Dialect::Postgres {
        connection.query("SELECT pg_advisory_xact_lock(3170318)", &[], &mut |_row| Ok(()))?;
    }
    let sql = format!("SELECT {COLUMNS} FROM trainyard_audit e ORDER BY e.id DESC LIMIT 1");
    let last = connection.first(&sql, &[], read)?;
    Ok(last.unwrap_or_else(|| AuditEvent { hash: NO_HASH.to_owned(), ..AuditEvent::default() }))
}

/// Gives events their places at the end of the chain. To be called as the last of a change.
pub(super) fn append(connection: &mut dyn Connection, events: Vec<AuditEvent>) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut last = last(connection)?;
    for event in events {
        let mut event = AuditEvent {
            id: last.id.saturating_add(1),
            // Clocks of several servers differ, and are set back.
            at: event.at.max(last.at),
            previous: last.hash,
            hash: String::new(),
            ..event
        };
        event.hash = seal(&event);
        insert(connection, &event)?;
        last = event;
    }
    Ok(())
}

fn insert(connection: &mut dyn Connection, event: &AuditEvent) -> Result<()> {
    let inserted = connection.execute(
        "INSERT INTO trainyard_audit (id, at, action, subject, part, before, after, who, kind, token, \
         address, request_id, previous, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        &[
            event.id.into(),
            event.at.into(),
            (&event.action).into(),
            (&event.subject).into(),
            (&event.part).into(),
            event.before.as_deref().into(),
            event.after.as_deref().into(),
            (&event.who).into(),
            (&event.kind).into(),
            event.token.as_deref().into(),
            event.address.as_deref().into(),
            event.request_id.as_deref().into(),
            (&event.previous).into(),
            (&event.hash).into(),
        ],
    );
    match inserted {
        Ok(_rows) => Ok(()),
        // A database whose transactions see an old state by default: the change is tried again.
        Err(error) if error.is_unique() => Err(Error::Busy),
        Err(error) => Err(error),
    }
}

/// An event of a row of [`COLUMNS`].
pub(crate) fn read(row: &dyn Row) -> Result<AuditEvent> {
    Ok(AuditEvent {
        id: row.need_int(0)?,
        at: row.need_int(1)?,
        action: row.need_text(2)?,
        subject: row.need_text(3)?,
        part: row.need_text(4)?,
        before: row.optional_text(5)?,
        after: row.optional_text(6)?,
        who: row.need_text(7)?,
        kind: row.need_text(8)?,
        token: row.optional_text(9)?,
        address: row.optional_text(10)?,
        request_id: row.optional_text(11)?,
        previous: row.need_text(12)?,
        hash: row.need_text(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_hold_no_credentials() {
        assert_eq!(kept("s3://key:SECRET@bucket/x"), "s3://***@bucket/x");
        assert_eq!(kept("3"), "3");
        let long = kept(&"é".repeat(2000));
        assert!(long.ends_with("… (4000 bytes in all)"), "{long}");
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), VALUE_CHARACTERS_MAX);
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let change = |before: Option<&str>, after: Option<&str>| {
            let change = Change::of_model("alias.set", "Iris").part("alias", "Production");
            change.before(before.map(str::to_owned)).after(after.map(str::to_owned))
        };
        assert!(change(Some("3"), Some("3")).changes_nothing());
        assert!(!change(None, Some("3")).changes_nothing());
        assert!(!change(None, None).changes_nothing());
        assert_eq!(change(None, None).part, "alias:Production");
    }
}
