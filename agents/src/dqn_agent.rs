//! Epsilon-greedy over the values of a Q-model.
use crate::agent::{
    ActIo, Agent, AgentContext, AgentError, AgentOutline, MakeAgent, Phase, ValueIo, device,
};
use crate::epsilon::{EpsilonConfig, anneal};
use crate::model::{MakeQModel, QMlp, QModel, action_count};
use crate::params::{Grad, ParamBuilder, Params};
use crate::staging::Staging;
use rand::RngExt;
use rlcore::block::AgentSchema;
use rlcore::seed::Rng;
use rlcore::{DType, LeafSpec};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, no_grad_guard};

/// Builds [`DqnAgent`]s over any Q-model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DqnAgentConfig<M = QMlp> {
    /// The model.
    pub model: M,
    /// Exploration.
    pub epsilon: EpsilonConfig,
    /// Environment steps at which annealing begins: when learning does.
    pub eps_start_steps: u64,
    /// Environment steps at which epsilon has its final value.
    pub eps_steps: u64,
}

impl<M: MakeQModel> MakeAgent for DqnAgentConfig<M> {
    type Agent = DqnAgent;

    fn make(&self, context: &AgentContext) -> Result<DqnAgent, AgentError> {
        let device = device(&context.device)?;
        let actions = action_count(&context.spaces)?;
        let mut builder = ParamBuilder::default();
        let model = self.model.make(&context.spaces, &mut builder)?;
        let params = Params::zeros(&builder.finish()?, device, Grad::Off)?;
        let (first, columns) = context.local;
        Ok(DqnAgent {
            model,
            params,
            staging: Staging::unless_cpu(device),
            actions,
            mask: context.spaces.action_mask,
            first: first.0,
            eps_final: self.epsilon.final_values(context.global_b, first, columns),
            config: self.epsilon.clone(),
            eps_span: (self.eps_start_steps, self.eps_steps),
        })
    }

    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        let mut builder = ParamBuilder::default();
        self.model.make(&context.spaces, &mut builder)?;
        let schema = schema(action_count(&context.spaces)?);
        Ok(AgentOutline { schema, model: builder.size()? })
    }
}

/// Acts greedily but for a share epsilon of uniform actions. Records `q [A] f32`.
pub struct DqnAgent {
    model: Box<dyn QModel>,
    params: Params,
    staging: Option<Staging>,
    actions: usize,
    mask: Option<usize>,
    first: usize,
    eps_final: Vec<f64>,
    config: EpsilonConfig,
    eps_span: (u64, u64),
}

impl std::fmt::Debug for DqnAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DqnAgent({} weights, {} actions)", self.params.len(), self.actions)
    }
}

impl DqnAgent {
    /// Epsilon of the environment with this rank.
    pub fn epsilon(&self, phase: Phase, rank: usize) -> f64 {
        match phase {
            Phase::Evaluate { env_steps } => self.config.evaluation(env_steps),
            Phase::Sample { env_steps } => {
                let (start, end) = self.eps_span;
                let last = self.eps_final[(rank - self.first).min(self.eps_final.len() - 1)];
                anneal(self.config.eps_init, last, env_steps as f64, start as f64, end as f64)
            }
        }
    }

    /// `[N, A]` on the CPU, contiguous.
    fn q(&mut self, observation: &[Tensor]) -> Tensor {
        let _guard = no_grad_guard();
        let Some(staging) = &mut self.staging else {
            return self.model.forward(&self.params, observation).contiguous();
        };
        let sent = staging.send(&observation.iter().collect::<Vec<_>>());
        self.model.forward(&self.params, sent).to_device(Device::Cpu).contiguous()
    }
}

fn schema(actions: usize) -> AgentSchema {
    AgentSchema { info: vec![LeafSpec::array("q", DType::F32, &[actions])], state: vec![] }
}

