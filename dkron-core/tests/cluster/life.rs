//! Start, shutdown, restart: what is kept, what is refused, what ends.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dkron_core::{Cluster, ErrorKind, ExecutionState};

use crate::support::{
    BOUND, Halt, by_hand, claimed, config, event, every_second, finished, in_memory, output, run,
    set, within,
};

#[tokio::test]
async fn all_faults_of_a_configuration_are_reported_at_once() {
    let wrong = config("").server_timezone("Mars/Phobos").worker_threads(0).in_memory();

    let refused = Cluster::start(wrong).await.err().unwrap();

    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    for word in ["node_name", "server_timezone", "Mars/Phobos", "worker_threads"] {
        assert!(refused.message().contains(word), "{word} in {}", refused.report());
    }
}

#[tokio::test]
async fn a_second_start_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let first = Cluster::start(config("again").data_dir(folder.path())).await.unwrap();
    first.handle("kept", async |_| Ok("remember me".to_owned())).unwrap();
    set(&first, by_hand("kept").metadata("a", "b")).await;
    let execution = run(&first, "kept").await.remove(0);
    let before = first.job("kept").unwrap();
    first.shutdown().await.unwrap();

    let second = Cluster::start(config("again").data_dir(folder.path())).await.unwrap();

    assert_eq!(second.job("kept").unwrap(), before);
    let kept = second.executions("kept", 10).unwrap();
    assert_eq!(kept, std::slice::from_ref(&execution));
    assert_eq!(output(&second, &execution), "remember me");
    second.handle("kept", async |_| Ok(String::new())).unwrap();
    let next = run(&second, "kept").await.remove(0);
    assert!(next.token > execution.token, "the fencing token grows over a restart");
    assert_ne!(next.instance, execution.instance);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_data_directory_has_one_node_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Cluster::start(config("only").data_dir(folder.path())).await.unwrap();

    let refused = Cluster::start(config("only").data_dir(folder.path())).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{}", refused.report());
    set(&first, by_hand("still-works")).await;

    first.shutdown().await.unwrap();
    let other = Cluster::start(config("other").data_dir(folder.path())).await.err().unwrap();
    assert_eq!(other.kind(), ErrorKind::InvalidArgument, "another's data: {}", other.report());
    let second = Cluster::start(config("only").data_dir(folder.path())).await.unwrap();
    assert!(second.job("still-works").unwrap().is_some());
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_waits_for_a_running_handler_and_keeps_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || config("patient").data_dir(folder.path()).shutdown_timeout(BOUND);
    let cluster = Cluster::start(settings()).await.unwrap();
    let halt = Halt::default();
    let inner = halt.clone();
    cluster
        .handle("long", move |_| {
            let halt = inner.clone();
            async move {
                halt.here().await;
                Ok("in the end".to_owned())
            }
        })
        .unwrap();
    set(&cluster, by_hand("long")).await;
    let id = cluster.run("long").await.unwrap().receipt().executions[0].clone();
    halt.reached().await;

    let stopping = tokio::spawn({
        let cluster = cluster.clone();
        async move { cluster.shutdown().await }
    });
    halt.release();
    within("the shutdown", stopping).await.unwrap().unwrap();
    let again = Cluster::start(settings()).await.unwrap();

    let execution = again.execution("long", &id).unwrap().unwrap();
    assert_eq!(execution.state, ExecutionState::Succeeded);
    assert_eq!(output(&again, &execution), "in the end");
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_is_bounded_and_ends_handlers_that_comply() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        || config("brisk").data_dir(folder.path()).shutdown_timeout(Duration::from_millis(100));
    let cluster = Cluster::start(settings()).await.unwrap();
    cluster
        .handle("endless", async |context| {
            context.cancelled().await;
            Err("interrupted".to_owned())
        })
        .unwrap();
    set(&cluster, by_hand("endless")).await;
    let id = cluster.run("endless").await.unwrap().receipt().executions[0].clone();

    let begun = Instant::now();
    within("the shutdown", cluster.shutdown()).await.unwrap();
    let took = begun.elapsed();
    let again = Cluster::start(settings()).await.unwrap();

    assert!(took < Duration::from_secs(8), "{took:?}");
    let execution = again.execution("endless", &id).unwrap().unwrap();
    assert!(execution.state.is_final(), "{:?}", execution.state);
    assert_eq!(execution.state, ExecutionState::Lost, "nobody asked for its end");
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_is_bounded_even_if_a_handler_never_ends() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        || config("stuck").data_dir(folder.path()).shutdown_timeout(Duration::from_millis(100));
    let cluster = Cluster::start(settings()).await.unwrap();
    cluster.handle("deaf", async |_| std::future::pending().await).unwrap();
    set(&cluster, by_hand("deaf")).await;
    let id = cluster.run("deaf").await.unwrap().receipt().executions[0].clone();

    let begun = Instant::now();
    within("the shutdown", cluster.shutdown()).await.unwrap();
    let took = begun.elapsed();
    let again = Cluster::start(settings()).await.unwrap();
    let mut events = again.events().unwrap();
    let mut execution = again.execution("deaf", &id).unwrap().unwrap();
    if !execution.state.is_final() {
        execution = finished(&mut events, "deaf").await;
    }

    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_ne!(execution.state, ExecutionState::Succeeded);
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn handlers_that_block_every_thread_hold_up_neither_calls_nor_a_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let settings = config("blocked").data_dir(folder.path()).worker_threads(2);
    let settings = settings.shutdown_timeout(Duration::from_millis(100));
    let cluster = Cluster::start(settings).await.unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    cluster
        .handle("blocks", move |_| {
            let (held, begun) = (Arc::clone(&held), begun.clone());
            async move {
                begun.send(()).unwrap();
                // Against what is asked of an async handler: it keeps its thread.
                let _ = held.lock().unwrap().recv();
                Ok(String::new())
            }
        })
        .unwrap();
    set(&cluster, by_hand("blocks")).await;
    let run = cluster.run("blocks").await.unwrap();
    let _other = cluster.run("blocks").await.unwrap();
    for _ in 0..2 {
        within("a run that begins", begins.recv()).await.unwrap();
    }

    within("a write", async { set(&cluster, by_hand("another")).await }).await;
    let id = &run.receipt().executions[0];
    let limit = Duration::from_millis(100);
    let cancelled = within("a limit", cluster.cancel("blocks", id, limit)).await;
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    let _ = within("the shutdown", cluster.shutdown()).await;
    drop(release);
}

