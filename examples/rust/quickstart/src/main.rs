//! A scheduler inside a program: declare a job, run it, look at what became of it.
//!
//! `cargo run -p dkron-example-quickstart`

use anyhow::{Context, Result};
use dkron_core::{Cluster, Config, JobBuilder};

#[tokio::main]
async fn main() -> Result<()> {
    // A real program keeps this directory: jobs, history and what is due outlive a restart.
    let data = tempfile::tempdir()?;
    let cluster = Cluster::start(Config::new("quickstart").data_dir(data.path())).await?;

    // A function of this program. What it returns is kept as the output of the execution.
    cluster.handle("greet", async |context| {
        context.progress(0.5, "looking for the right words");
        let (due, attempt) = (context.fire_time(), context.attempt());
        Ok(format!("hello: due at {due}, attempt {attempt}"))
    })?;

    // Declaring the same again changes nothing, so every start of the program may do it.
    let greet = JobBuilder::new("greet").schedule("*/2 * * * * *").retries(3).build()?;
    let applied = cluster.apply("quickstart", [greet], true).await?;
    println!("declared: {} new, {} unchanged", applied.created, applied.unchanged);

    // Once by hand, beside the schedule, and wait for the end.
    let run = cluster.run("greet").await?;
    let execution = run.wait().await?.pop().context("the execution of this run")?;
    println!("by hand: {} {:?}", execution.id, execution.state);

    // And once by the schedule: whatever becomes part of the state is an event.
    let mut events = cluster.events()?;
    while let Some(news) = events.next().await {
        let dkron_core::News::Event(event) = news else { continue };
        if let dkron_core::Event::Finished { execution, .. } = &*event {
            println!("by schedule: {} {:?}", execution.id, execution.state);
            break;
        }
    }

    println!("history, newest first:");
    for execution in cluster.executions("greet", 10)? {
        let output = cluster.output("greet", &execution.id)?.context("its output")?;
        println!("  {}  {}", execution.id, String::from_utf8_lossy(&output.bytes));
    }
    let job = cluster.job("greet")?.context("the job")?;
    println!("succeeded {} times, due next at {:?}", job.status.success_count, job.status.next);

    // Waits for what is running, and hands its results in.
    cluster.shutdown().await?;
    Ok(())
}