/// The action of the largest value among those allowed; the first of equals. Every row of a mask allows one.
fn argmax(q: &[f32], allowed: Option<&[u8]>) -> usize {
    let mut best = usize::MAX;
    for (a, value) in q.iter().enumerate() {
        if allowed.is_none_or(|m| m[a] != 0) && (best == usize::MAX || *value > q[best]) {
            best = a;
        }
    }
    best
}

/// A uniform draw among the allowed.
pub(crate) fn random_action(actions: usize, allowed: Option<&[u8]>, rng: &mut Rng) -> usize {
    let Some(mask) = allowed else { return rng.random_range(0..actions) };
    let count = mask.iter().filter(|m| **m != 0).count();
    let pick = rng.random_range(0..count.max(1));
    mask.iter().enumerate().filter(|(_, m)| **m != 0).nth(pick).map_or(0, |(a, _)| a)
}

impl Agent for DqnAgent {
    fn schema(&self) -> AgentSchema {
        schema(self.actions)
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        let q = self.q(io.observation_tensors);
        let q = rlcore::tensor::slice::<f32>(&q);
        io.info.get::<f32>(0).copy_from_slice(q);
        let action = io.action.get::<i64>(0);
        for (c, (q, action)) in q.chunks_exact(self.actions).zip(action).enumerate() {
            let allowed = self.mask.map(|leaf| io.observation.cell(c).u8(leaf));
            let epsilon = self.epsilon(phase, io.first_rank.0 + c);
            let rng = &mut io.rng[c];
            *action = if rng.random::<f64>() < epsilon {
                random_action(self.actions, allowed, rng)
            } else {
                argmax(q, allowed)
            } as i64;
        }
        Ok(())
    }

    fn value(&mut self, io: &ValueIo<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        let q = self.q(io.observation_tensors);
        for (c, q) in rlcore::tensor::slice::<f32>(&q).chunks_exact(self.actions).enumerate() {
            let allowed = self.mask.map(|leaf| io.observation.cell(c).u8(leaf));
            out[c] = q[argmax(q, allowed)];
        }
        Ok(())
    }

    fn weight_count(&self) -> usize {
        self.params.len()
    }

    fn load_weights(&mut self, weights: &[f32]) {
        self.params.read_from(weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_staged_for_a_device_gives_the_same() {
        use rlcore::{EnvRank, EnvSpaces, Space};
        let observation = Space::uniform_box(DType::U8, &[2, 3], 0.0, 255.0);
        let context = AgentContext {
            spaces: EnvSpaces::new(observation, Space::Discrete { n: 3 }),
            global_b: 2,
            local: (EnvRank(0), 2),
            device: "cpu".into(),
        };
        let settings = DqnAgentConfig {
            model: QMlp::default(),
            epsilon: EpsilonConfig::default(),
            eps_start_steps: 0,
            eps_steps: 1,
        };
        let mut agent = settings.make(&context).unwrap();
        let weights: Vec<f32> = (0..agent.weight_count()).map(|i| (i as f32).sin()).collect();
        agent.load_weights(&weights);
        let x = Tensor::arange(12, (tch::Kind::Uint8, Device::Cpu)).reshape([2, 2, 3]);
        let direct = agent.q(std::slice::from_ref(&x));
        agent.staging = Some(Staging::new(Device::Cpu));
        assert_eq!(agent.q(&[x]), direct);
        assert!(direct.abs().max().double_value(&[]) > 0.1);
    }

    #[test]
    fn masks_are_obeyed_and_ties_go_to_the_first() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0], None), 1);
        assert_eq!(argmax(&[1.0, 3.0, 2.0], Some(&[1, 0, 1])), 2);
        assert_eq!(argmax(&[f32::NAN, 1.0], None), 0, "never out of range");
        let mut rng = rlcore::seed::rng(1);
        let mut seen = [0; 4];
        for _ in 0..400 {
            seen[random_action(4, Some(&[0, 1, 0, 1]), &mut rng)] += 1;
        }
        assert!(seen[0] == 0 && seen[2] == 0 && seen[1] > 150 && seen[3] > 150, "{seen:?}");
    }
}
