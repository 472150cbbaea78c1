//! Addresses as users write them: `host:port`, with templates such as `{{ GetPrivateIP }}`.

use std::net::{IpAddr, Ipv4Addr};

/// A host, which may be empty, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    pub(super) host: String,
    pub(super) port: u16,
}

/// An address of a network interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    pub(super) interface: String,
    pub(super) ip: IpAddr,
    pub(super) is_loopback: bool,
    /// The interface of the default route.
    pub(super) is_default: bool,
}

/// Reads an address whose templates are filled in from `interfaces`.
///
/// # Errors
///
/// What is wrong, in words: an unknown template, more than one address, a port that is no number.
pub(super) fn parse(
    text: &str,
    port_default: u16,
    interfaces: &[InterfaceAddress],
) -> Result<HostPort, String> {
    let text = fill_in(text, interfaces)?;
    let text = text.trim();
    if text.contains(char::is_whitespace) {
        return Err(format!("\"{text}\" is more than one address"));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let port = match port {
        None => port_default,
        Some(port) => port
            .parse()
            .map_err(|_| format!("port \"{port}\" must be a number within 0..=65535"))?,
    };
    Ok(HostPort { host: host.to_owned(), port })
}

/// Returns the addresses of the interfaces that are up.
pub(super) fn interfaces() -> Vec<InterfaceAddress> {
    use nix::net::if_::InterfaceFlags;

    let default = default_interface();
    let Ok(addresses) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let up = addresses.filter(|address| address.flags.contains(InterfaceFlags::IFF_UP));
    up.filter_map(|address| {
        let storage = address.address?;
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = || storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
        Some(InterfaceAddress {
            is_default: default.as_ref() == Some(&address.interface_name),
            is_loopback: address.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            ip: v4.or_else(v6)?,
            interface: address.interface_name,
        })
    })
    .collect()
}

/// Returns the host by which others know this machine: for "any address" one that it has.
pub(super) fn shown_host(host: String, interfaces: &[InterfaceAddress]) -> String {
    let is_any = host.is_empty() || host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
    if !is_any {
        return host;
    }
    let private = pick(interfaces, |address| is_private(address.ip) && !address.is_loopback);
    let other = pick(interfaces, is_public);
    let ip = private.into_iter().chain(other).next().unwrap_or(Ipv4Addr::LOCALHOST.into());
    ip.to_string()
}

/// Returns the interface of the default route, where the system tells.
fn default_interface() -> Option<String> {
    let routes = std::fs::read_to_string("/proc/net/route").ok()?;
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let interface = fields.next()?;
        (fields.next() == Some("00000000")).then(|| interface.to_owned())
    })
}

/// Fills in the templates of an address, wherever it leads.
///
/// # Errors
///
/// As [`parse`].
pub(crate) fn fill_in_address(text: &str) -> Result<String, String> {
    if text.contains("{{") { fill_in(text, &interfaces()) } else { Ok(text.to_owned()) }
}

