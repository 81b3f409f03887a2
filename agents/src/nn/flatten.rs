//! Observations as rows of numbers.
use rlcore::{LeafSpec, Space};
use tch::{Kind, Tensor};

/// All leaves of an observation as one row of numbers: bytes are scaled to `0..=1`, discrete values are one-hot, other values are kept.
#[derive(Clone, Debug)]
pub struct Flatten {
    leaves: Vec<Encoding>,
    features: usize,
}

/// How a leaf is flattened.
#[derive(Clone, Debug)]
enum Encoding {
    /// Its numbers, bytes scaled.
    Plain,
    /// One-hot: for each component of the leaf, one number for each value that it can have.
    OneHot(Vec<i64>),
}

impl Flatten {
    /// A flattening of the observations of this space.
    pub fn new(observation: &Space) -> Self {
        let mut all = Self { leaves: Vec::new(), features: 0 };
        all.push(observation);
        all
    }

    fn push(&mut self, space: &Space) {
        let (encoding, features) = match space {
            Space::Discrete { n } => (Encoding::OneHot(vec![*n as i64]), *n),
            Space::MultiDiscrete { n } => (
                Encoding::OneHot(n.iter().map(|n| *n as i64).collect()),
                n.iter().fold(0, |all: usize, n| all.saturating_add(*n)),
            ),
            Space::Box(_) => {
                let leaves = space.leaves("");
                let elems = leaves.iter().map(LeafSpec::elems);
                (Encoding::Plain, elems.fold(0, usize::saturating_add))
            }
            Space::Dict(items) => return items.iter().for_each(|(_, space)| self.push(space)),
            Space::Tuple(items) => return items.iter().for_each(|space| self.push(space)),
        };
        self.leaves.push(encoding);
        self.features = self.features.saturating_add(features);
    }

    /// Number of values per row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Leaves `[N, ...]` to `[N, features] f32`.
    pub fn forward(&self, observation: &[Tensor]) -> Tensor {
        if let ([one], [Encoding::Plain]) = (observation, self.leaves.as_slice()) {
            // No operation in the common case of `[N, features] f32`.
            let ready = one.kind() == Kind::Float && one.dim() == 2;
            return if ready { one.shallow_clone() } else { plain(one) };
        }
        let row = |(leaf, encoding): (&Tensor, &Encoding)| match encoding {
            Encoding::Plain => plain(leaf),
            Encoding::OneHot(sizes) => one_hot(leaf, sizes),
        };
        let parts: Vec<Tensor> = observation.iter().zip(&self.leaves).map(row).collect();
        if let [one] = parts.as_slice() { one.shallow_clone() } else { Tensor::cat(&parts, 1) }
    }
}

impl Flatten {
    /// [`Flatten::forward`] as a Python expression: see [`TorchModel`](crate::torch::TorchModel).
    pub(crate) fn torch(&self) -> String {
        let part = |(i, encoding): (usize, &Encoding)| match encoding {
            Encoding::Plain => format!("flat(observation[{i}])"),
            Encoding::OneHot(sizes) => format!("one_hot(observation[{i}], {sizes:?})"),
        };
        let parts: Vec<String> = self.leaves.iter().enumerate().map(part).collect();
        if let [one] = parts.as_slice() {
            one.clone()
        } else {
            format!("torch.cat([{}], 1)", parts.join(", "))
        }
    }
}

/// `[N, ...]` to `[N, elements] f32`.
fn plain(leaf: &Tensor) -> Tensor {
    let x = leaf.reshape([leaf.size()[0], -1]);
    match x.kind() {
        Kind::Float => x,
        Kind::Uint8 => x.to_kind(Kind::Float).g_mul_scalar_(1.0 / 255.0),
        _ => x.to_kind(Kind::Float),
    }
}

/// `[N] i64` or `[N, components] i64` to `[N, sum of sizes] f32`.
fn one_hot(leaf: &Tensor, sizes: &[i64]) -> Tensor {
    let x = leaf.reshape([leaf.size()[0], -1]);
    let component = |(i, size): (usize, &i64)| {
        let values = Tensor::arange(*size, (Kind::Int64, x.device()));
        x.narrow(1, i as i64, 1).eq_tensor(&values).to_kind(Kind::Float)
    };
    Tensor::cat(&sizes.iter().enumerate().map(component).collect::<Vec<_>>(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlcore::DType;

    /// Broken by numbers where the order of values means nothing, by a leaf in another's place.
    #[test]
    fn discrete_leaves_are_one_hot_and_others_numbers() {
        let space = Space::Dict(vec![
            ("kind".into(), Space::Discrete { n: 3 }),
            ("speed".into(), Space::uniform_box(DType::F32, &[2], -9.0, 9.0)),
            ("cards".into(), Space::MultiDiscrete { n: vec![2, 4] }),
            ("pixel".into(), Space::uniform_box(DType::U8, &[1], 0.0, 255.0)),
        ]);
        let flatten = Flatten::new(&space);
        assert_eq!(flatten.features(), 3 + 2 + 6 + 1);
        let leaves = [
            Tensor::from_slice(&[2i64, 0]),
            Tensor::from_slice(&[0.5f32, -7.0, 1.0, 2.0]).reshape([2, 2]),
            Tensor::from_slice(&[0i64, 3, 1, 1]).reshape([2, 2]),
            Tensor::from_slice(&[255u8, 0]).reshape([2, 1]),
        ];
        let rows = Vec::<Vec<f32>>::try_from(flatten.forward(&leaves)).unwrap();
        assert_eq!(rows[0], [0.0, 0.0, 1.0, 0.5, -7.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(rows[1], [1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let alone = Flatten::new(&Space::Discrete { n: 3 }).forward(&leaves[..1]);
        assert_eq!(Vec::<Vec<f32>>::try_from(alone).unwrap()[0], [0.0, 0.0, 1.0]);
    }
}
