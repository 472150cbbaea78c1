//! The elements of a JSON array that arrives in pieces: one at a time, without holding the array.

use super::scan::{is_blank, value_end};

/// Splits a JSON array that arrives in pieces into its elements.
///
/// Holds one element at a time, of at most the given number of bytes. `null` counts as an empty
/// array; only white space may follow the array.
pub struct Elements {
    bytes_max: usize,
    state: State,
    element: Vec<u8>,
}

/// Why a text is not an array whose elements could be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementsError<E> {
    /// It is not a JSON array, or something follows it.
    NotAnArray,
    /// An element is longer than accepted.
    TooLong,
    /// Whoever took an element refused it.
    Refused(E),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space so far.
    Start,
    /// Inside a top-level literal: the only one that is accepted is `null`.
    Literal,
    /// After `[`.
    FirstOrEnd,
    /// After a comma.
    Next,
    /// Inside an element.
    Element { depth: usize, text: Text },
    /// After the array.
    End,
}

/// Whether the splitter stands in a string of an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escape,
}

impl Elements {
    /// Begins an array whose elements have at most `bytes_max` bytes each.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: State::Start, element: Vec::new() }
    }

    /// Takes the next piece of the text and hands out the elements that it completes.
    ///
    /// # Errors
    ///
    /// [`ElementsError`]; the splitter is of no use afterwards.
    pub fn push<E>(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), ElementsError<E>> {
        for byte in piece {
            self.push_byte(*byte, &mut take)?;
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    ///
    /// [`ElementsError::NotAnArray`] if the array is not complete, or there is none.
    pub fn finish<E>(&self) -> Result<(), ElementsError<E>> {
        let is_null = self.state == State::Literal && self.element == b"null";
        if self.state == State::End || is_null { Ok(()) } else { Err(ElementsError::NotAnArray) }
    }

    fn push_byte<E>(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), ElementsError<E>> {
        self.state = match self.state {
            State::Start | State::FirstOrEnd | State::Next | State::End if is_blank(byte) => {
                self.state
            }
            State::Start if byte == b'[' => State::FirstOrEnd,
            State::Start => {
                self.keep(byte)?;
                State::Literal
            }
            State::Literal if is_blank(byte) && self.element == b"null" => State::End,
            State::Literal if b"null".starts_with(&self.element) => {
                self.keep(byte)?;
                State::Literal
            }
            State::Literal | State::End => return Err(ElementsError::NotAnArray),
            State::FirstOrEnd if byte == b']' => State::End,
            State::FirstOrEnd | State::Next => self.in_element(byte, 0, Text::Outside, take)?,
            State::Element { depth, text } => self.in_element(byte, depth, text, take)?,
        };
        Ok(())
    }

    fn in_element<E>(
        &mut self,
        byte: u8,
        depth: usize,
        text: Text,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<State, ElementsError<E>> {
        if depth == 0 && text == Text::Outside && matches!(byte, b',' | b']') {
            self.hand_out(take)?;
            return Ok(if byte == b']' { State::End } else { State::Next });
        }
        self.keep(byte)?;
        let (depth, text) = match (text, byte) {
            (Text::Escape, _) => (depth, Text::Inside),
            (Text::Inside, b'\\') => (depth, Text::Escape),
            (Text::Inside, b'"') => (depth, Text::Outside),
            (Text::Inside, _) => (depth, Text::Inside),
            (Text::Outside, b'"') => (depth, Text::Inside),
            (Text::Outside, b'{' | b'[') => (depth + 1, Text::Outside),
            // A closing bracket too many is found when the element is read.
            (Text::Outside, b'}' | b']') => (depth.saturating_sub(1), Text::Outside),
            (Text::Outside, _) => (depth, Text::Outside),
        };
        Ok(State::Element { depth, text })
    }

    fn keep<E>(&mut self, byte: u8) -> Result<(), ElementsError<E>> {
        if self.element.len() >= self.bytes_max {
            return Err(ElementsError::TooLong);
        }
        self.element.push(byte);
        Ok(())
    }

    fn hand_out<E>(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), ElementsError<E>> {
        let end = value_end(&self.element).map_err(|_| ElementsError::NotAnArray)?;
        let is_one_value =
            self.element.get(end..).is_some_and(|rest| rest.iter().all(|b| is_blank(*b)));
        if !is_one_value {
            return Err(ElementsError::NotAnArray);
        }
        take(self.element.trim_ascii()).map_err(ElementsError::Refused)?;
        self.element.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `text` given in pieces of every size, which must all give the same.
    #[track_caller]
    fn check(text: &str, want: Result<&[&str], ElementsError<()>>) {
        let want = want.map(|list| list.iter().map(|text| (*text).to_owned()).collect());
        for size in 1..=text.len().max(1) {
            let mut found: Vec<String> = Vec::new();
            let mut elements = Elements::new(24);
            let mut take = |element: &[u8]| {
                found.push(String::from_utf8(element.to_vec()).unwrap());
                Ok(())
            };
            let split = text
                .as_bytes()
                .chunks(size)
                .try_for_each(|piece| elements.push(piece, &mut take))
                .and_then(|()| elements.finish());
            assert_eq!(split.map(|()| found), want, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn elements_come_one_by_one() {
        check(
            " [ {\"a\":[1,{}]} , \"],[\\\"\" ,3 ] \n",
            Ok(&["{\"a\":[1,{}]}", "\"],[\\\"\"", "3"]),
        );
        check("[]", Ok(&[]));
        check("[null]", Ok(&["null"]));
        check("null", Ok(&[]));
        check(" null ", Ok(&[]));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for text in
            ["", "hello", "{}", "[1", "[1,]", "[,1]", "[1 2]", "[}]", "[1]x", "nullx", "[{\"a\"}]"]
        {
            check(text, Err(ElementsError::NotAnArray));
        }
    }

    #[test]
    fn a_long_element_is_refused() {
        check(&format!("[\"{}\"]", "x".repeat(23)), Err(ElementsError::TooLong));
    }
}
