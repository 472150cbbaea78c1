//! Every limit of the system: its value, its unit and its reason.
//!
//! Reaching a limit is a delay, or an error the caller sees; never a silent drop. The error is
//! [`ErrorKind::InvalidArgument`] if the request itself is too large, so that it will be refused
//! whenever it is sent, and [`ErrorKind::LimitExceeded`] if there is too much of something at
//! present, so that it may be sent again later.
//!
//! [`ErrorKind::LimitExceeded`]: crate::ErrorKind::LimitExceeded
//! [`ErrorKind::InvalidArgument`]: crate::ErrorKind::InvalidArgument

use std::time::Duration;

/// Longest job name, in bytes.
///
/// An LMDB key holds at most 511 bytes; the longest key of ours is two job names and a separator.
pub const JOB_NAME_BYTES_MAX: usize = 255;

/// Longest node name, in bytes; a key holds it beside a job name and two instants.
pub const NODE_NAME_BYTES_MAX: usize = 200;

/// Longest tag of a program that declares jobs, in bytes; see [`JOB_NAME_BYTES_MAX`].
pub const DECLARED_BY_BYTES_MAX: usize = 255;

/// Output kept per execution, in bytes: the last so many (Dkron's figure).
pub const OUTPUT_BYTES_MAX: usize = 256_000;

/// Bytes of live output handed to a follower at once.
pub const OUTPUT_CHUNK_BYTES_MAX: usize = 1 << 16;

/// Error text kept in front of an output, in bytes, so that the output keeps most of its room.
pub const ERROR_TEXT_BYTES_MAX: usize = 1 << 14;

/// The word a run says about its progress, in bytes.
pub const PROGRESS_NOTE_BYTES_MAX: usize = 1 << 10;

/// How long a run that was asked to end may take before it is killed.
pub const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// How long runs that are asked to end at once have for it, before their processes are killed.
pub const RUSH_GRACE: Duration = Duration::from_millis(500);

/// How long it takes at most to end all runs at once, [`RUSH_GRACE`] included.
pub const RUSH_WAIT_MAX: Duration = Duration::from_secs(2);

/// How often the processes of a run are looked at, where something depends on it: the memory they
/// hold, or whether any is left. A look costs a few microseconds per process of the machine.
pub const PROCESS_LOOK_PERIOD: Duration = Duration::from_millis(250);

/// Calls of blocking handlers that wait for a thread; further runs wait for a place among them.
pub const HANDLER_QUEUE_MAX: usize = 4_096;

/// Executions that are claimed and have not ended, in the whole cluster, about. Above it no more
/// are claimed: what is due stays due and starts later, and a run by hand is refused.
pub const RUNS_MAX: usize = 1 << 16;

/// Commands of `shell` jobs that run at once on a node, unless its configuration says otherwise or
/// the files that the process may open suffice for fewer (56 if it may open 1,024); further ones
/// wait for a place.
pub const SHELL_RUNS_DEFAULT: usize = 1_024;

/// Requests of `http` jobs that go on at once on a node, unless the files that the process may open
/// suffice for fewer (74 if it may open 1,024); further ones wait for a place.
pub const HTTP_RUNS_MAX: usize = 4_096;

/// Redirects that an HTTP job follows (Dkron's figure).
pub const HTTP_REDIRECTS_MAX: usize = 10;

/// Sets of TLS settings of HTTP jobs kept ready at a time; more are made ready anew.
pub const TLS_CONFIGS_MAX: usize = 100;

/// Executions kept per job unless its retention says otherwise (Dkron's figure).
pub const EXECUTIONS_PER_JOB_DEFAULT: u32 = 100;

/// Executions that one end of an execution may remove under its job's retention, so that a lowered
/// retention does not hold up the log; the rest goes with the ends that follow.
pub const RETENTION_REMOVALS_MAX: u32 = 256;

/// Executions and skips that one command removes of a history that goes as a whole: that of a job
/// that was deleted, or whose history was. A million of them would hold up every fire and write
/// behind them; the rest goes with commands that follow.
pub const HISTORY_REMOVALS_MAX: u32 = 256;

/// Skipped fires kept per job, newest first; a row of consecutive fires with one reason counts as
/// one.
pub const SKIPS_PER_JOB_MAX: u32 = 100;

/// Largest stored job, in bytes of its encoding.
pub const JOB_BYTES_MAX: usize = 1 << 20;

/// Jobs that a program declares at once, and may have declared under one tag if it wants those it
/// does not declare any more to be pruned: all or nothing is one transaction, and nothing else is
/// committed while it is made. More are declared in parts, each under a tag of its own.
pub const DECLARED_JOBS_MAX: usize = 20_000;

/// Bytes of the jobs that a program declares at once, about; as [`DECLARED_JOBS_MAX`].
pub const DECLARED_BYTES_MAX: usize = 32 << 20;

/// Longest text of a definition, in bytes: a display name, a tag, the key of a setting. Values of
/// settings and of metadata are bounded by [`JOB_BYTES_MAX`] alone. Dkron has no limit, and display
/// names of a hundred kilobytes are known to pass.
pub const JOB_TEXT_BYTES_MAX: usize = 1 << 17;

