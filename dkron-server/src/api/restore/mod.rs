//! `POST /v1/restore`: the jobs of a backup, none of them if anything is wrong with the file.
//!
//! What can be known beforehand is checked before the first job is written: each job with its size,
//! the parents, the depth of the trees with those that are stored. What happens to the cluster
//! meanwhile can still stop it in the middle: no leader, a full disk, too much for the log for too
//! long; or refuse single jobs: those that others change at the same time. Then the answer says how
//! far it came, and to restore the same file again is harmless.
//!
//! The file is read once as it arrives: each job is read and checked, and goes to a spool on disk;
//! what stays in memory is its name and its parent's. Only when the whole file is right are the
//! jobs written, parents first, many at a time. So a job costs disk by its size, and memory by its
//! name alone: a hundred bytes and two names, of a million jobs a few hundred megabytes at worst.
//! That is why only a few restores go on at a time.
//!
//! # Where to begin reading
//!
//! [`restore`]; `file` is the reading, `order` says who is written after whom, `store` writes.

mod allowance;
mod file;
mod order;
mod spool;
mod store;

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::StatusCode;
use axum::response::Response;
use dkron_core::limits::{PARENT_DEPTH_MAX, RESTORE_FILE_BYTES_MAX, RESTORES_MAX};
use dkron_core::{Error, JobName};

use self::allowance::{Allowance, FORM_BYTES_MAX};
use self::file::{Backup, Intake, Refusal};
use super::Api;
use super::answer::{empty, failure, json, layout, text};
use super::pieces::blocking;
use super::query::Query;
use crate::go_json::{Layout, Writer};

/// Answers `POST /v1/restore`.
///
/// 404 without a file in the form, 400 for a file that is not accepted, as in Dkron; 413 for one
/// that is too large, 429 while too many others go on, 507 if the disk has no space for it, 408 if
/// it does not go on. The text says why. 200 with one line for each job, in a JSON string that
/// holds JSON; 422 with the same body if a job was refused by itself, so that a script which looks
/// at the status alone is not misled.
pub(super) async fn restore(api: Arc<Api>, query: Query, request: Request) -> Response {
    if request.body().size_hint().lower() > RESTORE_FILE_BYTES_MAX + FORM_BYTES_MAX {
        let why = format!("a file has at most {RESTORE_FILE_BYTES_MAX} bytes");
        return text(StatusCode::PAYLOAD_TOO_LARGE, why);
    }
    let Some(_place) = api.bodies.restore_place() else {
        let why = format!("{RESTORES_MAX} restores go on already: try again when one has ended");
        return text(StatusCode::TOO_MANY_REQUESTS, why);
    };
    let allowance = Allowance::new();
    let request = request.map(|body| allowance.limit(body));
    let Ok(form) = Multipart::from_request(request, &()).await else {
        return empty(StatusCode::NOT_FOUND);
    };
    let intake = Intake::new(api.server_zone, &api.spool_dir, api.bodies.wait_max(), allowance);
    let backup = match Backup::receive(form, intake).await {
        Ok(Some(backup)) => backup,
        Ok(None) => return empty(StatusCode::NOT_FOUND),
        Err(refusal) => return text(refusal.status, refusal.reason),
    };
    let (reader, backup) = (Arc::clone(&api), Arc::new(backup));
    let checked = Arc::clone(&backup);
    match blocking(move || too_deep_with_stored(&reader, &checked)).await {
        Ok(None) => {}
        Ok(Some(refusal)) => return text(refusal.status, refusal.reason),
        Err(error) => return failure(&error),
    }
    match store::store(&api, &backup).await {
        Ok(stored) => {
            let lines = result_lines(&backup, &stored);
            let is_complete = stored.iter().all(|stored| *stored == Some(true));
            let status =
                if is_complete { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            json(status, layout(&query), |json| {
                json.string(&lines);
            })
        }
        Err(error) => failure(&error),
    }
}

/// Refuses a backup below whose jobs there are stored ones that would come to stand too deep.
///
/// The ancestors of a job of the file are all in the file.
fn too_deep_with_stored(api: &Api, backup: &Backup) -> Result<Option<Refusal>, Error> {
    if api.cluster.jobs_count()? == 0 {
        return Ok(None);
    }
    let of_the_file: HashSet<&JobName> = backup.entries.iter().map(|entry| &entry.name).collect();
    for (depth, row) in backup.order.rows.iter().enumerate() {
        let names = row.iter().filter_map(|index| backup.entries.get(*index));
        let mut open: Vec<_> = names.map(|entry| (entry.name.clone(), depth)).collect();
        while let Some((name, depth)) = open.pop() {
            if depth > PARENT_DEPTH_MAX {
                return Ok(Some(Refusal::too_deep(&name)));
            }
            let stored = api.cluster.job(name.as_str())?;
            let children = stored.map(|view| view.children).unwrap_or_default();
            let stays = |child: &JobName| !of_the_file.contains(child);
            open.extend(children.into_iter().filter(stays).map(|child| (child, depth + 1)));
        }
    }
    Ok(None)
}

/// Writes what became of each job, parents before their children; those below a job that could not
/// be written are left out.
fn result_lines(backup: &Backup, stored: &[Option<bool>]) -> String {
    let mut lines = Writer::new(Layout::Compact);
    lines.begin_array();
    for index in &backup.order.by_tree {
        let name = backup.entries.get(*index).map_or("", |entry| entry.name.as_str());
        match stored.get(*index).copied().flatten() {
            Some(true) => lines.string(&format!("success create {name}")),
            Some(false) => lines.string(&format!("fail create {name}")),
            None => continue,
        };
    }
    lines.end_array().take()
}
