//! What every run logs of its training: returns of the episodes in it, and the values of its schedules.
use crate::{BINARY, train};
use std::collections::BTreeMap;
use std::path::Path;
use tests::program::Program;

/// The columns of a log, an empty cell as none. No cell of ours needs quotes.
fn columns(run: &Path) -> BTreeMap<String, Vec<Option<f64>>> {
    let text = std::fs::read_to_string(run.join("progress.csv")).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let mut all: Vec<(String, Vec<Option<f64>>)> =
        lines.next().unwrap().iter().map(|n| ((*n).to_owned(), vec![])).collect();
    for line in lines {
        for ((_, values), cell) in all.iter_mut().zip(&line) {
            values.push((!cell.is_empty()).then(|| cell.parse().unwrap()));
        }
    }
    all.into_iter().collect()
}

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-9)
}

#[test]
fn training_returns_and_schedules_are_logged() {
    let program = Program::new(BINARY);
    // Epsilon falls from step 300 to step 500; workers explore elsewhere than where rows are written.
    let sets = ["algo.eps_steps=500", "sampler.kind=cpu", "sampler.worker.n=2"];
    program.succeeds(&train("dqn", &sets));
    let dqn = columns(&program.path("dqn"));
    let epsilon: Vec<f64> = dqn["epsilon"].iter().map(|e| e.unwrap()).collect();
    // Rows at 0, 128, 256, 384 and 512 steps; eps_final is 0.05.
    let want = [1.0, 1.0, 1.0, 1.0 - 0.95 * 84.0 / 200.0, 0.05];
    assert!(epsilon.iter().zip(want).all(|(e, w)| (e - w).abs() < 1e-9), "{epsilon:?}");
    assert!(dqn["learningRate"].iter().all(|rate| near(*rate, 5e-4)));
    let (new, all) = (&dqn["Diagnostics/NewCompletedTrajs"], &dqn["Diagnostics/CumCompletedTrajs"]);
    assert!(near(*all.last().unwrap(), new.iter().map(|n| n.unwrap()).sum()));
    let of = |row: usize| {
        ["Average", "Min", "Max"].map(|s| dqn[&format!("TrainReturn{s}")][row].unwrap())
    };
    assert!(new[0] == Some(0.0) && of(0).iter().all(|v| v.is_nan()), "no step, no episode");
    let last = (1..5).rev().find(|row| new[*row] > Some(1.0)).unwrap();
    let [mean, min, max] = of(last);
    assert!((1.0..mean).contains(&min) && mean < max && max < 500.0, "{:?}", of(last));

    for (preset, algo, columns_of_schedules) in [
        ("cartpole-ppo", "ppo", &["learningRate", "ratioClip"][..]),
        ("cartpole-a2c", "a2c", &["learningRate"][..]),
        ("cartpole-a2c", "reinforce", &["learningRate"][..]),
    ] {
        let kind = format!("algo.kind={algo}");
        let mut args: Vec<&str> = vec!["train", preset, "--run-dir", algo, "--set", &kind];
        let more = ["runner.n_steps=4096", "runner.log_interval_steps=2048", "runner.stop_return="];
        args.extend(more.iter().flat_map(|set| ["--set", set]));
        args.extend(["--set", "runner.evaluate=false"]);
        program.succeeds(&args);
        let logged = columns(&program.path(algo));
        for name in columns_of_schedules.iter().chain(&["TrainReturnAverage"]) {
            assert!(logged[*name].iter().all(|v| v.is_some_and(f64::is_finite)), "{algo}: {name}");
        }
    }
    let ppo = columns(&program.path("ppo"));
    let (rate, clip) = (&ppo["learningRate"], &ppo["ratioClip"]);
    assert!(rate[0] > rate[1] && clip[0] > clip[1], "{rate:?} {clip:?}");
}

/// A run that was begun before these columns were logged goes on with them; its older rows have none.
#[test]
fn an_older_run_goes_on_with_more_columns() {
    let program = Program::new(BINARY);
    program.succeeds(&train("run", &[]));
    let log = program.path("run/progress.csv");
    let text = std::fs::read_to_string(&log).unwrap();
    let is_new = |name: &str| {
        name.starts_with("TrainReturn")
            || ["epsilon", "learningRate", "Diagnostics/NewCompletedTrajs"].contains(&name)
    };
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let kept: Vec<usize> = (0..header.len()).filter(|i| !is_new(header[*i])).collect();
    assert_eq!(header.len() - kept.len(), 6);
    let older = text.lines().map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        kept.iter().map(|i| cells[*i]).collect::<Vec<_>>().join(",") + "\n"
    });
    let older: String = older.collect();
    std::fs::write(&log, &older).unwrap();
    let before = columns(&program.path("run"));
    program.succeeds(&["resume", "run", "--set", "runner.n_steps=1024"]);
    let after = columns(&program.path("run"));
    for (name, values) in &after {
        assert_eq!(values.len(), 9, "{name}");
        match before.get(name) {
            // NaN differs from itself.
            Some(old) => assert_eq!(format!("{old:?}"), format!("{:?}", &values[..5])),
            None => assert!(is_new(name) && values[..5].iter().all(Option::is_none), "{name}"),
        }
        assert!(values[5..].iter().all(Option::is_some), "{name}");
    }
}