/// Entries in each map of a definition: tags, metadata, settings, processors.
pub const JOB_MAP_ENTRIES_MAX: usize = 1_024;

/// Further attempts after the first: what Dkron's clients hold in 32 bits.
pub const RETRIES_MAX: u32 = i32::MAX as u32;

/// Executions that a job's retention may keep.
pub const EXECUTIONS_PER_JOB_MAX: u32 = 1_000_000;

/// Longest span in a job's policies: ten years.
pub const POLICY_SPAN_MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// Commands in one log entry. Bounds the time an apply holds the state's write transaction.
pub const COMMANDS_PER_ENTRY_MAX: usize = 4_096;

/// Bytes of the commands in one log entry, so that an entry is sent and synced in milliseconds.
///
/// One command may be larger (a job of [`JOB_BYTES_MAX`], an output of [`OUTPUT_BYTES_MAX`]); it
/// then travels alone.
pub const ENTRY_BYTES_MAX: usize = 4 << 20;

/// Request ids remembered to recognise a command sent twice.
pub const REQUEST_IDS_MAX: usize = 4_096;

/// Ancestors of a job in its tree of parents; deeper trees are refused.
pub const PARENT_DEPTH_MAX: usize = 64;

/// A fire missed while nobody scheduled still starts, whatever the catch-up policy, if it is the
/// newest of its job and no later than this: the time a restart or a change of leader takes.
pub const LATE_START_MAX: Duration = Duration::from_secs(10);

/// Most fires that `catch_up: all` may start.
pub const CATCH_UP_FIRES_MAX: u32 = 1_000;

/// Missed fires counted one by one; a longer row of them is recorded with this count as a lower
/// bound, so that coming back after a year costs no more than after an hour.
pub const CATCH_UP_COUNT_MAX: u32 = 1_000;

/// Fires decided in one round of planning, so that a round stays within milliseconds.
pub const FIRES_PER_ROUND_MAX: usize = 8_192;

/// Longest schedule expression, in bytes: several times what it takes to list every value of every
/// field.
pub const SCHEDULE_BYTES_MAX: usize = 4_096;

/// Free space below which new proposals are refused, in bytes, so that what was accepted before
/// still fits.
pub const DISK_RESERVE_BYTES: u64 = 8 << 20;

/// The part of a small disk that is its reserve, if that is less than [`DISK_RESERVE_BYTES`]: one
/// in so many bytes.
pub const DISK_RESERVE_DIVISOR: u64 = 16;

/// Fire times that an explanation of a schedule lists at most.
pub const EXPLAINED_FIRES_MAX: usize = 1_000;

/// Questions put to schedules in one round of planning merely to count what was missed. When they
/// are used up, the counts of further jobs are lower bounds: counting must not keep what is due.
pub const CATCH_UP_COUNT_PER_ROUND_MAX: u32 = 1 << 18;

/// Rows of the due table passed over in one look at it: because their decision is put off, or,
/// while the clock is behind, because they are not due by what it shows.
pub const DUE_ROWS_WALKED_MAX: usize = 1 << 16;

/// How long after a leader took office, or after a gap of its watch, a fire waits for a node that
/// can run it: nodes come back one by one when a whole cluster starts.
pub const NODES_RETURN_MAX: Duration = Duration::from_secs(10);

/// How long a further attempt waits for the node of the last one, or another one that can run it:
/// the time a node takes to restart.
pub const RETRY_NODE_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a job whose stored schedule the leader does not understand rests before it is looked at
/// again: a change of leader looks at once, and a database of zones may be mended meanwhile.
pub const SCHEDULE_RETRY_PERIOD: Duration = Duration::from_secs(3_600);

/// Parsed schedules kept by a node; a hundred bytes each, and as much for the key.
pub const SCHEDULES_CACHED_MAX: usize = 1 << 15;

/// A step of the engine that comes this much later than it was asked for means that nobody watched:
/// the clock was put forward, or the process stood still.
pub const CLOCK_JUMP_MIN: Duration = Duration::from_secs(5);

/// How long before its instant a fire is decided: at least. Now and then a disk takes many times as
/// long for a commit as it does as a rule.
pub const LOOK_AHEAD_MIN: Duration = Duration::from_millis(20);

/// How long before its instant a fire is decided: at most, when commits are slow or many fires fall
/// on one instant.
pub const LOOK_AHEAD_MAX: Duration = Duration::from_secs(1);

/// How long before its instant a claim is handed to its node: at most. The node waits for the
/// instant; a job that is changed later than this before a fire still fires by its old definition.
pub const START_AHEAD_MAX: Duration = Duration::from_millis(1);

/// Longest time after which the engine of a leader wants to look again, whatever is due.
pub const WAKE_UP_MAX: Duration = Duration::from_secs(3_600);

/// Bytes of commands that wait for the log or are under way, about. More are refused: a client that
/// is told to slow down is better off than one that waits in a row without end.
pub const PROPOSAL_BYTES_QUEUED_MAX: usize = 64 << 20;

