//! Who is signed in on pages: a random secret in a cookie, of which the database keeps a digest.
//!
//! Each request looks it up, so that one that was ended is over at once, on every server over the same database.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use trainyard_base::leaky_bucket::Rule;
use trainyard_mlflow::Result;

use super::directory::Directory;
use super::per_user::PerUser;
use super::rows::SessionRow;
use super::token;
use crate::error::Result as StoreResult;
use crate::origin::Origin;
use crate::server::actor::Actor;
use crate::store::audit::Change;
use crate::store::database::{Connection, Row};
use crate::store::now_millis;

/// Sessions of one user; the oldest goes for another one. A person has a few browsers.
const OF_USER_MAX: i64 = 20;
/// Sessions that one user may begin: each is a line of the audit log, so a script that signs in without end would fill
/// it. A suite of tests signs in a few dozen times.
const BEGUN: Rule = Rule { max: 60, period: Duration::from_secs(30) };
/// What begins each secret.
const MARK: &str = "session_";
const MILLIS_OF_HOUR: i64 = 60 * 60 * 1000;

const SESSION: &str = "SELECT u.username, s.created_at, s.expires_at, s.address \
     FROM trainyard_sessions s JOIN users u ON u.id = s.user_id";

fn row(row: &dyn Row) -> StoreResult<SessionRow> {
    Ok(SessionRow {
        username: row.text_or_empty(0)?,
        created_at: row.need_int(1)?,
        expires_at: row.need_int(2)?,
        address: row.need_text(3)?,
    })
}

/// What a form or a script has to know to change something with a session: no other site does.
pub(crate) fn csrf(secret: &str) -> String {
    hex::encode(Sha256::digest(format!("form of {secret}")))
}

/// A new secret, of letters and digits.
pub(crate) fn secret() -> String {
    let random: [u8; 32] = rand::random();
    format!("{MARK}{}", hex::encode(random))
}

/// Sessions of pages.
#[derive(Debug)]
pub(crate) struct Sessions {
    directory: Arc<Directory>,
    begun: PerUser,
}

impl Sessions {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self { directory, begun: PerUser::new(BEGUN) }
    }

    /// Counts one more that somebody begins; `Err` is how long they have to wait for it.
    pub(crate) fn may_begin(&self, username: &str) -> std::result::Result<(), Duration> {
        self.begun.take(username)
    }

    /// Signs somebody in for so many hours; returns the secret of their browser.
    pub(crate) async fn open(&self, username: &str, address: IpAddr, hours: i64) -> Result<String> {
        let secret = secret();
        let (name, digest) = (username.to_owned(), token::digest(&secret));
        let address = address.to_string();
        let opened = self.directory.write(move |connection| {
            let now = now_millis();
            connection
                .execute("DELETE FROM trainyard_sessions WHERE expires_at <= ?1", &[now.into()])?;
            let user_id = super::users_sql::user(connection, &name)?.id;
            connection.execute(
                "DELETE FROM trainyard_sessions WHERE user_id = ?1 AND digest NOT IN (SELECT digest FROM \
                 trainyard_sessions WHERE user_id = ?1 ORDER BY created_at DESC, digest LIMIT ?2)",
                &[user_id.into(), (OF_USER_MAX - 1).into()],
            )?;
            connection.execute(
                "INSERT INTO trainyard_sessions (digest, user_id, created_at, expires_at, address) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                &[
                    (&digest).into(),
                    user_id.into(),
                    now.into(),
                    (now + hours * MILLIS_OF_HOUR).into(),
                    (&address).into(),
                ],
            )?;
            let change = Change::of_user("session.begin", &name).after(format!("{hours} hours"));
            Ok(((), vec![change]))
        });
        let origin = Origin::current().of_actor(Actor::user(username));
        Box::pin(origin.scope(opened)).await?;
        Ok(secret)
    }

    /// Whose session a secret is of, if it is not over.
    pub(crate) async fn of(&self, secret: &str) -> Result<Option<SessionRow>> {
        // What cannot be one is not looked for.
        let is_one = secret.strip_prefix(MARK).is_some_and(|rest| {
            rest.len() == 64 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if !is_one {
            return Ok(None);
        }
        let digest = token::digest(secret);
        let found = self.directory.read(move |connection| {
            let sql = format!("{SESSION} WHERE s.digest = ?1 AND s.expires_at > ?2");
            connection.first(&sql, &[(&digest).into(), now_millis().into()], row)
        });
        found.await
    }

    /// The sessions of somebody, the latest first.
    pub(crate) async fn of_user(&self, username: &str) -> Result<Vec<SessionRow>> {
        let name = username.to_owned();
        let found = self.directory.read(move |connection| {
            let sql = format!(
                "{SESSION} WHERE u.username = ?1 AND s.expires_at > ?2 ORDER BY s.created_at DESC"
            );
            connection.rows(&sql, &[(&name).into(), now_millis().into()], row)
        });
        found.await
    }

    /// Ends one.
    pub(crate) async fn end(&self, secret: &str) -> Result<()> {
        let digest = token::digest(secret);
        let ended = self.directory.write(move |connection| {
            let sql = format!("{SESSION} WHERE s.digest = ?1");
            let session = connection.first(&sql, &[(&digest).into()], row)?;
            connection
                .execute("DELETE FROM trainyard_sessions WHERE digest = ?1", &[(&digest).into()])?;
            let change = session.map(|session| Change::of_user("session.end", &session.username));
            Ok(((), change.into_iter().collect()))
        });
        ended.await
    }

    /// Ends all of somebody; returns how many there were.
    pub(crate) async fn end_all(&self, username: &str) -> Result<usize> {
        let name = username.to_owned();
        let ended = self.directory.write(move |connection| {
            let ended = end_all(connection, &name)?;
            // To end none changes nothing.
            let change = (ended > 0).then(|| {
                Change::of_user("session.end_all", &name).before(format!("{ended} sessions"))
            });
            Ok((ended, change.into_iter().collect()))
        });
        ended.await
    }
}

fn end_all(connection: &mut dyn Connection, username: &str) -> StoreResult<usize> {
    let sql = "DELETE FROM trainyard_sessions WHERE user_id IN (SELECT id FROM users WHERE username = ?1)";
    connection.execute(sql, &[username.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_knows_what_is_of_its_session_and_gives_the_secret_away_to_nobody() {
        let (one, other) = (secret(), secret());
        assert_ne!(csrf(&one), csrf(&other));
        assert_ne!(csrf(&one), token::digest(&one), "what the database keeps is no form's");
        assert!(!csrf(&one).contains(&one[MARK.len()..]));
    }
}
