//! Searches a body for a pattern while it arrives.

use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;

use super::pattern::rust_pattern;

/// Largest compiled pattern, in bytes; a larger one matches nothing, as an invalid one does.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Longest pattern, in bytes. A longer one would compile to more than [`PATTERN_BYTES_MAX`] anyway;
/// reading it takes some hundred times its length of memory, and a job may have megabytes of it.
const PATTERN_TEXT_BYTES_MAX: usize = 1 << 16;

/// A search for the first place at which a pattern matches, over bytes handed in piece by piece.
///
/// An automaton takes one byte after the other, so nothing of the body is held, and no pattern
/// takes more than a moment per byte.
pub(in crate::adapters::executor) struct BodySearch {
    dfa: DFA,
    cache: Cache,
    state: LazyStateID,
    is_found: bool,
}

impl BodySearch {
    /// Begins a search for a pattern in Go's dialect; `None` if it is invalid.
    pub(in crate::adapters::executor) fn new(pattern: &str) -> Option<Self> {
        if pattern.len() > PATTERN_TEXT_BYTES_MAX {
            return None;
        }
        let dfa = DFA::builder()
            .configure(DFA::config().skip_cache_capacity_check(true))
            .syntax(syntax::Config::new().utf8(false))
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(PATTERN_BYTES_MAX)),
            )
            .build(&rust_pattern(pattern)?)
            .ok()?;
        let mut cache = dfa.create_cache();
        let state = dfa.start_state_forward(&mut cache, &Input::new("")).ok()?;
        Some(Self { dfa, cache, state, is_found: false })
    }

    /// Goes on with the next bytes.
    pub(in crate::adapters::executor) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_found || self.state.is_dead() {
                return;
            }
            self.step(|dfa, cache, state| dfa.next_state(cache, state, *byte).ok());
        }
    }

    /// Ends the body; returns whether the pattern matched anywhere.
    pub(in crate::adapters::executor) fn finish(mut self) -> bool {
        if !self.is_found && !self.state.is_dead() {
            self.step(|dfa, cache, state| dfa.next_eoi_state(cache, state).ok());
        }
        self.is_found
    }

    /// Takes one step. The automaton knows of a match one step late.
    fn step(&mut self, next: impl Fn(&DFA, &mut Cache, LazyStateID) -> Option<LazyStateID>) {
        if let Some(state) = next(&self.dfa, &mut self.cache, self.state) {
            self.state = state;
            self.is_found = state.is_match();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches whole and byte by byte: the cut must not matter.
    fn search(pattern: &str, body: &[u8]) -> Option<bool> {
        let mut whole = BodySearch::new(pattern)?;
        whole.feed(body);
        let mut pieces = BodySearch::new(pattern)?;
        for byte in body {
            pieces.feed(&[*byte]);
        }
        let found = whole.finish();
        assert_eq!(pieces.finish(), found, "{pattern:?} in {body:?}");
        Some(found)
    }

    /// Answers of Go 1.26's `regexp.MatchString`.
    #[test]
    fn patterns_match_as_they_do_in_go() {
        let table: &[(&str, &str, bool)] = &include!("search_test.in");
        for (pattern, body, want) in table {
            assert_eq!(
                search(pattern, body.as_bytes()).unwrap_or(false),
                *want,
                "{pattern:?} in {body:?}"
            );
        }
    }

    #[test]
    fn an_invalid_pattern_is_none() {
        for pattern in
            ["(", "a{1001}", "*a", "[z-a]", r"\1", "(?<n", "((((a{999}){999}){999}){999})"]
        {
            assert_eq!(search(pattern, b"x"), None, "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_beyond_the_limits_is_none() {
        assert_eq!(search(&"x".repeat(1000), "x".repeat(1000).as_bytes()), Some(true));
        assert_eq!(search(&"x".repeat(PATTERN_TEXT_BYTES_MAX), b"x"), None);
        assert_eq!(
            search(&format!("[{}]", "x".repeat(PATTERN_TEXT_BYTES_MAX - 2)), b"x"),
            Some(true)
        );
        assert_eq!(search(&format!("[{}]", "x".repeat(PATTERN_TEXT_BYTES_MAX)), b"x"), None);
    }

    #[test]
    fn a_match_is_found_wherever_it_stands_in_a_large_body() {
        let mut search = BodySearch::new("needle$").unwrap();
        for _ in 0..1000 {
            search.feed(&[b'n'; 4096]);
        }
        search.feed(b"nee");
        search.feed(b"dle");
        assert!(search.finish());
    }

    #[test]
    fn bytes_that_are_no_text_do_not_matter_around_a_match() {
        assert_eq!(search("ok", b"\xff\xfe ok \x80"), Some(true));
        assert_eq!(search("^.ok", b"\xffok"), Some(false));
    }
}
