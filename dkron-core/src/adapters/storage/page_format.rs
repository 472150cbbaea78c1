//! The pieces of an LMDB file: meta pages, tree pages, nodes. Every offset is checked.
//!
//! Numbers are in the byte order of the machine, 64 bits wide; `page_walk` puts the pieces
//! together.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The header of every page: its number, a filler, its kind, two offsets or a count.
pub const PAGE_HEADER_BYTES: usize = 16;
/// The header of a database: eight fields.
pub const DB_BYTES: usize = 48;
/// The header of a node, in front of its key.
const NODE_HEADER_BYTES: usize = 8;
/// A meta page, from its header to its last field.
const META_BYTES: usize = PAGE_HEADER_BYTES + 136;

/// The kinds of pages.
pub const BRANCH: u16 = 0x01;
/// A page of records.
pub const LEAF: u16 = 0x02;
/// The first page of a value that has pages of its own.
pub const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;

/// The value of a node has pages of its own.
pub const FLAG_BIG: u16 = 0x01;
/// The value of a node is the header of a database.
pub const FLAG_DB: u16 = 0x02;

/// What stands in the flags of the free list: its keys are integers, and no option of ours is kept.
pub const META_FLAGS_EXPECTED: u16 = 0x08;

const MAGIC: u32 = 0xbeef_c0de;
const DATA_VERSION: u32 = 1;
/// Deeper trees than this cannot come about: LMDB's own cursors hold 32 levels.
pub const DEPTH_MAX: u16 = 32;
const PAGE_BYTES_MIN: u32 = 256;
const PAGE_BYTES_MAX: u32 = 0x8000;
/// "There is no page."
const NO_PAGE: u64 = u64::MAX;

/// Reads numbers out of bytes; `None` past their end.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u64(self, at: usize) -> Option<u64> {
        Some(u64::from_ne_bytes(*self.0.get(at..)?.first_chunk()?))
    }
}

/// What a database says of its tree.
#[derive(Clone, Copy, Debug)]
pub struct DbHeader {
    pub flags: u16,
    pub depth: u16,
    pub branch_pages: u64,
    pub leaf_pages: u64,
    pub overflow_pages: u64,
    pub entries: u64,
    pub root: Option<u64>,
}

impl DbHeader {
    /// Reads a header; `None` if it has another size.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != DB_BYTES {
            return None;
        }
        let fields = Fields(bytes);
        let root = fields.u64(40)?;
        Some(Self {
            flags: fields.u16(4)?,
            depth: fields.u16(6)?,
            branch_pages: fields.u64(8)?,
            leaf_pages: fields.u64(16)?,
            overflow_pages: fields.u64(24)?,
            entries: fields.u64(32)?,
            root: (root != NO_PAGE).then_some(root),
        })
    }
}

/// The starting point of one commit.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// Which of the two meta pages this is: 0 or 1.
    pub place: u64,
    pub page_bytes: u32,
    pub free: DbHeader,
    pub main: DbHeader,
    pub last_page: u64,
    pub txn: u64,
}

impl Meta {
    /// Reads the meta page `place`, which lies at `offset`.
    pub fn read(file: &File, place: u64, offset: u64) -> io::Result<Self> {
        let mut bytes = [0; META_BYTES];
        file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("the file is shorter than its meta pages"),
            _ => error,
        })?;
        Self::parse(&bytes, place)
            .ok_or_else(|| damaged(format!("meta page {place} is not what it should be")))
    }

    fn parse(bytes: &[u8], place: u64) -> Option<Self> {
        let page = Fields(bytes);
        let meta = Fields(bytes.get(PAGE_HEADER_BYTES..)?);
        let is_meta = page.u64(0)? == place && page.u16(10)? == META;
        if !is_meta || meta.u32(0)? != MAGIC || meta.u32(4)? != DATA_VERSION {
            return None;
        }
        // The page size is kept where the free list has its filler.
        let page_bytes = meta.u32(24)?;
        let is_sane =
            page_bytes.is_power_of_two() && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes);
        is_sane.then_some(())?;
        Some(Self {
            place,
            page_bytes,
            free: DbHeader::parse(meta.0.get(24..72)?)?,
            main: DbHeader::parse(meta.0.get(72..120)?)?,
            last_page: meta.u64(120)?,
            txn: meta.u64(128)?,
        })
    }
}

/// A page of a tree.
#[derive(Clone, Copy)]
pub struct PageView<'a> {
    bytes: &'a [u8],
    number: u64,
    kind: u16,
    lower: usize,
    upper: usize,
}

