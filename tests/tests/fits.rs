//! Parts that do not fit each other lead to errors that say what to change, and never to panics.
#![allow(missing_docs)]
use agents::dist::Categorical;
use agents::pg::{CategoricalPgAgentConfig, PgMlp, PgSettings};
use algos::pg::PolicyGradient;
use algos::{AlgoSettings, LearnContext, PpoConfig};
use rlcore::block::BlockOptions;
use rlcore::envs::CartPole;
use rlcore::run_dir::{Existing, RunDir};
use rlcore::slice::ResetMode;
use rlcore::{
    CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvSpaces, GlobalSteps, MakeEnv, Space,
    Step,
};
use runners::{MinibatchRl, RunnerConfig};
use samplers::{HostKind, SamplerKind, Setup};
use tests::setups;

fn agent(hidden: &[usize]) -> CategoricalPgAgentConfig {
    let model = PgMlp { hidden: hidden.to_vec(), ..Default::default() };
    CategoricalPgAgentConfig { model, ..Default::default() }
}

/// What a runner says to a sampler with these options and discount and an agent of this model, and a PPO of its own.
fn refusal(
    options: BlockOptions,
    hidden: &[usize],
    discount: f64,
) -> anyhow::Result<Option<String>> {
    let settings = agent(&[8]);
    let mut setup = setups::serial(&CartPole::default(), &agent(hidden), 4, ResetMode::AtOnce);
    (setup.eval, setup.options, setup.discount) = (None, options, discount);
    let spaces = Setup::example_spaces(&setup.env)?;
    let distribution = Box::new(Categorical::new(&spaces)?);
    let context = LearnContext::new(&spaces, setup.spec(), GlobalSteps(80), 1);
    let ppo = PolicyGradient::new(PpoConfig::default(), settings.model(), distribution, &context);
    let scratch = tempfile::tempdir()?;
    let dir = RunDir::create(&scratch.path().join("run"), Existing::Refuse)?;
    let config = RunnerConfig { n_steps: 80, evaluate: false, ..Default::default() };
    let sampler = samplers::build(setup)?;
    let made = MinibatchRl::new(config, sampler, Box::new(ppo?), dir);
    Ok(made.err().map(|e| e.to_string()))
}

/// Both panicked at the first batch.
#[test]
fn a_sampler_that_does_not_feed_the_algorithm_is_refused() {
    let spec = rlcore::BatchSpec { t: 4, b: 10 };
    let records = PpoConfig::default().records(spec);
    assert_eq!(refusal(records, &[8], 0.99).unwrap(), None);
    let text = refusal(BlockOptions::default(), &[8], 0.99).unwrap().unwrap();
    assert!(text.contains("no bootstrap_value"), "{text}");
    let text = refusal(records, &[16], 0.99).unwrap().unwrap();
    assert!(text.contains("weights") && text.contains("the same settings"), "{text}");
}

/// Broken by a comparison that is left to `experiments`: `Setup::new` has a discount of its own.
#[test]
fn a_sampler_with_another_discount_is_refused() {
    let records = PpoConfig::default().records(rlcore::BatchSpec { t: 4, b: 10 });
    let text = refusal(records, &[8], 0.9).unwrap().unwrap();
    assert!(text.contains("by 0.9,") && text.contains("of 0.99: set Setup::discount"), "{text}");
}

/// Broken by a check of memory that is left to `experiments`: a mapping of this size succeeds, and the kernel kills whoever
/// writes to it.
#[test]
fn a_sampler_that_memory_does_not_hold_is_refused_before_it_takes_any() {
    let mut setup = setups::serial(&CartPole::default(), &agent(&[8]), 1 << 36, ResetMode::AtOnce);
    setup.eval = None;
    let text = samplers::build(setup).err().unwrap().to_string();
    for part in ["this configuration needs", "are free", "lower sampler.t or sampler.b"] {
        assert!(text.contains(part), "{text}");
    }
}

/// Masks all actions from the fourth step of the environment with rank 7 on.
#[derive(serde::Serialize, serde::Deserialize)]
struct Trapped {}

struct TrappedEnv {
    rank: usize,
    steps: u32,
}

impl MakeEnv for Trapped {
    type Env = TrappedEnv;

    fn make(&self, context: &EnvContext) -> Result<TrappedEnv, EnvError> {
        Ok(TrappedEnv { rank: context.env_rank.0, steps: 0 })
    }
}

impl Env for TrappedEnv {
    fn spaces(&self) -> EnvSpaces {
        let observation =
            Space::Dict(vec![("mask".into(), Space::uniform_box(DType::U8, &[2], 0.0, 1.0))]);
        let action_mask = Some(0);
        EnvSpaces { action_mask, ..EnvSpaces::new(observation, Space::Discrete { n: 2 }) }
    }

    fn seed(&mut self, _seed: u64) {}

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        Ok(observation.write(0, &[1u8, 1])?)
    }

    fn step(
        &mut self,
        _action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        self.steps += 1;
        let allowed = u8::from(self.rank != 7 || self.steps < 4);
        observation.write(0, &[allowed, allowed])?;
        // Waiting columns show zeros, their masks included: nothing is wrong with those.
        Ok(if self.rank == 2 { Step::terminated(1.0) } else { Step::running(1.0) })
    }
}

#[test]
fn a_mask_that_allows_nothing_names_its_environment() {
    let mut serial = setups::serial(&Trapped {}, &agent(&[8]), 3, ResetMode::Wait);
    (serial.eval, serial.config.max_decorrelation_steps) = (None, 0);
    let parallel = |kind| setups::parallel(&serial, kind, 2, HostKind::Thread);
    for setup in [serial.clone(), parallel(SamplerKind::Cpu), parallel(SamplerKind::Gpu)] {
        let kind = setup.config.kind;
        let mut sampler = samplers::build(setup).unwrap();
        drop(sampler.obtain_samples(GlobalSteps(0)).unwrap());
        let failed = (0..3).find_map(|_| sampler.obtain_samples(GlobalSteps(30)).err());
        let text = failed.unwrap().to_string();
        assert!(
            text.contains("environment 7 gave an action mask that allows no"),
            "{kind:?}: {text}"
        );
    }
}
