//! Any bytes as a profile: one that is written as it was read, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trainyard_drift::Profile;

fuzz_target!(|bytes: &[u8]| {
    let Ok(profile) = Profile::read(&mut &*bytes) else { return };
    let mut written = Vec::new();
    profile.write(&mut written).expect("what was read is written");
    Profile::read(&mut written.as_slice()).expect("what was written is read");
});
