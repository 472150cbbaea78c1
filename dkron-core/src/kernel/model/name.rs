//! Names of jobs and nodes: checked once, cheap to copy.

use std::fmt;
use std::sync::Arc;

use super::letter::is_lower_case_letter;
use crate::limits::{JOB_NAME_BYTES_MAX, NODE_NAME_BYTES_MAX};

/// A name that is not accepted. The texts of the first two are Dkron's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no character.
    #[error("name cannot be empty")]
    Empty,
    /// The first character that may not stand in the name.
    #[error("name contains illegal character '{found}'")]
    IllegalCharacter {
        /// The character.
        found: char,
    },
    /// The name would not fit a key of the store.
    #[error("name has {bytes} bytes, at most {bytes_max} are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}

/// The unique name of a job: one or more Unicode lower-case letters, ASCII digits, `_` or `-`.
///
/// At most [`JOB_NAME_BYTES_MAX`] bytes. Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Arc<str>);

impl JobName {
    /// Checks and takes a name.
    ///
    /// # Errors
    ///
    /// [`NameError`] for the first reason that applies: empty, too long, an illegal character.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let legal = |c: char| c.is_ascii_digit() || c == '_' || c == '-' || is_lower_case_letter(c);
        parse(name, JOB_NAME_BYTES_MAX, legal).map(Self)
    }

    /// Stands for a name that is not known yet, in drafts; `-` is a name like any other.
    pub(crate) fn placeholder() -> Self {
        Self("-".into())
    }
}

/// The name of a node: its identity, whatever its address is.
///
/// One or more characters other than control characters, at most [`NODE_NAME_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Checks and takes a name.
    ///
    /// # Errors
    ///
    /// [`NameError`], as for [`JobName::parse`] but with control characters as the illegal ones.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        parse(name, NODE_NAME_BYTES_MAX, |c| !c.is_control()).map(Self)
    }
}

/// The length goes before the characters: a name of megabytes is not walked to its end.
fn parse(
    name: &str,
    bytes_max: usize,
    is_legal: impl Fn(char) -> bool,
) -> Result<Arc<str>, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > bytes_max {
        return Err(NameError::TooLong { bytes: name.len(), bytes_max });
    }
    match name.chars().find(|c| !is_legal(*c)) {
        Some(found) => Err(NameError::IllegalCharacter { found }),
        None => Ok(name.into()),
    }
}

/// What both names can do.
macro_rules! name_impls {
    ($name:ident) => {
        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the name as shared text, without copying.
            pub fn to_shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name_impls!(JobName);
name_impls!(NodeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, want: Result<(), &str>) {
        let got = JobName::parse(name).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{name:?}");
    }

    #[test]
    fn job_names_are_slugs_with_dkrons_messages() {
        for name in ["job-1_ß", "ñandú", "æ", "-", "_", "7", "αβγ-жук"] {
            check(name, Ok(()));
        }
        check("", Err("name cannot be empty"));
        check("Job", Err("name contains illegal character 'J'"));
        check("a b", Err("name contains illegal character ' '"));
        check("漢", Err("name contains illegal character '漢'"));
        check("a.b", Err("name contains illegal character '.'"));
        check("a٣", Err("name contains illegal character '٣'"));
    }

    #[test]
    fn of_several_illegal_characters_the_first_is_named() {
        check("ok.But Not", Err("name contains illegal character '.'"));
        check("Über", Err("name contains illegal character 'Ü'"));
    }

    #[test]
    fn a_name_that_would_not_fit_a_key_is_refused() {
        check(&"x".repeat(255), Ok(()));
        check(&"x".repeat(256), Err("name has 256 bytes, at most 255 are accepted"));
    }
}
