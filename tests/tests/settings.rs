//! Every setting of every preset with extreme and invalid values: each value is accepted, or refused in one line that names the
//! setting. Nothing panics, and no run is started that the machine's memory cannot hold.
//!
//! The settings are read from a configuration, so that new ones are tested without a change here.
#![allow(missing_docs, clippy::unwrap_used)]
use experiments::Program as Offered;
use experiments::assemble::prepare;
use experiments::config::Config;
use rlcore::GlobalSteps;
use rlcore::config::{ConfigError, UNSET};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use tests::program::{End, Program};
use toml::{Table, Value};

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

const INTEGERS: [&str; 7] =
    ["0", "1", "-1", "2147483648", "1099511627776", "4611686018427387904", "9223372036854775807"];
const FLOATS: [&str; 8] = ["0.0", "1.0", "-1.0", "1e308", "1e-320", "nan", "inf", "-inf"];
const LISTS: [&str; 7] = [
    "[]",
    "[0]",
    "[1]",
    "[-1]",
    "[9223372036854775807]",
    "[2147483648,2147483648]",
    "[1,1,1,1,1,1,1]",
];
const WORDS: [&str; 2] = ["\"\"", "\"no-such-word\""];

/// Settings whose huge values ask for time and for nothing else: steps before the first batch.
const TAKES_TIME: [&str; 1] = ["sampler.max_decorrelation_steps"];

/// Values for a setting that holds `now`; of an optional setting that is not given every kind of value is tried.
fn hostile(now: Option<&Value>) -> Vec<&'static str> {
    match now {
        Some(Value::String(word)) if word == UNSET => hostile(None),
        Some(Value::Integer(_)) => INTEGERS.to_vec(),
        Some(Value::Float(_)) => FLOATS.to_vec(),
        Some(Value::Array(_)) => LISTS.to_vec(),
        Some(Value::String(_)) => WORDS.to_vec(),
        Some(_) => vec!["true", "false"],
        None => [&INTEGERS[..], &FLOATS, &LISTS, &WORDS].concat(),
    }
}

/// A configuration to start from, and the part of its settings that is tested.
struct Base {
    config: Config,
    under: &'static str,
}

/// All presets, then the environments, networks and algorithms that no preset uses.
fn bases() -> Vec<Base> {
    let offered = Offered::new();
    let with = |preset: &str, sets: &[String]| {
        offered.resolve(&offered.preset_named(preset).unwrap(), None, sets).unwrap()
    };
    // Few updates: what is asked is whether one can be made.
    let few = |preset: &str| match with(preset, &[]).algo.kind.as_str() {
        "ppo" => vec!["algo.epochs=1".to_owned(), "algo.minibatches=4".to_owned()],
        _ => vec![],
    };
    let presets = offered.presets().iter();
    let mut bases: Vec<Base> =
        presets.map(|p| Base { config: with(p.name, &few(p.name)), under: "" }).collect();
    for (kind, _) in offered.environments() {
        let kind = format!("env.kind={kind}");
        // One with discrete actions or one with a box.
        for preset in ["cartpole-ppo", "pendulum-ppo"] {
            let config = with(preset, std::slice::from_ref(&kind));
            if prepare(&offered, &config).is_ok() {
                bases.push(Base { config, under: "env" });
                break;
            }
        }
    }
    let reinforce = with("cartpole-a2c", &["algo.kind=reinforce".to_owned()]);
    bases.push(Base { config: reinforce, under: "algo" });
    bases
}

/// Every key below `path`, with its value if it has one.
fn keys(config: &Config, table: &Table, path: &str, found: &mut Vec<(String, Option<Value>)>) {
    let full = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let none = format!("{}=1", full("no_such_key"));
    let known: BTreeSet<String> = match Offered::new().resolve(config, None, &[none]) {
        Err(ConfigError::UnknownKey { known, .. }) => known.into_iter().collect(),
        other => panic!("{path}: {other:?}"),
    };
    assert!(table.keys().all(|k| known.contains(k)), "{path}: {known:?}");
    for key in &known {
        match table.get(key) {
            Some(Value::Table(inner)) => keys(config, inner, &full(key), found),
            value => found.push((full(key), value.cloned())),
        }
    }
}

/// Whether a refusal names the setting: by its whole key; of the sizes of the network and of the environment, which memory is
/// refused for, as one of the sizes in their table; and where an environment refuses its settings, by its name for it, quoted.
fn named(text: &str, key: &str) -> bool {
    let word = |text: &str, word: &str| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        text.match_indices(word).any(|(at, _)| {
            !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
        })
    };
    let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
    let in_table = matches!(table, "agent.model" | "env") && word(text, &format!("{last} ="));
    let mut quoted = text.split('`').skip(1).step_by(2);
    word(text, key) || in_table || table == "env" && quoted.any(|text| word(text, last))
}

