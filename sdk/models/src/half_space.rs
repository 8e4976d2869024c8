//! Half-space trees: how unusual a row is among the rows of late, without knowing what a fault looks like.
//!
//! Trees halve a box of features at random; the masses of the last full window say where rows usually fall. **Score:
//! 0 is usual, 1 is never seen: higher is more anomalous**, as in river, whose arithmetic this follows (Tan, Ting, Liu:
//! *Fast anomaly detection for streaming data*, IJCAI 2011). There is no score before the first window is full. Meant for
//! features within `low` … `high` of [`Forest::grow`]; what lies outside counts to the outermost half.
//!
//! [`Forest`] is made once, [`Masses`] change with every row and are what a behavior keeps in its state.
#![expect(
    clippy::indexing_slicing,
    reason = "nodes of a full tree are numbered below its size, which was checked"
)]

use std::fmt;

/// Trees of a forest.
pub const TREES_MAX: usize = 64;
/// Halvings from the root to a leaf.
pub const HEIGHT_MAX: u32 = 12;
/// Part of a window below which a node is too empty to look further down.
const SPARSE: f64 = 0.1;
/// How far beyond the middle of a side a cut may be.
const PADDING: f64 = 0.15;

/// Where a node halves the space: rows whose `feature` is below `threshold` go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Number of the feature, from 0.
    pub feature: u32,
    /// Its value.
    pub threshold: f64,
}

/// Why a forest cannot be grown or its masses cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoForest {
    /// No trees, or more than [`TREES_MAX`].
    Trees(usize),
    /// No height, or more than [`HEIGHT_MAX`].
    Height(u32),
    /// No features.
    Features,
    /// A side of the box is empty or not finite.
    Side {
        /// Number of the feature, from 0.
        feature: usize,
    },
    /// A window without rows.
    Window,
    /// As many cuts or masses as do not make full trees of this height.
    Shape {
        /// What there is.
        found: usize,
        /// What there should be.
        expected: usize,
    },
}

impl fmt::Display for NoForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trees(found) => write!(f, "{found} trees: give 1 to {TREES_MAX}"),
            Self::Height(found) => write!(f, "height {found}: give 1 to {HEIGHT_MAX}"),
            Self::Features => f.write_str("no features: give at least one"),
            Self::Side { feature } => {
                write!(f, "feature {feature} has no side of finite length: its low must be below its high")
            }
            Self::Window => f.write_str("a window of no rows: give at least one"),
            Self::Shape { found, expected } => write!(f, "{found} values where full trees have {expected}"),
        }
    }
}

impl std::error::Error for NoForest {}

/// The trees: full, in order of breadth (children of node `i` are `2 i + 1` and `2 i + 2`), one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    height: u32,
    window: u32,
    features: usize,
    cuts: Vec<Cut>,
}

/// How many rows fell into each node: of the window that is filling, and of the last full one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masses {
    /// Rows in the window that is filling.
    pub rows: u32,
    /// Whether a window has been full.
    pub full: bool,
    /// Masses of the window that is filling, all nodes of all trees.
    pub latest: Vec<u32>,
    /// Masses of the last full one.
    pub reference: Vec<u32>,
}

impl Forest {
    /// Cuts a box at random. `random` gives uniform numbers in 0 ≤ x < 1; the same numbers give the same forest.
    ///
    /// # Errors
    /// Sizes out of range, an empty box.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a feature's number, from 0")]
    #[expect(clippy::cast_precision_loss, reason = "few features")]
    pub fn grow(
        trees: usize,
        height: u32,
        window: u32,
        sides: &[(f64, f64)],
        random: &mut dyn FnMut() -> f64,
    ) -> Result<Self, NoForest> {
        check(trees, height, window, sides.len())?;
        let bad = |(low, high): &(f64, f64)| !(low < high && (high - low).is_finite());
        if let Some(feature) = sides.iter().position(bad) {
            return Err(NoForest::Side { feature });
        }
        let inner = nodes(height - 1);
        let mut cuts = Vec::with_capacity(trees * inner);
        for _ in 0..trees {
            // The box of each inner node, root first.
            let mut boxes = vec![sides.to_vec()];
            for node in 0..inner {
                let mut left = boxes[node].clone();
                let feature = ((random() * sides.len() as f64) as usize).min(sides.len() - 1);
                let (low, high) = left[feature];
                let pad = PADDING * (high - low);
                let threshold = low + pad + random() * (high - low - 2.0 * pad);
                cuts.push(Cut { feature: feature as u32, threshold });
                let mut right = left.clone();
                left[feature].1 = threshold;
                right[feature].0 = threshold;
                boxes.push(left);
                boxes.push(right);
            }
        }
        Ok(Self { height, window, features: sides.len(), cuts })
    }