#[tokio::test]
async fn calls_that_wait_for_what_never_ends_do_not_keep_a_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        || config("calls").data_dir(folder.path()).shutdown_timeout(Duration::from_millis(100));
    let cluster = Cluster::start(settings()).await.unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    cluster
        .handle_blocking("deaf", move |_| {
            let _ = held.lock().unwrap().recv();
            Ok(String::new())
        })
        .unwrap();
    set(&cluster, by_hand("deaf")).await;
    let run = cluster.run("deaf").await.unwrap();
    let mut events = cluster.events().unwrap();
    let cancelling = tokio::spawn({
        let (cluster, id) = (cluster.clone(), run.receipt().executions[0].clone());
        async move { cluster.cancel("deaf", &id, Duration::from_secs(3_600)).await }
    });
    event("the request", &mut events, |event| {
        matches!(event, dkron_core::Event::CancelRequested(_)).then_some(())
    })
    .await;

    within("the shutdown", cluster.shutdown()).await.unwrap();

    let cancelled = within("the end of the cancel", cancelling).await.unwrap();
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Stopped);
    let waited = within("the end of the wait", run.wait()).await;
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Stopped);
    let again = Cluster::start(settings()).await.expect("the data directory is free");
    again.shutdown().await.unwrap();
    drop(release);
}

#[tokio::test]
async fn after_a_shutdown_every_call_says_so() {
    let cluster = in_memory("over").await;
    let other = cluster.clone();
    cluster.shutdown().await.unwrap();
    cluster.shutdown().await.expect("a second shutdown waits for the same end");

    let job = by_hand("late").build().unwrap();
    assert_eq!(other.set_job(job).await.err().unwrap().kind(), ErrorKind::Stopped);
    assert_eq!(other.job("late").err().unwrap().kind(), ErrorKind::Stopped);
    assert_eq!(other.events().err().unwrap().kind(), ErrorKind::Stopped);
    assert!(!other.health().is_ready());
    assert_eq!(other.leader(), None);
}

