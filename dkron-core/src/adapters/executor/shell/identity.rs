//! As whom a command runs.

use nix::unistd::{Gid, Group, Uid, User};

/// A user and a group of this machine, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

impl Identity {
    /// Looks up `user` or `user:group`; without a group it is the user's own.
    ///
    /// Asks the name services of the machine, and may block on them.
    ///
    /// # Errors
    ///
    /// Dkron's text when there is no such user or group, or they cannot be looked up.
    pub(super) fn look_up(su: &str) -> Result<Self, String> {
        let (user, group) =
            su.split_once(':').map_or((su, None), |(user, group)| (user, Some(group)));
        let failed =
            |errno: nix::Error| format!("look up \"{su}\": {}", errno.desc().to_lowercase());
        let user = User::from_name(user)
            .map_err(failed)?
            .ok_or_else(|| format!("user: unknown user {user}"))?;
        let gid = match group {
            None => user.gid,
            Some(name) => {
                let group = Group::from_name(name).map_err(failed)?;
                group.ok_or_else(|| format!("group: unknown group {name}"))?.gid
            }
        };
        Ok(Self { uid: user.uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_comes_with_its_group_or_another() {
        let root = Identity { uid: Uid::from_raw(0), gid: Gid::from_raw(0) };
        assert_eq!(Identity::look_up("root"), Ok(root));
        let daemon = Group::from_name("daemon").unwrap().unwrap().gid;
        assert_eq!(Identity::look_up("root:daemon"), Ok(Identity { gid: daemon, ..root }));
    }

    #[test]
    fn unknown_names_are_told() {
        let error = |su: &str| Identity::look_up(su).unwrap_err();
        assert_eq!(error("no-such-user-x"), "user: unknown user no-such-user-x");
        assert_eq!(error(""), "user: unknown user ");
        assert_eq!(error("root:no-such-group-x"), "group: unknown group no-such-group-x");
        assert_eq!(error("0"), "user: unknown user 0");
    }
}
