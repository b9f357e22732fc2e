//! A deployer that can be told to die, and the end of what it deployed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use trainyard_base::Advise as _;
use trainyard_deploy::gateway::Limits;
use trainyard_deploy::{
    Cause, Condition, ContainerSpec, Ills, Keeper, Network, Probe, ReleaseEvent, ReleaseSpec,
    Rollback, Service, SwarmSpec, Workload,
};

use crate::alias_file::AliasFile;
use crate::{Fallible, option};

fn service(arguments: &[String]) -> Fallible<Service> {
    let mut service = Service::new(
        "test",
        option(arguments, "--state-dir")?,
        option(arguments, "--listen")?.parse()?,
    );
    service.gateway_command = Some(vec![std::env::current_exe()?.into(), "gateway".into()]);
    service.lock_wait = Duration::from_mins(1);
    // The backends have paths of their own.
    service.gateway.exposed = vec!["/**".to_owned()];
    service.gateway.limits = Limits {
        max_connections: 2000,
        max_per_address: Some(2000),
        max_body_bytes: 8 << 20,
        ..Limits::default()
    };
    Ok(service)
}

pub(crate) async fn stop(arguments: &[String]) -> Fallible<()> {
    let tell = |event: ReleaseEvent| println!("{}: {event}", event.step());
    Ok(trainyard_deploy::stop(&service(arguments)?, &tell).await?)
}

/// `part rollback --state-dir D --listen A`: brings back what served before.
pub(crate) async fn rollback(arguments: &[String]) -> Fallible<()> {
    let service = service(arguments)?;
    let cause = Cause { actor: "ana".to_owned(), ..Cause::default() };
    let order = Rollback { to: BTreeMap::new(), cause, amend: &|_| {} };
    let tell = |event: ReleaseEvent| println!("{}: {event}", event.step());
    let alias = AliasFile(service.state_dir.join("alias"));
    let released = trainyard_deploy::rollback(&service, &order, &alias, &tell)
        .await
        .map_err(|error| error.with_hint())?;
    println!("released {}", released.instance);
    Ok(())
}

/// `part keep --state-dir D --listen A`: starts again what is down, until all is well.
pub(crate) async fn keep(arguments: &[String]) -> Fallible<()> {
    let mut keeper = Keeper::new(service(arguments)?);
    let tell = |event: ReleaseEvent| println!("{}: {event}", event.step());
    loop {
        let standing = keeper.look().await?;
        let ended = standing.instances.iter().filter(|post| post.condition.cause().is_some());
        let ills = Ills {
            gateway: standing.gateway.cause().map(|_| standing.gateway.clone()),
            instances: ended.cloned().collect(),
        };
        if !ills.is_empty() {
            let revived = keeper.revive(&ills, &tell).await?;
            if let Some(error) = revived.and_then(|mut revived| revived.failures.pop()) {
                return Err(error.with_hint().into());
            }
        } else if standing.instances.iter().all(|post| post.condition == Condition::Well) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// `--image` and what belongs to it: in a swarm with `--swarm`, where `--placement` is a constraint; a process without.
fn workload(arguments: &[String]) -> Fallible<Workload> {
    let Ok(image) = option(arguments, "--image") else {
        return Ok(Workload::process(std::env::current_exe()?));
    };
    let pull = option(arguments, "--pull").unwrap_or("missing").parse()?;
    let memory_bytes = option(arguments, "--memory").ok().map(str::parse).transpose()?;
    if !arguments.iter().any(|argument| argument == "--swarm") {
        let mut container = ContainerSpec::new(image);
        container.network = Network::from(option(arguments, "--network").unwrap_or("own"));
        container.pull = pull;
        container.memory_bytes = memory_bytes;
        return Ok(Workload::Container(container));
    }
    let mut swarm = SwarmSpec::new(image);
    swarm.pull = pull;
    swarm.memory_bytes = memory_bytes;
    swarm.placement = option(arguments, "--placement").into_iter().map(str::to_owned).collect();
    swarm.volume = Some("/data".into());
    Ok(Workload::Swarm(swarm))
}

/// `part release --state-dir D --listen A --name N [--replicas N] [--die-at STEP] [--pause-at STEP]
/// [--alias FILE] [--shadow-ms N] [--canary STEP] [--image I …]`:
/// releases this program's backend. It kills itself with SIGKILL at the given step (`started:2` is the second
/// of its name); at the other it waits for a line on its standard input.
pub(crate) async fn release(arguments: &[String]) -> Fallible<()> {
    let service = service(arguments)?;
    let mut spec = ReleaseSpec::new(workload(arguments)?);
    spec.args = vec!["backend".to_owned(), "--port".to_owned(), "{port}".to_owned()];
    spec.env = vec![("NAME".to_owned(), option(arguments, "--name")?.to_owned())];
    if spec.workload.runtime().runs_images() {
        spec.env.push(("HOST".to_owned(), "0.0.0.0".to_owned()));
    }
    for pair in arguments.windows(2) {
        if let [flag, value] = pair
            && flag == "--env"
        {
            let (name, value) = value.split_once('=').ok_or("--env NAME=VALUE")?;
            spec.env.push((name.to_owned(), value.to_owned()));
        }
    }
    spec.label.insert("version".to_owned(), option(arguments, "--name")?.to_owned());
    spec.prediction = Some(Probe::post_json("/predict", "[1]"));
    let milliseconds = |name: &str, usual: u64| -> Fallible<Duration> {
        Ok(Duration::from_millis(option(arguments, name).map_or(Ok(usual), str::parse)?))
    };
    spec.bake = milliseconds("--bake-ms", 200)?;
    spec.shadow = milliseconds("--shadow-ms", 0)?;
    if let Ok(step) = option(arguments, "--canary") {
        spec.canary = vec![step.parse()?];
    }
    spec.replicas = option(arguments, "--replicas").map_or(Ok(1), str::parse)?;
    spec.deadline = milliseconds("--deadline-ms", 30_000)?;
    spec.stop_grace = Duration::from_secs(5);
    let die_at = option(arguments, "--die-at").unwrap_or("nothing");
    let (die_at, times) = die_at.split_once(':').unwrap_or((die_at, "1"));
    let left = AtomicUsize::new(times.parse()?);
    let pause_at = option(arguments, "--pause-at").unwrap_or("nothing");
    let progress = |event: ReleaseEvent| {
        println!("{}: {event}", event.step());
        if event.step() == die_at && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let me = rustix::process::getpid();
            let _never_returns = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        }
        if event.step() == pause_at {
            let _either_way = std::io::stdin().read_line(&mut String::new());
        }
    };
    let alias = option(arguments, "--alias").unwrap_or("alias");
    let alias = AliasFile(service.state_dir.join(alias));
    let released = trainyard_deploy::release(&service, &spec, &alias, &progress)
        .await
        .map_err(|error| error.with_hint())?;
    println!("released {}", released.instance);
    Ok(())
}
