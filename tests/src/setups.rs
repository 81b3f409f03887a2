//! Sampler setups for tests.
use agents::{AgentContext, AgentFactory, MakeAgent};
use rlcore::block::BlockOptions;
use rlcore::slice::ResetMode;
use rlcore::{EnvFactory, EnvRank, MakeEnv, World};
use samplers::{EvalConfig, HostKind, SamplerConfig, SamplerKind, Setup, WorkerConfig};

/// The setup of a serial sampler with ten environments: a number that three workers do not share evenly, nor two workers each half of
/// it.
pub fn serial<E: MakeEnv, A: MakeAgent>(env: &E, agent: &A, t: usize, reset: ResetMode) -> Setup {
    let env = EnvFactory::new(env).expect("test environments serialise");
    Setup {
        config: SamplerConfig {
            kind: SamplerKind::Serial,
            t,
            b: 10,
            reset,
            max_decorrelation_steps: 30,
            overlap: true,
            worker: WorkerConfig { step_timeout: 20.0, ..Default::default() },
        },
        eval: Some((env.clone(), EvalConfig { n_envs: 5, n_episodes: 8, max_steps: 2000 })),
        env,
        agent: AgentFactory::new(agent).expect("test agents serialise"),
        device: "cpu".into(),
        world: World::default(),
        seed: 11,
        discount: 0.99,
        options: BlockOptions { state_interval: 3, bootstrap_value: true },
        slots: 1,
        worker_logs: None,
    }
}

/// The same setup for a sampler with workers.
pub fn parallel(setup: &Setup, kind: SamplerKind, workers: usize, host: HostKind) -> Setup {
    let mut setup = setup.clone();
    setup.config.kind = kind;
    setup.config.worker = WorkerConfig { n: workers, host, ..setup.config.worker };
    setup
}

/// Number of weights of an agent in this setup.
pub fn weight_count(setup: &Setup) -> usize {
    let context = AgentContext {
        spaces: Setup::example_spaces(&setup.env).expect("test environments build"),
        global_b: setup.config.b,
        local: (EnvRank(0), setup.config.b),
        device: "cpu".into(),
    };
    setup.agent.build(&context).expect("test agents build").weight_count()
}
