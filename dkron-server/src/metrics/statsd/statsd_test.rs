//! The feed against real sockets of this machine.

use std::time::Duration;

use dkron_core::{Cluster, Config, JobBuilder, Timestamp};

use super::lines::DATAGRAM_BYTES_MAX;
use super::*;

/// The longest wait for a datagram.
const BOUND: Duration = Duration::from_secs(20);

async fn node(name: &str) -> Cluster {
    let cluster = Cluster::start(Config::new(name).in_memory().job_metrics(true)).await.unwrap();
    cluster.handle("good", async |_| Ok(String::new())).unwrap();
    let job = JobBuilder::new("good").schedule("@manually").build().unwrap();
    cluster.set_job(job).await.unwrap();
    cluster
}

async fn run(cluster: &Cluster) {
    cluster.run("good").await.unwrap().wait().await.unwrap();
}

async fn listen() -> (UdpSocket, (String, u16)) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, ("127.0.0.1".to_owned(), port))
}

/// Receives lines until one begins as the last one of a flush does.
async fn lines(socket: &UdpSocket) -> Vec<String> {
    let mut lines = Vec::new();
    let mut buffer = [0; 1 << 16];
    loop {
        let received = tokio::time::timeout(BOUND, socket.recv(&mut buffer)).await;
        let bytes = received.expect("a datagram").unwrap();
        assert!(bytes <= DATAGRAM_BYTES_MAX, "{bytes}");
        lines.extend(std::str::from_utf8(&buffer[..bytes]).unwrap().lines().map(str::to_owned));
        let last = "dkron.process.start_time_seconds:";
        if lines.last().is_some_and(|line| line.starts_with(last)) {
            return lines;
        }
    }
}

#[tokio::test]
async fn collectors_are_told_what_is_new_each_in_its_dialect() {
    let cluster = node("statsd").await;
    let (plain, plain_address) = listen().await;
    let (dog, dog_address) = listen().await;
    let collectors = vec![
        Collector::statsd(plain_address),
        Collector::dog_statsd(dog_address, &["env:test".to_owned()]),
    ];
    let monitor = Monitor::new(cluster.clone(), Timestamp::UNIX_EPOCH);
    let mut feed = Feed::new(monitor, collectors);
    run(&cluster).await;
    run(&cluster).await;
    feed.flush().await;
    let (first, first_dog) = (lines(&plain).await, lines(&dog).await);
    run(&cluster).await;
    feed.flush().await;
    let (second, second_dog) = (lines(&plain).await, lines(&dog).await);

    let check = |lines: &[String], line: &str| {
        assert!(lines.iter().any(|found| found == line), "{line} in {lines:#?}");
    };
    check(&first, "dkron.executions_ended_total.succeeded:2|c");
    check(&second, "dkron.executions_ended_total.succeeded:1|c");
    check(&second, "dkron.jobs:1|g");
    check(&second, "dkron.run_seconds.count:1|c");
    check(&first_dog, "dkron.job_executions_succeeded_total:2|c|#job_name:good,env:test");
    check(&second_dog, "dkron.executions_ended_total:1|c|#state:succeeded,env:test");
    // What has not changed is not told again, and a job has no name of its own in statsd.
    let has = |lines: &[String], begin: &str| lines.iter().any(|line| line.starts_with(begin));
    assert!(!has(&second, "dkron.scheduler_start"), "{second:#?}");
    assert!(!has(&first, "dkron.job_executions"), "{first:#?}");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_cannot_be_reached_keeps_nobody_from_being_told() {
    let cluster = node("statsd-nobody").await;
    let (socket, address) = listen().await;
    // Nobody listens on the one, and there is no such host as the other.
    let (gone, gone_address) = listen().await;
    drop(gone);
    let unknown = ("dkron.invalid".to_owned(), 8125);
    let collectors = vec![
        Collector::statsd(unknown),
        Collector::statsd(gone_address),
        Collector::statsd(address),
    ];
    let mut feed = Feed::new(Monitor::new(cluster.clone(), Timestamp::UNIX_EPOCH), collectors);
    for _ in 0..2 {
        feed.flush().await;
        assert!(!lines(&socket).await.is_empty());
    }
    assert!(!feed.collectors[0].is_reached);
    run(&cluster).await;
    cluster.shutdown().await.unwrap();
    // A node that has stopped has no figures; those of the process are still told.
    feed.flush().await;
    assert!(lines(&socket).await.contains(&"dkron.healthy:0|g".to_owned()));
}
