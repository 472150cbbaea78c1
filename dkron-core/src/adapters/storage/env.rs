//! Opens and closes one LMDB environment, and puts its errors into words.
//!
//! Both environments of a data dir go through here. The file is checked page by page first, see
//! [`page_check`](super::page_check): LMDB itself believes whatever it finds.

use std::error::Error as _;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, WithoutTls};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::data_dir::DataDir;
use super::dir_sync::sync_dir;
use super::mapped_pages::MappedPages;
use super::page_check::check_pages;
use super::page_walk::{PageCheck, PagesLeft};
use crate::error::{Error, ErrorKind};

/// A database of bytes.
pub type ByteTable = Database<'static, Bytes, Bytes>;

/// The file that LMDB keeps its pages in.
const DATA_FILE_NAME: &str = "data.mdb";
/// Readers at once, in all threads of the process.
const READERS_MAX: u32 = 1_024;
/// The smallest map that is tried before opening is given up.
const MAP_BYTES_MIN: usize = 256 << 20;
/// How long closing waits for readers to end.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(5);

/// What makes one environment different from another.
pub struct EnvConfig<const N: usize> {
    /// Its directory within the data dir; made if it does not exist.
    pub name: &'static str,
    /// How much of the address space it maps: the most it can hold. Takes no memory by itself.
    pub map_bytes_max: usize,
    /// Whether a commit may come back before the page that makes it the newest is synced: then the
    /// last commit may be lost with the power, and nothing else.
    pub may_lose_last_commit: bool,
    /// The databases in it.
    pub tables: [&'static str; N],
}

/// An open environment with its databases, in the order of [`EnvConfig::tables`].
pub struct OpenEnv<const N: usize> {
    env: Option<Env<WithoutTls>>,
    tables: [ByteTable; N],
    pages: Arc<MappedPages>,
    path: PathBuf,
    pid: u32,
    /// Outlives the environment, for nobody else may open its file before.
    _data_dir: Arc<DataDir>,
}

impl<const N: usize> OpenEnv<N> {
    /// Checks the environment's file and opens it. Returns with it what the check was to leave for
    /// later, if there is a file: what is in these tables must not be touched before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if it is damaged, cannot be opened, or the disk is full.
    pub fn open(
        data_dir: &Arc<DataDir>,
        config: &EnvConfig<N>,
        check: PageCheck,
    ) -> Result<(Self, Option<PagesLeft>), Error> {
        let path = data_dir.path().join(config.name);
        let failed =
            |action: &str| Error::new(ErrorKind::Storage, format!("{action} {}", path.display()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| failed("make").with_source(error))?;
        let is_new = !path.join(DATA_FILE_NAME).exists();
        let left = check_pages(&path.join(DATA_FILE_NAME), check).map_err(|error| {
            let message = match error.kind() {
                io::ErrorKind::InvalidData => format!("{} is damaged", path.display()),
                _ => format!("read {}", path.display()),
            };
            Error::new(ErrorKind::Storage, message).with_source(error)
        })?;
        let env = open_with_largest_map(config, &path)
            .map_err(|error| failed("open").with_source(error))?;
        let tables = open_tables(&env, &config.tables)
            .map_err(|error| failed("open the tables of").with_source(error))?;
        if is_new {
            // What is acknowledged from now on must not go with the name of the file it is in.
            let synced = sync_dir(&path).and_then(|()| sync_dir(data_dir.path()));
            synced.map_err(|error| failed("make").with_source(error))?;
        }
        let env = Self {
            env: Some(env),
            tables,
            pages: Arc::new(MappedPages::of(&path.join(DATA_FILE_NAME))),
            path,
            pid: std::process::id(),
            _data_dir: Arc::clone(data_dir),
        };
        Ok((env, left))
    }

    /// Returns the environment.
    pub fn env(&self) -> &Env<WithoutTls> {
        self.env.as_ref().expect("invariant: there is an environment until it is dropped")
    }

    /// Returns the table `index` of [`EnvConfig::tables`].
    pub fn table(&self, index: usize) -> ByteTable {
        *self.tables.get(index).expect("invariant: the tables asked for were opened")
    }

    /// Returns what is mapped of its file.
    pub fn pages(&self) -> &Arc<MappedPages> {
        &self.pages
    }

    /// Returns its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<const N: usize> Drop for OpenEnv<N> {
    /// Waits a moment for the readers that are left, so that the directory can be opened again. A
    /// forked child leaves what it inherited alone: LMDB forbids it to close that.
    fn drop(&mut self) {
        if std::process::id() != self.pid {
            return std::mem::forget(self.env.take());
        }
        self.pages.close();
        if let Some(env) = self.env.take()
            && !env.prepare_for_closing().wait_timeout(CLOSE_WAIT_MAX)
        {
            tracing::warn!(path = %self.path.display(), "closed while it is still being read");
        }
    }
}

/// Returns how large the environment in the directory `name` of a data dir is: 0 if there is none.
///
/// # Errors
///
/// That of the file system, if it cannot tell.
pub fn file_bytes(data_dir: &DataDir, name: &str) -> io::Result<u64> {
    let file = data_dir.path().join(name).join(DATA_FILE_NAME);
    match fs::metadata(file) {
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Opens with the map asked for, or the largest that the address space allows.
fn open_with_largest_map<const N: usize>(
    config: &EnvConfig<N>,
    path: &Path,
) -> heed::Result<Env<WithoutTls>> {
    let mut map_bytes = config.map_bytes_max;
    loop {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(map_bytes).max_readers(READERS_MAX).max_dbs(N as u32);
        if config.may_lose_last_commit {
            // SAFETY: without the sync of the meta page a file stays whole, as LMDB documents.
            #[expect(unsafe_code, reason = "flags of an LMDB environment are set by unsafe calls")]
            unsafe {
                options.flags(EnvFlags::NO_META_SYNC);
            }
        }
        // SAFETY: the lock of the data dir keeps everyone else away from the file while it is
        // mapped, and its pages were checked, or are not touched before they were. It is not on a
        // network file system.
        #[expect(unsafe_code, reason = "opening an LMDB environment maps its file")]
        let opened = unsafe { options.open(path) };
        match opened {
            Err(heed::Error::Io(error))
                if error.kind() == io::ErrorKind::OutOfMemory && map_bytes > MAP_BYTES_MIN =>
            {
                map_bytes /= 4;
            }
            Err(error) => return Err(error),
            Ok(env) => {
                if map_bytes < config.map_bytes_max {
                    let path = path.display();
                    tracing::warn!(%path, map_bytes, "the address space is small: so is the map");
                }
                env.clear_stale_readers()?;
                keep_from_children(&path.join(DATA_FILE_NAME)).map_err(heed::Error::Io)?;
                return Ok(env);
            }
        }
    }
}

/// Keeps programs that this process starts from inheriting the file, which they could write to.
///
/// LMDB opens its other files so, and leaves out this one; its own number for it is not to be had.
fn keep_from_children(file: &Path) -> io::Result<()> {
    let id = |file: &fs::Metadata| (file.dev(), file.ino());
    let wanted = id(&fs::metadata(file)?);
    let Ok(entries) = fs::read_dir("/dev/fd") else {
        tracing::warn!("there is no /dev/fd: commands of jobs inherit the files of this node");
        return Ok(());
    };
    for entry in entries.flatten() {
        let number: Option<RawFd> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let (Some(number), Ok(file)) = (number, fs::metadata(entry.path())) else { continue };
        if id(&file) == wanted {
            // SAFETY: it was open a moment ago, and the environment holds this very file open. Of
            // another one that came to have its number, only whether children inherit it changes.
            #[expect(unsafe_code, reason = "only the number of the open file is known")]
            let open = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl(open, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
    }
    Ok(())
}

fn open_tables<const N: usize>(
    env: &Env<WithoutTls>,
    names: &[&str; N],
) -> heed::Result<[ByteTable; N]> {
    // Nothing is written if they are all there: a full disk does not keep a node from starting.
    let reader = env.read_txn()?;
    let there = env.open_databases_and_commit(reader, |opener, txn| {
        let mut tables = Vec::with_capacity(N);
        for name in names {
            match opener.open_database::<Bytes, Bytes>(txn, Some(name))? {
                Some(table) => tables.push(table),
                None => return Ok(CommitOrAbort::Abort(())),
            }
        }
        Ok::<_, heed::Error>(CommitOrAbort::Commit(all_of(tables)))
    })?;
    if let Some(tables) = there.commit() {
        return Ok(tables);
    }
    let writer = env.write_txn()?;
    let made = env.create_databases_and_commit(writer, |opener, txn| {
        let mut tables = Vec::with_capacity(N);
        for name in names {
            tables.push(opener.create_database::<Bytes, Bytes>(txn, Some(name))?);
        }
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(all_of(tables)))
    })?;
    Ok(made.unwrap_commit())
}

fn all_of<T, const N: usize>(tables: Vec<T>) -> [T; N] {
    let tables: Result<[T; N], _> = tables.try_into();
    tables.ok().expect("invariant: one table was opened for each name")
}

/// Moves the environment at `path` out of the way, so that a new one can take its place. Only the
/// newest that was moved is kept.
///
/// # Errors
///
/// That of the file system.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    let aside = PathBuf::from(name);
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Tells whether what an environment was not opened for is in its file, and not in the process, the
/// file system or the machine: these may be well again at the next try.
pub fn is_damage(error: &Error) -> bool {
    let mut next = error.source();
    while let Some(link) = next {
        let heed_error = link.downcast_ref::<heed::Error>();
        if let Some(heed::Error::Mdb(error)) = heed_error {
            return is_damage_by_lmdb(*error);
        }
        if let Some(error) = heed_error.and_then(io_error).or_else(|| link.downcast_ref()) {
            let kind = error.kind();
            return matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
        }
        next = link.source();
    }
    false
}

const fn is_damage_by_lmdb(error: MdbError) -> bool {
    matches!(
        error,
        MdbError::Corrupted
            | MdbError::Incompatible
            | MdbError::Invalid
            | MdbError::PageNotFound
            | MdbError::VersionMismatch
    )
}

/// Returns the error of the operating system behind an error of LMDB, if it is one.
pub fn io_error(error: &heed::Error) -> Option<&io::Error> {
    match error {
        heed::Error::Io(error) => Some(error),
        _ => None,
    }
}

/// Tells whether the map is full: as good as a full disk.
pub fn is_map_full(error: &heed::Error) -> bool {
    matches!(error, heed::Error::Mdb(MdbError::MapFull))
}
