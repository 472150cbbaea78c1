//! Many figures of one kind, and the few that say what they are like.

use crate::report::{Bound, Row};

/// Figures in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    sorted: Vec<f64>,
}

impl Sample {
    /// Takes the figures.
    pub fn new(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self { sorted: figures }
    }

    /// Returns how many figures there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Returns whether there is no figure.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Returns the figure that a `share` of all does not exceed: 0.5 is the median, 1 the largest.
    ///
    /// 0 if there is no figure.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.sorted.len() as f64).ceil() as usize;
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get(rank.saturating_sub(1).min(last)).copied().unwrap_or_default()
    }

    /// Returns rows for p50 and p99 with their bounds, and for the largest.
    pub fn rows(&self, name: &str, unit: &str, p50: Bound, p99: Bound) -> Vec<Row> {
        vec![
            Row::new(format!("{name}, p50"), self.quantile(0.5), unit, p50),
            Row::new(format!("{name}, p99"), self.quantile(0.99), unit, p99),
            Row::free(format!("{name}, largest"), self.quantile(1.0), unit),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_figures_of_the_sample() {
        let check = |figures: &[f64], share: f64, want: f64| {
            assert_eq!(
                Sample::new(figures.to_vec()).quantile(share),
                want,
                "{share} of {figures:?}"
            );
        };

        check(&[], 0.5, 0.0);
        check(&[7.0], 0.99, 7.0);
        check(&[3.0, 1.0, 2.0], 0.5, 2.0);
        check(&[4.0, 3.0, 2.0, 1.0], 0.5, 2.0);
        check(&[1.0, 2.0, 3.0, 4.0], 1.0, 4.0);
        check(&(1..=100).map(f64::from).collect::<Vec<_>>(), 0.99, 99.0);
    }
}
