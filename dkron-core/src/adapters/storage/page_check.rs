//! Reads an LMDB file page by page, before LMDB does, and says whether every page is what it should
//! be.
//!
//! LMDB trusts its file: a flipped bit in a page number or an offset makes it read outside its map
//! and the process dies. So this picks the newest commit and has `page_walk` walk its trees with
//! ordinary reads; `page_format` reads a single page. A file is refused in which a page is out of
//! place, a node out of bounds, a key out of order, a count wrong, or a page used twice. It is not
//! judged here what values hold: `verify` does that.
//!
//! # Invariants
//!
//! * No file makes this panic, recurse without bound, or allocate more than a page and a bit per
//!   page of the file at once (values on pages of their own excepted: the file limits them).
//!
//! The format is LMDB's data version 1, as described by the structures at the head of its `mdb.c`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::page_format::{BRANCH, DEPTH_MAX, LEAF, Meta, PageView, damaged};
use super::page_walk::{PageCheck, PagesLeft, walk_pages};

/// Checks the LMDB file at `path`; returns what was to be left for later. A file that does not
/// exist, or is empty, is fine.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] with what is wrong where; any other kind if it cannot be read.
pub fn check_pages(path: &Path, check: PageCheck) -> io::Result<Option<PagesLeft>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let file_bytes = file.metadata()?.len();
    if file_bytes == 0 {
        return Ok(None);
    }
    let meta = newest_meta(&file, file_bytes)?;
    walk_pages(file, file_bytes, &meta, check).map(Some)
}

/// Picks the meta page of the newest commit, of the two that take turns.
fn newest_meta(file: &File, file_bytes: u64) -> io::Result<Meta> {
    let first = Meta::read(file, 0, 0)?;
    let second = Meta::read(file, 1, u64::from(first.page_bytes))?;
    if second.page_bytes != first.page_bytes {
        return Err(damaged("the two meta pages differ in their page size"));
    }
    if file_bytes < 2 * u64::from(first.page_bytes) {
        return Err(damaged("the file is shorter than its meta pages"));
    }
    // Commit n writes page n % 2, so they are one apart; a new file has two that are both 0.
    let (old, new) = if first.txn > second.txn { (second, first) } else { (first, second) };
    let is_new_file = old.txn == 0 && new.txn == 0;
    if !is_new_file && (new.txn - old.txn != 1 || new.txn % 2 != new.place) {
        return Err(damaged(format!("the meta pages are of commits {} and {}", old.txn, new.txn)));
    }
    for meta in [&old, &new] {
        if last_freed_by(file, file_bytes, meta)? != Some(meta.txn).filter(|txn| *txn > 1) {
            let what = format!("meta page {} is not of commit {}", meta.place, meta.txn);
            return Err(damaged(what));
        }
    }
    Ok(new)
}

/// Returns the last commit that the free list of `meta` knows of.
///
/// Every commit frees the pages that it replaces, under its own number; only the first, which makes
/// the databases, replaces none. So a flipped bit that makes the older meta page the newer one, and
/// would lose a commit, is found out. The older tree is whole: what was its is not used again
/// before the next commit but one.
fn last_freed_by(file: &File, file_bytes: u64, meta: &Meta) -> io::Result<Option<u64>> {
    let Some(mut number) = meta.free.root else { return Ok(None) };
    let mut bytes = vec![0; meta.page_bytes as usize];
    for level in (1..=meta.free.depth.min(DEPTH_MAX)).rev() {
        let page_bytes = u64::from(meta.page_bytes);
        if number.saturating_add(1).saturating_mul(page_bytes) > file_bytes {
            return Err(damaged(format!("page {number} lies past the end of the file")));
        }
        file.read_exact_at(&mut bytes, number * page_bytes)?;
        let page = PageView::parse(&bytes, number, if level > 1 { BRANCH } else { LEAF })?;
        let last = page.node(page.nodes().saturating_sub(1))?;
        if level == 1 {
            return Ok(last.key.try_into().ok().map(u64::from_ne_bytes));
        }
        number = last.child();
    }
    Ok(None)
}

#[cfg(test)]
#[path = "page_check_test.rs"]
mod tests;