    /// A forest whose cuts are known: one tree after the other, inner nodes in order of breadth.
    ///
    /// # Errors
    /// Sizes out of range, another number of cuts, a cut of a feature that is not there or at no finite place.
    pub fn from_cuts(height: u32, window: u32, features: usize, cuts: Vec<Cut>) -> Result<Self, NoForest> {
        check(1, height, window, features)?;
        let inner = nodes(height - 1);
        let trees = cuts.len().div_ceil(inner);
        check(trees, height, window, features)?;
        if cuts.len() != trees * inner {
            return Err(NoForest::Shape { found: cuts.len(), expected: trees * inner });
        }
        let wrong = |cut: &&Cut| cut.feature as usize >= features || !cut.threshold.is_finite();
        match cuts.iter().find(wrong) {
            Some(cut) => Err(NoForest::Side { feature: cut.feature as usize }),
            None => Ok(Self { height, window, features, cuts }),
        }
    }

    /// Masses before the first row.
    #[must_use]
    pub fn masses(&self) -> Masses {
        let all = vec![0; self.trees() * nodes(self.height)];
        Masses { rows: 0, full: false, latest: all.clone(), reference: all }
    }

    /// Whether masses, out of a state say, are of this forest.
    ///
    /// # Errors
    /// When they are of another size.
    pub fn fits(&self, masses: &Masses) -> Result<(), NoForest> {
        let expected = self.trees() * nodes(self.height);
        match [masses.latest.len(), masses.reference.len()].into_iter().find(|found| *found != expected) {
            Some(found) => Err(NoForest::Shape { found, expected }),
            None => Ok(()),
        }
    }

    /// Takes in a row. Nothing happens when it has another number of features or one that is not finite, or the masses
    /// are of another forest.
    pub fn learn(&self, masses: &mut Masses, row: &[f64]) {
        if !self.can(masses, row) {
            return;
        }
        for tree in 0..self.trees() {
            let first = tree * nodes(self.height);
            self.walk(tree, row, |node, _| {
                masses.latest[first + node] += 1;
                true
            });
        }
        masses.rows += 1;
        if masses.rows >= self.window {
            std::mem::swap(&mut masses.latest, &mut masses.reference);
            masses.latest.fill(0);
            (masses.rows, masses.full) = (0, true);
        }
    }

    /// How unusual a row is, 0 … 1, higher is more anomalous. `None` before the first window is full, and for what
    /// [`Forest::learn`] would pass over.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "few trees and nodes")]
    pub fn score(&self, masses: &Masses, row: &[f64]) -> Option<f64> {
        if !masses.full || !self.can(masses, row) {
            return None;
        }
        let sparse = SPARSE * f64::from(self.window);
        let mut sum = 0.0;
        for tree in 0..self.trees() {
            let first = tree * nodes(self.height);
            self.walk(tree, row, |node, depth| {
                let mass = f64::from(masses.reference[first + node]);
                sum += mass * f64::from(1_u32 << depth);
                mass >= sparse
            });
        }
        let most = self.trees() as f64 * f64::from(self.window) * nodes(self.height) as f64;
        Some(1.0 - sum / most)
    }

    fn can(&self, masses: &Masses, row: &[f64]) -> bool {
        row.len() == self.features && row.iter().all(|value| value.is_finite()) && self.fits(masses).is_ok()
    }

    fn trees(&self) -> usize {
        self.cuts.len() / nodes(self.height - 1)
    }

    /// From the root towards the leaf of a row, as long as `visit(node, depth)` wants.
    fn walk(&self, tree: usize, row: &[f64], mut visit: impl FnMut(usize, u32) -> bool) {
        let first = tree * nodes(self.height - 1);
        let mut node = 0;
        for depth in 0..=self.height {
            if !visit(node, depth) || depth == self.height {
                return;
            }
            let cut = self.cuts[first + node];
            node = 2 * node + if row[cut.feature as usize] < cut.threshold { 1 } else { 2 };
        }
    }
}