/// Replaces every `{{ … }}`.
fn fill_in(text: &str, interfaces: &[InterfaceAddress]) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (template, after) =
            after.split_once("}}").ok_or_else(|| format!("\"{text}\" lacks a closing }}}}"))?;
        filled.push_str(before);
        filled.push_str(&evaluate(template.trim(), interfaces)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn evaluate(template: &str, interfaces: &[InterfaceAddress]) -> Result<String, String> {
    let (function, argument) = match template.split_once(char::is_whitespace) {
        Some((function, argument)) => (function, argument.trim().trim_matches('"')),
        None => (template, ""),
    };
    let is_private = |address: &InterfaceAddress| is_private(address.ip);
    let found = match (function, argument) {
        ("GetPrivateIP", "") => pick(interfaces, is_private).into_iter().take(1).collect(),
        ("GetPrivateIPs", "") => pick(interfaces, is_private),
        ("GetPublicIP", "") => pick(interfaces, is_public).into_iter().take(1).collect(),
        ("GetPublicIPs", "") => pick(interfaces, is_public),
        ("GetInterfaceIP", name) if !name.is_empty() => {
            pick(interfaces, |address| address.interface == name).into_iter().take(1).collect()
        }
        ("GetInterfaceIPs", name) if !name.is_empty() => {
            pick(interfaces, |address| address.interface == name)
        }
        _ => {
            return Err(format!(
                "\"{{{{ {template} }}}}\" is not a known template; known are GetPrivateIP, \
                 GetPublicIP, GetInterfaceIP \"<name>\" and their plurals"
            ));
        }
    };
    Ok(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

/// Returns the addresses that `wanted` accepts: of the default route first, version 4 first.
fn pick(
    interfaces: &[InterfaceAddress],
    wanted: impl Fn(&InterfaceAddress) -> bool,
) -> Vec<IpAddr> {
    let mut found: Vec<_> = interfaces.iter().filter(|address| wanted(address)).collect();
    found.sort_by_key(|address| (!address.is_default, address.ip.is_ipv6()));
    found.into_iter().map(|address| address.ip).collect()
}

/// Returns whether the address is a forwardable one of RFC 6890's special registry.
fn is_private(ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else { return false };
    let shared = Ipv4Addr::new(100, 64, 0, 0);
    let benchmark = Ipv4Addr::new(198, 18, 0, 0);
    let starts_with = |net: Ipv4Addr, bits: u32| (ip.to_bits() ^ net.to_bits()) >> (32 - bits) == 0;
    ip.is_private() || starts_with(shared, 10) || starts_with(benchmark, 15)
}

fn is_public(address: &InterfaceAddress) -> bool {
    let is_local = match address.ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unique_local() || ip.is_unspecified(),
    };
    !is_local && !address.is_loopback && !is_private(address.ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Vec<InterfaceAddress> {
        let address = |interface: &str, ip: &str, is_default| InterfaceAddress {
            interface: interface.to_owned(),
            ip: ip.parse().unwrap(),
            is_loopback: interface == "lo",
            is_default,
        };
        vec![
            address("lo", "127.0.0.1", false),
            address("docker0", "172.17.0.1", false),
            address("eth0", "fe80::1", true),
            address("eth0", "10.1.2.3", true),
            address("eth1", "203.0.113.9", false),
        ]
    }

    #[track_caller]
    fn check(text: &str, want: Result<(&str, u16), &str>) {
        let got = parse(text, 8946, &machine());
        match (got, want) {
            (Ok(got), Ok((host, port))) => {
                assert_eq!(got, HostPort { host: host.to_owned(), port }, "{text}");
            }
            (Err(got), Err(want)) => assert!(got.contains(want), "{text}: {got}"),
            (got, want) => panic!("{text}: {got:?}, not {want:?}"),
        }
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        check("127.0.0.1:7000", Ok(("127.0.0.1", 7000)));
        check(":8080", Ok(("", 8080)));
        check("n1", Ok(("n1", 8946)));
        check("[::1]:80", Ok(("::1", 80)));
        check("[::1]", Ok(("::1", 8946)));
        check("::1", Ok(("::1", 8946)));
        check("n1:http", Err("must be a number"));
        check("n1:70000", Err("must be a number"));
    }

    #[test]
    fn templates_are_filled_in() {
        check("{{ GetPrivateIP }}:8946", Ok(("10.1.2.3", 8946)));
        check("{{GetPublicIP}}", Ok(("203.0.113.9", 8946)));
        check("{{ GetInterfaceIP \"docker0\" }}:1", Ok(("172.17.0.1", 1)));
        check("{{ GetInterfaceIP \"eth9\" }}:1", Ok(("", 1)));
    }

    #[test]
    fn a_machine_is_known_by_an_address_that_it_has() {
        let shown = |host: &str| shown_host(host.to_owned(), &machine());
        assert_eq!(shown("0.0.0.0"), "10.1.2.3");
        assert_eq!(shown(""), "10.1.2.3");
        assert_eq!(shown("n1.example.org"), "n1.example.org");
        assert_eq!(shown_host(String::new(), &[]), "127.0.0.1");
    }

    #[test]
    fn other_templates_are_refused() {
        check("{{ GetPrivateIPs }}", Err("more than one address"));
        check("{{ GetAllInterfaces | attr \"address\" }}", Err("is not a known template"));
        check("{{ GetPrivateIP", Err("lacks a closing"));
    }
}
