//! Changes of who may do what, on their way into the audit log.
//!
//! The log is in another database than the users, mostly, and no transaction spans both. So a change is written down
//! here, in the transaction that makes it, and taken into the log from here, each once
//! ([`audit_taken`](crate::store::audit_taken)); it goes from here when it is there. A server that is killed between leaves it
//! to the next one. Where no log ever takes them (`trainyard user` alone, a server whose log is elsewhere) the oldest are
//! let go of, and what is left says so.

use trainyard_mlflow::entities::AuditEvent;

use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::store::audit::Change;
use crate::store::audit_taken::{USERS, Waiting};
use crate::store::database::Connection;

/// Changes that are taken in one step: others who write wait for less than a second.
const STEP: i64 = 1000;
/// Changes that wait for a log. A team that is made by scripts is some ten thousand; these are some 50 MB.
const WAITING_MAX: i64 = 100_000;

/// Gives the database a name by which the log knows it, once.
pub(crate) fn name(connection: &mut dyn Connection) -> Result<()> {
    let random: [u8; 16] = rand::random();
    let sql = "INSERT INTO trainyard_changes_made (id, source, made) VALUES (1, ?1, 0) \
               ON CONFLICT (id) DO NOTHING";
    connection.execute(sql, &[hex::encode(random).into()])?;
    Ok(())
}

/// Writes changes down. To be called as the last of a change.
pub(crate) fn put(
    connection: &mut dyn Connection,
    origin: &Origin,
    changes: Vec<Change>,
) -> Result<()> {
    for change in changes.into_iter().filter(|change| !change.changes_nothing()) {
        let sql = "UPDATE trainyard_changes_made SET made = made + 1 WHERE id = 1 RETURNING made";
        let number = connection.first(sql, &[], |row| row.need_int(0))?;
        let number = number.ok_or_else(|| Error::database("trainyard_changes_made has no row"))?;
        insert(connection, number, change.event(origin))?;
        make_room(connection, number)?;
    }
    Ok(())
}

fn insert(connection: &mut dyn Connection, number: i64, event: AuditEvent) -> Result<()> {
    let event = serde_json::to_string(&storable(event))
        .map_err(|error| Error::database(format!("a change is no JSON: {error}")))?;
    connection.execute(
        "INSERT INTO trainyard_changes (number, event) VALUES (?1, ?2)",
        &[number.into(), event.into()],
    )?;
    Ok(())
}

/// Lets go of the oldest once too many wait. The last of them becomes an event that says so, for a log that takes them
/// up later.
fn make_room(connection: &mut dyn Connection, last: i64) -> Result<()> {
    let sql = "SELECT number FROM trainyard_changes ORDER BY number LIMIT 1";
    let Some(first) = connection.first(sql, &[], |row| row.need_int(0))? else { return Ok(()) };
    if last - first < WAITING_MAX {
        return Ok(());
    }
    let through = first + STEP;
    remove(connection, through)?;
    let said = format!(
        "more than {WAITING_MAX} changes of users waited for an audit log: what was changed before, up to number \
         {through}, is not kept"
    );
    let told = Change::new("users.gap", USERS.to_owned()).after(said);
    insert(connection, through, told.event(&Origin::local()))
}

/// The event as every database can hold it: one that the log cannot take would keep all that follow from it, and in
/// PostgreSQL no text has the character NUL.
fn storable(mut event: AuditEvent) -> AuditEvent {
    let AuditEvent { subject, part, before, after, who, token, .. } = &mut event;
    let texts = [subject, part, who].into_iter();
    for text in texts.chain(before.as_mut()).chain(after.as_mut()).chain(token.as_mut()) {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
    event
}

/// Name of the database, and how many changes were ever written down in it.
pub(crate) fn made(connection: &mut dyn Connection) -> Result<(String, i64)> {
    let sql = "SELECT source, made FROM trainyard_changes_made WHERE id = 1";
    let made = connection.first(sql, &[], |row| Ok((row.need_text(0)?, row.need_int(1)?)))?;
    made.ok_or_else(|| Error::database("trainyard_changes_made has no row"))
}

/// The oldest that wait. What cannot be read is missing among them, which the log notes.
pub(crate) fn waiting(connection: &mut dyn Connection) -> Result<Waiting> {
    let (source, last) = made(connection)?;
    let sql = "SELECT number, event FROM trainyard_changes ORDER BY number LIMIT ?1";
    let rows =
        connection.rows(sql, &[STEP.into()], |row| Ok((row.need_int(0)?, row.need_text(1)?)))?;
    let is_all = i64::try_from(rows.len()).is_ok_and(|count| count < STEP);
    let read = |(number, event): (i64, String)| {
        serde_json::from_str::<AuditEvent>(&event).ok().map(|event| (number, event))
    };
    let events = rows.into_iter().filter_map(read).collect();
    Ok(Waiting { source, last, events, is_all })
}

/// Removes what is in the log. Other servers do so, too, and whoever makes room; in which order a statement takes its
/// rows is the database's choice. So that no two wait for each other, one removes at a time: whoever holds the count.
pub(crate) fn remove(connection: &mut dyn Connection, through: i64) -> Result<()> {
    connection.execute("UPDATE trainyard_changes_made SET made = made WHERE id = 1", &[])?;
    connection.execute("DELETE FROM trainyard_changes WHERE number <= ?1", &[through.into()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_database_cannot_hold_keeps_nothing_from_the_log() {
        let change = Change::new("role.update", "role:a\0b".to_owned());
        let event = storable(change.before("c\0".to_owned()).event(&Origin::local()));
        assert_eq!(event.subject, "role:a\u{fffd}b");
        assert_eq!((event.before.as_deref(), event.after), (Some("c\u{fffd}"), None));
    }
}
