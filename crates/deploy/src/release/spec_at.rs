//! What an instance was released as, for whoever is to ask it something: by which id it knows requests that no
//! user made ([`ReleaseSpec::copy_id`]), and which version it serves.

use std::net::SocketAddr;

use super::spec::ReleaseSpec;
use crate::error::Result;
use crate::service::Service;
use crate::state::folder::Folder;

/// What was released as the instance that answers at this address; none where no such instance is known.
pub fn spec_at(service: &Service, address: SocketAddr) -> Result<Option<ReleaseSpec>> {
    Folder::open(service)?.spec_at(address)
}
