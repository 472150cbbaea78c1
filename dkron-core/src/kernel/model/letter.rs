//! Unicode category Ll: the letters a job name may hold.

/// Characters with the property Lowercase that are not of category Ll (`Other_Lowercase` of
/// Unicode's PropList.txt), as inclusive ranges.
const OTHER_LOWERCASE: [(u32, u32); 26] = [
    (0x00AA, 0x00AA),
    (0x00BA, 0x00BA),
    (0x02B0, 0x02B8),
    (0x02C0, 0x02C1),
    (0x02E0, 0x02E4),
    (0x0345, 0x0345),
    (0x037A, 0x037A),
    (0x10FC, 0x10FC),
    (0x1D2C, 0x1D6A),
    (0x1D78, 0x1D78),
    (0x1D9B, 0x1DBF),
    (0x2071, 0x2071),
    (0x207F, 0x207F),
    (0x2090, 0x209C),
    (0x2170, 0x217F),
    (0x24D0, 0x24E9),
    (0x2C7C, 0x2C7D),
    (0xA69C, 0xA69D),
    (0xA770, 0xA770),
    (0xA7F1, 0xA7F4),
    (0xA7F8, 0xA7F9),
    (0xAB5C, 0xAB5F),
    (0xAB69, 0xAB69),
    (0x10780, 0x10785),
    (0x10787, 0x107BA),
    (0x1E030, 0x1E06D),
];

/// Returns whether `c` is a Unicode lower-case letter (category Ll).
pub(super) fn is_lower_case_letter(c: char) -> bool {
    let code = c as u32;
    c.is_lowercase() && !OTHER_LOWERCASE.iter().any(|(from, to)| (*from..=*to).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_category_ll_only() {
        for c in ['a', 'ß', 'ñ', 'æ', 'я', 'ω'] {
            assert!(is_lower_case_letter(c), "{c}");
        }
        for c in ['A', 'ª', 'º', 'ⅰ', 'ⓐ', 'ʰ', '漢', '1', '-'] {
            assert!(!is_lower_case_letter(c), "{c}");
        }
    }
}
