//! The zone of this process: that of schedules which name none.

use std::path::Path;

use dkron_core::Zone;

/// Where systems keep the zone, as a link into the database.
const LOCALTIME: &str = "/etc/localtime";

/// Returns the zone that `TZ` names, else the one that the system is set to, else UTC.
///
/// `TZ` may begin with a colon, as POSIX has it; a name that is unknown counts as UTC, as in Go.
pub(super) fn server_zone(tz: Option<&str>) -> Zone {
    let name = match tz {
        Some(tz) => Some(tz.trim_start_matches(':').to_owned()),
        None => std::fs::read_link(LOCALTIME).ok().and_then(|target| zone_of_link(&target)),
    };
    name.and_then(|name| Zone::parse(&name, Zone::UTC).ok()).unwrap_or(Zone::UTC)
}

/// Returns `Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`.
fn zone_of_link(target: &Path) -> Option<String> {
    target.to_str()?.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_and_unknown_names_are_utc() {
        assert_eq!(server_zone(Some("Europe/Berlin")).name(), "Europe/Berlin");
        assert_eq!(server_zone(Some(":Asia/Tokyo")).name(), "Asia/Tokyo");
        assert_eq!(server_zone(Some("")), Zone::UTC);
        assert_eq!(server_zone(Some("Mars/Phobos")), Zone::UTC);
    }

    #[test]
    fn the_systems_link_ends_in_the_name() {
        let link = Path::new("../usr/share/zoneinfo/America/New_York");
        assert_eq!(zone_of_link(link).as_deref(), Some("America/New_York"));
        assert_eq!(zone_of_link(Path::new("/etc/other")), None);
    }
}
