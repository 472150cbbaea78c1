//! Receiving a backup: every job is read and checked before any is written.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use axum::extract::Multipart;
use axum::extract::multipart::Field;
use axum::http::StatusCode;
use dkron_core::limits::{
    HTTP_JOB_BODY_BYTES_MAX, JOB_BYTES_MAX, JOB_NAME_BYTES_MAX, PARENT_DEPTH_MAX,
    RESTORE_FILE_BYTES_MAX, RESTORE_JOBS_MAX,
};
use dkron_core::{Error, JobName, Zone, stored_job_bytes};

use super::allowance::{Allowance, FORM_BYTES_MAX};
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
#[derive(Clone)]
pub(super) struct Intake<'a> {
    /// The zone of schedules that name none.
    pub(super) server_zone: Zone,
    /// Where the jobs are kept until they are written.
    pub(super) spool_dir: &'a Path,
    /// How long the next bytes are waited for.
    pub(super) wait_max: Duration,
    /// The longest file.
    pub(super) file_bytes_max: u64,
    /// What may be read of the form.
    allowance: Allowance,
}

impl<'a> Intake<'a> {
    /// How the API receives a backup whose form is limited by `allowance`.
    pub(super) fn new(
        server_zone: Zone,
        spool_dir: &'a Path,
        wait_max: Duration,
        allowance: Allowance,
    ) -> Self {
        Self { server_zone, spool_dir, wait_max, file_bytes_max: RESTORE_FILE_BYTES_MAX, allowance }
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

    /// Refuses a file that would put a job below more ancestors than one may have.
    pub(super) fn too_deep(job: &JobName) -> Self {
        Self::bad(format!("job \"{job}\" would have more than {PARENT_DEPTH_MAX} ancestors"))
    }

    fn too_large(bytes_max: u64) -> Self {
        let reason = format!("a file has at most {bytes_max} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, reason }
    }

    fn stalled() -> Self {
        let reason = "the file does not go on".to_owned();
        Self { status: StatusCode::REQUEST_TIMEOUT, reason }
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
    /// The rest of the form is read behind a file that is right, but not without end.
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
            if !is_file || received.is_some() {
                if !Self::pass_over(&mut field, &intake).await {
                    break;
                }
                continue;
            }
            intake.allowance.add(intake.file_bytes_max);
            received = Some(Self::read(&mut field, &intake).await?);
            intake.allowance.set(FORM_BYTES_MAX);
        }
        Ok(received)
    }

    /// Reads a field to its end; false if that does not come, or too late.
    async fn pass_over(field: &mut Field<'_>, intake: &Intake<'_>) -> bool {
        loop {
            match tokio::time::timeout(intake.wait_max, field.chunk()).await {
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return true,
                Ok(Err(_)) | Err(_) => return false,
            }
        }
    }

    async fn read(field: &mut Field<'_>, intake: &Intake<'_>) -> Result<Self, Refusal> {
        let (spool_dir, server_zone) = (intake.spool_dir.to_owned(), intake.server_zone);
        let mut reader = blocking(move || Reader::new(server_zone, &spool_dir)).await?;
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
        check(&bytes, self.server_zone).map_err(|fault| broken(fault.reason))
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
        let jobs =
            Jobs { seen: 0, entries: Vec::new(), places: HashMap::new(), spool, server_zone };
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
    /// How many there were so far, this one included.
    seen: usize,
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
        self.seen += 1;
        let checked = check(element, self.server_zone).map_err(|fault| fault.at(self.seen))?;
        let bytes = stored_job_bytes(&checked.job);
        if bytes > JOB_BYTES_MAX {
            let name = Some(checked.job.name.as_str().to_owned());
            let reason =
                format!("it takes {bytes} bytes where it is stored, at most {JOB_BYTES_MAX}");
            return Err(Fault { name, reason }.at(self.seen));
        }
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
        if let Some((name, _)) = order.too_deep().and_then(|index| jobs.get(index)) {
            return Err(Refusal::too_deep(name));
        }
        let spool = self.spool.finish().map_err(|error| Refusal::broken_spool(&error))?;
        Ok(Backup { entries: self.entries, order, spool, server_zone: self.server_zone })
    }
}

/// What is wrong with one job of a file.
struct Fault {
    /// Its name, if it could be read; not more of it than a name may have.
    name: Option<String>,
    reason: String,
}

impl Fault {
    /// Refuses the file for this job, the `number`th in it: whoever has to mend a file of a
    /// hundred thousand is told where.
    fn at(self, number: usize) -> Refusal {
        let reason = self.reason;
        Refusal::bad(match self.name {
            Some(name) => format!("job {name:?} (number {number}): {reason}"),
            None => format!("job number {number}: {reason}"),
        })
    }
}

fn check(element: &[u8], server_zone: Zone) -> Result<CheckedJob, Fault> {
    let body = JobBody::decode(element)
        .map_err(|error| Fault { name: None, reason: error.to_string() })?;
    let name = Some(body.name.chars().take(JOB_NAME_BYTES_MAX).collect::<String>());
    body.check(server_zone).map_err(|refusal| {
        let reason = match refusal {
            JobRefusal::Invalid(reason) => reason,
            JobRefusal::NoParent => "its parent is not in the file".to_owned(),
        };
        Fault { name: name.filter(|name| !name.is_empty()), reason }
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
        received_if_any(body, change).await.expect("there is a file")
    }

    async fn received_if_any(
        body: Body,
        change: impl FnOnce(&mut Intake<'_>),
    ) -> Option<Result<usize, Refusal>> {
        let directory = tempfile::tempdir().unwrap();
        let allowance = Allowance::new();
        let body = allowance.limit(body);
        let mut intake = Intake::new(Zone::UTC, directory.path(), WAIT_MAX, allowance);
        change(&mut intake);
        let request = Request::builder()
            .header("content-type", "multipart/form-data; boundary=BB")
            .body(body)
            .unwrap();
        let form = Multipart::from_request(request, &()).await.unwrap();
        let receive = tokio::time::timeout(WAIT_MAX, Backup::receive(form, intake));
        let received = receive.await.expect("it is read without end").transpose();
        received.map(|backup| Ok(backup?.entries.len()))
    }

    /// `begun`, then `again` for ever; and how often that was asked for.
    fn endless(begun: String, again: &'static str) -> (Body, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let rest = stream::repeat(again).then(move |again| {
            counter.fetch_add(1, Ordering::Relaxed);
            // A body that is there at once would keep the test's own limit from being looked at.
            async move {
                tokio::task::yield_now().await;
                again.to_owned()
            }
        });
        let body = stream::iter([begun]).chain(rest).map(Ok::<_, std::io::Error>);
        (Body::from_stream(body), asked)
    }

    #[tokio::test]
    async fn what_follows_a_refused_file_is_not_waited_for() {
        let begun = form("[{}, ");
        let begun = begun.trim_end_matches("--BB--\r\n").trim_end().to_owned();
        let (body, asked) = endless(begun, "[[[[[[[[[[[[[[[[");
        let refusal = received(body, |_| {}).await.unwrap_err();
        assert!(refusal.reason.starts_with("job number 1: "), "{}", refusal.reason);
        // A step of the file is read before its first job is looked at.
        let read = asked.load(Ordering::Relaxed) * 16;
        assert!(read < 2 * STEP_BYTES, "{read} bytes");
    }

    #[tokio::test]
    async fn a_form_without_end_is_not_read_without_end() {
        let part = "--BB\r\ncontent-disposition: form-data; name=\"x\"\r\n\r\n\r\n";
        let (body, asked) = endless(String::new(), part);
        assert_eq!(received_if_any(body, |_| {}).await, None);
        let read = asked.load(Ordering::Relaxed) * part.len();
        assert!(read as u64 <= FORM_BYTES_MAX + part.len() as u64, "{read} bytes");
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
    async fn a_refused_job_is_named_with_its_place_in_the_file() {
        let check = async |file: &str, want: &str| {
            let refusal = received(form(file).into(), |_| {}).await.unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{file}");
            assert!(refusal.reason.starts_with(want), "{file}: {}", refusal.reason);
        };
        let good = r#"{"name":"a","schedule":"@manually"}"#;
        let wrong = r#"{"name":"b","schedule":"now and then"}"#;
        check(&format!("[{good},{good},{wrong}]"), "job \"b\" (number 3): ").await;
        check(&format!("[{wrong}]"), "job \"b\" (number 1): ").await;
        check(&format!("[{good},{{\"retries\":\"x\"}}]"), "job number 2: ").await;
        check(&format!("[{good},{{}}]"), "job number 2: ").await;
        let orphan = r#"{"name":"b","parent_job":"B"}"#;
        check(&format!("[{orphan}]"), "job \"b\" (number 1): its parent is not in the file").await;
    }

    #[test]
    fn what_cannot_be_stored_is_refused_before_anything_is_written() {
        let check = |file: &str, want: &str| {
            let directory = tempfile::tempdir().unwrap();
            let reader = Reader::new(Zone::UTC, directory.path()).ok().unwrap();
            let refusal = reader.push(file.as_bytes()).and_then(Reader::finish).err().unwrap();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
            assert!(refusal.reason.contains(want), "{}", refusal.reason);
        };
        let large = "x".repeat(JOB_BYTES_MAX);
        let large = format!(r#"[{{"name":"a","schedule":"@daily","metadata":{{"t":"{large}"}}}}]"#);
        check(&large, "job \"a\" (number 1): it takes 10486");
        let chain: Vec<_> = (0..PARENT_DEPTH_MAX + 2)
            .map(|n| match n {
                0 => r#"{"name":"n0","schedule":"@daily"}"#.to_owned(),
                n => format!(r#"{{"name":"n{n}","parent_job":"n{}"}}"#, n - 1),
            })
            .collect();
        check(&format!("[{}]", chain.join(",")), "job \"n65\" would have more than 64");
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