#[tokio::test]
async fn dropping_the_last_handle_frees_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(config("dropped").data_dir(folder.path())).await.unwrap();
    cluster.handle("tick", async |_| Ok(String::new())).unwrap();
    set(&cluster, every_second("tick")).await;
    let mut events = cluster.events().unwrap();
    let last = claimed(&mut events, "tick").await;

    drop(cluster);
    within("the end of the events", async { while events.next().await.is_some() {} }).await;
    let again = within("the data directory", async {
        loop {
            match Cluster::start(config("dropped").data_dir(folder.path())).await {
                Ok(cluster) => return cluster,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.report()),
            }
        }
    })
    .await;

    assert!(again.executions("tick", 10).unwrap().iter().any(|known| known.id == last.id));
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_nodes_live_in_one_process() {
    let mut nodes = Vec::new();
    for number in 0..8 {
        let cluster = in_memory(&format!("many-{number}")).await;
        cluster.handle("who", move |_| async move { Ok(format!("node {number}")) }).unwrap();
        set(&cluster, by_hand("who")).await;
        nodes.push(cluster);
    }

    for (number, cluster) in nodes.iter().enumerate() {
        let execution = run(cluster, "who").await.remove(0);
        assert_eq!(output(cluster, &execution), format!("node {number}"));
        assert_eq!(execution.id.node.as_str(), format!("many-{number}"));
    }

    for cluster in nodes {
        cluster.shutdown().await.unwrap();
    }
}

#[test]
fn a_node_needs_no_runtime_of_the_program() {
    let cluster = Cluster::start_blocking(config("plain").in_memory()).unwrap();
    cluster.handle_blocking("plain", |_| Ok("no runtime here".to_owned())).unwrap();

    // Any executor will do: this one is ten lines.
    let executions = block_on(async {
        cluster.set_job(by_hand("plain").build().unwrap()).await.unwrap();
        cluster.run("plain").await.unwrap().wait().await.unwrap()
    });

    assert_eq!(output(&cluster, &executions[0]), "no runtime here");
    cluster.shutdown_blocking().unwrap();
}

#[test]
fn a_node_outlives_the_runtime_it_was_started_on() {
    let short = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cluster = short.block_on(Cluster::start(config("survivor").in_memory())).unwrap();
    drop(short);

    let executions = block_on(async {
        cluster.handle("still", async |_| Ok("here".to_owned())).unwrap();
        cluster.set_job(by_hand("still").build().unwrap()).await.unwrap();
        cluster.run("still").await.unwrap().wait().await.unwrap()
    });

    assert_eq!(output(&cluster, &executions[0]), "here");
    cluster.shutdown_blocking().unwrap();
}

#[test]
fn a_node_may_be_started_and_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        // Dropping what owns a runtime panics on a runtime's thread; the node must not.
        drop(Cluster::start(config("inside").in_memory()).await.unwrap());
        let blocking = Cluster::start_blocking(config("inside-blocking").in_memory()).unwrap();
        drop(blocking);
    });
}

#[tokio::test]
async fn a_handler_may_use_the_node_it_runs_on() {
    let cluster = in_memory("inner").await;
    let inner = cluster.clone();
    cluster
        .handle("outer", move |_| {
            let cluster = inner.clone();
            async move {
                let job = by_hand("made-inside").build().map_err(|error| error.report())?;
                cluster.set_job(job).await.map_err(|error| error.report())?;
                Ok(String::new())
            }
        })
        .unwrap();
    set(&cluster, by_hand("outer")).await;
    let mut events = cluster.events().unwrap();

    let execution = run(&cluster, "outer").await.remove(0);

    assert_eq!(execution.state, ExecutionState::Succeeded);
    assert!(cluster.job("made-inside").unwrap().is_some());
    event("the claim", &mut events, |_| Some(())).await;
    cluster.shutdown().await.unwrap();
}

/// Drives a future on this thread without any runtime.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut work = std::pin::pin!(work);
    let begun = Instant::now();
    loop {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
        assert!(begun.elapsed() < BOUND, "waited {BOUND:?} in vain");
        std::thread::park_timeout(BOUND);
    }
}
