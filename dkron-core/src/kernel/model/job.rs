//! What a user defined.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    CatchUpPolicy, ConcurrencyPolicy, DstPolicy, JobName, LostRunPolicy, PlacementPolicy,
    Retention, RetryBackoff,
};
use crate::kernel::time::Timestamp;

/// A job as its author defined it; what the cluster computes beside it is a
/// [`JobStatus`](super::JobStatus).
///
/// The names of the fields are those of Dkron's API where it has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Unique name.
    pub name: JobName,
    /// For display and search.
    pub displayname: String,
    /// IANA zone of the schedule; `""` = the zone of the server.
    pub timezone: String,
    /// When it fires; empty only if there is a parent.
    pub schedule: String,
    /// What a change of the civil clock does to the schedule.
    pub dst: DstPolicy,
    /// Free text.
    pub owner: String,
    /// Where notifications go.
    pub owner_email: String,
    /// Not scheduled while true.
    pub disabled: bool,
    /// Node selection: tag → `value[:count]`.
    pub tags: BTreeMap<String, String>,
    /// On how many of the selected nodes a fire starts.
    pub placement: PlacementPolicy,
    /// Free labels.
    pub metadata: BTreeMap<String, String>,
    /// Further attempts after the first.
    pub retries: u32,
    /// The wait before each of them.
    pub retry_backoff: RetryBackoff,
    /// Runs after this job succeeds; the schedule is then ignored.
    pub parent_job: Option<JobName>,
    /// Result processors: name → configuration.
    pub processors: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether executions may overlap.
    pub concurrency: ConcurrencyPolicy,
    /// Name of the executor; an unknown one fails at run time.
    pub executor: String,
    /// Its configuration.
    pub executor_config: BTreeMap<String, String>,
    /// Deleted after a success.
    pub ephemeral: bool,
    /// Nothing is due before; `None` = no bound.
    pub starts_at: Option<Timestamp>,
    /// Nothing is due after; `None` = no bound.
    pub expires_at: Option<Timestamp>,
    /// What becomes of fires that fell due while nobody scheduled.
    pub catch_up: CatchUpPolicy,
    /// A fire this much later than its instant is skipped; `None` = never too late.
    pub misfire_deadline: Option<Duration>,
    /// What becomes of an attempt whose node died.
    pub lost_run: LostRunPolicy,
    /// An attempt still running after this is ended and has failed; `None` = no limit.
    pub timeout: Option<Duration>,
    /// How much history is kept.
    pub retention: Retention,
    /// Tag of the program that declared the job; `None` for jobs made over the API.
    pub declared_by: Option<String>,
}

impl Job {
    /// Makes a job with every default: allowed to overlap, on every node, no retries.
    pub fn new(name: JobName) -> Self {
        Self {
            name,
            displayname: String::new(),
            timezone: String::new(),
            schedule: String::new(),
            dst: DstPolicy::default(),
            owner: String::new(),
            owner_email: String::new(),
            disabled: false,
            tags: BTreeMap::new(),
            placement: PlacementPolicy::default(),
            metadata: BTreeMap::new(),
            retries: 0,
            retry_backoff: RetryBackoff::default(),
            parent_job: None,
            processors: BTreeMap::new(),
            concurrency: ConcurrencyPolicy::default(),
            executor: String::new(),
            executor_config: BTreeMap::new(),
            ephemeral: false,
            starts_at: None,
            expires_at: None,
            catch_up: CatchUpPolicy::default(),
            misfire_deadline: None,
            lost_run: LostRunPolicy::default(),
            timeout: None,
            retention: Retention::default(),
            declared_by: None,
        }
    }
}
