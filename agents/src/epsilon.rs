//! The epsilon of epsilon-greedy exploration: one for all environments or one per environment, annealed over global environment steps.
//!
//! Follows `rlpyt/agents/dqn/epsilon_greedy.py`; differs: epsilon is a pure function of the step count, so that a
//! resumed run has the right one.
use rlcore::{BatchSpec, EnvRank};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of epsilon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EpsilonConfig {
    /// Epsilon until learning starts.
    pub eps_init: f64,
    /// Epsilon at the end of annealing; with `eps_final_min`, that of the environment with the highest rank.
    pub eps_final: f64,
    /// Final epsilon of environment 0. The other environments have final values between this and `eps_final`, equally spaced in the
    /// logarithm. None: all environments have `eps_final`.
    pub eps_final_min: Option<f64>,
    /// Whether environments `i` and `i + B/2` have the same epsilon, as in the two halves of rlpyt's alternating sampler.
    pub eps_shared_by_pairs: bool,
    /// Epsilon in evaluation. Before the first environment step it is 1.
    pub eps_eval: f64,
}

impl Default for EpsilonConfig {
    fn default() -> Self {
        Self {
            eps_init: 1.0,
            eps_final: 0.01,
            eps_final_min: None,
            eps_shared_by_pairs: false,
            eps_eval: 0.001,
        }
    }
}

/// `prog * to + (1 - prog) * from`, where `prog` goes from 0 at `start` to 1 at `end`.
pub fn anneal(from: f64, to: f64, now: f64, start: f64, end: f64) -> f64 {
    let prog = if now >= end { 1.0 } else { ((now - start) / (end - start)).clamp(0.0, 1.0) };
    prog * to + (1.0 - prog) * from
}

impl EpsilonConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// A text that names the setting, its value and what to change.
    pub fn check(&self, spec: BatchSpec) -> Result<(), String> {
        let values = [
            ("eps_init", self.eps_init),
            ("eps_final", self.eps_final),
            ("eps_final_min", self.eps_final_min.unwrap_or(1.0)),
            ("eps_eval", self.eps_eval),
        ];
        if let Some((name, value)) = values.iter().find(|(_, v)| !(0.0..=1.0).contains(v)) {
            return Err(format!(
                "agent.epsilon.{name} = {value}: a probability lies within 0 and 1"
            ));
        }
        // Spaced in the logarithm.
        if self.eps_final_min.is_some_and(|min| min == 0.0 || self.eps_final == 0.0) {
            return Err("agent.epsilon.eps_final_min and eps_final must be above zero for a vector of epsilons; remove eps_final_min for one epsilon".into());
        }
        if self.eps_shared_by_pairs && !spec.b.is_multiple_of(2) {
            return Err(format!(
                "agent.epsilon.eps_shared_by_pairs with sampler.b = {}: pairs need an even number",
                spec.b
            ));
        }
        Ok(())
    }

    /// Final epsilons `[columns]` of the environments from rank `first` on, of `global_b` in all replicas.
    pub fn final_values(&self, global_b: usize, first: EnvRank, columns: usize) -> Vec<f64> {
        let Some(min) = self.eps_final_min.filter(|m| *m != self.eps_final) else {
            return vec![self.eps_final; columns];
        };
        let (n, half) = if self.eps_shared_by_pairs {
            (global_b / 2, columns / 2)
        } else {
            (global_b, columns)
        };
        let value = |rank: usize| {
            let (low, high) = (min.log10(), self.eps_final.log10());
            let part = if n > 1 { rank as f64 / (n - 1) as f64 } else { 0.0 };
            10f64.powf(low + part * (high - low))
        };
        let start = if self.eps_shared_by_pairs { first.0 / 2 } else { first.0 };
        (0..columns).map(|c| value(start + c % half.max(1))).collect()
    }

    /// Epsilon of an evaluation after `env_steps` environment steps.
    pub fn evaluation(&self, env_steps: u64) -> f64 {
        if env_steps == 0 { 1.0 } else { self.eps_eval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden::{cases_with, numbers};

    fn assert_close(got: &[f64], want: &[f64], tolerance: f64) {
        assert_eq!(got.len(), want.len());
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() <= tolerance * (1e-3 + w.abs()), "{got:?} is not {want:?}");
        }
    }

    #[test]
    fn vectors_agree_with_rlpyt() {
        let mut seen = 0;
        for case in cases_with("vec_eps", "kind", "vec") {
            let ranks = numbers(&case["env_ranks"]);
            let pairs = case["alternating"] == 1;
            let config = EpsilonConfig {
                eps_final: case["eps_final"].as_f64().unwrap(),
                eps_final_min: case["eps_final_min"].as_f64(),
                eps_shared_by_pairs: pairs,
                ..Default::default()
            };
            let first = EnvRank(ranks[0] as usize);
            let got = config.final_values(
                case["global_B"].as_u64().unwrap() as usize,
                first,
                ranks.len(),
            );
            let want = numbers(&case["eps_final_vec"]);
            if case["result"] == "scalar" {
                assert!(got.iter().all(|g| *g == want[0]));
            } else if pairs {
                let half = ranks.len() / 2;
                assert_close(&got[..half], &want, 1e-5);
                assert_close(&got[half..], &want, 1e-5);
            } else {
                assert_close(&got, &want, 1e-5);
            }
            seen += 1;
        }
        assert!(seen >= 10);
    }

    #[test]
    fn annealing_agrees_with_rlpyt() {
        let mut seen = 0;
        for case in cases_with("vec_eps", "kind", "anneal") {
            let (start, end) =
                (case["itr_min"].as_f64().unwrap(), case["itr_max"].as_f64().unwrap());
            let finals = numbers(&case["eps_final"]);
            for (itr, want) in numbers(&case["itr"]).iter().zip(case["eps"].as_array().unwrap()) {
                let init = case["eps_init"].as_f64().unwrap();
                let got: Vec<f64> =
                    finals.iter().map(|f| anneal(init, *f, *itr, start, end)).collect();
                assert_close(&got, &numbers(want), 1e-6);
                seen += 1;
            }
        }
        assert!(seen >= 20);
    }

    #[test]
    fn evaluation_agrees_with_rlpyt() {
        for case in cases_with("vec_eps", "kind", "eval") {
            let config = EpsilonConfig {
                eps_eval: case["eps_eval"].as_f64().unwrap(),
                ..Default::default()
            };
            let got: Vec<f64> =
                numbers(&case["itr"]).iter().map(|i| config.evaluation(*i as u64)).collect();
            assert_eq!(got, numbers(&case["eps"]));
        }
    }
}
