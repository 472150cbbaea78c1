//! Jobs in bodies of requests: any bytes are read or refused, and what is accepted is shown so that
//! it reads the same.

use dkron_core::Zone;
use dkron_server::api::{CheckedJob, JobBody, JobRefusal, checked_job_text};
use dkron_server::go_json::{Elements, value_end};

/// A body of a job write, and the same as the one element of a backup.
pub fn check(data: &[u8]) {
    let body = JobBody::decode(data);
    let Ok(end) = value_end(data) else {
        assert!(body.is_err(), "a body that is no JSON is refused");
        return;
    };
    let list = [b"[", &data[..end], b"]"].concat();
    let elements = elements(&list);
    assert_eq!(elements.len(), 1, "a value is one element of a list");
    assert_eq!(JobBody::decode(&elements[0]), body, "a body reads the same in a list");

    let Ok(restored) = body else { return };
    let mut written = restored.clone();
    written.default_concurrency();
    for body in [restored, written] {
        if let Some(checked) = accepted(body) {
            let text = checked_job_text(&checked);
            let again = JobBody::decode(&text).ok().and_then(accepted);
            let text = String::from_utf8_lossy(&text);
            assert_eq!(again, Some(checked), "a job reads as it is shown: {text}");
        }
    }
}

fn accepted(body: JobBody) -> Option<CheckedJob> {
    match body.check(Zone::UTC) {
        Ok(checked) => Some(checked),
        Err(JobRefusal::Invalid(why)) => {
            assert!(!why.is_empty(), "a refusal says what is wrong");
            None
        }
        Err(_) => None,
    }
}

/// Splits a list that arrives in pieces of a few bytes.
fn elements(list: &[u8]) -> Vec<Vec<u8>> {
    let mut splitter = Elements::new(list.len());
    let mut elements = Vec::new();
    for piece in list.chunks(7) {
        let take = |element: &[u8]| -> Result<(), ()> {
            elements.push(element.to_vec());
            Ok(())
        };
        splitter.push(piece, take).expect("a list of one value is split");
    }
    splitter.finish::<()>().expect("the list is complete");
    elements
}