/// Describes what is wrong with the program's answer to a value, if anything is.
fn wrong(config: &Config, key: &str, value: &str) -> Option<String> {
    let set = format!("{key}={value}");
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<(), String> {
        let offered = Offered::new();
        let config =
            offered.resolve(config, None, std::slice::from_ref(&set)).map_err(|e| e.to_string())?;
        let prepared = prepare(&offered, &config).map_err(|e| format!("{e:#}"))?;
        // A huge number may ask for as much time as it says, before the first batch or within one.
        let huge = INTEGERS[3..].contains(&value);
        if huge && TAKES_TIME.contains(&key) {
            return Ok(());
        }
        let mut parts = prepared.start(None).map_err(|e| format!("{e:#}"))?;
        let mut weights = vec![0.0; parts.algo.params().len()];
        for batch in 0..2 {
            parts.algo.params().write_to(&mut weights);
            parts.sampler.publisher().publish(&weights).map_err(|e| e.to_string())?;
            let samples =
                parts.sampler.obtain_samples(GlobalSteps(64 * batch)).map_err(|e| e.to_string())?;
            let now = GlobalSteps(64 * (batch + 1));
            parts.algo.take_in(samples.into_lease(), now).map_err(|e| e.to_string())?;
            let at_most = if huge { 4 } else { u64::MAX };
            parts.algo.learn(at_most).map_err(|e| e.to_string())?;
            if parts.algo.due() > 0 {
                return Ok(());
            }
        }
        Ok(())
    }));
    let text = match outcome {
        Ok(Ok(())) => return None,
        Ok(Err(text)) => text,
        Err(payload) => return Some(format!("{set} panics: {}", rlcore::panics::text(&*payload))),
    };
    let fault =
        if ["panicked", "Exception raised", "frame #"].iter().any(|mark| text.contains(mark)) {
            "shows a panic"
        } else if text.contains('\n') {
            "has several lines"
        } else if !named(&text, key) {
            "names no key"
        } else {
            return None;
        };
    Some(format!("{set} {fault}: {text}"))
}

/// The program with `sets`, in an address space of 2 GB: less than the machine's memory and still a limit that the check of memory
/// must know.
fn limited(program: &Program, preset: &str, sets: &[&str]) -> End {
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -v 2000000; exec \"$@\"", "limited", BINARY]);
    command.args(["train", preset, "--run-dir", "run"]);
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    program.spawn(command).end()
}

/// Settings that could only fail after the run has begun.
#[test]
fn what_can_only_fail_later_is_refused_at_once() {
    for (preset, set) in [
        ("cartpole-ppo", "sampler.worker.step_timeout=1e-320"),
        ("pendulum-ppo", "agent.gaussian.init_std=1e-320"),
        ("cartpole-ppo", "algo.adam_eps=1e-320"),
        ("cartpole-dqn", "algo.adam_eps=1e-320"),
        ("cartpole-dqn", "algo.learning_rate=9e18"),
        ("cartpole-a2c", "algo.learning_rate=9e18"),
    ] {
        let offered = Offered::new();
        let preset = offered.preset_named(preset).unwrap();
        let config = offered.resolve(&preset, None, &[set.to_owned()]).unwrap();
        let text = prepare(&offered, &config).unwrap_err().to_string();
        assert!(text.contains(set.split('=').next().unwrap()), "{set}: {text}");
    }
}

#[test]
fn what_memory_does_not_hold_is_refused_before_any_of_it_is_taken() {
    let refused: [(&str, &[&str], &str); 8] = [
        ("cartpole-ppo", &["agent.model.hidden=[100000,100000]"], "hidden = [100000, 100000]"),
        ("cartpole-dqn", &["agent.model.hidden=[20000,20000]"], "hidden = [20000, 20000]"),
        ("memory-ppo-lstm", &["agent.model.lstm=30000"], "lstm = 30000"),
        ("catch-a2c", &["agent.model.paddings=[20000]"], "paddings = [20000]"),
        ("catch-a2c", &["env.rows=9000", "env.columns=9000"], "rows = 9000"),
        ("cartpole-ppo", &["sampler.b=100000", "sampler.t=128"], "lower sampler.t, sampler.b"),
        ("cartpole-dqn", &["algo.replay_size=1000000000"], "lower algo.replay_size"),
        (
            "cartpole-ppo",
            &[
                "sampler.kind=cpu",
                "sampler.b=64",
                "sampler.worker.n=64",
                "agent.model.hidden=[2000,2000]",
            ],
            "lower sampler.worker.n",
        ),
    ];
    for (preset, sets, text) in refused {
        let program = Program::new(BINARY);
        limited(&program, preset, sets).error(&["this configuration needs", "are free", text]);
        assert!(!program.path("run").exists(), "{sets:?} left a run behind");
    }
    let small = ["sampler.b=4", "sampler.t=8", "runner.n_steps=64", "runner.stop_return="];
    for kind in ["sampler.kind=serial", "sampler.kind=cpu"] {
        let _ =
            limited(&Program::new(BINARY), "cartpole-ppo", &[&small[..], &[kind]].concat()).code(0);
    }
}

#[test]
fn every_setting_is_taken_or_refused_in_words() {
    // What panics is caught and reported below.
    std::panic::set_hook(Box::new(|_| ()));
    let mut tried = 0;
    let mut faults = BTreeSet::new();
    for Base { config, under } in bases() {
        let table: Table = toml::from_str(&Offered::new().to_toml(&config).unwrap()).unwrap();
        let mut found = Vec::new();
        keys(&config, &table, "", &mut found);
        for (key, now) in found.iter().filter(|(k, _)| k.starts_with(under)) {
            for value in hostile(now.as_ref()) {
                tried += 1;
                faults.extend(wrong(&config, key, value));
            }
        }
    }
    let _ = std::panic::take_hook();
    let list: Vec<String> = faults.into_iter().collect();
    assert!(list.is_empty(), "{} of {tried}:\n{}", list.len(), list.join("\n"));
    assert!(tried > 1500, "{tried} values were tried");
}
