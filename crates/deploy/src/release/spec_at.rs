//! What an instance was released as, for whoever is to ask it something: by which id it knows the deployer's
//! requests, and which version it serves.

use std::net::SocketAddr;

use trainyard_base::words::PROBE_ID_VARIABLE;

use super::spec::ReleaseSpec;
use crate::error::Result;
use crate::service::Service;
use crate::state::folder::Folder;

/// What was released as the instance that answers at this address; none where no such instance is known.
pub fn spec_at(service: &Service, address: SocketAddr) -> Result<Option<ReleaseSpec>> {
    Folder::open(service)?.spec_at(address)
}

impl ReleaseSpec {
    /// The id of requests that its model server does not log, as no client asked them: it is a secret between
    /// deployer and instance. None where it was told none.
    pub fn probe_id(&self) -> Option<&str> {
        let told = self.env.iter().find(|(name, _)| name == PROBE_ID_VARIABLE);
        told.map(|(_, id)| id.as_str()).filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn the_id_of_probes_is_what_the_instance_was_told() {
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        assert_eq!(spec.probe_id(), None);
        spec.env.push((PROBE_ID_VARIABLE.to_owned(), "probe-1".to_owned()));
        assert_eq!(spec.probe_id(), Some("probe-1"));
    }
}
