//! Receiving a backup: every job is read and checked before any is written.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use axum::extract::Multipart;
use axum::extract::multipart::Field;
use axum::http::StatusCode;
use dkron_core::limits::{HTTP_JOB_BODY_BYTES_MAX, RESTORE_FILE_BYTES_MAX, RESTORE_JOBS_MAX};
use dkron_core::{Error, JobName, Zone};

use super::order::Order;
use super::spool::{Extent, Spool, SpoolReader, is_full};
use crate::api::job_body::JobBody;
use crate::api::job_check::{CheckedJob, JobRefusal};
use crate::go_json::{Elements, ElementsError};

/// Name of the form's field.
const FIELD: &str = "file";

/// Bytes of the file that are checked and spooled at a time.
const STEP_BYTES: usize = 1 << 18;

/// How a backup is received.
#[derive(Clone, Copy)]
pub(super) struct Intake<'a> {
    /// The zone of schedules that name none.
    pub(super) server_zone: Zone,
    /// Where the jobs are kept until they are written.
    pub(super) spool_dir: &'a Path,
    /// How long the next bytes are waited for.
    pub(super) wait_max: Duration,
    /// The longest file.
    pub(super) file_bytes_max: u64,
}

impl<'a> Intake<'a> {
    /// How the API receives a backup, but for how long it waits.
    pub(super) fn new(server_zone: Zone, spool_dir: &'a Path, wait_max: Duration) -> Self {
        Self { server_zone, spool_dir, wait_max, file_bytes_max: RESTORE_FILE_BYTES_MAX }
    }
}

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

    fn too_large(bytes_max: u64) -> Self {
        let reason = format!("a file has at most {bytes_max} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, reason }
    }

    fn stalled() -> Self {
        let reason = "the file does not go on".to_owned();
        Self { status: StatusCode::REQUEST_TIMEOUT, reason }
    }

    fn is_stall(&self) -> bool {
        self.status == StatusCode::REQUEST_TIMEOUT
    }

    fn broken_spool(error: &std::io::Error) -> Self {
        if is_full(error) {
            let reason = "the disk has no space for the file beside its reserve: free some space, \
                          or restore it in parts";
            return Self { status: StatusCode::INSUFFICIENT_STORAGE, reason: reason.to_owned() };
        }
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
        intake: Intake<'_>,
    ) -> Result<Option<Self>, Refusal> {
        let mut received = None;
        while let Ok(Ok(Some(mut field))) =
            tokio::time::timeout(intake.wait_max, form.next_field()).await
        {
            let is_file = field.name() == Some(FIELD)
                && field.file_name().is_some_and(|name| !name.is_empty());
            if is_file && received.is_none() {
                received = Some(Self::read(&mut field, intake).await);
            }
            if received.as_ref().is_some_and(|read| read.as_ref().is_err_and(Refusal::is_stall)) {
                break;
            }
            let mut rest = async || tokio::time::timeout(intake.wait_max, field.chunk()).await;
            while let Ok(Ok(Some(_))) = rest().await {}
        }
        received.transpose()
    }

    async fn read(field: &mut Field<'_>, intake: Intake<'_>) -> Result<Self, Refusal> {
        let spool_dir = intake.spool_dir.to_owned();
        let mut reader = blocking(move || Reader::new(intake.server_zone, &spool_dir)).await?;
        let mut waiting = Vec::new();
        let mut received_bytes = 0_u64;
        loop {
            let chunk = tokio::time::timeout(intake.wait_max, field.chunk()).await;
            let chunk = chunk.map_err(|_| Refusal::stalled())?;
            let chunk = chunk.map_err(|_| Refusal::bad("the file ends in the middle"))?;
            let Some(chunk) = chunk else { break };
            received_bytes += chunk.len() as u64;
            if received_bytes > intake.file_bytes_max {
                return Err(Refusal::too_large(intake.file_bytes_max));
            }
            waiting.extend_from_slice(&chunk);
            if waiting.len() >= STEP_BYTES {
                let step = std::mem::take(&mut waiting);
                reader = blocking(move || reader.push(&step)).await?;
            }
        }
        blocking(move || reader.push(&waiting)?.finish()).await
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

/// Works on a part of the file on a thread that may block: it is read, checked, and written to
/// disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let reason = format!("read the backup: {error}; please report it");
        Err(Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, reason })
    })
}

