//! What the system answers, in the words users know from Dkron.

use std::io;

use nix::errno::Errno;

/// Says what the system answered: `no such file or directory`.
pub(super) fn error_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_are_in_lower_case() {
        let text = |number: i32| error_text(&io::Error::from_raw_os_error(number));
        assert_eq!(text(2), "no such file or directory");
        assert_eq!(text(13), "permission denied");
        assert_eq!(text(8), "exec format error");
        assert_eq!(error_text(&io::Error::other("as it is")), "as it is");
    }
}
