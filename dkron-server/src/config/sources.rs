//! What was given for each option, and where.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::options::{OPTIONS, Opt, OptKind};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag,
    /// In the environment.
    Env,
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where it can be told.
        line: Option<usize>,
    },
}

/// What was given for one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The option.
    pub option: &'static Opt,
    /// The value; several for a list, exactly one otherwise.
    pub values: Vec<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// As messages name it: `--rpc-port`, `DKRON_RPC_PORT`, `rpc-port in /etc/dkron/dkron.yml line 3`.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Flag => write!(f, "--{}", self.option.name),
            Origin::Env => f.write_str(&self.option.env_name()),
            Origin::File { path, line } => {
                write!(f, "{} in {}", self.option.name, path.display())?;
                line.map_or(Ok(()), |line| write!(f, " line {line}"))
            }
        }
    }
}

/// What all sources give together: of each option what the strongest source says.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    given: BTreeMap<&'static str, Given>,
    /// The map `tags` of a file, with its keys in lower case.
    pub file_tags: BTreeMap<String, String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// What should be told though it is no fault: keys that mean nothing.
    pub remarks: Vec<String>,
}

impl Sources {
    /// Takes what one source gives for an option, unless a stronger one has spoken.
    ///
    /// Sources are asked in the order of their strength: flags, environment, file.
    pub fn add(&mut self, option: &'static Opt, values: Vec<String>, origin: Origin) {
        self.given.entry(option.name).or_insert(Given { option, values, origin });
    }

    /// Takes what the environment gives; `read` answers for the name of a variable.
    ///
    /// Lists are separated by commas, `DKRON_TAG` by blanks. An empty variable counts as unset.
    pub fn add_env(&mut self, read: impl Fn(&str) -> Option<String>) {
        for option in &OPTIONS {
            let value = read(&option.env_name()).filter(|value| !value.is_empty());
            let Some(value) = value else { continue };
            let values = match option.kind {
                OptKind::List if option.name == "tag" => {
                    value.split_whitespace().map(str::to_owned).collect()
                }
                OptKind::List => split_list(&value),
                _ => vec![value],
            };
            self.add(option, values, Origin::Env);
        }
    }

    /// Returns what was given for the option `name`.
    pub fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// Returns the values in force for an option: those given, else the default.
    pub(super) fn in_force(&self, option: &'static Opt) -> Vec<String> {
        let default = || Some(option.default.to_owned()).filter(|text| !text.is_empty());
        let given = self.get(option.name).map(|given| given.values.clone());
        given.unwrap_or_else(|| default().into_iter().collect())
    }

    /// Returns everything that was given, by the names of the options.
    pub fn iter(&self) -> impl Iterator<Item = &Given> {
        self.given.values()
    }
}

/// Splits a list in one value at its commas.
pub(super) fn split_list(value: &str) -> Vec<String> {
    value.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str) -> &'static Opt {
        Opt::find(name).unwrap()
    }

    #[test]
    fn the_first_source_wins() {
        let mut sources = Sources::default();
        sources.add(option("region"), vec!["flag".to_owned()], Origin::Flag);
        sources.add_env(|name| (name == "DKRON_REGION").then(|| "env".to_owned()));
        sources.add(
            option("region"),
            vec!["file".to_owned()],
            Origin::File { path: "f".into(), line: None },
        );
        assert_eq!(sources.get("region").unwrap().values, ["flag"]);
    }

    #[test]
    fn lists_in_the_environment_have_commas_but_tags_have_blanks() {
        let mut sources = Sources::default();
        sources.add_env(|name| match name {
            "DKRON_RETRY_JOIN" => Some("a:1, b:2,".to_owned()),
            "DKRON_TAG" => Some("role=web  zone=a,b".to_owned()),
            "DKRON_DATA_DIR" => Some(String::new()),
            _ => None,
        });
        assert_eq!(sources.get("retry-join").unwrap().values, ["a:1", "b:2"]);
        assert_eq!(sources.get("tag").unwrap().values, ["role=web", "zone=a,b"]);
        assert_eq!(sources.get("data-dir"), None);
    }

    #[test]
    fn messages_say_where_a_value_stands() {
        let named =
            |origin| Given { option: option("rpc-port"), values: Vec::new(), origin }.to_string();
        assert_eq!(named(Origin::Flag), "--rpc-port");
        assert_eq!(named(Origin::Env), "DKRON_RPC_PORT");
        let in_file = |line| named(Origin::File { path: "/a/dkron.yml".into(), line });
        assert_eq!(in_file(None), "rpc-port in /a/dkron.yml");
        assert_eq!(in_file(Some(3)), "rpc-port in /a/dkron.yml line 3");
    }
}
