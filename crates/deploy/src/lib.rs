//! Blue/green deployment: runtimes, the gateway, the release state machine.