/// Bytes of jobs that a restore has on their way to the log. A quarter of
/// [`PROPOSAL_BYTES_QUEUED_MAX`]: several entries are filled at a time, and others still get
/// through.
pub const RESTORE_BYTES_IN_FLIGHT_MAX: usize = 16 << 20;

/// Restores that go on at a time on a node. Each holds the names of its jobs in memory.
pub const RESTORES_MAX: usize = 2;

/// Long lists that are shown at a time on a node in another order than that of the store. Each
/// holds what it is sorted by, 64 bytes of each execution, until its client has taken it; more are
/// refused.
pub const SORTED_LISTS_MAX: usize = 4;

/// Entries up to which a list in another order than that of the store is none of
/// [`SORTED_LISTS_MAX`].
pub const SORTED_LIST_ENTRIES_FREE: usize = 1_000;

/// Jobs in one file of a restore. Their names are held in memory while it goes on.
pub const RESTORE_JOBS_MAX: usize = 1_000_000;

/// Bytes of one file of a restore, which the data directory holds while it goes on: a million jobs
/// of four kilobytes. Less if the disk would be left with no more than twice its reserve
/// ([`DISK_RESERVE_BYTES`]).
pub const RESTORE_FILE_BYTES_MAX: u64 = 4 << 30;

/// How often a restore tries to write a job while the log is overloaded: with the waits between, a
/// minute.
pub const RESTORE_TRIES_MAX: u32 = 32;

/// Jobs, or executions, that one page of a list looks at where few of them match: a view of the
/// state is open that long. The page says where to go on.
pub const LIST_ROWS_PER_PAGE_MAX: usize = 1 << 14;

/// Jobs whose executions a node counts one by one, where its configuration asks for that; those of
/// further ones are counted together. Each job is two lines of what a monitor stores.
pub const METRIC_JOBS_MAX: usize = 10_000;

/// Events that a follower may lag behind before it loses the oldest; it is told how many.
pub const EVENTS_BEHIND_MAX: usize = 4_096;

/// Largest body of a job that the HTTP API takes, in bytes: a job of [`JOB_BYTES_MAX`], escaped.
pub const HTTP_JOB_BODY_BYTES_MAX: usize = 4 << 20;

/// Bytes of bodies of jobs that the HTTP API holds at a time, for all connections together, until
/// the jobs are written; beside them the first [`HTTP_BODY_BYTES_FREE`] of each. Who sends more
/// than there is room for is told to try again.
pub const HTTP_BODY_BYTES_HELD_MAX: usize = 64 << 20;

/// Bytes of a body of a job that the HTTP API always takes: most jobs are shorter. Of
/// [`HTTP_CONNECTIONS_MAX`] connections 64 MiB.
pub const HTTP_BODY_BYTES_FREE: usize = 4 << 10;

/// Connections that the HTTP API holds at a time, unless the files that the process may open
/// suffice for fewer (224 if it may open 1,024); further ones wait.
pub const HTTP_CONNECTIONS_MAX: usize = 16_384;

/// Clients of the HTTP API that follow the outputs of running executions at a time, and at most one
/// in four of all connections; more are refused.
pub const OUTPUT_FOLLOWERS_MAX: usize = 1_024;

/// Clients of the HTTP API that listen to events at a time, and at most one in two of all
/// connections; more are refused.
pub const EVENT_LISTENERS_MAX: usize = 2_048;

/// Bytes of the newest events that the HTTP API keeps for those who come back or are slow, about;
/// who wants older ones is told that they are missing.
pub const EVENTS_KEPT_BYTES_MAX: usize = 16 << 20;

/// Running executions whose outputs are told as events; of those beyond, only starts and ends are.
pub const EVENT_OUTPUTS_MAX: usize = 1_024;

/// Bytes of output in one event: the end of what an execution has written since the one before.
/// The event says how many bytes are missing before it.
pub const EVENT_OUTPUT_BYTES_MAX: usize = 16 << 10;

/// Files that a daemon lets itself open, where its hard limit permits more: what Linux permits a
/// process unless it is told otherwise.
pub const OPEN_FILES_MAX: u64 = 1 << 20;

/// How long the HTTP API waits for the head of a request, also on a connection that is kept open
/// after an answer.
pub const HTTP_HEAD_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long the HTTP API waits for the next bytes of a body.
pub const HTTP_BODY_WAIT_MAX: Duration = Duration::from_secs(60);

/// Bytes of a body that the HTTP API still receives, and throws away, after it has answered the
/// request: many clients send all of it before they look for an answer.
pub const HTTP_UNREAD_BYTES_MAX: u64 = 64 << 20;

/// How long the HTTP API receives what is left of a body after its answer.
pub const HTTP_UNREAD_TIME_MAX: Duration = Duration::from_secs(60);

/// How long the HTTP API waits for the next bytes of a body after its answer.
pub const HTTP_UNREAD_PAUSE_MAX: Duration = Duration::from_secs(3);

/// How long the HTTP API waits for a client to take the next bytes of an answer. An answer that has
/// nothing to say for longer than that is not cut off.
pub const HTTP_TAKE_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a proposal waits for its answer. It may still take effect later.
pub const PROPOSAL_WAIT_MAX: Duration = Duration::from_secs(10);
