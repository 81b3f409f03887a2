//! One-step Q-learning from each batch as it is, without a replay and a target network.
use agents::model::{MakeQModel, ModelInput, QModel};
use agents::params::{ModelSize, ParamBuilder, Params};
use algos::optim::AdamKind;
use algos::{
    Algo, AlgoError, AlgoNeeds, AlgoSettings, LearnContext, MakeAlgo, OptInfo, Requires, Restored,
    SaveScope, Saved, Trained, TrainedSettings,
};
use rlcore::block::{Columns, Lease, flag};
use rlcore::{BatchSpec, EnvSpaces, GlobalSteps};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ops::Range;
use tch::{Kind, Tensor, no_grad_guard};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneStep {
    discount: f64,
    learning_rate: f64,
    /// Updates from each batch.
    passes: u64,
    /// Environment steps until epsilon has its final value.
    eps_steps: u64,
}

impl Default for OneStep {
    fn default() -> Self {
        Self { discount: 0.95, learning_rate: 2e-3, passes: 2, eps_steps: 20_000 }
    }
}

impl AlgoSettings for OneStep {
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        if self.passes > 0 { Ok(()) } else { Err("algo.passes = 0: it must be at least 1".into()) }
    }

    fn discount(&self) -> f64 {
        self.discount
    }

    fn annealing(&self) -> Range<u64> {
        0..self.eps_steps
    }

    fn needs(&self, _: &EnvSpaces, _: BatchSpec, _: &ModelSize) -> AlgoNeeds {
        AlgoNeeds::default()
    }
}

impl MakeAlgo for OneStep {
    type Model = Box<dyn MakeQModel>;

    fn make(
        &self,
        model: &Box<dyn MakeQModel>,
        context: &LearnContext<'_>,
    ) -> Result<Box<dyn Algo>, AlgoError> {
        let mut builder = ParamBuilder::default();
        let model = model.make(context.spaces, &mut builder)?;
        let optimiser = TrainedSettings {
            kind: AdamKind::default(),
            learning_rate: self.learning_rate,
            adam_eps: 1e-8,
            clip_grad_norm: 10.0,
        };
        let trained = Trained::new(&builder.finish()?, 0, optimiser, context)?;
        let requires = Requires { weights: trained.params().len(), ..Default::default() };
        let batch_size = context.spec.t * context.spec.b;
        let nothing = Tensor::zeros([0], (Kind::Float, context.device));
        let (settings, updates, batch) = (self.clone(), 0, None);
        Ok(Box::new(Learner {
            settings,
            model,
            trained,
            requires,
            batch_size,
            nothing,
            updates,
            batch,
        }))
    }
}

struct Learner {
    settings: OneStep,
    model: Box<dyn QModel>,
    trained: Trained,
    requires: Requires,
    batch_size: usize,
    nothing: Tensor,
    updates: u64,
    /// The batch that is learned from, and the updates to be made from it.
    batch: Option<(Lease, u64)>,
}

impl Learner {
    /// `r + discount * max_a Q(s', a)` for each step but the truncated ones, whose next observation is another episode's.
    fn loss(&self, samples: &Columns) -> Tensor {
        let device = self.nothing.device();
        let observation: Vec<Tensor> =
            samples.observation.tensors().iter().map(|t| t.to_device(device)).collect();
        // [T + 1, B, A]
        let q = |params: &Params| {
            let rows: Vec<Tensor> = observation.iter().map(|t| t.flatten(0, 1)).collect();
            let q = self.model.forward(params, &ModelInput::of(&rows, &self.nothing)).q;
            q.view([samples.observation.rows() as i64, samples.observation.columns() as i64, -1])
        };
        let t = samples.reward.rows() as i64;
        let flags = samples.flags.tensors();
        let flag = |leaf: usize| flags[leaf].to_device(device).to_kind(Kind::Float);
        let (terminated, truncated) = (flag(flag::TERMINATED), flag(flag::TRUNCATED));
        let target = {
            let _guard = no_grad_guard();
            let next = q(self.trained.params()).narrow(0, 1, t).amax([-1].as_slice(), false);
            let reward = samples.reward.tensors()[0].to_device(device);
            reward + (1.0 - &terminated) * next * self.settings.discount
        };
        let action = samples.action.tensors()[0].to_device(device).unsqueeze(-1);
        let q = q(self.trained.params()).narrow(0, 0, t).gather(-1, &action, false).squeeze_dim(-1);
        let weight = flag(flag::VALID) * (1.0 - truncated * (1.0 - terminated));
        let error: Tensor = q - target;
        (error.square() * &weight).sum(Kind::Float) / weight.sum(Kind::Float).clamp_min(1.0)
    }
}

impl Algo for Learner {
    fn requires(&self) -> &Requires {
        &self.requires
    }

    fn take_in(&mut self, samples: Lease, _now: GlobalSteps) -> Result<(), AlgoError> {
        self.batch = Some((samples, self.settings.passes));
        Ok(())
    }

    fn due(&self) -> u64 {
        self.batch.as_ref().map_or(0, |(_, due)| *due)
    }

    fn learn(&mut self, at_most: u64) -> Result<OptInfo, AlgoError> {
        let mut losses = Vec::new();
        if let Some((samples, mut due)) = self.batch.take() {
            for _ in 0..due.min(at_most) {
                let loss = self.loss(&samples);
                let _norm = self.trained.descend(&loss)?;
                losses.push(loss.double_value(&[]));
                (self.updates, due) = (self.updates + 1, due - 1);
            }
            self.batch = (due > 0).then_some((samples, due));
        }
        Ok(vec![("loss", losses)])
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn batch_size(&self) -> usize {
        self.batch_size
    }

    fn params(&self) -> &Params {
        self.trained.params()
    }

    fn params_mut(&mut self) -> &mut Params {
        self.trained.params_mut()
    }

    fn save(&self, _scope: SaveScope) -> Result<Saved<'_>, AlgoError> {
        let mut arrays = Vec::new();
        self.trained.save("q", &mut arrays);
        let values = json!({ "updates": self.updates, "adam_steps": self.trained.steps() });
        Ok(Saved { arrays, values })
    }

    fn load(&mut self, saved: &Restored<'_>) -> Result<(), AlgoError> {
        let count = |key: &str| {
            let missing = || AlgoError::State(format!("it has no {key}"));
            saved.values[key].as_u64().ok_or_else(missing)
        };
        let (updates, adam_steps) = (count("updates")?, count("adam_steps")?);
        self.trained.restore(&self.trained.read(saved, "q", adam_steps)?);
        (self.updates, self.batch) = (updates, None);
        Ok(())
    }
}
