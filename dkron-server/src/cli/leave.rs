//! `dkron leave`: has a node leave its cluster and end.
//!
//! Dkron asks at the port between nodes, which this version does not open: the API is asked
//! instead. A node that is named by its `--rpc-addr` alone is looked for behind the API's own port
//! on that host, and asked only if it says that the address is its own: no other node ever leaves.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use super::option;
use super::remote::{Fault, address_arg, client, ended, given_address, text};
use super::shown;
use crate::client::{Address, Ask, Client};
use crate::terminal::remark;

/// The port of the API on a host that is named for another port.
const HTTP_PORT: u16 = 8080;

pub(super) fn command() -> Command {
    Command::new("leave")
        .about("Force an agent to leave the cluster")
        .after_help(
            "The node stops in good order, and its process ends. Without any address that is the\n\
             node at 127.0.0.1:8080.\n\n\
             Examples:\n  dkron leave\n  dkron leave --http-addr node1:8080",
        )
        .arg(address_arg())
        .arg(rpc_arg())
}

/// The option of Dkron for the port between nodes.
pub(super) fn rpc_arg() -> Arg {
    option(
        "rpc-addr",
        "ADDRESS",
        "Address of the node for other nodes; this version asks the API on that host, at port 8080",
    )
    .global(true)
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    ended(leave(matches))
}

fn leave(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client_of_rpc(matches)?;
    client.succeed(Ask::post("leave the cluster", "/v1/leave"))?.bytes()?;
    // Dkron says it in its log; scripts look at the exit code.
    remark("Left the cluster successfully");
    Ok(())
}

/// Makes the client of the node that is meant, by its API or by its address for other nodes.
///
/// # Errors
///
/// If the latter alone is given, and the API on that host is another node's or not at its port.
pub(super) fn client_of_rpc(matches: &ArgMatches) -> Result<Client, Fault> {
    let Some(rpc) = text(matches, "rpc-addr") else { return client(matches) };
    if given_address(matches)?.is_some() {
        return client(matches);
    }
    let filled = crate::config::fill_in_address(rpc).map_err(|why| format!("--rpc-addr: {why}"))?;
    let rpc = Address::parse(&filled).map_err(|why| format!("--rpc-addr: {why}"))?;
    let api = rpc.with_port(HTTP_PORT);
    let advice = "this version has no port between nodes; say with --http-addr where the API of \
                  the node is";
    let client = Client::new(api)?;
    let ask = Ask::get("look for the node", "/v1");
    let status = client.succeed(ask).and_then(crate::client::Answer::json);
    let status = status.map_err(|error| format!("{error}; {advice}"))?;
    let of_node = status.pointer("/tags/rpc_addr").and_then(Value::as_str).unwrap_or_default();
    let is_its_own = of_node.rsplit_once(':').is_some_and(|(_, port)| port == rpc.port.to_string());
    if is_its_own {
        return Ok(client);
    }
    let node = shown::text(status.get("agent").unwrap_or(&Value::Null), "name");
    Err(Fault::Text(format!(
        "the node at {} is \"{node}\" with rpc-addr {of_node}, not the one at {filled}; {advice}",
        client.address()
    )))
}
