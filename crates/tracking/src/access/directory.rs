//! Users, roles and tokens: their tables, and what is known of them in memory.
//!
//! Whatever is changed here is in memory before the change is acknowledged. Other servers over the same
//! database see a number that grows with each change, and read everything again within a second; what an
//! upstream server changes, which does not know of that number, within a minute.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use trainyard_mlflow as mlflow;
use trainyard_mlflow::uri::TrackingUri;

use super::changes::changes;
use super::feed::Feed;
use super::index::{Index, Tables};
use super::permission::Permission;
use super::refusals::Refusals;
use super::schema::prepare;
use super::{groups_sql, oidc, outbox, roles_sql, users_sql};
use crate::audit::AuditLog;
use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::store::audit::Change;
use crate::store::audit_taken::USERS;
use crate::store::database::Connection;
use crate::store::{Database, ReadLimits, Reading, now_millis};

/// How often the number of changes is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How often everything is read again, whatever that number says.
const READ_PERIOD: Duration = Duration::from_mins(1);

/// When the tables were looked at last.
#[derive(Debug)]
struct Looked {
    at: Instant,
    all_read: Instant,
}

/// Users, roles and tokens.
pub(crate) struct Directory {
    database: Database,
    index: RwLock<Index>,
    /// Held by whoever reads the tables; the others go on with what is known.
    looked: Mutex<Looked>,
    feed: Feed,
    /// Of sign-ins.
    pub(crate) refusals: Refusals,
    /// What everybody may do with what nothing was granted on.
    pub(crate) default_permission: Permission,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens the database of users, or makes one; an older one of MLflow is brought up to date. It blocks.
    pub(crate) fn open(
        uri: &TrackingUri,
        limits: ReadLimits,
        default_permission: Permission,
    ) -> Result<Self> {
        let shown = mlflow::uri::without_credentials(&uri.connection_url());
        let mut made = 0;
        let database = Database::open(uri, limits, |connection| {
            prepare(connection, &shown)?;
            made = outbox::made(connection)?.1;
            Ok(())
        })?;
        let now = Instant::now();
        Ok(Self {
            database,
            index: RwLock::default(),
            looked: Mutex::new(Looked { at: now, all_read: now }),
            feed: Feed::new(made),
            refusals: Refusals::default(),
            default_permission,
        })
    }

    /// What is known. Not to be held over anything that waits.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything.
    pub(crate) async fn read_all(&self) -> Result<()> {
        self.take_up(self.database.read_many(Reading::Listing, read_tables).await?);
        Ok(())
    }

    fn take_up(&self, tables: Tables) {
        let mut index = Index::of(tables);
        let mut known = self.index.write().unwrap_or_else(PoisonError::into_inner);
        // A reading that began before another one ended later knows less.
        if index.version >= known.version {
            index.keep_newer(&mut known);
            *known = index;
        }
    }

