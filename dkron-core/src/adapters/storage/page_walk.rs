//! Walks the trees of an LMDB file and counts what it finds, believing nothing.
//!
//! Every page is read once, and at most once: a bit says whether some tree has it already. Which
//! commit is walked, and where its trees begin, is for `page_check` to say. Trees may be left for
//! later; the bits are kept for them, so that it makes no difference when a page is walked.
//!
//! # Where to begin reading
//!
//! [`walk_pages`]; [`PagesLeft`] is what it leaves.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::page_format::{
    BRANCH, DB_BYTES, DEPTH_MAX, DbHeader, FLAG_BIG, FLAG_DB, LEAF, META_FLAGS_EXPECTED, Meta,
    PAGE_HEADER_BYTES, PageView, TreeNode, damaged,
};

/// What the free list spends on a page.
const FREE_PAGE_BYTES: u64 = 8;

/// Judges a record: the name of its database, its key, its value. `Err` says what is wrong.
pub type Judge = fn(&[u8], &[u8], &[u8]) -> Result<(), String>;

/// What a walk was asked to look at beyond the pages themselves.
#[derive(Clone, Copy)]
pub struct PageCheck {
    /// Judges every record.
    pub verify: Judge,
    /// A database whose values on pages of their own (about 2 KiB and more) are not read.
    pub skips_big_values_of: Option<&'static str>,
    /// Databases that are left for later.
    pub leaves: &'static [&'static str],
}

/// Trees that a walk was asked to leave for later.
pub struct PagesLeft {
    walk: Walk,
    trees: Vec<(Vec<u8>, DbHeader)>,
}

impl PagesLeft {
    /// Walks them. The pages of the commit must still be as they were: nothing that it uses may
    /// have been written over, as LMDB promises to whoever reads the commit meanwhile.
    ///
    /// # Errors
    ///
    /// As for [`walk_pages`]; [`io::ErrorKind::Interrupted`] once `goes_on` says no, which it is
    /// asked for each page.
    pub fn walk(self, goes_on: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
        let Self { mut walk, trees } = self;
        walk.goes_on = Box::new(goes_on);
        trees.iter().try_for_each(|(name, header)| walk.tree(header, Tree::Named, name))
    }
}

/// Walks the trees of the commit that `meta` describes, and sees that its free pages are free:
/// those of the trees that are left for later are found out with these. Returns the trees left.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] with what is wrong where; any other kind if it cannot be read.
pub fn walk_pages(
    file: File,
    file_bytes: u64,
    meta: &Meta,
    check: PageCheck,
) -> io::Result<PagesLeft> {
    let pages =
        meta.last_page.checked_add(1).ok_or_else(|| damaged("the last page is out of range"))?;
    let words = usize::try_from(pages / 64 + 1).map_err(|_| damaged("too many pages"))?;
    // Pages past the end of the file are free, and the free list in it spends a word on each.
    if meta.last_page > file_bytes / FREE_PAGE_BYTES {
        return Err(damaged(format!("page {} is claimed of {file_bytes} bytes", meta.last_page)));
    }
    let mut walk = Walk {
        file,
        file_bytes,
        page_bytes: meta.page_bytes,
        last_page: meta.last_page,
        seen: vec![0; words],
        free: Vec::new(),
        left: Vec::new(),
        check,
        goes_on: Box::new(|| true),
    };
    walk.tree(&meta.main, Tree::Main, b"")?;
    walk.tree(&meta.free, Tree::Free, b"free pages")?;
    walk.free_pages_are_unused()?;
    let trees = std::mem::take(&mut walk.left);
    Ok(PagesLeft { walk, trees })
}

/// What kind of tree is walked: that decides on keys and values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    /// The free list: commit → page numbers.
    Free,
    /// Names of databases → their trees.
    Main,
    /// A database of ours.
    Named,
}

/// What was counted while walking one tree.
#[derive(Default)]
struct Counts {
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    entries: u64,
}

