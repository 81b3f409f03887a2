//! What a command over several seeds says at its end: a line for each seed, the mean return with an interval, and what it took to
//! reach the threshold.
use super::work::Work;
use console::style;
use runners::{Progress, RunnerConfig, Stop};

/// The upper 2.5% points of Student's t distribution with 1, 2, ... degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// Mean of `values`, and the two ends of its 95% interval by Student's t; no interval of fewer than two values.
pub(in crate::commands) fn interval(values: &[f64]) -> (f64, Option<(f64, f64)>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, None);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let freedom = values.len() - 1;
    // Beyond the table the first term of the expansion in 1 / freedom, right to three digits.
    let t = STUDENT.get(freedom - 1).copied().unwrap_or(1.96 + 2.372 / freedom as f64);
    let half = t * (variance / n).sqrt();
    (mean, Some((mean - half, mean + half)))
}

/// `mean return 498.1, 95% interval 496.0 to 500.2 (Student's t over 5 seeds)`.
pub(in crate::commands) fn mean_line(returns: &[f64], of: &str) -> String {
    match interval(returns) {
        (mean, Some((low, high))) => format!(
            "mean return {mean:.1}, 95% interval {low:.1} to {high:.1} (Student's t over {} {of}s)",
            returns.len()
        ),
        (mean, None) => format!("return {mean:.1} (one {of} has no interval)"),
    }
}

/// How a run that was looked at stands, for people.
fn word(progress: Option<&Progress>) -> &'static str {
    match progress.map(|p| p.stop) {
        None => "not begun",
        Some(None) => "stopped",
        Some(Some(Stop::Return(_))) => "solved",
        Some(Some(Stop::Steps)) => "budget used up",
        Some(Some(Stop::Seconds)) => "time over",
        Some(Some(Stop::Signal(_))) => "stopped by a signal",
    }
}

/// How a run stands, read from its directory.
pub(super) fn state(work: &Work) -> String {
    let found = work.progress().ok().flatten();
    let Some(p) = &found else { return "stopped before its first checkpoint".into() };
    let ret = p.last_return.map_or(String::new(), |r| format!(", mean return {r:.1}"));
    format!("{} after {} steps, {:.1} s{ret}", word(found.as_ref()), p.env_steps, p.seconds)
}

/// Says the table. Seeds that have not ended are in it, and not in the means.
pub(super) fn say(rows: &[(u64, Option<Progress>)], config: &RunnerConfig) {
    let head = format!("{:>8}{:>12}{:>12}{:>11}  ended", "seed", "return", "steps", "seconds");
    crate::say!("\n{}", style(head).bold());
    for (seed, progress) in rows {
        let (ret, steps, seconds) = match progress {
            None => ("-".into(), "-".into(), "-".into()),
            Some(p) => (
                p.last_return.map_or("-".into(), |r| format!("{r:.1}")),
                p.env_steps.to_string(),
                format!("{:.1}", p.seconds),
            ),
        };
        crate::say!("{seed:>8}{ret:>12}{steps:>12}{seconds:>11}  {}", word(progress.as_ref()));
    }
    let ended: Vec<&Progress> =
        rows.iter().filter_map(|(_, p)| p.as_ref()).filter(|p| p.stop.is_some()).collect();
    let returns: Vec<f64> = ended.iter().filter_map(|p| p.last_return).collect();
    if !returns.is_empty() {
        crate::say!("{}", mean_line(&returns, "seed"));
    }
    if let Some(wanted) = config.stop_return
        && !ended.is_empty()
    {
        crate::say!("{}", solved_line(&ended, wanted));
    }
}

/// How many have reached the threshold, and what it took them: mean, least and most.
fn solved_line(ended: &[&Progress], wanted: f64) -> String {
    let solved: Vec<&&Progress> =
        ended.iter().filter(|p| matches!(p.stop, Some(Stop::Return(_)))).collect();
    let of = |value: fn(&Progress) -> f64, digits: usize| {
        let all: Vec<f64> = solved.iter().map(|p| value(p)).collect();
        let (low, high) = all.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        if all.len() == 1 {
            format!("{mean:.digits$}")
        } else {
            format!("{mean:.digits$} ({low:.digits$} to {high:.digits$})")
        }
    };
    let count =
        format!("reached runner.stop_return = {wanted}: {} of {} seeds", solved.len(), ended.len());
    if solved.is_empty() {
        return count;
    }
    let (steps, seconds) = (of(|p| p.env_steps as f64, 0), of(|p| p.seconds, 1));
    format!("{count}, after {steps} steps, {seconds} seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of scipy: `t.interval(0.95, n - 1, mean, sem)`.
    #[test]
    fn intervals_are_students() {
        let (mean, ends) = interval(&[1.0, 2.0, 4.0]);
        let (low, high) = ends.unwrap();
        assert!((mean - 7.0 / 3.0).abs() < 1e-12);
        assert!((low + 1.4612).abs() < 1e-3 && (high - 6.1279).abs() < 1e-3, "{low} {high}");
        let many: Vec<f64> = (0..101).map(f64::from).collect();
        let (low, high) = interval(&many).1.unwrap();
        assert!((low - 44.216).abs() < 2e-2 && (high - 55.784).abs() < 2e-2, "{low} {high}");
        assert_eq!(interval(&[5.0]), (5.0, None));
    }

    fn progress(env_steps: u64, stop: Option<Stop>) -> Progress {
        let seconds = env_steps as f64 / 1000.0;
        Progress { env_steps, seconds, last_return: Some(480.0), best: None, stop }
    }

    #[test]
    fn the_threshold_counts_those_that_reached_it() {
        let all = [
            progress(1000, Some(Stop::Return(480.0))),
            progress(3000, Some(Stop::Return(480.0))),
            progress(9000, Some(Stop::Steps)),
        ];
        let all: Vec<&Progress> = all.iter().collect();
        assert_eq!(
            solved_line(&all, 475.0),
            "reached runner.stop_return = 475: 2 of 3 seeds, after 2000 (1000 to 3000) steps, 2.0 (1.0 to 3.0) seconds"
        );
        assert_eq!(solved_line(&all[2..], 475.0), "reached runner.stop_return = 475: 0 of 1 seeds");
    }
}
