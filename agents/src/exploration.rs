//! Exploration of agents that act by values.
//!
//! [`EpsilonGreedy`] follows `rlpyt/agents/dqn/epsilon_greedy.py`. To explore in another way, implement [`MakeExploration`] and give it
//! to the same agent.
use crate::AgentError;
use crate::agent::{ActIo, AgentContext, Phase};
use crate::epsilon::{EpsilonConfig, anneal};
use rand::RngExt;
use rlcore::seed::Rng;
use rlcore::table::{Stats, Values};
use rlcore::{EnvRank, GlobalSteps};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Chooses actions from their values.
pub trait Exploration: Send {
    /// The action of the environment `rank`, of which `q` `[A]` are the values. `allowed` `[A]` is non-zero where an action may
    /// be taken. `rng` is the environment's acting stream: all randomness comes from it, so that the choice does not depend on
    /// the sampler.
    fn choose(
        &mut self,
        q: &[f32],
        allowed: Option<&[u8]>,
        phase: Phase,
        rank: EnvRank,
        rng: &mut Rng,
    ) -> usize;

    /// Chooses the actions of all environments of `io`, whose values are `q` `[N, A]` for `actions` A; `mask` is the leaf of
    /// the observation that says which are allowed. Calls [`Exploration::choose`] for each environment in turn.
    // PERF: provided here, so that `choose` is inlined into the loop and one call through the trait object serves a row: 4 ns
    // less per environment (`experiments bench samplers --only mlp-1024`).
    fn choose_all(
        &mut self,
        q: &[f32],
        actions: usize,
        mask: Option<usize>,
        io: &mut ActIo<'_>,
        phase: Phase,
    ) {
        let chosen = io.action.get::<i64>(0);
        for (c, (q, chosen)) in q.chunks_exact(actions).zip(chosen).enumerate() {
            let allowed = mask.map(|leaf| io.seen.observation.cell(c).u8(leaf));
            let (rank, rng) = (io.seen.first_rank.offset(c), &mut io.rng[c]);
            *chosen = self.choose(q, allowed, phase, rank, rng) as i64;
        }
    }
}

/// Settings that build an [`Exploration`]; they travel to worker processes.
pub trait MakeExploration: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Builds the exploration for the environments of `context`.
    fn make(&self, context: &AgentContext) -> Result<Box<dyn Exploration>, AgentError>;

    /// The values of its schedules after `now` environment steps, for the log: see
    /// [`MakeAgent::schedules`](crate::MakeAgent::schedules).
    fn schedules(&self, _context: &AgentContext, _now: GlobalSteps) -> Values {
        Values::new()
    }
}

/// The allowed action with the largest value; of equal values the first. Action 0 where the mask allows none, which samplers refuse
/// for every environment that is not waiting for its reset.
pub fn greedy(q: &[f32], allowed: Option<&[u8]>) -> usize {
    let mut best = None;
    for (a, value) in q.iter().enumerate() {
        if allowed.is_none_or(|m| m[a] != 0) && best.is_none_or(|b: usize| *value > q[b]) {
            best = Some(a);
        }
    }
    best.unwrap_or(0)
}

/// An action drawn uniformly from those allowed.
pub fn random_action(actions: usize, allowed: Option<&[u8]>, rng: &mut Rng) -> usize {
    let Some(mask) = allowed else { return rng.random_range(0..actions) };
    let count = mask.iter().filter(|m| **m != 0).count();
    let pick = rng.random_range(0..count.max(1));
    mask.iter().enumerate().filter(|(_, m)| **m != 0).nth(pick).map_or(0, |(a, _)| a)
}

/// Settings of epsilon-greedy exploration: a uniform draw with probability epsilon, otherwise the greedy action. Each environment may
/// have its own epsilon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpsilonGreedy {
    /// The values of epsilon.
    pub epsilon: EpsilonConfig,
    /// Environment steps of all replicas at which annealing begins, together with learning.
    pub start_steps: u64,
    /// Environment steps of all replicas at which epsilon has its final value.
    pub end_steps: u64,
}

impl MakeExploration for EpsilonGreedy {
    fn make(&self, context: &AgentContext) -> Result<Box<dyn Exploration>, AgentError> {
        let (first, columns) = context.local;
        Ok(Box::new(Epsilons {
            first: first.0,
            finals: self.epsilon.final_values(context.global_b, first, columns),
            settings: self.clone(),
        }))
    }

