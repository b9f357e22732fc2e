//! Tables of our own beside upstream's: the audit log, and what waits for approval.
//!
//! The log only grows. Triggers keep mistakes from it, whoever makes them; that nobody edited it on purpose is
//! what its chain of hashes says ([`crate::audit`]). Rows may only go that a checkpoint, itself in the
//! chain, speaks of.

use std::collections::HashSet;

use super::audit::{Auditor, Change};
use super::audit_carried::carried;
use super::database::{Connection, Dialect};
use crate::audit::{BEGIN, LOG};
use crate::error::Result;
use crate::governance::Audited;

const SQLITE: &str = "
CREATE TABLE trainyard_audit (
    id INTEGER PRIMARY KEY, at BIGINT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
    part TEXT NOT NULL, before TEXT, after TEXT, who TEXT NOT NULL, kind TEXT NOT NULL, token TEXT,
    address TEXT, request_id TEXT, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER trainyard_audit_kept BEFORE UPDATE ON trainyard_audit
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER trainyard_audit_checked BEFORE DELETE ON trainyard_audit
    WHEN NOT EXISTS (SELECT 1 FROM trainyard_audit c WHERE c.subject = 'audit'
        AND c.action = 'audit.checkpoint' AND CAST(c.part AS INTEGER) >= OLD.id)
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
";

/// Texts are compared by their bytes, as in SQLite: ranges over names must not depend on a language.
const POSTGRES: &str = r#"
CREATE TABLE trainyard_audit (
    id bigint PRIMARY KEY, at bigint NOT NULL, action text NOT NULL,
    subject text COLLATE "C" NOT NULL, part text COLLATE "C" NOT NULL, before text, after text,
    who text NOT NULL, kind text NOT NULL, token text, address text, request_id text,
    previous text NOT NULL, hash text NOT NULL);
CREATE OR REPLACE FUNCTION trainyard_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM trainyard_audit c WHERE c.subject = 'audit'
        AND CASE WHEN c.action = 'audit.checkpoint' THEN CAST(c.part AS bigint) >= OLD.id END) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log only grows';
END $$;
CREATE TRIGGER trainyard_audit_kept BEFORE UPDATE OR DELETE ON trainyard_audit
    FOR EACH ROW EXECUTE FUNCTION trainyard_audit_kept();
"#;

/// What both understand. The indexes are for one subject, for one part of it, and for times.
const BOTH: &str = "
CREATE INDEX trainyard_audit_by_part ON trainyard_audit (subject, part, id);
CREATE INDEX trainyard_audit_by_subject ON trainyard_audit (subject, id);
CREATE INDEX trainyard_audit_by_time ON trainyard_audit (at, id);
CREATE TABLE trainyard_approval_requests (
    model TEXT NOT NULL, alias TEXT NOT NULL, version BIGINT NOT NULL, made_at BIGINT NOT NULL,
    requester TEXT NOT NULL, requested_at BIGINT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (model, alias, version));
CREATE TABLE trainyard_approvals (
    model TEXT NOT NULL, alias TEXT NOT NULL, version BIGINT NOT NULL, who TEXT NOT NULL,
    at BIGINT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (model, alias, version, who));
";

/// How far the changes of each database of users were taken into the log ([`audit_taken`](super::audit_taken)).
const TAKEN: &str = "CREATE TABLE IF NOT EXISTS trainyard_audit_taken (
    source VARCHAR(64) NOT NULL PRIMARY KEY, through BIGINT NOT NULL)";

/// Makes the tables where they are not, and notes what was changed past the log.
pub(crate) fn prepare(connection: &mut dyn Connection, audited: Audited) -> Result<()> {
    // Two processes may open a new database at once: the second waits here and finds them made.
    match connection.dialect() {
        Dialect::Sqlite => connection.execute_script("BEGIN IMMEDIATE")?,
        Dialect::Postgres => {
            connection.execute_script("BEGIN; SELECT pg_advisory_xact_lock(3170317)")?;
        }
    }
    let result = prepare_within(connection, audited);
    connection.execute_script(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    result
}

fn prepare_within(connection: &mut dyn Connection, audited: Audited) -> Result<()> {
    let (known, tables) = match connection.dialect() {
        Dialect::Sqlite => (
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'trainyard_audit'",
            SQLITE,
        ),
        Dialect::Postgres => (
            "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() \
             AND tablename = 'trainyard_audit'",
            POSTGRES,
        ),
    };
    let auditor = Auditor::local(audited);
    if connection.first(known, &[], |_row| Ok(()))?.is_none() {
        connection.execute_script(tables)?;
        connection.execute_script(BOTH)?;
    }
    connection.execute_script(TAKEN)?;
    if auditor.is_on() {
        let found = changed_past_the_log(connection)?;
        let first = "SELECT 1 FROM trainyard_audit LIMIT 1";
        let is_new = connection.first(first, &[], |_row| Ok(()))?.is_none();
        let begin = is_new.then(|| Change::new(BEGIN, LOG.to_owned()));
        auditor.note(connection, begin.into_iter().chain(found).collect())?;
    }
    Ok(())
}

/// Aliases that point elsewhere than the log says: those from before there was one, and those that another
/// program moved, or this one while it wrote nothing down. Where an alias's events went, the last checkpoint
/// speaks for them.
fn changed_past_the_log(connection: &mut dyn Connection) -> Result<Vec<Change>> {
    let sql = "SELECT a.name, a.alias, CAST(a.version AS TEXT), \
        (SELECT max(x.id) FROM trainyard_audit x WHERE x.subject = 'model:' || a.name \
        AND x.part = 'alias:' || a.alias) FROM registered_model_aliases a \
        WHERE a.workspace = ?1 AND NOT EXISTS (SELECT 1 FROM trainyard_audit e WHERE e.id = \
        (SELECT max(x.id) FROM trainyard_audit x WHERE x.subject = 'model:' || a.name \
        AND x.part = 'alias:' || a.alias) AND e.after = CAST(a.version AS TEXT)) \
        ORDER BY a.name, a.alias";
    let found = connection.rows(sql, &[super::schema::WORKSPACE.into()], |row| {
        let pointing = (row.need_text(0)?, row.need_text(1)?, row.need_text(2)?);
        Ok((pointing, row.int(3)?.is_some()))
    })?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let carried: HashSet<_> = carried(connection, None)?
        .into_iter()
        .map(|alias| (alias.model, alias.alias, alias.version))
        .collect();
    let mut changes = Vec::new();
    for (pointing, has_events) in found {
        if has_events || !carried.contains(&pointing) {
            let (model, alias, version) = pointing;
            let change = Change::of_model("alias.found", &model).part("alias", &alias);
            changes.push(change.after(version));
        }
    }
    Ok(changes)
}
