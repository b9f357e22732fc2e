//! The Helm chart, rendered by Helm itself and held against the API of Kubernetes: what it promises of every pod,
//! what it refuses, and that the binary takes the arguments it writes.

mod cases;
mod mistakes;
mod promises;
mod references;
mod render;
