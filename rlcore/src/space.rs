//! Observation and action spaces, from which memory is laid out.
//!
//! A space is a tree (dict and tuple are inner nodes); its leaves, depth first, become the leaves of a sample block.
//! Names follow Gymnasium's.
use crate::cells::{CellMut, CellRef};
use crate::schema::{DType, LeafSpec};
use crate::seed::Rng;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A set of values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Space {
    /// One of `0..n`, stored as one `i64`.
    Discrete {
        /// Number of values.
        n: usize,
    },
    /// One of `0..n[i]` for each `i`, stored as `[len] i64`.
    MultiDiscrete {
        /// Number of values of each component.
        n: Vec<usize>,
    },
    /// An array with bounds.
    Box(BoxSpace),
    /// Named spaces, in this order.
    Dict(Vec<(String, Space)>),
    /// Numbered spaces.
    Tuple(Vec<Space>),
}

/// An array of `shape` and `dtype`, element `i` within `low[i]..=high[i]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxSpace {
    /// Element type.
    pub dtype: DType,
    /// Shape without any batch dimension.
    pub shape: Vec<usize>,
    /// Lower bounds: one for all elements, or one per element. May be `-inf`.
    pub low: Vec<f64>,
    /// Upper bounds, as `low`. May be `inf`.
    pub high: Vec<f64>,
}

impl BoxSpace {
    /// Bounds of element `i`, rounded to the dtype so that a value clipped to a bound lies within it.
    fn bounds(&self, i: usize) -> (f64, f64) {
        let at = |v: &[f64]| if v.len() == 1 { v[0] } else { v[i] };
        let held = |v: f64| if self.dtype == DType::F32 { f64::from(v as f32) } else { v };
        (held(at(&self.low)), held(at(&self.high)))
    }
}

impl Space {
    /// A box with the same bounds for all elements.
    pub fn uniform_box(dtype: DType, shape: &[usize], low: f64, high: f64) -> Self {
        Self::Box(BoxSpace { dtype, shape: shape.to_vec(), low: vec![low], high: vec![high] })
    }

    /// The leaves, depth first, named `a.b.0`; a space that is itself a leaf is named `root`.
    pub fn leaves(&self, root: &str) -> Vec<LeafSpec> {
        self.leaf_spaces(root).into_iter().map(|(name, space)| space.leaf_spec(name)).collect()
    }

    fn leaf_spec(&self, name: String) -> LeafSpec {
        let (dtype, shape) = match self {
            Self::Discrete { .. } => (DType::I64, vec![]),
            Self::MultiDiscrete { n } => (DType::I64, vec![n.len()]),
            Self::Box(b) => (b.dtype, b.shape.clone()),
            Self::Dict(_) | Self::Tuple(_) => unreachable!("leaf_spaces yields leaves only"),
        };
        LeafSpec { name, dtype, shape }
    }

    pub(crate) fn leaf_spaces(&self, name: &str) -> Vec<(String, &Space)> {
        match self {
            Self::Dict(items) => {
                items.iter().flat_map(|(key, s)| s.leaf_spaces(&format!("{name}.{key}"))).collect()
            }
            Self::Tuple(items) => {
                let numbered = items.iter().enumerate();
                numbered.flat_map(|(i, s)| s.leaf_spaces(&format!("{name}.{i}"))).collect()
            }
            leaf => vec![(name.to_owned(), leaf)],
        }
    }

    /// The position among [`Space::leaves`] of the leaf whose path ends with `key`.
    pub fn leaf_index(&self, key: &str) -> Option<usize> {
        let suffix = format!(".{key}");
        self.leaves("").iter().position(|l| l.name.ends_with(&suffix))
    }

    /// Number of actions of a plain discrete space.
    pub fn discrete_n(&self) -> Option<usize> {
        if let Self::Discrete { n } = self { Some(*n) } else { None }
    }

    /// Writes the null value: zero, or the lower bound where zero lies outside.
    pub fn null(&self, cell: &mut CellMut<'_>) {
        for (leaf, (_, space)) in self.leaf_spaces("").into_iter().enumerate() {
            match space {
                Self::Box(b) => cell.fill_with(leaf, |i| {
                    let (low, high) = b.bounds(i);
                    0f64.clamp(low, high)
                }),
                _ => cell.fill_with(leaf, |_| 0.0),
            }
        }
    }

    /// Writes a uniform draw; an unbounded side of a box is drawn within 1 of the other bound or of zero.
    pub fn sample(&self, rng: &mut Rng, cell: &mut CellMut<'_>) {
        self.sample_from(0, rng, cell);
    }

    /// Draws into `leaf` and the following leaves of this space; returns the index after them. Allocates nothing: a random agent draws at
    /// every step.
    fn sample_from(&self, leaf: usize, rng: &mut Rng, cell: &mut CellMut<'_>) -> usize {
        match self {
            Self::Discrete { n } => cell.i64(leaf)[0] = rng.random_range(0..*n as i64),
            Self::MultiDiscrete { n } => {
                cell.fill_with(leaf, |i| rng.random_range(0..n[i]) as f64);
            }
            Self::Box(b) => cell.fill_with(leaf, |i| sample_box(b, i, rng)),
            Self::Dict(items) => {
                return items.iter().fold(leaf, |leaf, (_, s)| s.sample_from(leaf, rng, cell));
            }
            Self::Tuple(items) => {
                return items.iter().fold(leaf, |leaf, s| s.sample_from(leaf, rng, cell));
            }
        }
        leaf + 1
    }