/// Reads a file as it arrives.
struct Reader {
    elements: Elements,
    jobs: Jobs,
}

impl Reader {
    fn new(server_zone: Zone, spool_dir: &Path) -> Result<Self, Refusal> {
        let spool = Spool::create(spool_dir).map_err(|error| Refusal::broken_spool(&error))?;
        let jobs = Jobs { entries: Vec::new(), places: HashMap::new(), spool, server_zone };
        Ok(Self { elements: Elements::new(HTTP_JOB_BODY_BYTES_MAX), jobs })
    }

    /// Takes the next bytes of the file.
    fn push(mut self, bytes: &[u8]) -> Result<Self, Refusal> {
        self.elements.push(bytes, |job| self.jobs.take(job)).map_err(refusal)?;
        Ok(self)
    }

    fn finish(self) -> Result<Backup, Refusal> {
        self.elements.finish().map_err(refusal)?;
        self.jobs.finish()
    }
}

/// The jobs of a file that were read.
struct Jobs {
    entries: Vec<Entry>,
    places: HashMap<JobName, usize>,
    spool: Spool,
    server_zone: Zone,
}

impl Jobs {
    fn take(&mut self, element: &[u8]) -> Result<(), Refusal> {
        if self.entries.len() == RESTORE_JOBS_MAX {
            return Err(Refusal::bad(format!("a file has at most {RESTORE_JOBS_MAX} jobs")));
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
            Refusal::bad(format!("a job has at most {HTTP_JOB_BODY_BYTES_MAX} bytes"))
        }
        ElementsError::Refused(refusal) => refusal,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::{FromRequest as _, Request};
    use futures_util::{StreamExt as _, stream};

    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(20);

    const TWO_JOBS: &str = r#"[{"name":"a","schedule":"@manually"},{"name":"b","parent_job":"a"}]"#;

    fn form(content: &str) -> String {
        format!(
            "--BB\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\
             {content}\r\n--BB--\r\n"
        )
    }

    async fn received(body: Body, change: impl FnOnce(&mut Intake<'_>)) -> Result<usize, Refusal> {
        let directory = tempfile::tempdir().unwrap();
        let mut intake = Intake::new(Zone::UTC, directory.path(), WAIT_MAX);
        change(&mut intake);
        let request = Request::builder()
            .header("content-type", "multipart/form-data; boundary=BB")
            .body(body)
            .unwrap();
        let form = Multipart::from_request(request, &()).await.unwrap();
        let backup = Backup::receive(form, intake).await?.expect("there is a file");
        Ok(backup.entries.len())
    }

    #[tokio::test]
    async fn a_file_beyond_the_limit_is_refused_as_too_large() {
        let bytes_max = TWO_JOBS.len() as u64;
        let limit = |bytes_max| move |intake: &mut Intake<'_>| intake.file_bytes_max = bytes_max;
        assert_eq!(received(form(TWO_JOBS).into(), limit(bytes_max)).await, Ok(2));

        let refusal = received(form(TWO_JOBS).into(), limit(bytes_max - 1)).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(refusal.reason.contains(&format!("at most {} bytes", bytes_max - 1)));
    }

    #[tokio::test]
    async fn a_file_that_does_not_go_on_is_given_up() {
        let begun = form(TWO_JOBS)[..100].to_owned();
        let begun = stream::iter([Ok::<_, std::io::Error>(begun)]).chain(stream::pending());
        let soon = |intake: &mut Intake<'_>| intake.wait_max = Duration::from_millis(50);
        let refusal = received(Body::from_stream(begun), soon).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn a_disk_without_space_is_told_apart_from_a_broken_one() {
        let check = |kind: std::io::ErrorKind, want: u16| {
            assert_eq!(Refusal::broken_spool(&kind.into()).status.as_u16(), want, "{kind}");
        };
        check(std::io::ErrorKind::StorageFull, 507);
        check(std::io::ErrorKind::QuotaExceeded, 507);
        check(std::io::ErrorKind::PermissionDenied, 500);
    }
}
