//! The command line of `dkron agent`, made from the table of options.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{Availability, OPTIONS, Opt, OptKind, Origin, Sources};

const NO_EFFECT_HEADING: &str =
    "Options of Dkron that have no effect yet: clusters of several nodes";
const MISSING_HEADING: &str =
    "Options of Dkron that this version does not have (only their defaults are accepted)";

pub(super) fn command() -> Command {
    let options = OPTIONS.iter().map(|option| {
        let arg = Arg::new(option.name).long(option.name).help(help(option));
        let arg = match option.availability {
            Availability::Works => arg,
            Availability::NoEffectYet(_) => arg.help_heading(NO_EFFECT_HEADING),
            Availability::Missing(_) => arg.help_heading(MISSING_HEADING),
        };
        match option.kind {
            // As in Go, a value needs the sign: `--ui false` is a flag and a stray word.
            OptKind::Bool => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .hide_possible_values(true)
                .value_name("bool"),
            OptKind::List => arg.action(ArgAction::Append).value_name("strings"),
            OptKind::Number => arg.value_name("int").allow_negative_numbers(true),
            OptKind::Duration => arg.value_name("duration").allow_hyphen_values(true),
            OptKind::Text => arg.value_name("string"),
        }
    });
    Command::new("agent")
        .about("Start a dkron agent")
        .after_help(
            "Every option can also be given in the environment (--data-dir as DKRON_DATA_DIR)\n\
             or in a file (data-dir: ...): --config, else dkron.{json,toml,yaml,yml} in\n\
             /etc/dkron, $HOME/.dkron or ./config. Flags win over the environment, and the\n\
             environment over the file.\n\n\
             Examples:\n  \
             dkron agent --server --bootstrap-expect=1\n  \
             dkron agent --server --bootstrap-expect=1 --data-dir=/var/lib/dkron --tag role=web",
        )
        // Of a flag that is given twice the last counts: what wraps a command may add its own.
        .args_override_self(true)
        .args(options)
}

/// Returns what stands on the command line.
pub(super) fn sources(matches: &ArgMatches) -> Sources {
    let mut sources = Sources::default();
    for option in &OPTIONS {
        let is_given = matches.value_source(option.name) == Some(ValueSource::CommandLine);
        if !is_given {
            continue;
        }
        let words = matches.get_many::<String>(option.name).into_iter().flatten();
        let values: Vec<String> = match option.kind {
            OptKind::List => words
                .flat_map(|word| word.split(','))
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
            _ => words.cloned().collect(),
        };
        sources.add(option, values, Origin::Flag);
    }
    sources
}

fn help(option: &Opt) -> String {
    match option.default {
        "" | "false" | "0" => option.help.to_owned(),
        default => format!("{} (default {default})", option.help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Result<Sources, clap::Error> {
        let words = std::iter::once("agent").chain(words.iter().copied());
        command().try_get_matches_from(words).map(|matches| sources(&matches))
    }

    fn values(sources: &Sources, name: &str) -> Vec<String> {
        sources.get(name).map(|given| given.values.clone()).unwrap_or_default()
    }

    #[test]
    fn values_are_written_with_or_without_the_sign() {
        let sources =
            given(&["--data-dir", "d", "--rpc-port=7000", "--server", "--ui=false"]).unwrap();
        assert_eq!(values(&sources, "data-dir"), ["d"]);
        assert_eq!(values(&sources, "rpc-port"), ["7000"]);
        assert_eq!(values(&sources, "server"), ["true"]);
        assert_eq!(values(&sources, "ui"), ["false"]);
        assert_eq!(values(&sources, "region"), Vec::<String>::new());
    }

    #[test]
    fn lists_are_repeated_or_comma_separated() {
        let sources = given(&["--tag", "a=b,c=d", "--tag=e=f"]).unwrap();
        assert_eq!(values(&sources, "tag"), ["a=b", "c=d", "e=f"]);
    }

    #[test]
    fn of_a_repeated_flag_the_last_counts() {
        let sources =
            given(&["--region=a", "--server", "--region", "b", "--server=false"]).unwrap();
        assert_eq!(values(&sources, "region"), ["b"]);
        assert_eq!(values(&sources, "server"), ["false"]);
    }

    #[test]
    fn unknown_flags_and_stray_words_are_refused() {
        for words in [["--nope", "x"], ["--server", "false"], ["stray", "words"]] {
            assert!(given(&words).is_err(), "{words:?}");
        }
    }
}