    /// Returns an error that names the first element outside the space. NaN is always outside.
    pub fn contains(&self, cell: CellRef<'_>) -> Result<(), String> {
        for (leaf, (name, space)) in self.leaf_spaces("value").into_iter().enumerate() {
            for (i, v) in cell.to_f64(leaf).into_iter().enumerate() {
                let (low, high) = match space {
                    Self::Discrete { n } => (0.0, *n as f64 - 1.0),
                    Self::MultiDiscrete { n } => (0.0, n[i] as f64 - 1.0),
                    Self::Box(b) => b.bounds(i),
                    Self::Dict(_) | Self::Tuple(_) => {
                        unreachable!("leaf_spaces yields leaves only")
                    }
                };
                if !(low..=high).contains(&v) {
                    return Err(format!("{name}[{i}] = {v} is outside {low}..={high}"));
                }
            }
        }
        Ok(())
    }
}

/// For error messages: `a box [1] f32 within -2..2`, `a discrete space of 5 values`.
impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |f: &mut fmt::Formatter<'_>, i: usize| f.write_str(if i > 0 { ", " } else { "" });
        match self {
            Self::Discrete { n } => write!(f, "a discrete space of {n} values"),
            Self::MultiDiscrete { n } => write!(f, "a multi-discrete space of {n:?} values"),
            Self::Box(b) => b.fmt(f),
            Self::Dict(items) => {
                f.write_str("a dict of ")?;
                items.iter().enumerate().try_for_each(|(i, (key, space))| {
                    list(f, i)?;
                    write!(f, "`{key}`: {space}")
                })
            }
            Self::Tuple(items) => {
                f.write_str("a tuple of ")?;
                items.iter().enumerate().try_for_each(|(i, space)| {
                    list(f, i)?;
                    space.fmt(f)
                })
            }
        }
    }
}

impl fmt::Display for BoxSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a box {:?} {}", self.shape, self.dtype)?;
        let one = |v: &[f64]| v.iter().all(|x| *x == v[0]).then(|| v.first().copied()).flatten();
        match (one(&self.low), one(&self.high)) {
            (Some(low), Some(high)) => write!(f, " within {low}..{high}"),
            _ => f.write_str(" with bounds for each element"),
        }
    }
}

fn sample_box(b: &BoxSpace, i: usize, rng: &mut Rng) -> f64 {
    let (low, high) = match b.bounds(i) {
        (l, h) if l.is_infinite() && h.is_infinite() => (-1.0, 1.0),
        (l, h) if l.is_infinite() => (h - 1.0, h),
        (l, h) if h.is_infinite() => (l, l + 1.0),
        bounds => bounds,
    };
    if b.dtype.is_float() {
        low + (high - low) * rng.random::<f64>()
    } else {
        rng.random_range(low as i64..=high as i64) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Tree;

    fn nested() -> Space {
        Space::Dict(vec![
            ("a".into(), Space::Discrete { n: 3 }),
            (
                "b".into(),
                Space::Tuple(vec![
                    Space::MultiDiscrete { n: vec![2, 5] },
                    Space::uniform_box(DType::U8, &[2, 2], 0.0, 255.0),
                    Space::uniform_box(DType::F32, &[3], 1.0, f64::INFINITY),
                ]),
            ),
        ])
    }

    #[test]
    fn leaves_are_depth_first_and_named() {
        let names: Vec<String> = nested().leaves("obs").into_iter().map(|l| l.name).collect();
        assert_eq!(names, ["obs.a", "obs.b.0", "obs.b.1", "obs.b.2"]);
        assert_eq!(nested().leaf_index("b.1"), Some(2));
    }

    #[test]
    fn spaces_are_described() {
        let text = "a dict of `a`: a discrete space of 3 values, `b`: a tuple of a multi-discrete space of [2, 5] values, \
                    a box [2, 2] u8 within 0..255, a box [3] f32 within 1..inf";
        assert_eq!(nested().to_string(), text);
        let two =
            BoxSpace { dtype: DType::F64, shape: vec![2], low: vec![0.0, 1.0], high: vec![2.5] };
        assert_eq!(two.to_string(), "a box [2] f64 with bounds for each element");
        let pendulum = Space::uniform_box(DType::F32, &[1], -2.0, 2.0);
        assert_eq!(pendulum.to_string(), "a box [1] f32 within -2..2");
    }

    #[test]
    fn samples_and_nulls_are_contained_and_strays_are_not() {
        let space = nested();
        let mut tree = Tree::owned(&space.leaves("obs"), 1, 1);
        let mut rng = crate::seed::rng(3);
        for _ in 0..200 {
            space.sample(&mut rng, &mut tree.cell_mut(0, 0));
            space.contains(tree.cell(0, 0)).unwrap();
        }
        space.null(&mut tree.cell_mut(0, 0));
        space.contains(tree.cell(0, 0)).unwrap();
        assert_eq!(tree.cell(0, 0).f32(3), [1.0; 3], "zero lies below the box");
        let tenths = Space::uniform_box(DType::F32, &[1], -0.1, 0.1);
        let mut edge = Tree::owned(&tenths.leaves("x"), 1, 1);
        edge.cell_mut(0, 0).f32(0)[0] = 0.1;
        tenths.contains(edge.cell(0, 0)).unwrap();
        tree.cell_mut(0, 0).i64(0)[0] = 3;
        assert!(space.contains(tree.cell(0, 0)).unwrap_err().contains("value.a"));
        tree.cell_mut(0, 0).i64(0)[0] = 0;
        tree.cell_mut(0, 0).f32(3)[1] = f32::NAN;
        assert!(space.contains(tree.cell(0, 0)).is_err());
    }
}
