//! What one field of a cron expression says: its text, its items, the set of values they name.
//!
//! A field is a list of items between commas. An item is `*`, `?`, a value or a range `a-b`, each
//! with an optional `/step`. The grammar, its quirks and the order of its checks are Dkron's:
//! empty items are passed over, `n/step` runs from n to the maximum, a sign is read before a
//! number (`+5`), and what follows a star's hyphen (`*-5`) is not looked at.

use std::borrow::Cow;

use super::field::Field;
use super::field_error::{FieldError, FieldFault};

/// The text of a field, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldText<'a> {
    pub(super) field: Field,
    /// As written, `~` included.
    pub(super) written: &'a str,
    /// The byte offset of the text in the expression.
    pub(super) at: usize,
    /// What `~` stands for in this field; `None` where it is not replaced.
    pub(super) hashed: Option<u32>,
    /// Whether the line has five fields, so that the weekday 7 is Sunday.
    pub(super) is_five_field: bool,
}

impl<'a> FieldText<'a> {
    /// Returns the text with `~` replaced.
    pub(super) fn text(&self) -> Cow<'a, str> {
        match self.hashed {
            Some(number) if self.written.contains('~') => {
                Cow::Owned(self.written.replace('~', &number.to_string()))
            }
            _ => Cow::Borrowed(self.written),
        }
    }

    /// Parses the items one after the other and hands them to `visit`.
    pub(super) fn parse(&self, mut visit: impl FnMut(Item)) -> Result<(), FieldError> {
        let text = self.text();
        let mut item_at = 0;
        for item in text.split(',') {
            if !item.is_empty() {
                let parsed = self.parse_item(item).map_err(|(at, fault)| FieldError {
                    field: self.field,
                    item: item.to_owned(),
                    at: self.at_written(item_at + at),
                    is_five_field: self.is_five_field,
                    fault,
                })?;
                visit(parsed);
            }
            item_at += item.len() + 1;
        }
        Ok(())
    }

    /// Parses one item; a fault comes with its offset in the item.
    fn parse_item(&self, item: &str) -> Result<Item, (usize, FieldFault)> {
        let mut parts = item.split('/');
        let range = parts.next().unwrap_or_default();
        let mut bounds = range.split('-');
        let low = bounds.next().unwrap_or_default();
        let high = bounds.next();

        let is_star = matches!(low, "*" | "?");
        let (start, mut end) = if is_star {
            (i64::from(self.field.min()), i64::from(self.field.max()))
        } else {
            let start = self.parse_value(low).map_err(|fault| (0, fault))?;
            let high_at = low.len() + 1;
            let end = match high {
                None => start,
                Some(_) if bounds.next().is_some() => return Err((0, FieldFault::TooManyHyphens)),
                Some(high) => self.parse_value(high).map_err(|fault| (high_at, fault))?,
            };
            (start, end)
        };

        let step_text = parts.next();
        if parts.next().is_some() {
            return Err((0, FieldFault::TooManySlashes));
        }
        let mut step = 1;
        if let Some(step_text) = step_text {
            step = parse_number(step_text).map_err(|fault| (range.len() + 1, fault))?;
            // In a five-field line 7 is another name of Sunday, not one more weekday to run to.
            let is_weekday_seven = self.has_weekday_seven() && start == 7;
            if high.is_none() && !is_weekday_seven {
                end = i64::from(self.field.max());
            }
        }
        let high_at = if high.is_some() && !is_star { low.len() + 1 } else { 0 };
        self.check_bounds(start, end, high_at)?;
        if step == 0 {
            return Err((range.len() + 1, FieldFault::ZeroStep));
        }
        let shape = match (is_star, high, step_text) {
            (true, ..) => Shape::Star,
            (_, None, None) => Shape::Value,
            (_, None, Some(_)) => Shape::From,
            (_, Some(_), _) => Shape::Range,
        };
        // Both bounds are within the field, and so is any step that matters.
        Ok(Item { shape, start: start as u32, end: end as u32, step: step.min(64) as u32 })
    }

    fn check_bounds(
        &self,
        start: i64,
        end: i64,
        high_at: usize,
    ) -> Result<(), (usize, FieldFault)> {
        let min = self.field.min();
        let max = self.field.max() + u32::from(self.has_weekday_seven());
        if start < i64::from(min) {
            return Err((0, FieldFault::BelowMinimum { value: start, min }));
        }
        if end > i64::from(max) {
            return Err((high_at, FieldFault::AboveMaximum { value: end, max }));
        }
        if start > end {
            return Err((0, FieldFault::Backwards { start, end }));
        }
        Ok(())
    }

    fn parse_value(&self, text: &str) -> Result<i64, FieldFault> {
        let names = self.field.names();
        if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(index as i64 + i64::from(self.field.min()));
        }
        parse_number(text)
    }

    /// Returns whether 7 stands for Sunday in this field.
    fn has_weekday_seven(&self) -> bool {
        self.is_five_field && self.field == Field::DayOfWeek
    }

    /// Turns an offset in [`FieldText::text`] into one in the expression.
    fn at_written(&self, at_text: usize) -> usize {
        let replacement_len = match self.hashed {
            Some(number) if number >= 10 => 2,
            _ => 1,
        };
        let mut length = 0;
        for (index, c) in self.written.char_indices() {
            if length >= at_text {
                return self.at + index;
            }
            length += if c == '~' { replacement_len } else { c.len_utf8() };
        }
        self.at + self.written.len()
    }
}

