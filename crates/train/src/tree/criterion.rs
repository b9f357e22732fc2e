//! How good a split is: Gini impurity, entropy, squared error.
//!
//! A criterion holds the sums of a node and of its left and right part; the builder moves rows one
//! by one from right to left and asks how good that cut would be. Formulas as in scikit-learn's
//! `sklearn.tree._criterion`.

/// Sums over the rows of one node, split in a left and a right part.
pub(crate) trait Criterion {
    /// Values a node has in the end.
    fn width(&self) -> usize;

    /// Starts a node that holds `rows`, all of them in the right part.
    fn start(&mut self, rows: &[u32]);

    /// All rows back to the right part.
    fn reset(&mut self);

    /// Moves a row from the right to the left part.
    fn move_left(&mut self, row: u32);

    /// Numbers that are summed of several rows.
    fn sum_width(&self) -> usize;

    /// Adds a row of the node, by its place among the rows that the node started with, to the sums of several.
    fn add_to(&self, sums: &mut [f64], place: usize);

    /// Moves the rows of which these are the sums from the right to the left part.
    fn move_left_all(&mut self, sums: &[f64]);

    /// Weight of the whole node.
    fn weight(&self) -> f64;

    /// Weight of the left part.
    fn weight_left(&self) -> f64;

    /// Grows with the quality of the cut; comparable within a node only.
    fn quality(&self) -> f64;

    /// Impurity of the whole node.
    fn impurity(&self) -> f64;

    /// Impurity of both parts.
    fn impurity_of_parts(&self) -> (f64, f64);

    /// Appends the values of the node.
    fn write_values(&self, values: &mut Vec<f64>);
}

/// Class counts of a node for Gini impurity or entropy (in bits).
#[derive(Debug)]
pub(crate) struct Classes<'a, const ENTROPY: bool> {
    labels: &'a [u32],
    weights: &'a [f64],
    total: Vec<f64>,
    left: Vec<f64>,
    right: Vec<f64>,
    weight: f64,
    weight_left: f64,
    /// Sums of the squared class weights, kept up to date so that Gini costs the same for any
    /// number of classes.
    squares: f64,
    squares_left: f64,
    squares_right: f64,
    /// Class and weight of each row of the node, side by side.
    of_rows: Vec<(u32, f64)>,
}

impl<'a, const ENTROPY: bool> Classes<'a, ENTROPY> {
    /// `labels` are below `classes`; one weight a row.
    pub(crate) fn new(labels: &'a [u32], weights: &'a [f64], classes: usize) -> Self {
        Self {
            labels,
            weights,
            total: vec![0.0; classes],
            left: vec![0.0; classes],
            right: vec![0.0; classes],
            weight: 0.0,
            weight_left: 0.0,
            squares: 0.0,
            squares_left: 0.0,
            squares_right: 0.0,
            of_rows: Vec::new(),
        }
    }
}

impl<const ENTROPY: bool> Classes<'_, ENTROPY> {
    /// Moves this weight of a class to the left part.
    #[inline]
    fn move_class(&mut self, class: usize, weight: f64) {
        let (left, right) = (&mut self.left[class], &mut self.right[class]);
        self.squares_left += weight * (2.0 * *left + weight);
        self.squares_right -= weight * (2.0 * *right - weight);
        *left += weight;
        *right -= weight;
        self.weight_left += weight;
    }
}

fn gini(squares: f64, weight: f64) -> f64 {
    1.0 - squares / (weight * weight)
}

fn entropy(counts: &[f64], weight: f64) -> f64 {
    counts
        .iter()
        .filter(|&&count| count > 0.0)
        .map(|&count| {
            let share = count / weight;
            -share * share.log2()
        })
        .sum()
}

