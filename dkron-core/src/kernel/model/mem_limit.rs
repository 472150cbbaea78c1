//! The memory limit of a shell job as its author writes it: `512MB`, `1.5g`, `100000`.

/// The largest limit, in bytes: what a signed 64-bit number holds.
const BYTES_MAX: f64 = 9_223_372_036_854_775_807.0;

/// A text that is not a memory limit. The messages are Dkron's, and show the text upper-cased.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemLimitError {
    /// It does not begin with a number.
    #[error("invalid memory limit format: {text}")]
    Format {
        /// The text, upper-cased.
        text: String,
    },
    /// It begins with digits and points that are no number.
    #[error("invalid numeric value in memory limit: {number}")]
    Number {
        /// The digits and points.
        number: String,
    },
    /// What follows the number is not a unit.
    #[error("unsupported memory unit: {unit} (supported: B, KB, MB, GB, TB)")]
    Unit {
        /// What follows the number, upper-cased; blanks count.
        unit: String,
    },
    /// Less than one byte.
    #[error("memory limit must be greater than 0")]
    Zero,
    /// More bytes than a signed 64-bit number holds.
    #[error("memory limit too large or causes overflow")]
    TooLarge,
}

/// Reads a memory limit; returns bytes, 1 to `i64::MAX`.
///
/// A decimal number, then nothing or a unit in any case: `B`, `BYTES`, `K`, `KB`, `M`, `MB`, `G`,
/// `GB`, `T`, `TB`. Units go by 1,024. No blank may stand between; parts of a byte are cut.
///
/// # Errors
///
/// [`MemLimitError`] with Dkron's text.
pub fn parse_mem_limit(text: &str) -> Result<u64, MemLimitError> {
    let text = text.trim().to_uppercase();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(MemLimitError::Format { text });
    }
    let unit_bytes: f64 = match unit {
        "" | "B" | "BYTES" => 1.0,
        "K" | "KB" => 1024.0,
        "M" | "MB" => 1_048_576.0,
        "G" | "GB" => 1_073_741_824.0,
        "T" | "TB" => 1_099_511_627_776.0,
        _ => return Err(MemLimitError::Unit { unit: unit.to_owned() }),
    };
    let number: f64 =
        number.parse().map_err(|_| MemLimitError::Number { number: number.to_owned() })?;
    let bytes = number * unit_bytes;
    if bytes < 1.0 {
        return Err(MemLimitError::Zero);
    }
    if bytes >= BYTES_MAX {
        return Err(MemLimitError::TooLarge);
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<u64, &str>) {
        let got = parse_mem_limit(text).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn every_unit_goes_by_1024_in_any_case() {
        check("1000", Ok(1000));
        check("7b", Ok(7));
        check("7 ", Ok(7));
        check("7Bytes", Ok(7));
        check("2k", Ok(2048));
        check("2KB", Ok(2048));
        check("20MB", Ok(20_971_520));
        check("1.5m", Ok(1_572_864));
        check("1g", Ok(1_073_741_824));
        check("0.5GB", Ok(536_870_912));
        check("3tb", Ok(3_298_534_883_328));
        check("1.9", Ok(1));
        check("5.", Ok(5));
        check(".5k", Ok(512));
    }

    #[test]
    fn what_is_no_limit_is_refused_in_dkrons_words() {
        check("lots", Err("invalid memory limit format: LOTS"));
        check("-5MB", Err("invalid memory limit format: -5MB"));
        check("", Err("invalid memory limit format: "));
        check("5 MB", Err("unsupported memory unit:  MB (supported: B, KB, MB, GB, TB)"));
        check("5pb", Err("unsupported memory unit: PB (supported: B, KB, MB, GB, TB)"));
        check("1.2.3", Err("invalid numeric value in memory limit: 1.2.3"));
        check(".", Err("invalid numeric value in memory limit: ."));
        check("0", Err("memory limit must be greater than 0"));
        check("0.2", Err("memory limit must be greater than 0"));
        check("9223372036854775807", Err("memory limit too large or causes overflow"));
        check("99999999TB", Err("memory limit too large or causes overflow"));
    }
}
