//! Small linear least squares by normal equations.
//!
//! Invariant: a system without a unique solution gives none.

/// Normal equations of N unknowns: J'J and J'r, gathered row by row.
pub(super) struct Normal<const N: usize> {
    square: [[f64; N]; N],
    right: [f64; N],
}

impl<const N: usize> Normal<N> {
    pub(super) fn new() -> Self {
        Self { square: [[0.0; N]; N], right: [0.0; N] }
    }

    /// Adds the equation `row · x = value`.
    pub(super) fn add(&mut self, row: &[f64; N], value: f64) {
        for (i, a) in row.iter().enumerate() {
            for (j, b) in row.iter().enumerate() {
                self.square[i][j] += a * b;
            }
            self.right[i] += a * value;
        }
    }

    /// Gaussian elimination with pivots; `None` where the equations do not fix every unknown.
    pub(super) fn solve(mut self) -> Option<[f64; N]> {
        for column in 0..N {
            let pivot =
                (column..N).max_by(|&a, &b| self.square[a][column].abs().total_cmp(&self.square[b][column].abs()))?;
            self.square.swap(column, pivot);
            self.right.swap(column, pivot);
            let head = self.square[column][column];
            if !head.is_finite() || head.abs() < 1e-12 {
                return None;
            }
            let (row, value) = (self.square[column], self.right[column]);
            for below in column + 1..N {
                let factor = self.square[below][column] / head;
                for (cell, above) in self.square[below].iter_mut().zip(row).skip(column) {
                    *cell -= factor * above;
                }
                self.right[below] -= factor * value;
            }
        }
        let mut solution = [0.0; N];
        for row in (0..N).rev() {
            let known: f64 = (row + 1..N).map(|j| self.square[row][j] * solution[j]).sum();
            solution[row] = (self.right[row] - known) / self.square[row][row];
        }
        solution.iter().all(|x| x.is_finite()).then_some(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_is_found_and_a_single_point_fixes_none() {
        let mut fit = Normal::<2>::new();
        for x in 0..5 {
            fit.add(&[f64::from(x), 1.0], 3.0 * f64::from(x) - 2.0);
        }
        let [slope, offset] = fit.solve().unwrap();
        assert!((slope - 3.0).abs() < 1e-9 && (offset + 2.0).abs() < 1e-9);
        let mut fit = Normal::<2>::new();
        fit.add(&[2.0, 1.0], 1.0);
        assert!(fit.solve().is_none());
        let mut fit = Normal::<1>::new();
        fit.add(&[f64::NAN], 1.0);
        assert!(fit.solve().is_none());
    }
}
