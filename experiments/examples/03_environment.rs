//! An environment of one's own: a corridor with a prize at its right end. `cargo run --release --example 03_environment`
//!
//! Settings (`Corridor`) build environments anywhere, worker processes included; the environment itself writes what it sees
//! straight into the sample block. Saving its state makes resumed runs exact. The conformance suite checks the contract.
use agents::{AgentFactory, RandomAgentConfig};
use rlcore::conformance::{self, Options, Randomness};
use rlcore::env::{from_state, to_state};
use rlcore::{
    CellMut, CellRef, DType, Env, EnvContext, EnvError, EnvFactory, EnvSpaces, GlobalSteps,
};
use rlcore::{MakeEnv, Space, Step};
use samplers::{SamplerConfig, SamplerKind, Setup};
use serde::{Deserialize, Serialize};

const LENGTH: usize = 6;

#[derive(Serialize, Deserialize)]
struct Corridor {}

struct CorridorEnv {
    at: Option<usize>, // none before a reset and after the end
}

impl MakeEnv for Corridor {
    type Env = CorridorEnv;

    fn make(&self, _context: &EnvContext) -> Result<CorridorEnv, EnvError> {
        Ok(CorridorEnv { at: None })
    }
}

impl Env for CorridorEnv {
    fn spaces(&self) -> EnvSpaces {
        EnvSpaces::new(Space::uniform_box(DType::F32, &[1], 0.0, 1.0), Space::Discrete { n: 2 })
    }

    fn seed(&mut self, _seed: u64) {}

    fn reset(&mut self, observation: &mut CellMut<'_>) -> Result<(), EnvError> {
        self.at = Some(0);
        Ok(observation.write(0, &[0f32])?)
    }

    fn step(
        &mut self,
        action: CellRef<'_>,
        observation: &mut CellMut<'_>,
        _info: &mut CellMut<'_>,
    ) -> Result<Step, EnvError> {
        let at = match (self.at, action.discrete()) {
            (Some(at), 0) => at.saturating_sub(1),
            (Some(at), 1) => at + 1,
            (_, a) => return Err(EnvError::new(format!("no reset, or no action {a}"))),
        };
        observation.write(0, &[at as f32 / LENGTH as f32])?;
        self.at = (at < LENGTH).then_some(at);
        Ok(if at == LENGTH { Step::terminated(1.0) } else { Step::running(-0.01) })
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        to_state(&self.at)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.at = from_state(state)?;
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    rlcore::forkserver::init()?;
    let options = Options { randomness: Randomness::None, ..Default::default() };
    println!("conforms: {:?}", conformance::check(&Corridor {}, &options)?);

    let sampling = SamplerConfig { kind: SamplerKind::Cpu, t: 50, b: 4, ..Default::default() };
    let agent = AgentFactory::new(&RandomAgentConfig {})?;
    let mut sampler = samplers::build(Setup::new(sampling, EnvFactory::new(&Corridor {})?, agent))?;
    for t in sampler.obtain_samples(GlobalSteps(0))?.trajectories() {
        println!("environment {}: {} steps, return {:.2}", t.env_rank, t.length, t.ret);
    }
    Ok(())
}
