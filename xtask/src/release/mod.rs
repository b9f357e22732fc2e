//! Artifacts of a release: one command that runs on any machine and in the release workflow.

mod build;
mod checksums;
mod command;
mod deb;
mod image;
mod options;
mod share;
mod target;
mod tools;

pub(crate) use command::release;
