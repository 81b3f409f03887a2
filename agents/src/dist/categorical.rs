//! A categorical distribution over A actions, given by logits.
//!
//! Follows `rlpyt/distributions/categorical.py`; differs: logits and log-softmax in place of probabilities with an epsilon.
use super::{Distribution, Draw};
use crate::AgentError;
use rand::RngExt;
use rlcore::cells::CellMut;
use rlcore::seed::Rng;
use rlcore::{DType, EnvSpaces, LeafSpec, Space};
use tch::{Kind, Reduction, Tensor};

/// Logit of a forbidden action: its probability is zero, and it is finite, so that the product with zero is zero.
const FORBIDDEN: f32 = f32::MIN;

/// A categorical distribution; `dist` is `[A]` logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categorical {
    actions: usize,
}

impl Categorical {
    /// A distribution over a discrete action space.
    ///
    /// # Errors
    /// Another action space.
    pub fn new(spaces: &EnvSpaces) -> Result<Self, AgentError> {
        match &spaces.action {
            Space::Discrete { n } => Ok(Self { actions: *n }),
            space @ Space::Box(_) => Err(AgentError::new(format!(
                "a categorical agent needs one discrete action, the action space is {space}: use the gaussian agent",
            ))),
            other => Err(AgentError::new(format!(
                "a categorical agent needs one discrete action, the action space is {other}: number the combinations of its parts as one Discrete space in the environment"
            ))),
        }
    }
}

impl Distribution for Categorical {
    fn len(&self) -> usize {
        self.actions
    }

    fn torch(&self) -> Option<Vec<String>> {
        Some(vec!["return int(output.argmax())".into()])
    }

    fn info(&self) -> Vec<LeafSpec> {
        vec![LeafSpec::array("dist", DType::F32, &[self.actions])]
    }

    fn draw(
        &self,
        dist: &[f32],
        allowed: Option<&[u8]>,
        draw: Draw<'_>,
        action: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
        first: usize,
    ) {
        let logits = info.f32(first);
        logits.copy_from_slice(dist);
        if let Some(allowed) = allowed {
            for (logit, _) in logits.iter_mut().zip(allowed).filter(|(_, a)| **a == 0) {
                *logit = FORBIDDEN;
            }
        }
        let (best, max) = argmax(logits);
        let chosen = match draw {
            Draw::Mode => best,
            Draw::Sample(rng) => sample(logits, max, best, rng),
        };
        action.i64(0)[0] = chosen as i64;
    }

    fn log_likelihood(&self, dist: &Tensor, drawn: &Tensor) -> Tensor {
        // PERF: one node of the graph for three, and a backward pass without a scatter (number beside PPO's loss).
        let log_p = dist.log_softmax(-1, None::<Kind>);
        let of = |log_p: &Tensor, drawn: &Tensor| {
            -log_p.g_nll_loss::<Tensor>(drawn, None, Reduction::None, -100)
        };
        if dist.dim() == 2 {
            return of(&log_p, drawn);
        }
        // In libtorch the classes are the second dimension.
        of(&log_p.reshape([-1, self.actions as i64]), &drawn.reshape([-1])).reshape(drawn.size())
    }

    fn entropy(&self, dist: &Tensor) -> Tensor {
        let log_p = dist.log_softmax(-1, None::<Kind>);
        -(log_p.exp() * log_p).sum_dim_intlist([-1].as_slice(), false, None::<Kind>)
    }

    fn kl(&self, old: &Tensor, new: &Tensor) -> Tensor {
        let (old, new) = (old.log_softmax(-1, None::<Kind>), new.log_softmax(-1, None::<Kind>));
        (old.exp() * (&old - new)).sum_dim_intlist([-1].as_slice(), false, None::<Kind>)
    }

    fn drawn<'a>(&self, action: &'a [Tensor], _info: &'a [Tensor]) -> &'a Tensor {
        &action[0]
    }

    fn mask(&self, dist: Tensor, allowed: Option<&Tensor>) -> Tensor {
        match allowed {
            Some(allowed) => dist.masked_fill(&allowed.eq(0), f64::from(FORBIDDEN)),
            None => dist,
        }
    }
}

/// Index of the largest value; of equal ones the first.
fn argmax(logits: &[f32]) -> (usize, f32) {
    let mut best = (0, logits[0]);
    for (i, logit) in logits.iter().enumerate().skip(1) {
        if *logit > best.1 {
            best = (i, *logit);
        }
    }
    best
}

/// Draws by inverting the cumulative softmax at one uniform number.
fn sample(logits: &[f32], max: f32, best: usize, rng: &mut Rng) -> usize {
    let weight = |logit: f32| f64::from(logit - max).exp();
    let total: f64 = logits.iter().map(|l| weight(*l)).sum();
    let mut left = rng.random::<f64>() * total;
    for (i, logit) in logits.iter().enumerate() {
        let weight = weight(*logit);
        if left < weight {
            return i;
        }
        left -= weight;
    }
    best // rounding left nothing to choose
}

#[cfg(test)]
mod tests;
