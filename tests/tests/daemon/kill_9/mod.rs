//! kill -9 in the middle of running and due jobs, again and again.
//!
//! *Goal*: no fire is lost, none is doubled, `forbid` means forbid, and what was acknowledged is
//! there, whatever moment the process dies at.
//!
//! *Method*: two hundred jobs write to a ledger of their own when they start and end. A writer
//! creates, replaces, toggles and deletes further jobs all the time and keeps what was
//! acknowledged. The daemon is killed twenty times at random moments and started again on the same
//! data. Then all jobs are disabled, the daemon ends in good order, and the test opens the data
//! directory itself and holds the history against the schedules, the ledger and the writer's list.

mod audit;
mod jobs;
mod writer;

use std::time::Duration;

use dkron_core::{Cluster, Config};
use dkron_e2e::daemon::Daemon;
use dkron_e2e::ledger::Ledger;
use dkron_e2e::seed::Seed;
use dkron_e2e::wait::{let_pass, wait_until};

use audit::Audit;
use writer::Writer;

const KILLS: usize = 20;

/// Between two kills: shorter than the longest run, so that each finds some running.
const LIFE: std::ops::Range<Duration> = Duration::from_millis(300)..Duration::from_millis(2_500);

const END_BOUND: Duration = Duration::from_secs(30);

#[test]
fn nothing_is_lost_and_nothing_runs_twice() {
    let mut seed = Seed::announce("kill_9");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ledger = Ledger::new(&folder.path().join("ledger"));
    let mut daemon = Daemon::start(&data);
    let jobs = jobs::create(&mut daemon.http(), &ledger, &mut seed);
    let writer = Writer::start(daemon.address());

    for kill in 1..=KILLS {
        let_pass(seed.span(LIFE));
        let survivors = daemon.kill_9();
        daemon = Daemon::start(&data);
        writer.use_address(daemon.address());
        wait_until("the end of what the dead daemon left", END_BOUND, || {
            survivors.list().is_empty()
        });
        println!("kill {kill}: {} lines in the ledger", ledger.read().len());
    }
    let lines_at_last_start = ledger.read().len();
    // The slowest schedule comes round twice: every job has shown that it goes on.
    let_pass(jobs::PERIOD_MAX * 2);

    let acknowledged = writer.stop();
    let closed = jobs::disable(&mut daemon.http(), &jobs);
    let mut http = daemon.http();
    wait_until("the end of all runs", END_BOUND, || http.get("/v1/busy").unwrap().text() == "[]");
    let ended = daemon.terminate(END_BOUND);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);

    let cluster = Cluster::start_blocking(Config::new("e2e").data_dir(&data)).unwrap();
    let audit = Audit::new(&cluster, ledger.read(), lines_at_last_start);
    for (job, closed_at) in jobs.iter().zip(&closed) {
        audit.check_job(job, *closed_at);
    }
    audit.check_children(&jobs, &closed);
    audit.check_ledger(&jobs);
    acknowledged.check(&cluster);
    audit.report();
    cluster.shutdown_blocking().unwrap();
}
