use super::*;
use crate::config::{resolve, to_full_table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Run {
    /// Seed of
    /// the run.
    seed: u64,
    /// Ends it early; see [`Run::seed`] and [`Choice`](crate::x).
    ///
    /// None: never.
    stop: Option<f64>,
    /// Ways to act.
    act: Act,
    /// The environment.
    env: Choice,
    /// Another environment. None: the same.
    other: Option<Choice>,
    bare: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Act {
    /// The best action.
    #[default]
    TheBest,
    /// Nothing at all.
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Choice {
    /// Large.
    Large(Large),
    /// Nothing.
    Unit,
}

impl Default for Choice {
    fn default() -> Self {
        Self::Large(Large::default())
    }
}

/// Large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Large {
    /// Rows | lines.
    rows: usize,
    /// How it wears.
    wear: Wear,
}

impl Default for Large {
    fn default() -> Self {
        Self { rows: 3, wear: Wear { rate: -1.5, on: true } }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Wear {
    /// Share per step.
    rate: f64,
    /// Whether it does.
    on: bool,
}

const SHOWN: &str = "\
# Seed of the run.
seed = 0
# Ways to act.
#   the-best  The best action.
#   none      Nothing at all.
act = \"the-best\"
bare = []
# Another environment. None: the same.
other = \"none\"
# Ends it early; see `Run::seed` and `Choice`.
# None: never.
stop = \"none\"

# The environment.
[env]
#   large  Large.
#   unit   Nothing.
kind = \"large\"
# Rows | lines.
rows = 3

# How it wears.
[env.wear]
# Share per step.
rate = -1.5
# Whether it does.
on = true
";

#[test]
fn every_setting_stands_under_its_documentation_and_is_read_back() {
    let docs = Docs::of::<Run>();
    assert_eq!(docs.commented(&to_full_table(&Run::default()).unwrap()), SHOWN);
    let set = Run {
        stop: Some(2.0),
        act: Act::None,
        other: Some(Choice::Unit),
        bare: vec![1, 2],
        ..Run::default()
    };
    // Over another configuration too: what is unset there is stated.
    for (run, over) in [(&set, &Run::default()), (&Run::default(), &set), (&set, &set)] {
        let text = docs.commented(&to_full_table(run).unwrap());
        assert_eq!(resolve(over, Some((Path::new("x"), &text)), &[]).unwrap(), *run, "{text}");
    }
}

#[test]
fn long_comments_are_broken() {
    let about = format!("{}end.", "words and ".repeat(20));
    let docs =
        Docs { keys: vec![("x".into(), Docs { about, ..Docs::default() })], ..Docs::default() };
    let text = docs.commented(&Table::from_iter([("x".to_owned(), Value::Integer(1))]));
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(
        text.lines().all(
            |l| l.len() <= 96 && (l.starts_with("# w") || l.starts_with("# a") || l == "x = 1")
        ),
        "{text}"
    );
}

#[test]
fn what_a_setting_takes_and_its_default_are_known() {
    let docs = Docs::of::<Run>();
    let of = |key: &str| docs.key(key, None).unwrap();
    assert_eq!(
        (of("seed").takes.as_str(), of("stop").takes.as_str()),
        ("a whole number, 0 or more", "a number")
    );
    assert_eq!(of("bare").takes, "a list of whole numbers");
    assert_eq!(of("act").takes, "`the-best`, `none`");
    assert!(of("stop").is_optional && of("other").is_optional && !of("seed").is_optional);
    assert_eq!(of("stop").default, Some("none".into()));
    assert!(of("env").key("rows", None).is_none());
    let wear = of("env").key("wear", Some("large")).unwrap();
    assert_eq!(wear.key("rate", None).unwrap().default, Some(Value::Float(-1.5)));
    let paths = docs.paths();
    assert!(
        paths.contains(&"env.wear.rate".to_owned()) && paths.contains(&"env.kind".to_owned()),
        "{paths:?}"
    );
}

#[test]
fn markdown_has_a_section_for_each_kind_and_writes_a_choice_once() {
    let text = Docs::of::<Run>().markdown(2);
    for part in [
        "| `seed` | a whole number, 0 or more | `0` | Seed of the run. |\n",
        "| `stop` | a number | `\"none\"` | Ends it early; see `Run::seed` and `Choice`.<br>None: never. |\n",
        "| `act` | `the-best`<br>`none` | `\"the-best\"` | Ways to act.<br>`the-best`: The best action.<br>`none`: Nothing at all. |\n",
        "\n## `env`\n\nThe environment.\n",
        "\n### `env.kind = \"large\"`\n\nLarge.\n",
        "| `env.rows` | a whole number, 0 or more | `3` | Rows \\| lines. |\n",
        "\n#### `env.wear` with `env.kind = \"large\"`\n\nHow it wears.\n",
        "\n## `other`\n\nAnother environment. None: the same.\n\nDefault: `\"none\"`.\n\nThe kinds and their settings are those of `env`.\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
