//! What an algorithm needs from the agent and the sampler that feed it, and the check that they provide it. Leaves go by name.
use crate::error::AlgoError;
use rlcore::LeafSpec;
use rlcore::block::{Columns, Layout, Part};
use rlcore::cells::Tree;

/// What the samples of an algorithm must hold. Leaves are found by name: an agent may record more, in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requires {
    /// Leaves of `agent_info`, without their `[T, B]` lead.
    pub agent_info: Vec<LeafSpec>,
    /// All leaves of the recurrent state, in order; empty for a feed-forward model.
    pub agent_state: Vec<LeafSpec>,
    /// Least number of rows of recurrent state in a batch; ignored for a feed-forward model.
    pub state_rows: usize,
    /// Whether the value of row T must be recorded.
    pub bootstrap_value: bool,
    /// Number of `f32` weights of the model, buffers included.
    pub weights: usize,
    /// Discount per step that the algorithm learns with; none where it learns with any, or with several.
    pub discount: Option<f64>,
}

/// What to change where a sampler records too little.
const OPTIONS: &str =
    "set Setup::options to what AlgoSettings::records of the algorithm's settings returns";

impl Requires {
    /// Checks whether a sampler that records `layout`, with an agent of `weights` weights and `DiscountedReturn` by `discount`, can feed
    /// the algorithm.
    ///
    /// # Errors
    /// What is missing or differs, and what to set.
    pub fn check(&self, layout: &Layout, weights: usize, discount: f64) -> Result<(), AlgoError> {
        let leaves = |part| layout.part(part).leaves.as_slice();
        self.check_leaves(
            leaves(Part::AgentInfo),
            (leaves(Part::AgentState), layout.part(Part::AgentState).rows),
            !leaves(Part::BootstrapValue).is_empty(),
        )?;
        if weights != self.weights {
            return Err(AlgoError::Samples(format!(
                "the agent has {weights} weights, the algorithm trains {}: build both from the same settings of the model",
                self.weights
            )));
        }
        if let Some(own) = self.discount
            && own != discount
        {
            return Err(AlgoError::Samples(format!(
                "the sampler discounts returns by {discount}, the algorithm learns with a discount of {own}: set Setup::discount to what AlgoSettings::discount of the algorithm's settings returns"
            )));
        }
        Ok(())
    }

    /// Checks whether these samples hold what is needed; weights and discount cannot be seen in them.
    ///
    /// # Errors
    /// As [`Requires::check`].
    pub fn check_samples(&self, samples: &Columns) -> Result<(), AlgoError> {
        self.check_leaves(
            samples.agent_info.specs(),
            (samples.agent_state.specs(), samples.agent_state.rows()),
            !samples.bootstrap_value.specs().is_empty(),
        )
    }

    fn check_leaves(
        &self,
        info: &[LeafSpec],
        (state, state_rows): (&[LeafSpec], usize),
        bootstrap_value: bool,
    ) -> Result<(), AlgoError> {
        for wanted in &self.agent_info {
            match info.iter().find(|found| found.name == wanted.name) {
                Some(found) if found == wanted => {}
                Some(found) => {
                    return Err(AlgoError::Samples(format!(
                        "the agent records agent_info.{} as {}, the algorithm needs {}: build both from the same settings",
                        wanted.name,
                        shown(found),
                        shown(wanted)
                    )));
                }
                None => {
                    return Err(AlgoError::Samples(format!(
                        "the agent does not record agent_info.{} {}, which the algorithm needs (it records {}): use an agent of the algorithm's family",
                        wanted.name,
                        shown(wanted),
                        list(info)
                    )));
                }
            }
        }
        if !self.agent_state.is_empty() {
            if state != self.agent_state {
                return Err(AlgoError::Samples(format!(
                    "the agent's recurrent state is {}, the algorithm's model has {}: build both from the same settings of the model",
                    list(state),
                    list(&self.agent_state)
                )));
            }
            if state_rows < self.state_rows {
                return Err(AlgoError::Samples(format!(
                    "the samples hold {state_rows} rows of recurrent state, the algorithm needs {}: {OPTIONS}",
                    self.state_rows
                )));
            }
        }
        if self.bootstrap_value && !bootstrap_value {
            return Err(AlgoError::Samples(format!(
                "the samples have no bootstrap_value (the value of row T), which the algorithm needs: {OPTIONS} (BlockOptions::bootstrap_value)"
            )));
        }
        Ok(())
    }
}

fn shown(leaf: &LeafSpec) -> String {
    format!("{} {:?}", leaf.dtype, leaf.shape)
}

fn list(leaves: &[LeafSpec]) -> String {
    let all: Vec<String> = leaves.iter().map(|l| format!("{} {}", l.name, shown(l))).collect();
    if all.is_empty() { "nothing".into() } else { all.join(", ") }
}

/// Index of the leaf of `agent_info` with this name.
pub(crate) fn leaf(tree: &Tree, name: &str) -> Result<usize, AlgoError> {
    tree.leaf(name).ok_or_else(|| {
        AlgoError::Samples(format!(
            "the samples have no leaf {name} (they have {}): use an agent of the algorithm's family",
            list(tree.specs())
        ))
    })
}
