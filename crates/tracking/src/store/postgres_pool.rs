//! Connections to PostgreSQL: those that wait, and new ones to whichever server is the primary.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::Socket;

use super::postgres_client::Client;
use super::postgres_connection::{Begin, PostgresConnection};
use super::postgres_error::convert;
use super::postgres_outage::Outage;
use super::postgres_tls::{Encrypted, MakeTls};
use super::postgres_url::Target;
use crate::error::{Error, Result};

/// The connections to one database.
pub(super) struct Pool {
    target: Target,
    /// The place of the host that answered last.
    last: AtomicUsize,
    idle: Mutex<Idle>,
    outage: Outage,
}

/// Connections that wait for a statement.
#[derive(Default)]
struct Idle {
    connections: Vec<PostgresConnection>,
    /// Nobody asks any more. Whatever comes back ends where it was used: the last to let go of the pool may be a task, in
    /// which no connection can end.
    is_over: bool,
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            last: AtomicUsize::new(0),
            idle: Mutex::default(),
            outage: Outage::default(),
        }
    }

    pub(super) fn tls(&self) -> &MakeTls {
        &self.target.tls
    }

    /// How long connecting may take.
    pub(super) fn attempt(&self) -> Duration {
        let hosts = u32::try_from(self.target.hosts.len()).unwrap_or(u32::MAX);
        self.target.connect_timeout.saturating_mul(hosts)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // The guarded list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection within a new transaction.
    pub(super) fn begin(&self, begin: Begin) -> Result<PostgresConnection> {
        loop {
            let waiting = self.idle().connections.pop();
            let Some(mut connection) = waiting else { break };
            if connection.is_closed() {
                continue;
            }
            match connection.begin(begin) {
                // Nothing has happened yet, so another one will do; and what happened to this one has
                // happened to those that wait beside it.
                Err(error) if error.is_lost_database() => self.forget(),
                begun => return begun.map(|()| connection),
            }
        }
        let mut connection = self.connect()?;
        connection.begin(begin)?;
        Ok(connection)
    }

    /// A new connection, unless it was found a moment ago that there is none.
    pub(super) fn connect(&self) -> Result<PostgresConnection> {
        self.outage.may_try(self.attempt())?;
        let connected = self.connect_now();
        match &connected {
            Ok(_connection) => self.outage.over(),
            Err(error) => self.outage.failed(error),
        }
        connected
    }

    /// A new connection to the first host that takes writes, the one that did so last before the others.
    pub(super) fn connect_now(&self) -> Result<PostgresConnection> {
        let hosts = &self.target.hosts;
        let first = self.last.load(Ordering::Relaxed);
        let (mut reasons, mut is_refused) = (Vec::new(), true);
        for place in (first..hosts.len()).chain(0..first) {
            let Some(host) = hosts.get(place) else { continue };
            match Client::connect(&host.config, &self.target.tls, self.target.connect_timeout) {
                Ok(client) => {
                    self.last.store(place, Ordering::Relaxed);
                    return Ok(PostgresConnection::new(client));
                }
                Err(Error::SignIn { reason }) => reasons.push(format!("{}: {reason}", host.name)),
                Err(Error::Unreachable { reason }) => {
                    is_refused = false;
                    reasons.push(format!("{}: {reason}", host.name));
                }
                Err(error) => return Err(error),
            }
        }
        let reason = reasons.join("; ");
        Err(if is_refused { Error::SignIn { reason } } else { Error::Unreachable { reason } })
    }

    /// Runs statements that take and return nothing, and are a transaction of their own.
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        let waiting = self.idle().connections.pop();
        let mut connection = match waiting.filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.connect()?,
        };
        // What failed is let go of, with whatever it left behind.
        connection.run(sql)?;
        self.give(connection);
        Ok(())
    }

    /// A session of its own with the first host that takes writes, to be driven by whoever has it.
    pub(super) async fn session(
        &self,
    ) -> Result<(tokio_postgres::Client, tokio_postgres::Connection<Socket, Encrypted>)> {
        let hosts = &self.target.hosts;
        let first = self.last.load(Ordering::Relaxed);
        let mut failed = Error::Unreachable { reason: "there is no host".to_owned() };
        for place in (first..hosts.len()).chain(0..first) {
            let Some(host) = hosts.get(place) else { continue };
            let connecting = host.config.connect(self.target.tls.clone());
            match tokio::time::timeout(self.target.connect_timeout, connecting).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => failed = convert(error),
                Err(_elapsed) => {
                    failed = Error::Unreachable { reason: format!("{}: no answer", host.name) };
                }
            }
        }
        Err(failed)
    }

    /// Whether there is a connection that takes writes.
    pub(super) fn ping(&self, patience: Duration) -> Result<()> {
        let waiting = self.idle().connections.pop();
        if let Some(mut connection) = waiting {
            if connection.ping(patience).is_ok() {
                self.give(connection);
                return Ok(());
            }
            self.forget();
        }
        let mut connection = self.connect()?;
        connection.ping(patience)?;
        self.give(connection);
        Ok(())
    }

    /// Takes a connection back whose transaction has ended.
    pub(super) fn give(&self, connection: PostgresConnection) {
        let mut idle = self.idle();
        if !connection.is_closed() && !idle.is_over {
            idle.connections.push(connection);
        }
    }

    /// Ends the sessions that wait.
    pub(super) fn close(&self) {
        let idle = Idle { connections: Vec::new(), is_over: true };
        let idle = std::mem::replace(&mut *self.idle(), idle);
        idle.connections.into_iter().for_each(PostgresConnection::close);
    }

    /// Lets go of what waits, without a word: it leads to a server that is not the database any more.
    pub(super) fn forget(&self) {
        let idle = std::mem::take(&mut self.idle().connections);
        drop(idle);
    }
}