/// Reads a decimal number as Go's `strconv.Atoi` does, and refuses a negative one.
fn parse_number(text: &str) -> Result<i64, FieldFault> {
    let refused = |is_too_large| FieldFault::NotANumber { text: text.to_owned(), is_too_large };
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(refused(false));
    }
    let mut number: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(refused(false));
        }
        number = number
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(u64::from(digit - b'0')))
            .ok_or_else(|| refused(true))?;
    }
    if is_negative {
        let value = 0_i64.checked_sub_unsigned(number).ok_or_else(|| refused(true))?;
        if value < 0 {
            return Err(FieldFault::Negative { value, text: text.to_owned() });
        }
        return Ok(0);
    }
    i64::try_from(number).map_err(|_| refused(true))
}

/// How an item is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `*` or `?`, with or without a step.
    Star,
    /// `n`.
    Value,
    /// `n/step`: from n to the maximum.
    From,
    /// `a-b`, with or without a step.
    Range,
}

/// One item of a field: every `step`-th value from `start` to `end`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) shape: Shape,
    pub(super) start: u32,
    /// In five-field lines a weekday may be 7.
    pub(super) end: u32,
    /// At least 1; steps beyond every field are cut to 64.
    pub(super) step: u32,
}

impl Item {
    /// Returns whether the item is a star that leaves nothing out.
    pub(super) const fn is_unrestricted_star(&self) -> bool {
        matches!(self.shape, Shape::Star) && self.step == 1
    }

    /// Returns the values as a set of bits.
    const fn bits(&self) -> u64 {
        let mut bits = 0;
        let mut value = self.start;
        while value <= self.end {
            bits |= 1 << value;
            value += self.step;
        }
        bits
    }
}

/// The values that a field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// Bit n stands for the value n.
    pub(super) bits: u64,
    /// Whether an item is an unrestricted star (`*`, `?`, `*/1`).
    pub(super) has_star: bool,
}

impl Values {
    pub(super) fn parse(text: &FieldText<'_>) -> Result<Self, FieldError> {
        let mut values = Self::default();
        text.parse(|item| {
            values.bits |= item.bits();
            values.has_star |= item.is_unrestricted_star();
        })?;
        if text.has_weekday_seven() && values.bits & 1 << 7 != 0 {
            values.bits = values.bits & !(1 << 7) | 1;
        }
        Ok(values)
    }
}