struct Walk {
    file: File,
    file_bytes: u64,
    page_bytes: u32,
    last_page: u64,
    /// One bit per page that some tree uses.
    seen: Vec<u64>,
    /// Pages that the free list names.
    free: Vec<u64>,
    /// Databases that were met and are left for later.
    left: Vec<(Vec<u8>, DbHeader)>,
    check: PageCheck,
    goes_on: Box<dyn Fn() -> bool + Send>,
}

impl Walk {
    fn tree(&mut self, db: &DbHeader, tree: Tree, name: &[u8]) -> io::Result<()> {
        let flags_expected = if tree == Tree::Free { META_FLAGS_EXPECTED } else { 0 };
        let within = |what: &str| damaged(format!("database \"{}\": {what}", name.escape_ascii()));
        if db.flags != flags_expected {
            return Err(within("unknown flags"));
        }
        let mut counts = Counts::default();
        if let Some(root) = db.root {
            if db.depth == 0 || db.depth > DEPTH_MAX {
                return Err(within("its depth is out of range"));
            }
            self.page(root, db.depth, tree, name, (None, None), &mut counts)
                .map_err(|error| io::Error::new(error.kind(), within(&error.to_string())))?;
        } else if db.depth != 0 {
            return Err(within("it has a depth but no pages"));
        }
        let Counts { branch_pages, leaf_pages, overflow_pages, entries } = counts;
        if (branch_pages, leaf_pages, overflow_pages, entries)
            != (db.branch_pages, db.leaf_pages, db.overflow_pages, db.entries)
        {
            return Err(within("its counts of pages or entries are wrong"));
        }
        Ok(())
    }

    /// Walks the page and everything below it. Keys lie within `bounds`: from the first on, and
    /// before the second.
    fn page(
        &mut self,
        number: u64,
        levels: u16,
        tree: Tree,
        name: &[u8],
        bounds: (Option<&[u8]>, Option<&[u8]>),
        counts: &mut Counts,
    ) -> io::Result<()> {
        let bytes = self.take_page(number)?;
        let kind = if levels > 1 { BRANCH } else { LEAF };
        let page = PageView::parse(&bytes, number, kind)?;
        if kind == LEAF {
            counts.leaf_pages += 1;
        } else {
            counts.branch_pages += 1;
        }

        let mut before: Option<&[u8]> = None;
        for index in 0..page.nodes() {
            let node = page.node(index)?;
            // The first key of a branch page stands for "from the lower bound on".
            let is_open = kind == BRANCH && index == 0;
            if !is_open {
                let is_in_order = before.is_none_or(|before| is_less(tree, before, node.key))
                    && bounds.0.is_none_or(|lower| !is_less(tree, node.key, lower))
                    && bounds.1.is_none_or(|upper| is_less(tree, node.key, upper));
                if node.key.is_empty() || !is_in_order {
                    return Err(damaged(format!("page {number}: key {index} is out of order")));
                }
                before = Some(node.key);
            }
            if kind == LEAF {
                counts.entries += 1;
                self.record(&node, tree, name, counts)?;
            } else {
                let lower = if is_open { bounds.0 } else { Some(node.key) };
                let next =
                    if index + 1 < page.nodes() { Some(page.node(index + 1)?.key) } else { None };
                let upper = next.or(bounds.1);
                self.page(node.child(), levels - 1, tree, name, (lower, upper), counts)?;
            }
        }
        Ok(())
    }

    /// Looks at one record of a leaf page.
    fn record(
        &mut self,
        node: &TreeNode<'_>,
        tree: Tree,
        name: &[u8],
        counts: &mut Counts,
    ) -> io::Result<()> {
        let big;
        let value = match (node.flags, tree) {
            (0, _) => node.value()?,
            (FLAG_BIG, _) => {
                let skipped = self.check.skips_big_values_of.map(str::as_bytes);
                let is_read = tree != Tree::Named || skipped != Some(name);
                let Some(value) = self.big_value(node, is_read, counts)? else { return Ok(()) };
                big = value;
                &big
            }
            (FLAG_DB, Tree::Main) => {
                let header = DbHeader::parse(node.value()?).ok_or_else(|| {
                    damaged(format!("a database header of other than {DB_BYTES} bytes"))
                })?;
                if self.check.leaves.iter().any(|name| name.as_bytes() == node.key) {
                    self.left.push((node.key.to_vec(), header));
                    return Ok(());
                }
                return self.tree(&header, Tree::Named, node.key);
            }
            _ => return Err(damaged(format!("a record with unknown flags {:#x}", node.flags))),
        };
        match tree {
            Tree::Free => self.free_record(node.key, value),
            Tree::Main => Err(damaged("a record among the databases that is none")),
            Tree::Named => (self.check.verify)(name, node.key, value).map_err(damaged),
        }
    }

