//! More connections than there are descriptors or places: who asks something is answered.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::get;
use crate::stage::{Stage, in_time, part};

/// A connection from another address of this machine.
async fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::from(from), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// The status of one answer on a connection that is kept.
async fn ask_on(stream: &mut TcpStream, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut heard = Vec::new();
    // The answers of the backend are short, and its name is the end of a good one.
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && (body.ends_with("blue") || body.ends_with("ok") || body.ends_with('}'))
        {
            return head.split(' ').nth(1)?.parse().ok();
        }
        if stream.read_buf(&mut heard).await.ok()? == 0 {
            return None;
        }
    }
}

/// A gateway with so few descriptors that a thousand connections would take them all.
fn stage() -> Stage {
    let mut stage = Stage::new();
    let script = "ulimit -n 256; exec \"$0\" gateway \"$@\"";
    stage.service.gateway_command =
        Some(vec!["sh".into(), "-c".into(), script.into(), part().into()]);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn few_descriptors_are_shared_and_none_is_missing() {
    trainyard_net::descriptors::raise();
    let stage = stage();
    stage.release(&Stage::spec("blue")).await.unwrap();
    // Two strangers with more connections than there are descriptors. They say nothing.
    let mut silent = Vec::new();
    for number in 0..600u16 {
        silent.push(
            connect_from([127, 0, 0, 2 + u8::try_from(number % 2).unwrap()], stage.address()).await,
        );
    }
    // Those who ask are answered, and the health of the service is whatever happens.
    for _ in 0..20 {
        let mut stream = connect_from([127, 0, 0, 4], stage.address()).await;
        assert_eq!(ask_on(&mut stream, "/health").await, Some(200));
    }
    drop(silent);
    // Many at once, each with a connection to the instance of its own. Those for whom there is no room are
    // told so or turned away; nobody is told that the instance cannot be reached.
    let asked = (0..400u16).map(|number| {
        let address = stage.address();
        async move {
            let mut stream =
                connect_from([127, 0, 0, 10 + u8::try_from(number % 40).unwrap()], address).await;
            ask_on(&mut stream, "/slow?300").await
        }
    });
    let answers = futures::future::join_all(asked).await;
    let is_fair = |status: &Option<u16>| matches!(status, None | Some(200 | 503));
    assert!(answers.iter().all(is_fair), "{answers:?}");
    assert!(answers.contains(&Some(200)), "{answers:?}");
    assert_eq!(stage.metric("trainyard_gateway_connect_failures_total").await, 0);
    let room = async {
        while get(stage.address(), "/").await != Ok((StatusCode::OK, "blue".to_owned())) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("room for a connection", room).await;
    // A release needs descriptors too.
    stage.release(&Stage::spec("green")).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().1, "green");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_who_say_little_take_little_and_hold_nobody_up() {
    let mut stage = Stage::new();
    // Each of them has a descriptor here and two there.
    let places = trainyard_net::descriptors::connections(10_600, 2);
    let crowd = places - places / 20;
    stage.service.gateway.limits.max_connections = places;
    stage.service.gateway.limits.max_per_address = Some(places);
    // A slow machine needs a while to connect them all.
    stage.service.gateway.limits.idle_timeout = Duration::from_mins(30);
    stage.release(&Stage::spec("blue")).await.unwrap();
    let [gateway] = stage.gateways()[..] else { panic!() };
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{gateway}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
    };
    let before = resident();
    let mut silent = Vec::new();
    for number in 0..crowd {
        let from = [127, 0, 0, 2 + u8::try_from(number % 8).unwrap()];
        silent.push(connect_from(from, stage.address()).await);
    }
    stage.wait_metric("trainyard_gateway_connections", crowd as u64).await;
    let idle = resident();
    // A tenth of them begins a head and does not end it.
    for stream in silent.iter_mut().step_by(10) {
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: ").await.unwrap();
    }
    for _ in 0..50 {
        let mut stream = connect_from([127, 0, 0, 40], stage.address()).await;
        assert_eq!(ask_on(&mut stream, "/health").await, Some(200));
        assert_eq!(ask_on(&mut stream, "/slow?1").await, Some(200));
    }
    let after = resident();
    println!(
        "{crowd} silent connections: {before} -> {idle} kB; a tenth with half a head: {after} kB"
    );
    assert!(idle.saturating_sub(before) < 6 * crowd, "{before} -> {idle} kB for {crowd}");
    assert!(after.saturating_sub(before) < 12 * crowd, "{before} -> {after} kB for {crowd}");
}
