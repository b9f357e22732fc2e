//! Connections as strangers make them, over real sockets.

mod bodies;
mod crowd;
mod silence;
mod support;
