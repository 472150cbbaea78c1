//! The keys of the shell executor.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::DecodeError;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};

use super::environment::parse_variables;
use super::words::split_words;
use crate::kernel::model::{parse_go_bool, parse_mem_limit};
use crate::kernel::time::parse_go_duration;

/// What to run, and within which bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::adapters::executor) struct ShellConfig {
    /// The command as its author wrote it.
    pub(in crate::adapters::executor) command: String,
    /// The name of the program.
    pub(super) program: String,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// Variables set beside the usual ones; of equal names the last counts.
    pub(super) variables: Vec<(String, String)>,
    /// The working directory; that of this process if absent.
    pub(super) cwd: Option<String>,
    /// `user` or `user:group`.
    pub(super) su: Option<String>,
    /// What the command may read from its standard input.
    pub(super) payload: Option<Vec<u8>>,
    /// The longest it may run, with the text its author wrote.
    pub(super) timeout: Option<(Duration, String)>,
    /// The most memory its processes may hold together, in bytes.
    pub(super) mem_limit_bytes: Option<u64>,
}

impl ShellConfig {
    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// The text the run fails with.
    pub(in crate::adapters::executor) fn parse(
        config: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let key = |name: &str| config.get(name).filter(|value| !value.is_empty());
        let command = key("command").cloned().unwrap_or_default();
        let has_shell = key("shell").and_then(|value| parse_go_bool(value)).unwrap_or(false);
        let words = if has_shell {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), command.clone()]
        } else {
            split_words(&command).map_err(|error| error.to_string())?
        };
        let mut words = words.into_iter();
        let program = words.next().ok_or("shell: Command missing")?;
        Ok(Self {
            command,
            program,
            arguments: words.collect(),
            variables: key("env").map(|text| parse_variables(text)).unwrap_or_default(),
            cwd: key("cwd").cloned(),
            su: key("su").cloned(),
            payload: key("payload").map(|text| decode(text)).transpose()?,
            timeout: key("timeout").map(|text| timeout(text)).transpose()?.flatten(),
            mem_limit_bytes: key("mem_limit").map(|text| mem_limit(text)).transpose()?,
        })
    }
}

/// Reads `timeout`; zero and less mean none.
fn timeout(text: &str) -> Result<Option<(Duration, String)>, String> {
    let nanoseconds = parse_go_duration(text)
        .map_err(|error| format!("shell: Error parsing job timeout value: {error}"))?;
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
    let timeout = Duration::from_nanos(nanoseconds);
    Ok((!timeout.is_zero()).then(|| (timeout, text.to_owned())))
}

/// Reads `mem_limit`.
fn mem_limit(text: &str) -> Result<u64, String> {
    parse_mem_limit(text)
        .map_err(|error| format!("shell: Error parsing job memory limit value: {error}"))
}

/// Reads `payload`: base64 with padding, line ends allowed anywhere.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    GeneralPurpose::new(&STANDARD, CONFIG).decode(&text).map_err(|error| {
        let at = match error {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
        };
        format!("illegal base64 data at input byte {at}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(keys: &[(&str, &str)]) -> Result<ShellConfig, String> {
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ShellConfig::parse(&keys.collect())
    }

    #[track_caller]
    fn check_error(keys: &[(&str, &str)], want: &str) {
        assert_eq!(parse(keys), Err(want.to_owned()));
    }

    #[test]
    fn a_command_is_needed_unless_there_is_a_shell() {
        check_error(&[], "shell: Command missing");
        check_error(&[("command", "")], "shell: Command missing");
        check_error(&[("command", "  "), ("shell", "yes")], "shell: Command missing");
        let config = parse(&[("shell", "true")]).unwrap();
        assert_eq!(
            (config.program.as_str(), config.arguments),
            ("/bin/sh", vec!["-c".into(), "".into()])
        );
    }

    #[test]
    fn a_shell_gets_the_command_as_it_is_written() {
        for shell in ["true", "1", "t", "T", "TRUE", "True"] {
            let config = parse(&[("command", "a | b"), ("shell", shell)]).unwrap();
            assert_eq!(config.arguments, ["-c", "a | b"], "{shell:?}");
        }
        for shell in ["", "false", "0", "yes", "on", "tRUE", " true"] {
            let config = parse(&[("command", "a 'b c'"), ("shell", shell)]).unwrap();
            assert_eq!((config.program.as_str(), config.arguments), ("a", vec!["b c".into()]));
        }
    }

    #[test]
    fn a_timeout_is_a_go_duration_and_none_from_zero_down() {
        let timeout = |text: &str| parse(&[("command", "a"), ("timeout", text)]).unwrap().timeout;
        assert_eq!(timeout("90s"), Some((Duration::from_secs(90), "90s".to_owned())));
        assert_eq!(timeout("1.5ms").unwrap().0, Duration::from_micros(1500));
        for none in ["", "0", "0s", "-5s"] {
            assert_eq!(timeout(none), None, "{none:?}");
        }
        check_error(
            &[("command", "a"), ("timeout", "soon")],
            "shell: Error parsing job timeout value: time: invalid duration \"soon\"",
        );
    }

    #[test]
    fn a_memory_limit_is_read_in_dkrons_units() {
        let config = parse(&[("command", "a"), ("mem_limit", "20MB")]).unwrap();
        assert_eq!(config.mem_limit_bytes, Some(20_971_520));
        check_error(
            &[("command", "a"), ("mem_limit", "0")],
            "shell: Error parsing job memory limit value: memory limit must be greater than 0",
        );
    }

    #[test]
    fn a_payload_is_base64() {
        let payload =
            |text: &str| parse(&[("command", "a"), ("payload", text)]).map(|config| config.payload);
        assert_eq!(payload("aGVsbG8K"), Ok(Some(b"hello\n".to_vec())));
        assert_eq!(payload("aGVs\r\nbG8K\n"), Ok(Some(b"hello\n".to_vec())));
        assert_eq!(payload(""), Ok(None));
        assert_eq!(payload("%%%"), Err("illegal base64 data at input byte 0".to_owned()));
        assert_eq!(payload("aGVsbG8"), Err("illegal base64 data at input byte 7".to_owned()));
    }

    #[test]
    fn other_keys_are_ignored() {
        assert_eq!(parse(&[("command", "a"), ("foo", "bar")]), parse(&[("command", "a")]));
    }
}
