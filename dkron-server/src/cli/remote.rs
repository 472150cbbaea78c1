//! What the commands that ask a running node share: where it is, how they answer, how they fail.

use std::io;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use super::{FAILED, option};
use crate::client::{ADDRESS_DEFAULT, Address, Answer, Client, ClientError};
use crate::terminal::{Output, complain, say};

/// The variable that says where the node is; `dkron agent` knows it too.
const ADDRESS_VARIABLE: &str = "DKRON_HTTP_ADDR";

/// How a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// In words.
    Text(String),
    /// Its answer says it already.
    Told,
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        Self::Text(error.to_string())
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Of standard output, the only stream that commands write by themselves.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Text(format!("write to standard output: {error}"))
    }
}

/// Gives a command the options that say where the node is and how to answer; the commands below it
/// have them too.
pub(super) fn with_remote_args(command: Command) -> Command {
    command.arg(address_arg()).arg(format_arg())
}

/// The option that says where the node is.
pub(super) fn address_arg() -> Arg {
    option(
        "http-addr",
        "ADDRESS",
        "API of the node: host:port, :port or http://host:port (default $DKRON_HTTP_ADDR, else \
         127.0.0.1:8080)",
    )
    .global(true)
}

/// The option that says how to answer.
pub(super) fn format_arg() -> Arg {
    option("output", "table|json", "How to answer (default table)")
        .short('o')
        .value_parser(["table", "json"])
        .global(true)
}

/// Returns how to answer.
pub(super) fn format(matches: &ArgMatches) -> Format {
    match text(matches, "output") {
        Some("json") => Format::Json,
        _ => Format::Table,
    }
}

/// Returns the value of an option or an argument, if it was given.
pub(super) fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// Returns the values of an option or an argument that may be repeated.
pub(super) fn texts<'a>(matches: &'a ArgMatches, name: &str) -> Vec<&'a str> {
    matches.get_many::<String>(name).into_iter().flatten().map(String::as_str).collect()
}

/// Returns where the node is, if the command line or the environment says so.
///
/// # Errors
///
/// If what they say is no address.
pub(super) fn given_address(matches: &ArgMatches) -> Result<Option<Address>, Fault> {
    let flag = text(matches, "http-addr").map(|text| ("--http-addr", text.to_owned()));
    let variable = || std::env::var(ADDRESS_VARIABLE).ok().filter(|text| !text.is_empty());
    let Some((name, text)) = flag.or_else(|| variable().map(|text| (ADDRESS_VARIABLE, text)))
    else {
        return Ok(None);
    };
    let text = crate::config::fill_in_address(&text).map_err(|why| format!("{name}: {why}"))?;
    Ok(Some(Address::parse(&text).map_err(|why| format!("{name}: {why}"))?))
}

/// Makes the client of the node that is meant.
///
/// # Errors
///
/// As [`given_address`].
pub(super) fn client(matches: &ArgMatches) -> Result<Client, Fault> {
    let address = match given_address(matches)? {
        Some(address) => address,
        None => Address::parse(ADDRESS_DEFAULT)?,
    };
    Ok(Client::new(address)?)
}

/// Returns the exit code of a command, and says why it failed if it did.
pub(super) fn ended(done: Result<(), Fault>) -> ExitCode {
    match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Fault::Text(text)) => complain(text),
        Err(Fault::Told) => {}
    }
    ExitCode::from(FAILED)
}

/// Hands an answer on as it is.
pub(super) fn pass_on(mut answer: Answer<'_>) -> Result<(), Fault> {
    let mut output = Output::new();
    while let Some(piece) = answer.piece()? {
        output.write(&piece)?;
        if !output.has_reader() {
            return Ok(());
        }
    }
    Ok(output.write(b"\n")?)
}

/// Says a value as JSON.
pub(super) fn say_json(value: &Value) -> Result<(), Fault> {
    Ok(say(format_args!("{value:#}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_hold_for_the_commands_below_too() {
        let command = || with_remote_args(Command::new("job")).subcommand(Command::new("list"));
        let read = |words: &[&str]| {
            let matches = command().try_get_matches_from(words).unwrap();
            let (_, list) = matches.subcommand().unwrap();
            (format(list), given_address(list).unwrap().map(|address| address.to_string()))
        };
        let node = Some("http://n1:1".to_owned());
        assert_eq!(
            read(&["job", "list", "-ojson", "--http-addr=n1:1"]),
            (Format::Json, node.clone())
        );
        assert_eq!(read(&["job", "--http-addr", "n1:1", "list"]), (Format::Table, node));
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_where_it_stands() {
        let matches = with_remote_args(Command::new("job"))
            .try_get_matches_from(["job", "--http-addr", "n1:x"])
            .unwrap();
        let Err(Fault::Text(text)) = given_address(&matches) else { panic!("accepted") };
        assert!(text.starts_with("--http-addr: \"n1:x\""), "{text}");
    }
}
