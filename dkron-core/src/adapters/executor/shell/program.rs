//! Which file a program's name means.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Finds the file to execute: a name with a slash is one, any other is looked for in `search_path`.
///
/// The search path is that of this process, not that of the command; entries that depend on the
/// working directory do not count.
///
/// # Errors
///
/// The text that users know, when no directory of the path holds such a program.
pub(super) fn find_program(name: &str, search_path: Option<&OsStr>) -> Result<PathBuf, String> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    std::env::split_paths(search_path.unwrap_or_default())
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|file| !name.is_empty() && is_executable(file))
        .ok_or_else(|| format!("exec: \"{name}\": executable file not found in $PATH"))
}

/// Returns whether this process may execute the file.
fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_executable_of_the_path_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for (file, mode) in [("one/tool", 0o644), ("two/tool", 0o755), ("three/tool", 0o755)] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir_all(dir.path().join("one/directory")).unwrap();
        let directories = ["one", "nowhere", "two", "three"].map(|name| dir.path().join(name));
        let path = std::env::join_paths(directories).unwrap();

        assert_eq!(find_program("tool", Some(&path)), Ok(dir.path().join("two/tool")));
        for name in ["directory", "absent", ""] {
            let want = format!("exec: \"{name}\": executable file not found in $PATH");
            assert_eq!(find_program(name, Some(&path)), Err(want));
        }
        assert!(find_program("tool", None).is_err());
        assert!(find_program("tool", Some(OsStr::new(".:"))).is_err());
    }

    #[test]
    fn a_name_with_a_slash_is_taken_as_it_is() {
        assert_eq!(find_program("./no/such", None), Ok(PathBuf::from("./no/such")));
    }
}
