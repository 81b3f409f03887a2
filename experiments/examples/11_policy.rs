//! What one wants first of a trained agent: its actions. `cargo run --release --example 11_policy -- runs/cartpole-dqn-s0`
//!
//! For a run on CartPole by any agent. In PyTorch: `experiments export runs/cartpole-dqn-s0`.
use anyhow::Context;
use experiments::Program;
use rlcore::env::{Env, EnvContext, MakeEnv};
use rlcore::{EnvRank, envs::CartPole};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let run = std::env::args().nth(1).context("name a run: 11_policy runs/cartpole-dqn-s0")?;
    let mut policy = Program::new().policy(Path::new(&run), None)?;

    // An observation of one's own: the cart's place and speed, the pole's angle (it leans to the right) and its speed.
    let action = policy.act_on(&[0.0f32, 0.0, 0.1, 0.0])?.discrete();
    println!("push to the {}", if action == 0 { "left" } else { "right" });

    // An episode.
    let mut env = CartPole::default().make(&EnvContext { env_rank: EnvRank(0) })?;
    env.seed(1);
    policy.reset(&mut env)?;
    let mut ret = 0.0;
    loop {
        let step = policy.step(&mut env)?;
        ret += step.reward;
        if step.reset {
            break;
        }
    }
    println!("return {ret}");
    Ok(())
}
