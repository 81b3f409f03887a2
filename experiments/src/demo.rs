//! The training loop of example 01, for the examples after it.
use algos::Algo;
use anyhow::Result;
use rlcore::GlobalSteps;
use samplers::Sampler;

/// Trains for some batches and prints what the episodes return.
pub fn learn(sampler: &mut dyn Sampler, algo: &mut dyn Algo, batches: u64) -> Result<()> {
    let mut weights = vec![0.0; algo.params().len()];
    let (mut env_steps, mut returns) = (0, Vec::new());
    for batch in 1..=batches {
        algo.params().write_to(&mut weights);
        sampler.publisher().publish(&weights)?;
        let steps = sampler.spec().steps() as u64;
        let samples = sampler.obtain_samples(GlobalSteps(env_steps))?;
        env_steps += steps;
        returns.extend(samples.trajectories().iter().map(|t| t.ret));
        algo.optimize(samples.into_lease(), GlobalSteps(env_steps))?;
        if batch.is_multiple_of(50) || batch == batches {
            let recent = &returns[returns.len().saturating_sub(20)..];
            let mean = recent.iter().sum::<f64>() / recent.len().max(1) as f64;
            crate::say!(
                "{env_steps:>6} steps  {:>5} updates  mean return {mean:.1}",
                algo.updates()
            );
        }
    }
    Ok(())
}
