//! Everything that every program offers, one line each.
use crate::presets;
use crate::program::Program;
use crate::render::{cartpole, catch, pendulum};
use agents::DqnAgentSettings;
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgNet};
use algos::{A2cConfig, DqnConfig, PpoConfig, PqnConfig, ReinforceConfig};
use rlcore::envs::{
    Acrobot, CartPole, Catch, DictToy, Memory, MountainCar, MountainCarContinuous, Null, Pendulum,
    Slow,
};

/// `program`, and ours.
#[rustfmt::skip]
pub(crate) fn builtin(program: Program) -> Program {
    program
        .environment::<CartPole>("cartpole", "[4] f32, 2 actions: balance a pole; equal to Gymnasium's CartPole-v1").documented::<CartPole>()
        .environment::<MountainCar>("mountain-car", "[2] f32, 3 actions: swing a car up a hill; equal to Gymnasium's MountainCar-v0").documented::<MountainCar>()
        .environment::<MountainCarContinuous>("mountain-car-continuous", "[2] f32, action [1] f32: the same with a throttle; equal to Gymnasium's MountainCarContinuous-v0").documented::<MountainCarContinuous>()
        .environment::<Acrobot>("acrobot", "[6] f32, 3 actions: swing two links up; equal to Gymnasium's Acrobot-v1").documented::<Acrobot>()
        .environment::<Pendulum>("pendulum", "[3] f32, action [1] f32: swing up and hold; equal to Gymnasium's Pendulum-v1").documented::<Pendulum>()
        .environment::<Catch>("catch", "[1, 10, 5] u8, 3 actions: catch a falling ball, from pixels").documented::<Catch>()
        .environment::<Memory>("memory", "[3] f32, 2 actions: act on a cue that was shown at the start (needs memory)").documented::<Memory>()
        .environment::<DictToy>("dict-toy", "image, position and action mask, 4 actions: a grid with traps and lives (set time_limit)").documented::<DictToy>()
        .environment::<Null>("null", "[4] f32, 2 actions: costs nothing, for benches").documented::<Null>()
        .environment::<Slow>("slow", "[4] f32, 2 actions: costs a set time a step, for benches").documented::<Slow>()
        .renderer::<CartPole>(|_, _| Ok(cartpole::renderer()))
        .renderer::<Catch>(|env, _| Ok(catch::renderer(env.rows, env.columns)))
        .renderer::<Pendulum>(|_, _| Ok(pendulum::renderer()))
        .agent::<DqnAgentSettings>("dqn", "acts by values, epsilon-greedy; discrete actions").documented::<DqnAgentSettings>()
        .agent::<CategoricalPgAgentConfig<PgNet>>("categorical-pg", "draws from a policy; discrete actions").documented::<CategoricalPgAgentConfig<PgNet>>()
        .agent::<GaussianPgAgentConfig<PgNet>>("gaussian-pg", "draws from a policy; actions in a box").documented::<GaussianPgAgentConfig<PgNet>>()
        .algorithm::<DqnConfig>("dqn", "deep Q-learning: double, n-step, uniform replay").documented::<DqnConfig>()
        .algorithm::<PqnConfig>("pqn", "Q-learning from each batch: lambda returns, no replay and no target network").documented::<PqnConfig>()
        .algorithm::<PpoConfig>("ppo", "proximal policy optimisation").documented::<PpoConfig>()
        .algorithm::<A2cConfig>("a2c", "advantage actor-critic").documented::<A2cConfig>()
        .algorithm::<ReinforceConfig>("reinforce", "the simplest policy gradient").documented::<ReinforceConfig>()
        .preset("cartpole-dqn", "DQN solves CartPole-v1 (mean return 475 of 500) in under a minute on two cores", presets::cartpole_dqn)
        .preset("cartpole-pqn", "PQN, without a replay, solves CartPole-v1 (475 of 500) in seconds on one core", presets::cartpole_pqn)
        .preset("cartpole-ppo", "PPO solves CartPole-v1 (475 of 500) in seconds on one core", presets::cartpole_ppo)
        .preset("cartpole-a2c", "A2C solves CartPole-v1 (475 of 500) in seconds on one core", presets::cartpole_a2c)
        .preset("memory-ppo-lstm", "PPO with an LSTM acts on a cue that it saw steps before (0.95 of 1; without memory: 0)", presets::memory_ppo_lstm)
        .preset("pendulum-ppo", "PPO with continuous actions swings a pendulum up and holds it (-200) in seconds on one core", presets::pendulum_ppo)
        .preset("acrobot-ppo", "PPO swings two links up (-100), observations normalised", presets::acrobot_ppo)
        .preset("catch-a2c", "A2C catches a ball from pixels (0.95 of 1)", presets::catch_a2c)
        .preset("catch-dqn", "DQN with a convolutional network catches a ball from pixels (0.95 of 1)", presets::catch_dqn)
}