/// Nodes of a full tree whose leaves are `height` below its root.
const fn nodes(height: u32) -> usize {
    (1_usize << (height + 1)) - 1
}

fn check(trees: usize, height: u32, window: u32, features: usize) -> Result<(), NoForest> {
    if !(1..=TREES_MAX).contains(&trees) {
        return Err(NoForest::Trees(trees));
    }
    if !(1..=HEIGHT_MAX).contains(&height) {
        return Err(NoForest::Height(height));
    }
    match (features, window) {
        (0, _) => Err(NoForest::Features),
        (_, 0) => Err(NoForest::Window),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator (Knuth, MMIX constants).
    fn uniform(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn what_was_never_seen_scores_higher_than_what_is_usual() {
        let mut seed = 3;
        let sides = [(0.0, 1.0), (0.0, 1.0)];
        let forest = Forest::grow(25, 8, 250, &sides, &mut || uniform(&mut seed)).expect("grown");
        let mut masses = forest.masses();
        assert_eq!(forest.score(&masses, &[0.5, 0.5]), None, "no score before a window is full");
        for _ in 0..250 {
            forest.learn(&mut masses, &[0.4 + 0.2 * uniform(&mut seed), 0.4 + 0.2 * uniform(&mut seed)]);
        }
        let usual = forest.score(&masses, &[0.5, 0.5]).expect("a score");
        let strange = forest.score(&masses, &[0.95, 0.05]).expect("a score");
        assert!(0.0 < usual && usual + 0.1 < strange && strange <= 1.0, "usual {usual}, strange {strange}");
    }

    #[test]
    fn rows_that_do_not_fit_are_neither_learnt_nor_scored() {
        let cut = Cut { feature: 0, threshold: 0.5 };
        let forest = Forest::from_cuts(1, 2, 1, vec![cut]).expect("one tree");
        let mut masses = forest.masses();
        (0..2).for_each(|_| forest.learn(&mut masses, &[0.2]));
        let before = masses.clone();
        for row in [&[][..], &[0.1, 0.2], &[f64::NAN], &[f64::INFINITY]] {
            forest.learn(&mut masses, row);
            assert_eq!((&masses, forest.score(&masses, row)), (&before, None), "{row:?}");
        }
        let mut foreign = Masses { latest: vec![0; 2], ..before };
        assert_eq!(forest.fits(&foreign), Err(NoForest::Shape { found: 2, expected: 3 }));
        forest.learn(&mut foreign, &[0.2]);
        assert_eq!((foreign.rows, forest.score(&foreign, &[0.2])), (0, None));
    }

    #[test]
    fn forests_that_cannot_be_are_refused_by_name() {
        let grow = |trees, height, window, sides: &[(f64, f64)]| {
            Forest::grow(trees, height, window, sides, &mut || 0.5).expect_err("refused").to_string()
        };
        let side = [(0.0, 1.0)];
        assert_eq!(grow(0, 3, 9, &side), "0 trees: give 1 to 64");
        assert_eq!(grow(TREES_MAX + 1, 3, 9, &side), "65 trees: give 1 to 64");
        assert_eq!(grow(1, HEIGHT_MAX + 1, 9, &side), "height 13: give 1 to 12");
        assert_eq!(grow(1, 0, 9, &side), "height 0: give 1 to 12");
        assert_eq!(grow(1, 3, 9, &[]), "no features: give at least one");
        assert_eq!(grow(1, 3, 0, &side), "a window of no rows: give at least one");
        assert!(grow(1, 3, 9, &[(0.0, 1.0), (2.0, 2.0)]).starts_with("feature 1 has no side"));
        let cut = Cut { feature: 1, threshold: 0.5 };
        assert_eq!(Forest::from_cuts(1, 9, 1, vec![cut]), Err(NoForest::Side { feature: 1 }));
        let short = Forest::from_cuts(2, 9, 2, vec![cut; 4]);
        assert_eq!(short, Err(NoForest::Shape { found: 4, expected: 6 }));
        assert_eq!(Forest::from_cuts(2, 9, 2, vec![]), Err(NoForest::Trees(0)));
    }
}
