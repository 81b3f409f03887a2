//! Agents that fail, in the master or in a worker, wherever actions are chosen: the error names the process, arrives in time, and
//! nothing is left behind.
use crate::cases::{self, EPISODES, Host, PROCESSES, hosts, nothing_left, unusable};
use crate::processes::{SOON, segment_bytes};
use agents::pg::{CategoricalPgAgentConfig, PgMlp};
use agents::{AgentFactory, MakeAgent};
use libtest_mimic::Failed;
use rlcore::GlobalSteps;
use rlcore::seed::EvalSeries;
use samplers::{Sampler, SamplerError, SamplerKind, Setup};
use std::time::Instant;
use tests::faulty::{Faulty, TEXT};
use tests::faulty_agent::{AgentCall, AgentFault, FaultyPolicy};
use tests::{Body, setups};

pub(crate) fn setup(policy: &impl MakeAgent, host: Host) -> Result<Setup, Failed> {
    let sound = Faulty::sound();
    let mut setup = cases::setup(&sound, &sound, host)?;
    setup.agent = AgentFactory::new(policy)?;
    Ok(setup)
}

/// The process that chooses the actions, as errors name it. The second half of an alternating sampler acts at odd calls.
fn actor(host: Host, at: usize) -> String {
    let own = std::process::id();
    match host.kind {
        SamplerKind::Serial => format!("serial sampler (pid {own}, env ranks 0..10): "),
        SamplerKind::Cpu => "worker ".into(),
        SamplerKind::Gpu => format!("the action server (pid {own}, env ranks 0..10): "),
        SamplerKind::Alternating => {
            let half = if at.is_multiple_of(2) { "0..5" } else { "5..10" };
            format!("the action server (pid {own}, env ranks {half}): ")
        }
    }
}

/// Checks that the error comes in time with this beginning and end, that later calls fail, and that nothing is left behind.
fn ends(
    mut sampler: Box<dyn Sampler>,
    held: u64,
    call: impl Fn(&mut dyn Sampler) -> Result<(), SamplerError>,
    (begin, end): (&str, &str),
) -> Result<(), Failed> {
    let event = Instant::now();
    let found = (0..5).find_map(|_| call(&mut *sampler).err());
    let error = found.ok_or("the fault was not noticed")?.to_string();
    if event.elapsed() > SOON {
        return Err(format!("the error came after {:?}", event.elapsed()).into());
    }
    if !error.starts_with(begin) || !error.ends_with(end) {
        return Err(format!("want: {begin}...{end}\n got: {error}").into());
    }
    unusable(sampler)?;
    nothing_left(held)
}

fn sample(sampler: &mut dyn Sampler) -> Result<(), SamplerError> {
    sampler.obtain_samples(GlobalSteps(0)).map(drop)
}

/// The agent fails in the middle of the second batch, or when it is asked for a bootstrap value.
fn fails(host: Host, fault: AgentFault, call: AgentCall, at: usize) -> Result<(), Failed> {
    let held = segment_bytes();
    let sampler = samplers::build(setup(&FaultyPolicy { fault, call, at }, host)?)?;
    let why = match fault {
        AgentFault::Panic => format!("panicked: {TEXT}"),
        _ => format!("the agent reported: {TEXT}"),
    };
    if call != AgentCall::Evaluate {
        return ends(sampler, held, sample, (&actor(host, at), &why));
    }
    let who =
        if host.kind == SamplerKind::Serial { "serial sampler, evaluating" } else { "worker " };
    ends(
        sampler,
        held,
        |s| s.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0)).map(drop),
        (who, &why),
    )
}

/// Weights that are NaN.
fn nan(host: Host) -> Result<(), Failed> {
    let held = segment_bytes();
    let model = PgMlp { hidden: vec![8], ..PgMlp::default() };
    let setup = setup(&CategoricalPgAgentConfig { model, ..Default::default() }, host)?;
    let mut weights = vec![0.125; setups::weight_count(&setup)];
    let mut sampler = samplers::build(setup)?;
    sampler.publisher().publish(&weights)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    weights.fill(f32::NAN);
    sampler.publisher().publish(&weights)?;
    let why = "is NaN: the weights have diverged (lower the learning rate or clip the gradient), or an observation was not finite";
    ends(sampler, held, sample, (&actor(host, 0), why))
}

/// A worker is killed while the master acts and all workers wait at a gate. Under the CPU sampler there is no such time.
fn worker_dies(host: Host, at: usize) -> Result<(), Failed> {
    let held = segment_bytes();
    let policy = FaultyPolicy { fault: AgentFault::KillWorker(1), call: AgentCall::Act, at };
    let sampler = samplers::build(setup(&policy, host)?)?;
    let who = format!("worker 1 (pid {}, env ranks {}): ", sampler.worker_pids()[1], host.ranks(1));
    ends(sampler, held, sample, (&who, "the process was killed by signal 9 (SIGKILL)"))
}

/// All calls of the agent together take longer than the time-out while workers wait, but no single call: nothing counts as stalled.
fn slow_is_not_stalled(host: Host) -> Result<(), Failed> {
    let policy = FaultyPolicy { fault: AgentFault::Slow(25), call: AgentCall::Act, at: 16 };
    let mut setup = setup(&policy, host)?;
    setup.config.worker.step_timeout = 0.2;
    let mut sampler = samplers::build(setup)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    sampler.evaluate(EvalSeries::Training(0), EPISODES, GlobalSteps(0))?;
    Ok(())
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    for host in hosts() {
        let mut add = |name: &str, body: Body| {
            tests.push((format!("agent::{}_{name}", host.name()), body));
        };
        for fault in [AgentFault::Error, AgentFault::Panic] {
            for (call, at) in [
                (AgentCall::Act, 0),
                // The second batch of whoever acts once a step; of both halves for whoever acts twice.
                (AgentCall::Act, 33),
                (AgentCall::Act, 60),
                (AgentCall::Value, 0),
                (AgentCall::Value, 1),
                (AgentCall::Evaluate, 3),
            ] {
                let body = move || fails(host, fault, call, at);
                add(&format!("{fault:?}_in_{call:?}{at}"), Box::new(body));
            }
        }
        add("NaN", Box::new(move || nan(host)));
        add("slow_is_not_stalled", Box::new(move || slow_is_not_stalled(host)));
        if PROCESSES[1..].contains(&host) {
            for at in [0, 33, 60] {
                let body = move || worker_dies(host, at);
                add(&format!("kills_a_worker{at}"), Box::new(body));
            }
        }
    }
    tests
}
