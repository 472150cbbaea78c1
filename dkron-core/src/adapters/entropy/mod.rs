//! The system's random source: for identities that nobody else may have.
//!
//! May use: `ports`, `error`.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;

use crate::error::{Error, ErrorKind};
use crate::ports::Entropy;

/// Where the kernel gives random bytes; it never runs dry once the system has started.
const SOURCE: &str = "/dev/urandom";

/// Draws 16 random bytes.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`] if the system gives none.
pub(crate) fn random_u128() -> Result<u128, Error> {
    let mut bytes = [0; 16];
    File::open(SOURCE).and_then(|mut source| source.read_exact(&mut bytes)).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("read {SOURCE}")).with_source(error)
    })?;
    Ok(u128::from_ne_bytes(bytes))
}

/// The system's random source as the node uses it: opened once.
pub(crate) struct SystemEntropy {
    source: File,
}

impl SystemEntropy {
    /// Opens the source, and draws from it once to see that it gives something.
    ///
    /// # Errors
    ///
    /// As for [`random_u128`].
    pub(crate) fn open() -> Result<Self, Error> {
        random_u128()?;
        let source = File::open(SOURCE).map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("open {SOURCE}")).with_source(error)
        })?;
        Ok(Self { source })
    }
}

impl Entropy for SystemEntropy {
    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        if (&self.source).read_exact(&mut bytes).is_err() {
            // The kernel's source does not fail once it has answered; should it, the keys of a
            // hasher are random as well, and differ at each draw.
            return RandomState::new().build_hasher().finish();
        }
        u64::from_ne_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random_u128().unwrap(), random_u128().unwrap());
        let entropy = SystemEntropy::open().unwrap();
        assert_ne!(entropy.random_u64(), entropy.random_u64());
    }
}