    /// Takes the pages of a value that has pages of its own; reads it if `is_read`.
    fn big_value(
        &mut self,
        node: &TreeNode<'_>,
        is_read: bool,
        counts: &mut Counts,
    ) -> io::Result<Option<Vec<u8>>> {
        let number = node.big_page()?;
        let header = self.take_page(number)?;
        let pages = u64::from(PageView::overflow_pages(&header, number)?);
        let page_bytes = u64::from(self.page_bytes);
        let end = number.checked_add(pages).ok_or_else(|| damaged("pages out of range"))?;
        let room = pages.saturating_mul(page_bytes).saturating_sub(PAGE_HEADER_BYTES as u64);
        if u64::from(node.value_bytes) > room {
            return Err(damaged(format!("page {number}: a value larger than its pages")));
        }
        for follower in number + 1..end {
            self.take(follower)?;
        }
        counts.overflow_pages += pages;
        if !is_read {
            return Ok(None);
        }
        let mut value = vec![0; node.value_bytes as usize];
        self.file.read_exact_at(&mut value, number * page_bytes + PAGE_HEADER_BYTES as u64)?;
        Ok(Some(value))
    }

    /// Notes the pages that one record of the free list names.
    fn free_record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let wrong = || damaged("a record of the free list is not what it should be");
        let mut words = value.chunks_exact(8).map(|word| {
            u64::from_ne_bytes(word.try_into().expect("invariant: chunks of eight bytes"))
        });
        if key.len() != 8 || words.len() * 8 != value.len() {
            return Err(wrong());
        }
        let count = words.next().ok_or_else(wrong)?;
        if count > words.len() as u64 {
            return Err(wrong());
        }
        let mut before = u64::MAX;
        for page in words.take(count as usize) {
            if page >= before || page < 2 || page > self.last_page {
                return Err(wrong());
            }
            before = page;
            self.free.push(page);
        }
        Ok(())
    }

    fn free_pages_are_unused(&mut self) -> io::Result<()> {
        for page in std::mem::take(&mut self.free) {
            // A page that is free twice would be handed out twice.
            self.mark(page)?;
        }
        Ok(())
    }

    /// Reads a page that no tree has used so far.
    fn take_page(&mut self, number: u64) -> io::Result<Vec<u8>> {
        if !(self.goes_on)() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the check was given up"));
        }
        self.take(number)?;
        let mut bytes = vec![0; self.page_bytes as usize];
        self.file.read_exact_at(&mut bytes, number * u64::from(self.page_bytes))?;
        Ok(bytes)
    }

    /// Marks a page as used that must lie within the file.
    fn take(&mut self, number: u64) -> io::Result<()> {
        let end = number.saturating_add(1).saturating_mul(u64::from(self.page_bytes));
        if end > self.file_bytes {
            return Err(damaged(format!("page {number} lies past the end of the file")));
        }
        self.mark(number)
    }

    fn mark(&mut self, number: u64) -> io::Result<()> {
        if number < 2 || number > self.last_page {
            return Err(damaged(format!("page {number} is out of range")));
        }
        let bit = 1 << (number % 64);
        let word = usize::try_from(number / 64).ok().and_then(|index| self.seen.get_mut(index));
        match word {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                Ok(())
            }
            _ => Err(damaged(format!("page {number} is used twice"))),
        }
    }
}

/// Compares keys as LMDB does: numbers in the free list, bytes elsewhere.
fn is_less(tree: Tree, a: &[u8], b: &[u8]) -> bool {
    let number = |key: &[u8]| key.try_into().map(u64::from_ne_bytes).unwrap_or(0);
    if tree == Tree::Free { number(a) < number(b) } else { a < b }
}
