//! Receiving a backup: every job is read and checked before any is written.

use std::collections::HashMap;
use std::path::Path;

use axum::extract::Multipart;
use axum::extract::multipart::Field;
use axum::http::StatusCode;
use dkron_core::limits::HTTP_BODY_WAIT_MAX;
use dkron_core::{Error, JobName, Zone};

use super::order::Order;
use super::spool::{Extent, Spool, SpoolReader};
use crate::api::job_body::JobBody;
use crate::api::job_check::{CheckedJob, JobRefusal};
use crate::api::write::JOB_BODY_BYTES_MAX;
use crate::go_json::{Elements, ElementsError};

/// Most jobs in one file.
const JOBS_MAX: usize = 1_000_000;

/// Name of the form's field.
const FIELD: &str = "file";

/// A backup whose jobs are right, each by itself and all together.
pub(super) struct Backup {
    /// The jobs, in the order of the file; of jobs with one name the last, at the place of the
    /// first.
    pub(super) entries: Vec<Entry>,
    pub(super) order: Order,
    spool: SpoolReader,
    server_zone: Zone,
}

/// What stays in memory of a job.
pub(super) struct Entry {
    pub(super) name: JobName,
    parent: Option<JobName>,
    extent: Extent,
}

impl Entry {
    /// Returns how many bytes the job takes in the file.
    pub(super) fn bytes(&self) -> usize {
        self.extent.bytes()
    }
}

/// A backup that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: String,
}

impl Refusal {
    fn bad(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }

    fn stalled() -> Self {
        let reason = "the file does not go on".to_owned();
        Self { status: StatusCode::REQUEST_TIMEOUT, reason }
    }

    fn is_stall(&self) -> bool {
        self.status == StatusCode::REQUEST_TIMEOUT
    }

    fn broken_spool(error: &std::io::Error) -> Self {
        let reason = format!("spool the backup: {error}");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, reason }
    }
}

impl Backup {
    /// Takes the first file named `file` of a form; `None` if there is none.
    ///
    /// The rest of the form is read to its end either way, so that the client gets the answer.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for the first job, or the first fault of the file, that is not accepted.
    pub(super) async fn receive(
        mut form: Multipart,
        server_zone: Zone,
        spool_dir: &Path,
    ) -> Result<Option<Self>, Refusal> {
        let mut received = None;
        while let Ok(Ok(Some(mut field))) =
            tokio::time::timeout(HTTP_BODY_WAIT_MAX, form.next_field()).await
        {
            let is_file = field.name() == Some(FIELD)
                && field.file_name().is_some_and(|name| !name.is_empty());
            if is_file && received.is_none() {
                received = Some(Self::read(&mut field, server_zone, spool_dir).await);
            }
            if received.as_ref().is_some_and(|read| read.as_ref().is_err_and(Refusal::is_stall)) {
                break;
            }
            let mut rest = async || tokio::time::timeout(HTTP_BODY_WAIT_MAX, field.chunk()).await;
            while let Ok(Ok(Some(_))) = rest().await {}
        }
        received.transpose()
    }

    async fn read(
        field: &mut Field<'_>,
        server_zone: Zone,
        spool_dir: &Path,
    ) -> Result<Self, Refusal> {
        let mut reader = Reader::new(server_zone, spool_dir)?;
        let mut elements = Elements::new(JOB_BODY_BYTES_MAX);
        loop {
            let chunk = tokio::time::timeout(HTTP_BODY_WAIT_MAX, field.chunk()).await;
            let chunk = chunk.map_err(|_| Refusal::stalled())?;
            match chunk.map_err(|_| Refusal::bad("the file ends in the middle"))? {
                Some(chunk) => {
                    elements.push(&chunk, |job| reader.take(job)).map_err(refusal)?;
                }
                None => break,
            }
        }
        elements.finish().map_err(refusal)?;
        reader.finish()
    }

    /// Returns a job of the backup.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](dkron_core::ErrorKind::Storage) if the spool cannot be read.
    pub(super) fn job(&self, entry: &Entry) -> Result<CheckedJob, Error> {
        let broken = |text: String| {
            let message = format!("read job \"{}\" of the backup: {text}", entry.name);
            Error::new(dkron_core::ErrorKind::Storage, message)
        };
        let bytes = self.spool.read(entry.extent).map_err(|error| broken(error.to_string()))?;
        check(&bytes, self.server_zone).map_err(|refusal| broken(refusal.reason))
    }
}

/// Collects the jobs of a file.
struct Reader {
    entries: Vec<Entry>,
    places: HashMap<JobName, usize>,
    spool: Spool,
    server_zone: Zone,
}

impl Reader {
    fn new(server_zone: Zone, spool_dir: &Path) -> Result<Self, Refusal> {
        let spool = Spool::create(spool_dir).map_err(|error| Refusal::broken_spool(&error))?;
        Ok(Self { entries: Vec::new(), places: HashMap::new(), spool, server_zone })
    }

    fn take(&mut self, element: &[u8]) -> Result<(), Refusal> {
        if self.entries.len() == JOBS_MAX {
            return Err(Refusal::bad(format!("a file has at most {JOBS_MAX} jobs")));
        }
        let checked = check(element, self.server_zone)?;
        let extent = self.spool.append(element).map_err(|error| Refusal::broken_spool(&error))?;
        let name = checked.job.name;
        let entry = Entry { name: name.clone(), parent: checked.job.parent_job, extent };
        let known = self.places.get(&name).and_then(|place| self.entries.get_mut(*place));
        match known {
            Some(known) => *known = entry,
            None => {
                self.places.insert(name, self.entries.len());
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Backup, Refusal> {
        let jobs: Vec<_> =
            self.entries.iter().map(|entry| (&entry.name, entry.parent.as_ref())).collect();
        let order = Order::of(&jobs).map_err(Refusal::bad)?;
        let spool = self.spool.finish().map_err(|error| Refusal::broken_spool(&error))?;
        Ok(Backup { entries: self.entries, order, spool, server_zone: self.server_zone })
    }
}

fn check(element: &[u8], server_zone: Zone) -> Result<CheckedJob, Refusal> {
    let body = JobBody::decode(element).map_err(|error| Refusal::bad(error.to_string()))?;
    body.check(server_zone).map_err(|refusal| match refusal {
        JobRefusal::Invalid(reason) => Refusal::bad(reason),
        JobRefusal::NoParent => Refusal::bad("a job's parent is not in the file"),
    })
}

fn refusal(error: ElementsError<Refusal>) -> Refusal {
    match error {
        ElementsError::NotAnArray => Refusal::bad("the file is not a JSON array of jobs"),
        ElementsError::TooLong => {
            Refusal::bad(format!("a job has at most {JOB_BODY_BYTES_MAX} bytes"))
        }
        ElementsError::Refused(refusal) => refusal,
    }
}