    /// `epsilon` of the next training step; the mean over all environments, beside `epsilonMin` and `epsilonMax`, where they have
    /// one each.
    fn schedules(&self, context: &AgentContext, now: GlobalSteps) -> Values {
        let finals = self.epsilon.final_values(context.global_b, EnvRank(0), context.global_b);
        let all: Vec<f64> = finals.iter().map(|last| self.annealed(*last, now)).collect();
        let stats = Stats::of(&all);
        match self.epsilon.eps_final_min {
            None => vec![("epsilon".into(), all[0])],
            Some(_) => vec![
                ("epsilon".into(), stats.average),
                ("epsilonMin".into(), stats.min),
                ("epsilonMax".into(), stats.max),
            ],
        }
    }
}

impl EpsilonGreedy {
    /// Epsilon after `now` steps, of an environment whose final value is `last`.
    fn annealed(&self, last: f64, now: GlobalSteps) -> f64 {
        let (start, end) = (self.start_steps as f64, self.end_steps as f64);
        anneal(self.epsilon.eps_init, last, now.0 as f64, start, end)
    }
}

/// [`EpsilonGreedy`] for the environments of one agent.
struct Epsilons {
    settings: EpsilonGreedy,
    /// Rank of the environment that the first element of `finals` is for.
    first: usize,
    finals: Vec<f64>,
}

impl Epsilons {
    fn epsilon(&self, phase: Phase, rank: EnvRank) -> f64 {
        match phase {
            Phase::Evaluate { now } => self.settings.epsilon.evaluation(now.0),
            Phase::Sample { now } => {
                let last = self.finals[(rank.0 - self.first).min(self.finals.len() - 1)];
                self.settings.annealed(last, now)
            }
        }
    }
}

impl Exploration for Epsilons {
    fn choose(
        &mut self,
        q: &[f32],
        allowed: Option<&[u8]>,
        phase: Phase,
        rank: EnvRank,
        rng: &mut Rng,
    ) -> usize {
        if rng.random::<f64>() < self.epsilon(phase, rank) {
            random_action(q.len(), allowed, rng)
        } else {
            greedy(q, allowed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlcore::{DType, EnvSpaces, Space};

    /// What is logged is what the next step explores with.
    #[test]
    fn the_epsilon_that_is_logged_is_the_one_that_is_used() {
        let context = AgentContext {
            spaces: EnvSpaces::new(
                Space::uniform_box(DType::F32, &[2], -1.0, 1.0),
                Space::Discrete { n: 2 },
            ),
            global_b: 4,
            local: (EnvRank(0), 4),
            device: "cpu".into(),
        };
        let epsilon = EpsilonConfig { eps_final: 0.1, ..Default::default() };
        let mut greedy = EpsilonGreedy { epsilon, start_steps: 100, end_steps: 300 };
        for (now, want) in [(0, 1.0), (100, 1.0), (200, 0.55), (300, 0.1), (999, 0.1)] {
            let seen = greedy.schedules(&context, GlobalSteps(now));
            assert!(seen.len() == 1 && seen[0].0 == "epsilon", "{seen:?}");
            assert!((seen[0].1 - want).abs() < 1e-12, "{now}: {seen:?}");
        }
        greedy.epsilon.eps_final_min = Some(0.001);
        let seen = greedy.schedules(&context, GlobalSteps(300));
        let want = [0.001, 0.001 * 10f64.powf(2.0 / 3.0), 0.001 * 10f64.powf(4.0 / 3.0), 0.1];
        let mean = want.iter().sum::<f64>() / 4.0;
        for ((name, value), (wanted, number)) in
            seen.iter().zip([("epsilon", mean), ("epsilonMin", 0.001), ("epsilonMax", 0.1)])
        {
            assert!(name == wanted && (value - number).abs() < 1e-12, "{seen:?}");
        }
    }

    #[test]
    fn masks_are_obeyed_and_ties_go_to_the_first() {
        assert_eq!(greedy(&[1.0, 3.0, 3.0], None), 1);
        assert_eq!(greedy(&[1.0, 3.0, 2.0], Some(&[1, 0, 1])), 2);
        assert_eq!(greedy(&[f32::NAN, 1.0], None), 0, "never out of range");
        assert_eq!(greedy(&[1.0, 3.0], Some(&[0, 0])), 0, "never out of range");
        let mut rng = rlcore::seed::rng(1);
        let mut seen = [0; 4];
        for _ in 0..400 {
            seen[random_action(4, Some(&[0, 1, 0, 1]), &mut rng)] += 1;
        }
        assert!(seen[0] == 0 && seen[2] == 0 && seen[1] > 150 && seen[3] > 150, "{seen:?}");
    }
}
