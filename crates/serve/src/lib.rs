//! The model server: hot swap, alias watcher, protocols, prediction log.
