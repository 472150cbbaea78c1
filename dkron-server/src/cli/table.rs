//! Columns for people: aligned, with a heading, and never obeying what stands in them.

use crate::terminal::printable;

/// Blanks between two columns.
const GAP: &str = "  ";

/// What stands for nothing.
pub(super) const NOTHING: &str = "-";

/// A table whose columns are as wide as what they hold.
pub(super) struct Table<const N: usize> {
    heading: [&'static str; N],
    widths: [usize; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Begins a table with the headings of its columns.
    pub(super) fn new(heading: [&'static str; N]) -> Self {
        Self { heading, widths: heading.map(|cell| cell.chars().count()), rows: Vec::new() }
    }

    /// Adds a row; an empty cell is shown as a dash.
    pub(super) fn push(&mut self, row: [String; N]) {
        let row = self.fit(row);
        self.rows.push(row);
    }

    /// Returns whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the line of a row that is shown at once, as wide as those before it.
    pub(super) fn line(&mut self, row: [String; N]) -> String {
        let row = self.fit(row);
        self.aligned(row.each_ref().map(String::as_str))
    }

    /// Returns the line of the headings.
    pub(super) fn heading(&self) -> String {
        self.aligned(self.heading)
    }

    /// Returns the whole table, without a line feed at its end.
    pub(super) fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| self.aligned(row.each_ref().map(String::as_str)));
        std::iter::once(self.heading()).chain(rows).collect::<Vec<_>>().join("\n")
    }

    fn fit(&mut self, row: [String; N]) -> [String; N] {
        let row = row.map(|cell| if cell.is_empty() { NOTHING.into() } else { printable(&cell) });
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = cell.chars().count().max(*width);
        }
        row
    }

    fn aligned(&self, row: [&str; N]) -> String {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(self.widths) {
            line.push_str(&format!("{cell:width$}{GAP}"));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["NAME", "STATE"]);
        assert!(table.is_empty());
        table.push(["täglich".into(), "enabled".into()]);
        table.push(["b".into(), String::new()]);
        assert_eq!(table.text(), "NAME     STATE\ntäglich  enabled\nb        -");
        assert_eq!(table.line(["c".into(), "x".into()]), "c        x");
    }

    #[test]
    fn a_cell_cannot_break_its_line() {
        let mut table = Table::new(["NAME"]);
        table.push(["a\n\u{1b}[31mb".into()]);
        assert_eq!(table.text(), "NAME\na\\n\\u{1b}[31mb");
    }
}
