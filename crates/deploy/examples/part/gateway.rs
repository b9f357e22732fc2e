//! The gateway, with the flags that a deployer gives it.

use std::time::Duration;

use trainyard_deploy::gateway::{GatewayOptions, Limits};

use crate::{Fallible, option, terminated};

pub(crate) async fn gateway(arguments: &[String]) -> Fallible<()> {
    let listen = option(arguments, "--listen")?.parse()?;
    let mut options = GatewayOptions::new(option(arguments, "--state-dir")?, listen);
    options.limits = Limits {
        max_connections: 2000,
        max_per_address: Some(2000),
        max_body_bytes: 8 << 20,
        ..Limits::default()
    };
    for argument in arguments {
        let (flag, value) = argument.split_once('=').unwrap_or((argument, ""));
        let milliseconds = || -> Fallible<Duration> {
            Ok(Duration::from_millis(value.strip_suffix("ms").ok_or("in ms")?.parse()?))
        };
        match flag {
            "--access-log" => options.access_log = true,
            "--take-over" => options.take_over = true,
            "--metrics-listen" => options.metrics_listen = Some(value.parse()?),
            "--operator-listen" => options.operator_listen = Some(value.parse()?),
            "--expose" => options.exposed.push(value.to_owned()),
            "--response-timeout" => options.limits.response_timeout = milliseconds()?,
            "--idle-timeout" => options.limits.idle_timeout = milliseconds()?,
            "--max-connections" => options.limits.max_connections = value.parse()?,
            "--max-per-address" => options.limits.max_per_address = Some(value.parse()?),
            _ => {}
        }
    }
    Ok(trainyard_deploy::gateway::run(options, terminated()).await?)
}
