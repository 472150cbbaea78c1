//! Names of jobs and nodes: checked once, cheap to copy.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
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
pub struct JobName(Text);

impl JobName {
    /// Checks and takes a name.
    ///
    /// # Errors
    ///
    /// [`NameError`] for the first reason that applies: empty, too long, an illegal character.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let legal = |c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-') || is_lower_case_letter(c);
        parse(name, JOB_NAME_BYTES_MAX, legal).map(Self)
    }

    /// Stands for a name that is not known yet, in drafts; `-` is a name like any other.
    pub(crate) fn placeholder() -> Self {
        Self(Text::new("-"))
    }
}

/// The name of a node: its identity, whatever its address is.
///
/// One or more characters other than control characters, at most [`NODE_NAME_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Text);

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
fn parse(name: &str, bytes_max: usize, is_legal: impl Fn(char) -> bool) -> Result<Text, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > bytes_max {
        return Err(NameError::TooLong { bytes: name.len(), bytes_max });
    }
    match name.chars().find(|c| !is_legal(*c)) {
        Some(found) => Err(NameError::IllegalCharacter { found }),
        None => Ok(Text::new(name)),
    }
}

/// Bytes of a text that is held in the name itself: most names whole.
const SHORT_BYTES: usize = 22;

/// A text that is copied without taking memory: by itself if it is short, else shared.
///
/// A counter of those who share a node's name would be written for every run, by every thread.
#[derive(Clone)]
enum Text {
    Short { bytes: [u8; SHORT_BYTES], len: u8 },
    Shared(Arc<str>),
}

impl Text {
    fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT_BYTES];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { bytes, len: text.len() as u8 }
            }
            None => Self::Shared(text.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Shared(text) => text.as_bytes(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Short { .. } => std::str::from_utf8(self.as_bytes())
                .expect("invariant: the bytes are those of a text"),
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.as_bytes().hash(hasher);
    }
}

/// What both names can do.
macro_rules! name_impls {
    ($name:ident) => {
        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// Returns the bytes of the name; they need no look at their characters.
            pub(crate) fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
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
    fn names_of_any_length_are_ordered_by_their_bytes() {
        let names: Vec<_> = [1, 21, 22, 23, 24, 255]
            .iter()
            .flat_map(|length| ["a".repeat(*length), "b".repeat(*length)])
            .collect();
        for a in &names {
            let name = JobName::parse(a).unwrap();
            assert_eq!(name.as_str(), a);
            for b in &names {
                assert_eq!(name.cmp(&JobName::parse(b).unwrap()), a.cmp(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_name_that_would_not_fit_a_key_is_refused() {
        check(&"x".repeat(255), Ok(()));
        check(&"x".repeat(256), Err("name has 256 bytes, at most 255 are accepted"));
    }
}
