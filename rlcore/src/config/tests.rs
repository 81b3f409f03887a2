//! The forms that configuration structs take, and every mistake that a user can make in them.
use super::*;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    seed: u64,
    name: String,
    env: EnvConfig,
    sampler: SamplerConfig,
    algo: Algo,
    eval: Option<Eval>,
    open: Open,
    variants: Vec<Layer>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            name: "run".into(),
            env: EnvConfig::Atari(Atari::default()),
            sampler: SamplerConfig::Serial,
            algo: Algo::default(),
            eval: None,
            open: Open::default(),
            variants: Vec::new(),
        }
    }
}

/// Newtype variants of structs that deny unknown fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum EnvConfig {
    Atari(Atari),
    Cartpole(Cartpole),
    Gym(Gym),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Atari {
    game: String,
    frame_skip: u32,
    max_steps: u64,
}

impl Default for Atari {
    fn default() -> Self {
        Self { game: "pong".into(), frame_skip: 4, max_steps: 27_000 }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Cartpole {
    max_steps: u64,
    frame_skip: bool,
    noise: Option<f64>,
}

/// `id` has no default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gym {
    id: String,
    #[serde(default)]
    max_steps: u64,
}

/// Unit and struct variants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum SamplerConfig {
    Serial,
    Cpu {
        #[serde(default)]
        workers: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Algo {
    learning_rate: f32,
    gamma: f64,
    clip: Option<f64>,
    offset: i32,
    layers: Vec<usize>,
}

impl Default for Algo {
    fn default() -> Self {
        Self { learning_rate: 1e-4, gamma: 0.99, clip: None, offset: 0, layers: vec![64] }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Eval {
    envs: usize,
    steps: u64,
}

/// Flattened, so without `deny_unknown_fields`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Open {
    a: u32,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Rest {
    flat: u32,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Layer {
    size: usize,
}

fn sets(sets: &[&str]) -> Result<Config, ConfigError> {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    resolve(&Config::default(), None, &sets)
}

fn file(text: &str, sets: &[&str]) -> Result<Config, ConfigError> {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    resolve(&Config::default(), Some((Path::new("my.toml"), text)), &sets)
}

fn says(result: Result<Config, ConfigError>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

#[test]
fn later_layers_win() {
    let c = file("seed = 1\n[algo]\ngamma = 0.5\noffset = -3", &["seed=2", "algo.layers=[8, 9]"])
        .unwrap();
    assert_eq!((c.seed, c.algo.gamma, c.algo.offset), (2, 0.5, -3));
    assert_eq!(c.algo.layers, [8, 9]);
    assert_eq!(sets(&["seed=1", "seed=7"]).unwrap().seed, 7);
}

#[test]
fn values_as_typed_into_a_shell() {
    let c = sets(&[
        "algo.learning_rate=1",
        "algo.offset=-4",
        "algo.gamma=.5",
        "name=cuda:0",
        "eval.steps=1e6",
        "seed=1_000",
    ]);
    let c = c.unwrap();
    assert_eq!((c.algo.learning_rate, c.algo.offset, c.algo.gamma), (1.0, -4, 0.5));
    assert_eq!((c.name.as_str(), c.seed), ("cuda:0", 1000));
    assert_eq!(c.eval, Some(Eval { envs: 0, steps: 1_000_000 }));
    assert_eq!(sets(&["algo.gamma=1e-3"]).unwrap().algo.gamma, 1e-3);
    for (text, name) in
        [("\"1 2\"", "1 2"), ("'x=y'", "x=y"), ("a=b", "a=b"), ("2020-01-01", "2020-01-01")]
    {
        assert_eq!(sets(&[&format!("name={text}")]).unwrap().name, name);
    }
    assert!(sets(&["algo.gamma=nan"]).unwrap().algo.gamma.is_nan());
    let c = sets(&["algo={gamma = 0.1, offset = 2}", "eval={}"]).unwrap();
    assert_eq!((c.algo.gamma, c.algo.offset, c.algo.layers), (0.1, 2, vec![64]));
    assert_eq!(c.eval, Some(Eval::default()));
}

#[test]
fn malformed_sets() {
    says(sets(&["seed"]), &["--set seed", "KEY=VALUE"]);
    says(sets(&["algo..gamma=1"]), &["empty"]);
    says(sets(&["algo.layers=[1,"]), &["--set algo.layers=[1,"]);
    says(sets(&["seed.x=1"]), &["`seed` is a single value (0)", "`seed.x`"]);
}

#[test]
fn nothing_after_the_equals_sign_removes() {
    let c = file(
        "[eval]\nenvs = 4\n[algo]\nclip = 1.0\ngamma = 0.5",
        &["eval=", "algo.clip=", "algo.gamma="],
    );
    let c = c.unwrap();
    assert_eq!((c.eval, c.algo.clip, c.algo.gamma), (None, None, 0.99));
    sets(&["algo.clip="]).unwrap(); // was none already
    sets(&["eval="]).unwrap();
    says(sets(&["algo.clipp="]), &["unknown key `algo.clipp`", "`algo.clip`"]);
    says(sets(&["open.b="]), &["unknown key `open.b`"]);
    says(sets(&["env.kind=gym", "env.id=x", "env.id="]), &["`env.id` has no default"]);
}

/// Broken by a word for "unset" that overrides nothing, or that a text or a choice cannot have.
#[test]
fn the_word_for_unset_unsets() {
    let full = "eval.envs = 4\nalgo.clip = 1.0\nenv = {kind = 'cartpole', noise = 0.5}";
    let c = file(full, &["eval=none", "algo.clip=\"none\"", "env.noise=none"]).unwrap();
    let cartpole = Cartpole { max_steps: 27_000, frame_skip: false, noise: None };
    assert_eq!((c.eval, c.algo.clip, c.env), (None, None, EnvConfig::Cartpole(cartpole)));
    // A file, over a preset that has it; the word counts as a value where it is one.
    let preset = sets(&["eval.envs=4", "algo.clip=1"]).unwrap();
    let text = "eval = 'none'\nname = 'none'\n[algo]\nclip = 'none'";
    let c = resolve(&preset, Some((Path::new("x"), text)), &[]).unwrap();
    assert_eq!((c.eval, c.algo.clip, c.name.as_str()), (None, None, "none"));
    says(sets(&["algo.gamma=none"]), &["`algo.gamma` must be a number (f64), not \"none\""]);
    says(sets(&["algo.clop=none"]), &["unknown key `algo.clop`", "mean `algo.clip`"]);
    // While something else is missing.
    let c = sets(&["env.kind=gym", "algo.clip=none", "eval=none", "env.id=none"]).unwrap();
    assert!(matches!(c.env, EnvConfig::Gym(Gym { id, .. }) if id == "none"));
}

/// What was probably meant is tried before it is advised.
#[test]
fn values_of_the_wrong_type_say_what_to_write() {
    for (set, write) in [
        ("algo.layers=256", "--set algo.layers=\"[256]\""),
        ("algo.layers=256,128", "--set algo.layers=\"[256, 128]\""),
        ("algo.layers=256 128", "--set algo.layers=\"[256, 128]\""),
        ("seed=3.0", "--set seed=3"),
        ("name=3", "--set name='\"3\"'"),
        ("env=cartpole", "--set env.kind=cartpole"),
    ] {
        says(sets(&[set]), &[&format!("; write {write}")]);
        let right = write.strip_prefix("--set ").unwrap().replace(['\'', '"'], "");
        let right = if set == "name=3" { "name=\"3\"".to_owned() } else { right };
        sets(&[&right]).unwrap();
    }
    says(
        file("algo.layers = 8", &[]),
        &["line 1: `algo.layers` must be a list, not 8; write `layers = [8]`"],
    );
    says(
        file("env = 'cartpole'", &[]),
        &["a table of settings with a `kind`", "write `env.kind = \"cartpole\"`"],
    );
    let text = sets(&["algo.gamma=fast"]).unwrap_err().to_string();
    assert!(text.ends_with("not \"fast\""), "{text}");
    let c = sets(&["env.kind=cartpole", "env.frame_skip=1"]).unwrap_err().to_string();
    assert!(c.ends_with("must be true or false, not 1; write --set env.frame_skip=true"), "{c}");
}

#[test]
fn a_flag_is_named_and_not_the_set_that_it_is_short_for() {
    let with = |flag: &str, key: &str, value: Value| {
        let (flag, key) = (flag.to_owned(), key.to_owned());
        let given = [Given::Flag { flag, key, value }];
        resolve_as(&Plain::<Config>::default(), &Config::default(), None, &given)
    };
    assert_eq!(with("--name 3", "name", "3".into()).unwrap().name, "3");
    let text = with("--env atary", "env.kind", "atary".into()).unwrap_err().to_string();
    assert!(text.starts_with("--env atary: it must be one of `atari`"), "{text}");
    assert!(text.ends_with("not \"atary\"; did you mean `atari`?"), "{text}");
}

#[test]
fn unknown_keys_name_the_nearest() {
    says(sets(&["algo.learnig_rate=1"]), &["`algo.learnig_rate`", "mean `algo.learning_rate`"]);
    says(sets(&["algoo.gamma=1"]), &["unknown key `algoo`", "mean `algo.gamma`"]);
    says(sets(&["gamma=1"]), &["unknown key `gamma`", "mean `algo.gamma`"]);
    says(sets(&["algo.zzzzzzzz=1"]), &["the keys there are clip, gamma, layers"]);
    // Absent from the preset: learned from serde.
    says(sets(&["algo.clp=1"]), &["mean `algo.clip`"]);
    says(sets(&["evl={}"]), &["mean `eval`"]);
    says(sets(&["eval.stepz=1"]), &["unknown key `eval.stepz`", "mean `eval.steps`"]);
    says(sets(&["env.kind=cartpole", "env.nois=1"]), &["mean `env.noise`"]);
    // In a file: name and line, empty tables and arrays of tables included.
    says(
        file("seed = 1\n\n[algo]\ngama = 1", &[]),
        &["my.toml, line 4", "`algo.gama`", "`algo.gamma`"],
    );
    says(file("\n[algro]", &[]), &["my.toml, line 2", "unknown key `algro`"]);
    says(file("[[variants]]\nsize = 1\nsise = 2", &[]), &["`variants.sise`", "my.toml"]);
}

#[test]
fn unknown_keys_without_deny_unknown_fields() {
    assert_eq!(sets(&["open.flat=3"]).unwrap().open.rest.flat, 3);
    says(sets(&["open.flta=3"]), &["unknown key `open.flta`", "mean `open.flat`"]);
    says(sets(&["sampler.workers=3"]), &["unknown key `sampler.workers`"]); // a unit variant
    says(sets(&["sampler.kind=cpu", "sampler.worker=3"]), &["mean `sampler.workers`"]);
}

#[test]
fn wrong_types_name_key_want_and_value() {
    says(
        sets(&["algo.learning_rate=fast"]),
        &["--set", "`algo.learning_rate` must be a number (f32)", "\"fast\""],
    );
    says(sets(&["seed=-1"]), &["`seed` must be a whole number, 0 or more (u64), not -1"]);
    says(sets(&["env.frame_skip=lots"]), &["`env.frame_skip`", "u32", "\"lots\""]); // in a tagged enum
    says(sets(&["algo.layers=[1, true]"]), &["`algo.layers`", "[1, true]"]);
    says(file("name = 3", &[]), &["my.toml, line 1: `name` must be a string, not 3"]);
    says(sets(&["env.kind=atary"]), &["`env.kind` must be one of", "mean `atari`"]);
    says(file("seed = = 1", &[]), &["my.toml, line 1", "not TOML"]);
    says(
        file("seed = 1\n[algo]\nclip =\n", &[]),
        &["line 3", "`clip` has no value: `clip = \"none\"` unsets"],
    );
    says(file("name = run", &[]), &["line 1", "text is written in quotes: `name = \"run\"`"]);
    says(file("a = 1\na = 2", &[]), &["my.toml, line 2"]);
}

#[test]
fn a_new_kind_drops_what_it_does_not_know() {
    let c = sets(&["env.kind=cartpole"]).unwrap();
    // `game` is unknown there, `frame_skip` has another type, `max_steps` is shared.
    let wanted = Cartpole { max_steps: 27_000, frame_skip: false, noise: None };
    assert_eq!(c.env, EnvConfig::Cartpole(wanted));
    let c = sets(&["env.noise=0.5", "env.kind=cartpole"]).unwrap();
    assert!(matches!(c.env, EnvConfig::Cartpole(Cartpole { noise: Some(_), .. })));
    // Kept when the kind is merely repeated.
    let c = file("env.game = 'breakout'", &["env.kind=atari"]).unwrap();
    assert!(matches!(c.env, EnvConfig::Atari(Atari { game, .. }) if game == "breakout"));
    // A file's keys give way to a kind chosen over it; the layer's own do not.
    file("env.game = 'breakout'", &["env.kind=cartpole"]).unwrap();
    says(sets(&["env.game=x", "env.kind=cartpole"]), &["--set env.game=x: unknown key `env.game`"]);
    says(file("[env]\nkind = 'cartpole'\ngame = 'x'", &[]), &["line 3", "`env.game`"]);
    let c = sets(&["sampler.kind=cpu", "sampler.workers=3"]).unwrap();
    assert_eq!(c.sampler, SamplerConfig::Cpu { workers: 3 });
    assert_eq!(
        resolve(&c, None, &["sampler.kind=serial".into()]).unwrap().sampler,
        SamplerConfig::Serial
    );
}

#[test]
fn required_keys_may_come_later_but_must_come() {
    let wanted = EnvConfig::Gym(Gym { id: "x".into(), max_steps: 27_000 });
    assert_eq!(sets(&["env.kind=gym", "env.id=x"]).unwrap().env, wanted);
    assert_eq!(file("env.kind = 'gym'", &["env.id=x"]).unwrap().env, wanted);
    says(sets(&["env.kind=gym"]), &["`env.id` has no default", "--set env.id=VALUE"]);
    // The missing key hides the second mistake until it is there; the right one is blamed all the same.
    says(
        sets(&["env.kind=gym", "algo.bogus=1", "env.id=x"]),
        &["--set algo.bogus=1: unknown key `algo.bogus`"],
    );
    says(sets(&["env.kind=gym", "env.bogus=1", "env.id=x"]), &["--set env.bogus=1: unknown"]);
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
struct Range {
    low: i32,
    high: i32,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    low: i32,
    high: i32,
}

impl From<Range> for Unchecked {
    fn from(r: Range) -> Self {
        Self { low: r.low, high: r.high }
    }
}

impl TryFrom<Unchecked> for Range {
    type Error = String;
    fn try_from(u: Unchecked) -> Result<Self, String> {
        let ok = u.low <= u.high;
        ok.then_some(Range { low: u.low, high: u.high }).ok_or("low exceeds high".into())
    }
}

#[test]
fn values_checked_together() {
    let with = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        resolve(&Range::default(), None, &sets)
    };
    assert_eq!(with(&["low=5", "high=6"]).unwrap(), Range { low: 5, high: 6 });
    assert_eq!(with(&["low=5"]).unwrap_err().to_string(), "--set low=5: `low`: low exceeds high");
}

#[test]
fn what_is_written_is_read_back() {
    let c = sets(&["env.kind=cartpole", "env.noise=0.1", "eval.envs=3", "algo.learning_rate=0.1"])
        .unwrap();
    let text = to_toml(&c).unwrap();
    assert!(text.contains("learning_rate = 0.1\n"), "{text}");
    assert_eq!(read::<Config>(Path::new("config.toml"), &text).unwrap(), c);
    // Nothing of another preset leaks into a complete file: `eval` is absent, so none.
    assert_eq!(
        read::<Config>(Path::new("c"), &to_toml(&Config::default()).unwrap()).unwrap().eval,
        None
    );
    let bad = text.replace("learning_rate", "leraning_rate");
    says(read(Path::new("config.toml"), &bad), &["`algo.leraning_rate`", "config.toml, line"]);
    let too_large = Config { seed: u64::MAX, ..Config::default() };
    assert!(matches!(to_toml(&too_large), Err(ConfigError::Preset { .. })));
}
