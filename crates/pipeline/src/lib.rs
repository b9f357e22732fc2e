//! trainyard.toml: train, gate, promote, deploy, monitor.