    /// Takes up what others have changed, at most once in a while. What cannot be read leaves what is known.
    pub(crate) async fn refresh(&self) {
        let Ok(mut looked) = self.looked.try_lock() else { return };
        if looked.at.elapsed() < LOOK_PERIOD {
            return;
        }
        let is_due = looked.all_read.elapsed() >= READ_PERIOD;
        let known = self.index().version;
        let result = match self.database.read(read_version).await {
            Ok(version) if version == known && !is_due => Ok(false),
            Ok(_other) => self.read_all().await.map(|()| true),
            Err(error) => Err(error),
        };
        looked.at = Instant::now();
        match result {
            Ok(true) => looked.all_read = looked.at,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "users and roles stay as they were"),
        }
    }

    /// Reads rows.
    pub(crate) async fn read<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        Ok(self.database.read(work).await?)
    }

    /// Changes rows, all or nothing, and what is known of them with it. What became another is written down.
    pub(crate) async fn change<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let origin = Origin::current();
        let changed = self.database.write(move |connection| {
            // The first to be done: nobody else changes anything until this has ended.
            count_change(connection)?;
            let before = read_tables(connection)?;
            let changed = work(connection)?;
            let after = read_tables(connection)?;
            outbox::put(connection, &origin, changes(&before, &after, now_millis()))?;
            Ok((changed, after))
        });
        let (changed, after) = changed.await?;
        self.take_up(after);
        Box::pin(self.hand_over()).await;
        Ok(changed)
    }

    /// The same for what says in another form what was there before.
    pub(crate) async fn rewrite<F>(&self, work: F) -> mlflow::Result<()>
    where
        F: Fn(&mut dyn Connection) -> Result<()> + Send + 'static,
    {
        let written = self.database.write(move |connection| {
            count_change(connection)?;
            work(connection)
        });
        written.await?;
        Ok(self.read_all().await?)
    }

    /// Changes rows of which nothing is known here, all or nothing, and writes down what `work` says.
    pub(crate) async fn write<T, F>(&self, work: F) -> mlflow::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<(T, Vec<Change>)> + Send + 'static,
    {
        let origin = Origin::current();
        let written = self.database.write(move |connection| {
            let (written, changes) = work(connection)?;
            outbox::put(connection, &origin, changes)?;
            Ok(written)
        });
        let written = written.await?;
        Box::pin(self.hand_over()).await;
        Ok(written)
    }

    /// Changes the grants of one user's own role, which is all that is read again. `work` tells its id, and writes down
    /// what is no matter of course.
    pub(crate) async fn change_own_role<F>(&self, username: &str, work: F) -> mlflow::Result<()>
    where
        F: Fn(&mut dyn Connection) -> Result<i64> + Send + 'static,
    {
        let changed = self.database.write(move |connection| {
            // First, as everywhere: two changes never wait for each other.
            let version = count_change(connection)?;
            let role_id = work(connection)?;
            let role = roles_sql::role(connection, role_id)?;
            Ok((version, role, roles_sql::grants_of(connection, role_id)?))
        });
        let (version, role, grants) = changed.await?;
        let mut known = self.index.write().unwrap_or_else(PoisonError::into_inner);
        known.renew_role(username, version, role, grants);
        // Where somebody else has changed something meanwhile, everything is read at the next look.
        if version == known.version + 1 {
            known.version = version;
        }
        Ok(())
    }

    /// Names the log into which changes come, and takes what an earlier server left.
    pub(crate) async fn write_down_in(&self, log: AuditLog) -> mlflow::Result<()> {
        self.feed.open(&self.database, log).await
    }

    /// Takes what was written down into the log. Where that fails it waits, and comes later.
    pub(crate) async fn hand_over(&self) {
        if let Err(error) = self.feed.take_over(&self.database, false).await {
            tracing::error!(%error, "changes of users are not in the audit log yet");
        }
    }

    /// What is done once in a while: refused sign-ins are written down, and what others left.
    pub(crate) async fn look_after_log(&self) {
        let Some((count, refused)) = self.refusals.due() else { return self.hand_over().await };
        let told = self.write(move |_connection| {
            let change = Change::new("sign_in.refused", USERS.to_owned());
            Ok(((), vec![change.after(refused.clone())]))
        });
        if let Err(error) = told.await {
            self.refusals.put_back(count);
            tracing::error!(%error, "refused sign-ins are not in the audit log yet");
        }
    }
}

fn read_version(connection: &mut dyn Connection) -> Result<i64> {
    let sql = "SELECT version FROM trainyard_access WHERE id = 1";
    Ok(connection.first(sql, &[], |row| row.need_int(0))?.unwrap_or_default())
}

/// Lets other servers know.
fn count_change(connection: &mut dyn Connection) -> Result<i64> {
    let sql = "UPDATE trainyard_access SET version = version + 1 WHERE id = 1 RETURNING version";
    let version = connection.first(sql, &[], |row| row.need_int(0))?;
    version.ok_or_else(|| Error::database("trainyard_access has no row"))
}

fn read_tables(connection: &mut dyn Connection) -> Result<Tables> {
    Ok(Tables {
        version: read_version(connection)?,
        users: users_sql::users(connection)?,
        roles: roles_sql::roles(connection)?,
        grants: roles_sql::grants(connection)?,
        assignments: roles_sql::assignments(connection)?,
        groups: groups_sql::groups(connection)?,
        memberships: groups_sql::memberships(connection)?,
        group_roles: groups_sql::group_roles(connection)?,
        tokens: users_sql::tokens(connection)?,
        identities: oidc::identities(connection)?,
        sign_ins: users_sql::sign_ins(connection)?,
    })
}
