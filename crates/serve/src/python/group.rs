//! A process group that is told to end when its owner is gone.

use rustix::process::{Pid, Signal, kill_process_group};

/// The group that a process leads. It gets the signal when this is dropped, unless [`Group::has_ended`].
#[derive(Debug)]
pub(crate) struct Group {
    leader: Option<Pid>,
    signal: Signal,
}

impl Group {
    /// The group of a process that was started as the leader of one.
    pub(crate) fn of(leader: Option<u32>, signal: Signal) -> Self {
        let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { leader, signal }
    }

    /// Nothing is left of it; its number may soon be another's.
    pub(crate) fn has_ended(mut self) {
        self.leader = None;
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // It may have ended by itself.
            let _gone = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(self.signal);
    }
}