impl<const ENTROPY: bool> Criterion for Classes<'_, ENTROPY> {
    fn width(&self) -> usize {
        self.total.len()
    }

    fn start(&mut self, rows: &[u32]) {
        self.total.fill(0.0);
        self.of_rows.clear();
        for &row in rows {
            let (class, weight) = (self.labels[row as usize], self.weights[row as usize]);
            self.total[class as usize] += weight;
            self.of_rows.push((class, weight));
        }
        self.weight = self.total.iter().sum();
        self.squares = self.total.iter().map(|count| count * count).sum();
        self.reset();
    }

    fn reset(&mut self) {
        self.left.fill(0.0);
        self.right.copy_from_slice(&self.total);
        self.weight_left = 0.0;
        self.squares_left = 0.0;
        self.squares_right = self.squares;
    }

    #[inline]
    fn move_left(&mut self, row: u32) {
        self.move_class(self.labels[row as usize] as usize, self.weights[row as usize]);
    }

    fn sum_width(&self) -> usize {
        self.total.len()
    }

    #[inline]
    fn add_to(&self, sums: &mut [f64], place: usize) {
        let (class, weight) = self.of_rows[place];
        sums[class as usize] += weight;
    }

    fn move_left_all(&mut self, sums: &[f64]) {
        for (class, &weight) in sums.iter().enumerate() {
            self.move_class(class, weight);
        }
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn weight_left(&self) -> f64 {
        self.weight_left
    }

    #[inline]
    fn quality(&self) -> f64 {
        let weight_right = self.weight - self.weight_left;
        if ENTROPY {
            let (left, right) = self.impurity_of_parts();
            -self.weight_left * left - weight_right * right
        } else {
            self.squares_left / self.weight_left + self.squares_right / weight_right
        }
    }

    fn impurity(&self) -> f64 {
        if ENTROPY { entropy(&self.total, self.weight) } else { gini(self.squares, self.weight) }
    }

    fn impurity_of_parts(&self) -> (f64, f64) {
        let weight_right = self.weight - self.weight_left;
        if ENTROPY {
            (entropy(&self.left, self.weight_left), entropy(&self.right, weight_right))
        } else {
            (gini(self.squares_left, self.weight_left), gini(self.squares_right, weight_right))
        }
    }

    fn write_values(&self, values: &mut Vec<f64>) {
        values.extend(self.total.iter().map(|count| count / self.weight));
    }
}

/// Sums of a numeric target for the squared error.
#[derive(Debug)]
pub(crate) struct SquaredError<'a> {
    targets: &'a [f64],
    weights: &'a [f64],
    /// Subtracted from every target: the variance of a target far from zero keeps its digits.
    origin: f64,
    weight: f64,
    sum: f64,
    squares: f64,
    weight_left: f64,
    sum_left: f64,
    squares_left: f64,
    /// Of each row of the node its weight, and what it adds to the sum and to that of the squares.
    of_rows: Vec<[f64; 3]>,
}

impl<'a> SquaredError<'a> {
    /// One target and one weight a row.
    pub(crate) fn new(targets: &'a [f64], weights: &'a [f64]) -> Self {
        let origin = targets.iter().sum::<f64>() / targets.len().max(1) as f64;
        Self {
            targets,
            weights,
            origin,
            weight: 0.0,
            sum: 0.0,
            squares: 0.0,
            weight_left: 0.0,
            sum_left: 0.0,
            squares_left: 0.0,
            of_rows: Vec::new(),
        }
    }
}

fn variance(weight: f64, sum: f64, squares: f64) -> f64 {
    (squares / weight - (sum / weight) * (sum / weight)).max(0.0)
}

impl Criterion for SquaredError<'_> {
    fn width(&self) -> usize {
        1
    }

    fn start(&mut self, rows: &[u32]) {
        (self.weight, self.sum, self.squares) = (0.0, 0.0, 0.0);
        self.of_rows.clear();
        for &row in rows {
            let weight = self.weights[row as usize];
            let target = self.targets[row as usize] - self.origin;
            let terms = [weight, weight * target, weight * target * target];
            self.weight += terms[0];
            self.sum += terms[1];
            self.squares += terms[2];
            self.of_rows.push(terms);
        }
        self.reset();
    }

    fn reset(&mut self) {
        (self.weight_left, self.sum_left, self.squares_left) = (0.0, 0.0, 0.0);
    }

    #[inline]
    fn move_left(&mut self, row: u32) {
        let weight = self.weights[row as usize];
        let target = self.targets[row as usize] - self.origin;
        self.weight_left += weight;
        self.sum_left += weight * target;
        self.squares_left += weight * target * target;
    }

    fn sum_width(&self) -> usize {
        3
    }

    #[inline]
    fn add_to(&self, sums: &mut [f64], place: usize) {
        for (sum, term) in sums.iter_mut().zip(self.of_rows[place]) {
            *sum += term;
        }
    }

    fn move_left_all(&mut self, sums: &[f64]) {
        if let [weight, targets, squares] = sums {
            self.weight_left += weight;
            self.sum_left += targets;
            self.squares_left += squares;
        }
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn weight_left(&self) -> f64 {
        self.weight_left
    }

    #[inline]
    fn quality(&self) -> f64 {
        let sum_right = self.sum - self.sum_left;
        self.sum_left * self.sum_left / self.weight_left
            + sum_right * sum_right / (self.weight - self.weight_left)
    }

    fn impurity(&self) -> f64 {
        variance(self.weight, self.sum, self.squares)
    }

    fn impurity_of_parts(&self) -> (f64, f64) {
        (
            variance(self.weight_left, self.sum_left, self.squares_left),
            variance(
                self.weight - self.weight_left,
                self.sum - self.sum_left,
                self.squares - self.squares_left,
            ),
        )
    }

    fn write_values(&self, values: &mut Vec<f64>) {
        values.push(self.origin + self.sum / self.weight);
    }
}
