//! `dkron raft`: the servers of a cluster.
//!
//! A cluster of this version is one server, so that there is never a peer to remove: to ask for it
//! is refused, with what to do instead.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::leave::{client_of_rpc, rpc_arg};
use super::option;
use super::remote::{Fault, Format, ended, format, say_json, text, with_remote_args};
use super::shown;
use super::table::Table;
use crate::client::{Ask, Client};
use crate::terminal::say;

/// What is being done, for messages.
const WHAT: &str = "list the peers";

pub(super) fn command() -> Command {
    let list = Command::new("list-peers")
        .about("Command to list raft peers")
        .after_help("Example:\n  dkron raft list-peers --http-addr node1:8080");
    let remove = Command::new("remove-peer")
        .about("Command to remove a peer from raft")
        .after_help("Example:\n  dkron raft remove-peer --peer-id node2")
        .arg(option("peer-id", "NAME", "The peer, by its ID").required(true));
    with_remote_args(
        Command::new("raft")
            .about("Command to perform some raft operations")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .arg(rpc_arg())
            .subcommands([list, remove]),
    )
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::FAILURE };
    ended(match name {
        "remove-peer" => remove_peer(matches),
        _ => list_peers(matches),
    })
}

/// A server of the cluster.
struct Peer {
    name: String,
    address: String,
    is_leader: bool,
}

fn list_peers(matches: &ArgMatches) -> Result<(), Fault> {
    let peers = peers(&client_of_rpc(matches)?)?;
    let state = |peer: &Peer| if peer.is_leader { "leader" } else { "follower" };
    if format(matches) == Format::Json {
        let peers = peers.iter().map(|peer| {
            json!({"node": peer.name, "id": peer.name, "address": peer.address,
                   "state": state(peer), "voter": true})
        });
        return say_json(&peers.collect());
    }
    let mut table = Table::new(["Node", "ID", "Address", "State", "Voter"]);
    for peer in &peers {
        table.push([
            peer.name.clone(),
            peer.name.clone(),
            peer.address.clone(),
            state(peer).to_owned(),
            "true".to_owned(),
        ]);
    }
    Ok(say(table.text())?)
}

fn remove_peer(matches: &ArgMatches) -> Result<(), Fault> {
    let client = client_of_rpc(matches)?;
    let id = text(matches, "peer-id").unwrap_or_default();
    let peers = peers(&client)?;
    let names: Vec<String> = peers.iter().map(|peer| format!("\"{}\"", peer.name)).collect();
    let why = if !peers.iter().any(|peer| peer.name == id) {
        format!("there is none; its peers are {}", names.join(", "))
    } else if let [_] = peers.as_slice() {
        format!(
            "it is the only server, without which there is no cluster; `dkron leave --http-addr \
             {}` ends it",
            client.address()
        )
    } else {
        "this version cannot change the servers of a cluster".to_owned()
    };
    Err(Fault::Text(format!("remove the peer \"{id}\" from the cluster: {why}")))
}

/// Returns the servers of the cluster.
fn peers(client: &Client) -> Result<Vec<Peer>, Fault> {
    let leader = client.send(Ask::get(WHAT, "/v1/leader"))?;
    let leader = if leader.status().is_success() { leader.json()? } else { Value::Null };
    let leader = shown::text(&leader, "Name").to_owned();
    let members = client.succeed(Ask::get(WHAT, "/v1/members"))?.json()?;
    let tag = |member: &Value, name: &str| {
        shown::text(member.get("Tags").unwrap_or(&Value::Null), name).to_owned()
    };
    let servers = members.as_array().into_iter().flatten();
    let servers = servers.filter(|member| tag(member, "server") == "true");
    let peers = servers.map(|member| {
        let name = shown::text(member, "Name").to_owned();
        Peer { is_leader: name == leader, address: tag(member, "rpc_addr"), name }
    });
    Ok(peers.collect())
}
