//! Reads the options of one command; refuses what it does not know.

use anyhow::{Result, bail};

/// What one option is called and whether a value follows it.
pub struct Known {
    /// With its dashes: `--stage`.
    pub name: &'static str,
    /// Whether it takes a value, as `--stage unit` or `--stage=unit`.
    pub takes_value: bool,
}

/// An option with a value.
pub const fn value(name: &'static str) -> Known {
    Known { name, takes_value: true }
}

/// An option without one.
pub const fn flag(name: &'static str) -> Known {
    Known { name, takes_value: false }
}

/// The options and operands of one command line, in their order.
#[derive(Debug, Default)]
pub struct Args {
    options: Vec<(&'static str, String)>,
    /// The words that are no options.
    pub operands: Vec<String>,
}

impl Args {
    /// Parses `words`. `None` if help was asked for, after printing `help`.
    pub fn parse(words: &[String], known: &[Known], help: &str) -> Result<Option<Self>> {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "-h" || word == "--help" {
                print!("{help}");
                return Ok(None);
            }
            if !word.starts_with('-') {
                args.operands.push(word.clone());
                continue;
            }
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let Some(option) = known.iter().find(|option| option.name == name) else {
                bail!("unknown option {name}\n\n{help}");
            };
            let value = match (option.takes_value, inline) {
                (false, None) => String::new(),
                (false, Some(_)) => bail!("{name} takes no value"),
                (true, Some(value)) => value,
                (true, None) => match words.next() {
                    Some(value) => value.clone(),
                    None => bail!("{name} needs a value"),
                },
            };
            args.options.push((option.name, value));
        }
        Ok(Some(args))
    }

    /// Returns whether the flag `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(given, _)| *given == name)
    }

    /// Returns every value given for `name`; commas separate several in one.
    pub fn values(&self, name: &str) -> Vec<String> {
        let given = self.options.iter().filter(|(given, _)| *given == name);
        given.flat_map(|(_, value)| value.split(',').map(str::to_owned)).collect()
    }

    /// Returns the last value given for `name`.
    pub fn last(&self, name: &str) -> Option<&str> {
        let given = self.options.iter().rev().find(|(given, _)| *given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// Returns the last value given for `name` as a whole number, or `default`.
    pub fn number(&self, name: &str, default: u64) -> Result<u64> {
        match self.last(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) => Ok(number),
                Err(_) => bail!("{name} takes a whole number, not \"{text}\""),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Option<Args>> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Args::parse(&words, &[value("--stage"), value("--seconds"), flag("--list")], "")
    }

    #[test]
    fn values_come_apart_or_inline_and_may_be_lists() {
        let args = parse(&["--stage", "unit,doc", "x", "--stage=fuzz", "--list"]).unwrap().unwrap();

        assert_eq!(args.values("--stage"), ["unit", "doc", "fuzz"]);
        assert_eq!(args.operands, ["x"]);
        assert!(args.has("--list"));
        assert_eq!(args.number("--seconds", 60).unwrap(), 60);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for words in [&["--stag"][..], &["--stage"], &["--list=1"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
