//! Conditional writes: `If-Match` and `If-None-Match` of RFC 9110, and the tags they name. An
//! extension.
//!
//! The tag of a job is the revision of its definition. Counters, `status` and `next` change with
//! every run and not with the revision: two writers are kept apart, a write and a run are not. An
//! answer is never left out for a tag that a client holds already (304), for it would show old
//! counters.

use axum::http::{HeaderMap, HeaderName, header};
use axum::response::Response;
use dkron_core::JobView;

use super::answer::with_header;

/// The conditions of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preconditions {
    /// `If-Match`.
    wanted: Option<Tags>,
    /// `If-None-Match`.
    unwanted: Option<Tags>,
}

/// What a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`.
    Any,
    Listed(Vec<Tag>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// What stands between the quotes.
    opaque: String,
}

impl Preconditions {
    /// Reads the conditions of a request.
    ///
    /// # Errors
    ///
    /// What is not well formed, in words.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let read = |name: HeaderName| {
            parse(headers, &name).map_err(|found| {
                let shown = if name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
                let wanted = "* or a list of tags as ETag has them, in quotes";
                format!("{shown} must be {wanted}, found {found}")
            })
        };
        Ok(Self { wanted: read(header::IF_MATCH)?, unwanted: read(header::IF_NONE_MATCH)? })
    }

    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_none() && self.unwanted.is_none()
    }

    /// Says why a job of this revision is not one to write; `None` = it is. A `revision` of `None`
    /// = there is no such job.
    pub(super) fn fault(&self, revision: Option<u64>) -> Option<String> {
        let found = || match revision {
            Some(revision) => format!("the job has the tag \"{revision}\""),
            None => "there is no such job".to_owned(),
        };
        // Strong comparison for the one, weak for the other.
        if self.wanted.as_ref().is_some_and(|tags| !tags.name(revision, |tag| !tag.is_weak)) {
            return Some(format!("{}, which If-Match does not name", found()));
        }
        if self.unwanted.as_ref().is_some_and(|tags| tags.name(revision, |_| true)) {
            return Some(format!("{}, which If-None-Match names", found()));
        }
        None
    }
}

impl Tags {
    /// Returns whether the tag of `revision` is among these, of those that `counts` admits.
    fn name(&self, revision: Option<u64>, counts: impl Fn(&Tag) -> bool) -> bool {
        let Some(revision) = revision.map(|revision| revision.to_string()) else { return false };
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| counts(tag) && tag.opaque == revision),
        }
    }
}

/// Adds the tag of a job to an answer that shows it.
pub(super) fn with_tag(response: Response, view: &JobView) -> Response {
    with_header(response, header::ETAG, &format!("\"{}\"", view.status.revision))
}

/// Reads all lines of a header as one list; otherwise what is wrong in it.
fn parse(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, String> {
    let mut tags = None;
    for line in headers.get_all(name) {
        let line = String::from_utf8_lossy(line.as_bytes());
        let (line, before) = (line.trim_matches([' ', '\t']), tags.take());
        tags = Some(match (line, before) {
            ("*", None) => Tags::Any,
            ("*", Some(_)) | (_, Some(Tags::Any)) => return Err("* beside tags".to_owned()),
            (line, None) => Tags::Listed(parse_list(line)?),
            (line, Some(Tags::Listed(mut listed))) => {
                listed.extend(parse_list(line)?);
                Tags::Listed(listed)
            }
        });
    }
    Ok(tags)
}

/// Reads tags between commas; of nothing between two commas there may be any number.
fn parse_list(line: &str) -> Result<Vec<Tag>, String> {
    let mut tags = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(tags);
        }
        let (tag, behind) = parse_tag(rest).ok_or_else(|| format!("{rest:.40}"))?;
        let behind = behind.trim_start_matches([' ', '\t']);
        if !behind.is_empty() && !behind.starts_with(',') {
            return Err(format!("{behind:.40}"));
        }
        tags.push(tag);
        rest = behind;
    }
}

