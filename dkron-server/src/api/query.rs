//! The query of a request, read as Go reads it.

use std::collections::BTreeSet;

use super::percent::percent_decode;

/// The parameters of a query, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    parameters: Vec<(String, String)>,
}

impl Query {
    /// Reads what stands behind the question mark.
    ///
    /// A plus is a blank. A parameter with broken percent-encoding, or with a semicolon, is left
    /// out.
    pub(super) fn parse(text: &str) -> Self {
        let parameters = text
            .split('&')
            .filter(|parameter| !parameter.is_empty() && !parameter.contains(';'))
            .filter_map(|parameter| {
                let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                Some((decode(key)?, decode(value)?))
            });
        Self { parameters: parameters.collect() }
    }

    /// Returns the first value of a parameter.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Returns every value of a parameter.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        let named = self.parameters.iter().filter(move |(name, _)| name == key);
        named.map(|(_, value)| value.as_str())
    }

    /// Returns the first value of a parameter, unless it is empty.
    pub(super) fn get_some(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|value| !value.is_empty())
    }

    /// Returns whether a parameter is there, with whatever value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Returns the entries of `name[key]=value`; of equal keys the first.
    pub(super) fn map(&self, name: &str) -> Vec<(&str, &str)> {
        let mut entries: Vec<(&str, &str)> = Vec::new();
        let mut known = BTreeSet::new();
        for (parameter, value) in &self.parameters {
            let key = parameter
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('['))
                .and_then(|rest| rest.split_once(']'));
            if let Some((key, _)) = key
                && !key.is_empty()
                && known.insert(key)
            {
                entries.push((key, value));
            }
        }
        entries
    }

    /// Returns a whole number: what is no number counts as 0, and so does what is below.
    ///
    /// `None` if the parameter is missing or empty.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        let text = self.get_some(key)?;
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(digits.parse().unwrap_or(u64::MAX));
        }
        Some(0)
    }
}

/// Decodes a name or a value: a plus is a blank.
fn decode(text: &str) -> Option<String> {
    percent_decode(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_repeated_parameter_counts() {
        let query = Query::parse("_end=1&_end=3&q=a+b%2B&pretty&x=%zz&y=1;2");
        assert_eq!(query.get("_end"), Some("1"));
        assert_eq!(query.get("q"), Some("a b+"));
        assert!(query.has("pretty"));
        assert!(!query.has("x") && !query.has("y"));
        assert_eq!(query.get_some("pretty"), None);
    }

    #[test]
    fn maps_have_brackets() {
        let query =
            Query::parse("metadata[a]=1&metadata[b]=&metadata=x&metadata[a]=2&metadata[]=y");
        assert_eq!(query.map("metadata"), [("a", "1"), ("b", "")]);
    }

    #[test]
    fn what_is_no_number_is_zero() {
        let number = |text: &str| Query::parse(&format!("n={text}")).number("n");
        assert_eq!(number("12"), Some(12));
        assert_eq!(number("x"), Some(0));
        assert_eq!(number("-3"), Some(0));
        assert_eq!(number("99999999999999999999"), Some(u64::MAX));
        assert_eq!(number(""), None);
    }
}