impl<'a> PageView<'a> {
    /// Looks at a page that should be the page `number`, of `kind`.
    pub fn parse(bytes: &'a [u8], number: u64, kind: u16) -> io::Result<Self> {
        Self::try_parse(bytes, number, kind)
            .ok_or_else(|| damaged(format!("page {number} is not what it should be")))
    }

    fn try_parse(bytes: &'a [u8], number: u64, kind: u16) -> Option<Self> {
        let fields = Fields(bytes);
        if fields.u64(0)? != number || fields.u16(10)? != kind {
            return None;
        }
        let (lower, upper) = (usize::from(fields.u16(12)?), usize::from(fields.u16(14)?));
        let is_sane = PAGE_HEADER_BYTES <= lower
            && lower <= upper
            && upper <= bytes.len()
            && lower.is_multiple_of(2);
        let page = is_sane.then_some(Self { bytes, number, kind, lower, upper })?;
        // Nodes fill the page from its end without a gap: two that overlap, or one out of place,
        // change the sum.
        let mut filled = 0;
        for index in 0..page.nodes() {
            let node = page.node(index).ok()?;
            filled += node.bytes.next_multiple_of(2);
        }
        let has_enough = kind == LEAF || page.nodes() >= 2;
        (filled == bytes.len() - upper && page.nodes() >= 1 && has_enough).then_some(page)
    }

    /// Returns how many pages the value has whose first page should be the page `number`.
    pub fn overflow_pages(bytes: &[u8], number: u64) -> io::Result<u32> {
        let fields = Fields(bytes);
        let is_first = fields.u64(0) == Some(number) && fields.u16(10) == Some(OVERFLOW);
        match fields.u32(12) {
            Some(pages) if is_first && pages > 0 => Ok(pages),
            _ => Err(damaged(format!("page {number} is not what it should be"))),
        }
    }

    /// Returns how many nodes the page has.
    pub fn nodes(&self) -> usize {
        (self.lower - PAGE_HEADER_BYTES) / 2
    }

    /// Looks at the node `index`, counted from 0.
    pub fn node(&self, index: usize) -> io::Result<TreeNode<'a>> {
        self.try_node(index)
            .ok_or_else(|| damaged(format!("page {}: node {index} is out of place", self.number)))
    }

    fn try_node(&self, index: usize) -> Option<TreeNode<'a>> {
        let at = usize::from(Fields(self.bytes).u16(PAGE_HEADER_BYTES + 2 * index)?);
        if index >= self.nodes() || at < self.upper || !at.is_multiple_of(2) {
            return None;
        }
        let fields = Fields(self.bytes.get(at..)?);
        let (low, high, flags) = (fields.u16(0)?, fields.u16(2)?, fields.u16(4)?);
        let key_bytes = usize::from(fields.u16(6)?);
        let value_bytes = u32::from(low) | u32::from(high) << 16;
        let value_here = match (self.kind, flags) {
            (BRANCH, _) => 0,
            (_, FLAG_BIG) => size_of::<u64>(),
            _ => usize::try_from(value_bytes).ok()?,
        };
        let bytes = NODE_HEADER_BYTES.checked_add(key_bytes)?.checked_add(value_here)?;
        let (key, value) = fields.0.get(NODE_HEADER_BYTES..bytes)?.split_at_checked(key_bytes)?;
        Some(TreeNode { bytes, flags, value_bytes, key, value })
    }
}

/// A node: a record, or the way to a page below.
#[derive(Clone, Copy)]
pub struct TreeNode<'a> {
    /// What it takes of its page.
    bytes: usize,
    /// What its value is; on a branch page, the highest bits of the page's number.
    pub flags: u16,
    /// How large the value is, wherever it lies.
    pub value_bytes: u32,
    pub key: &'a [u8],
    value: &'a [u8],
}

impl<'a> TreeNode<'a> {
    /// Returns the page below, of a node on a branch page.
    pub fn child(&self) -> u64 {
        u64::from(self.value_bytes) | u64::from(self.flags) << 32
    }

    /// Returns the value, of a node that has it on its page.
    pub fn value(&self) -> io::Result<&'a [u8]> {
        if self.value.len() == self.value_bytes as usize {
            return Ok(self.value);
        }
        Err(damaged("a value of another size than its node says"))
    }

    /// Returns the first page of the value, of a node whose value has pages of its own.
    pub fn big_page(&self) -> io::Result<u64> {
        Fields(self.value).u64(0).ok_or_else(|| damaged("a value without its page"))
    }
}

/// Says what is wrong with the file.
pub(super) fn damaged(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}