/// Reads one tag from the beginning of a text; also returns what stands behind it.
fn parse_tag(text: &str) -> Option<(Tag, &str)> {
    let (is_weak, quoted) = match text.strip_prefix("W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let (opaque, behind) = quoted.strip_prefix('"')?.split_once('"')?;
    let is_permitted = |c: char| c > ' ' && c != '\u{7f}';
    opaque.chars().all(is_permitted).then(|| (Tag { is_weak, opaque: opaque.to_owned() }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(list: &[(HeaderName, &str)]) -> Result<Preconditions, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name, value.parse().unwrap());
        }
        Preconditions::of(&headers)
    }

    /// Whether a job of revision 7, and whether none, passes.
    #[track_caller]
    fn check(list: &[(HeaderName, &str)], of_seven: bool, of_none: bool) {
        let conditions = conditions(list).unwrap();
        let passes = |revision| conditions.fault(revision).is_none();
        assert_eq!((passes(Some(7)), passes(None)), (of_seven, of_none), "{list:?}");
    }

    const MATCH: HeaderName = header::IF_MATCH;
    const NONE_MATCH: HeaderName = header::IF_NONE_MATCH;

    #[test]
    fn without_a_condition_everything_passes() {
        check(&[], true, true);
        assert!(conditions(&[]).unwrap().is_empty());
    }

    #[test]
    fn if_match_wants_a_strong_tag_or_any_job() {
        check(&[(MATCH, "\"7\"")], true, false);
        check(&[(MATCH, "\"6\"")], false, false);
        check(&[(MATCH, "*")], true, false);
        check(&[(MATCH, "W/\"7\"")], false, false);
        check(&[(MATCH, "\"07\"")], false, false);
        check(&[(MATCH, "")], false, false);
    }

    #[test]
    fn if_none_match_refuses_a_tag_of_either_kind_or_every_job() {
        check(&[(NONE_MATCH, "*")], false, true);
        check(&[(NONE_MATCH, "\"7\"")], false, true);
        check(&[(NONE_MATCH, "W/\"7\"")], false, true);
        check(&[(NONE_MATCH, "\"6\"")], true, true);
        check(&[(MATCH, "*"), (NONE_MATCH, "\"7\"")], false, false);
    }

    #[test]
    fn tags_stand_in_lists_over_any_number_of_lines() {
        check(&[(MATCH, "\"1\", W/\"7\" ,,\t\"7\"")], true, false);
        check(&[(MATCH, "\"1\""), (MATCH, "\"2\",\"7\"")], true, false);
        check(&[(MATCH, "\"a,7\",\"b\"")], false, false);
        check(&[(MATCH, ", ,\"7\", ")], true, false);
        check(&[(MATCH, "\"7ß\"")], false, false);
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for value in ["7", "w/\"7\"", "\"7", "\"7\"\"8\"", "\"7\" \"8\"", "\"a b\"", "\"1\", *"] {
            for (name, shown) in [(MATCH, "If-Match"), (NONE_MATCH, "If-None-Match")] {
                let fault = conditions(&[(name, value)]).unwrap_err();
                assert!(fault.starts_with(&format!("{shown} must be")), "{value}: {fault}");
            }
        }
        assert!(conditions(&[(MATCH, "*"), (MATCH, "\"7\"")]).is_err());
    }

    #[test]
    fn the_text_of_a_refusal_says_what_is_there() {
        let fault = |list| conditions(list).unwrap().fault(Some(7)).unwrap();
        let text = fault(&[(MATCH, "\"6\"")]);
        assert_eq!(text, "the job has the tag \"7\", which If-Match does not name");
        let text = fault(&[(NONE_MATCH, "*")]);
        assert_eq!(text, "the job has the tag \"7\", which If-None-Match names");
    }
}
