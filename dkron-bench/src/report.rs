//! What a bench answers with, and how that is shown.

use serde_json::{Value, json};

/// Where a figure has to lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// At most this, in the row's unit.
    AtMost(f64),
    /// At least this, in the row's unit.
    AtLeast(f64),
    /// Nowhere: the figure is there to compare others with, or to be looked at.
    Free,
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured: `p99`, `runs per second, durable`.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what: `ms`, `MB`, `1/s`.
    pub unit: String,
    /// Where it has to lie.
    pub bound: Bound,
}

impl Row {
    /// A figure with a bound.
    pub fn new(name: impl Into<String>, value: f64, unit: &str, bound: Bound) -> Self {
        Self { name: name.into(), value, unit: unit.to_owned(), bound }
    }

    /// A figure to compare others with, or to be looked at.
    pub fn free(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, Bound::Free)
    }

    /// Returns whether the bound is met; `None` if there is none.
    pub fn is_met(&self) -> Option<bool> {
        match self.bound {
            Bound::AtMost(most) => Some(self.value <= most),
            Bound::AtLeast(least) => Some(self.value >= least),
            Bound::Free => None,
        }
    }

    fn bound_text(&self) -> String {
        match self.bound {
            Bound::AtMost(most) => format!("≤ {}", number(most)),
            Bound::AtLeast(least) => format!("≥ {}", number(least)),
            Bound::Free => String::new(),
        }
    }
}

/// Returns the rows, each with the name of its bench, as a table with aligned columns.
pub fn table(rows: &[(&str, Row)]) -> String {
    let mut lines = vec![["bench", "figure", "value", "unit", "bound", ""].map(str::to_owned)];
    for (bench, row) in rows {
        let met = row.is_met().map_or("", |met| if met { "met" } else { "NOT MET" });
        let value = number(row.value);
        let cells = [*bench, &row.name, &value, &row.unit, &row.bound_text(), met];
        lines.push(cells.map(str::to_owned));
    }
    let width =
        |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // Figures stand to the right, words to the left.
            let is_figure = column == 2;
            line.push_str(&if is_figure {
                format!("{cell:>width$}  ")
            } else {
                format!("{cell:width$}  ")
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Returns the same as JSON: a list of objects.
pub fn json(rows: &[(&str, Row)]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(bench, row)| {
            let (at_most, at_least) = match row.bound {
                Bound::AtMost(most) => (Some(most), None),
                Bound::AtLeast(least) => (None, Some(least)),
                Bound::Free => (None, None),
            };
            json!({
                "bench": bench, "figure": row.name, "value": row.value, "unit": row.unit,
                "at_most": at_most, "at_least": at_least, "met": row.is_met(),
            })
        })
        .collect();
    format!("{:#}\n", Value::from(rows))
}

/// Reads what [`json()`] writes; `None` if it is something else.
pub fn parse_json(text: &str) -> Option<Vec<(String, Row)>> {
    let rows: Value = serde_json::from_str(text).ok()?;
    let row = |row: &Value| {
        let bound = match (row["at_most"].as_f64(), row["at_least"].as_f64()) {
            (Some(most), None) => Bound::AtMost(most),
            (None, Some(least)) => Bound::AtLeast(least),
            _ => Bound::Free,
        };
        let (value, unit) = (row["value"].as_f64()?, row["unit"].as_str()?);
        let name = row["figure"].as_str()?;
        Some((row["bench"].as_str()?.to_owned(), Row::new(name, value, unit, bound)))
    };
    rows.as_array()?.iter().map(row).collect()
}

/// Large figures without a fraction, small ones with three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 || value.fract() == 0.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_its_bound_and_whether_it_is_met() {
        let rows = [
            ("a", Row::new("p50", 0.4321, "ms", Bound::AtMost(0.5))),
            ("b", Row::new("runs", 12_345.6, "1/s", Bound::AtLeast(20_000.0))),
            ("b", Row::new("baseline", 3.0, "ms", Bound::Free)),
        ];

        let table = table(&rows);

        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1], "a      p50       0.432  ms    ≤ 0.500  met");
        assert_eq!(lines[2], "b      runs      12346  1/s   ≥ 20000  NOT MET");
        assert_eq!(lines[3], "b      baseline      3  ms");
    }

    #[test]
    fn json_says_the_same() {
        let rows = [("a", Row::new("p50", 0.5, "ms", Bound::AtMost(0.5)))];

        let text = json(&rows);
        let value: Value = serde_json::from_str(&text).unwrap();

        assert_eq!(value[0]["met"], json!(true));
        assert_eq!(value[0]["at_most"], json!(0.5));
        assert_eq!(value[0]["at_least"], Value::Null);
        assert_eq!(parse_json(&text), Some(vec![("a".to_owned(), rows[0].1.clone())]));
    }
}
