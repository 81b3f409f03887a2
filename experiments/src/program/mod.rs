//! A program: the command line over environments, agents, algorithms, renderers and presets by name. Ours is [`Program::new`];
//! a crate of your own adds to it what it has:
//!
//! ```no_run
//! use experiments::{Program, config::Config};
//! use agents::DqnAgentSettings;
//! use algos::DqnConfig;
//! use rlcore::envs::CartPole;
//! # #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
//! # struct MyEnv {}
//! # impl rlcore::MakeEnv for MyEnv {
//! #     type Env = rlcore::envs::CartPoleEnv;
//! #     fn make(&self, c: &rlcore::EnvContext) -> Result<Self::Env, rlcore::EnvError> { CartPole::default().make(c) }
//! # }
//! fn main() -> std::process::ExitCode {
//!     Program::new()
//!         .environment::<MyEnv>("my-env", "what `list` says of it")
//!         .preset("my-env-dqn", "what `list` says of it", || {
//!             Config::<MyEnv, DqnAgentSettings, DqnConfig>::default()
//!         })
//!         .main()
//! }
//! ```
mod docs;
mod find;
mod form;
pub(crate) mod kind;
pub(crate) mod run;

use self::kind::{AnyAgent, AnyAlgo, AnyEnv, Kind, Kinds};
use crate::builtin::builtin;
use crate::commands;
use crate::config::{Config, Section};
use crate::failure;
use crate::render::Renderer;
use agents::AgentSettings;
use algos::MakeAlgo;
use anyhow::{Context, Result, bail};
use rlcore::config::{Docs, Settings, closest};
use rlcore::factory::MakeSlice;
use rlcore::{EnvSpaces, MakeEnv};
use serde::Serialize;
use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::process::ExitCode;

type MakeConfig = Box<dyn Fn(&Program) -> Result<Config>>;
type MakeRenderer = Box<dyn Fn(&Section, &EnvSpaces) -> Result<Renderer>>;

/// See the module documentation. Every part is named once, where it is registered; a part of a wrong type does not compile.
pub struct Program {
    environments: Kinds<dyn AnyEnv>,
    agents: Kinds<dyn AnyAgent>,
    algorithms: Kinds<dyn AnyAlgo>,
    presets: Vec<Preset>,
    /// By the settings of the environment, with the type's name.
    renderers: HashMap<TypeId, (&'static str, MakeRenderer)>,
    /// By the settings of the environment: what `<id>` in `--env <name>:<id>` sets.
    ids: HashMap<TypeId, &'static str>,
    /// By the settings of a part: what their doc comments say.
    docs: HashMap<TypeId, fn() -> Docs>,
}

/// An experiment that is known to work, by name.
pub struct Preset {
    /// What to call it.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    config: MakeConfig,
}

impl std::fmt::Debug for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Preset({})", self.name)
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({:?})", self.presets)
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

impl Program {
    /// With everything that is built in.
    pub fn new() -> Self {
        builtin(Self::empty())
    }

    /// With nothing in it.
    pub fn empty() -> Self {
        Self {
            environments: Kinds::default(),
            agents: Kinds::default(),
            algorithms: Kinds::default(),
            presets: Vec::new(),
            renderers: HashMap::new(),
            ids: HashMap::new(),
            docs: HashMap::new(),
        }
    }

    /// Offers an environment as `env.kind = name`. `about`: one line for `list`.
    #[must_use]
    pub fn environment<E: MakeEnv + Settings + Default>(
        mut self,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        self.environments.all.push(Kind::each::<E>(name, about));
        self
    }

    /// As [`Program::environment`], for environments that step together: see [`rlcore::slice`].
    #[must_use]
    pub fn slice<S: MakeSlice + Settings + Default>(
        mut self,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        self.environments.all.push(Kind::slice::<S>(name, about));
        self
    }

    /// `--env <name>:<id>` sets `env.<key>` to the id, for the environment with the settings `E`.
    #[must_use]
    pub fn env_id<E: 'static>(mut self, key: &'static str) -> Self {
        self.ids.insert(TypeId::of::<E>(), key);
        self
    }

    /// `watch` draws the environment with the settings `E` with what `make` gives.
    #[must_use]
    pub fn renderer<E: Settings>(
        mut self,
        make: impl Fn(&E, &EnvSpaces) -> Result<Renderer> + 'static,
    ) -> Self {
        let make = move |section: &Section, spaces: &EnvSpaces| {
            make(&section.settings.clone().try_into::<E>()?, spaces)
        };
        self.renderers.insert(TypeId::of::<E>(), (type_name::<E>(), Box::new(make)));
        self
    }

    /// Offers an agent as `agent.kind = name`.
    #[must_use]
    pub fn agent<A: AgentSettings + Settings + Default>(
        mut self,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        self.agents.all.push(Kind::agent::<A>(name, about));
        self
    }

    /// Offers an algorithm as `algo.kind = name`. It learns with every agent that has the model that it asks for.
    #[must_use]
    pub fn algorithm<L: MakeAlgo + Settings + Default>(
        mut self,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        self.algorithms.all.push(Kind::algorithm::<L>(name, about));
        self
    }

    /// Offers an experiment as `train <name>`. An agent and an algorithm that do not fit each other do not compile.
    #[must_use]
    pub fn preset<E, A, L>(
        mut self,
        name: &'static str,
        about: &'static str,
        config: impl Fn() -> Config<E, A, L> + 'static,
    ) -> Self
    where
        E: Serialize + 'static,
        A: AgentSettings + Serialize + 'static,
        L: MakeAlgo<Model = A::Model> + Serialize + 'static,
    {
        let config = Box::new(move |program: &Self| program.config(&config()));
        self.presets.push(Preset { name, about, config });
        self
    }

    /// Runs the command that the process was called with; to be returned from `main`, which does nothing before it: workers are
    /// forks of the process as it is now.
    pub fn main(self) -> ExitCode {
        failure::quiet_exceptions();
        // Before anything that starts a thread.
        let started = rlcore::forkserver::init();
        failure::exit(|| {
            started?;
            // libtorch ends the process when it finds none.
            std::env::current_dir()
                .context("the working directory is gone: change to one that is there")?;
            self.check()?;
            commands::run(&self)
        })
    }

    /// Says what is registered twice, or registered for something that is not there.
    ///
    /// # Errors
    /// The first such mistake.
    pub fn check(&self) -> Result<()> {
        once("environment", self.environments.all.iter().map(|k| (k.name, k.settings)))?;
        once("agent", self.agents.all.iter().map(|k| (k.name, k.settings)))?;
        once("algorithm", self.algorithms.all.iter().map(|k| (k.name, k.settings)))?;
        once("preset", self.presets.iter().map(|p| (p.name, p.name)))?;
        for (settings, (name, _)) in &self.renderers {
            if !self.environments.all.iter().any(|k| k.settings == *settings) {
                bail!(
                    "there is a renderer for {name}, which is no environment of this program: add `.environment::<{name}>(...)`"
                );
            }
        }
        for preset in &self.presets {
            self.preset_config(preset)?;
        }
        Ok(())
    }

    /// The configuration with each part under the name that it has here: what is written to a run's `config.toml`.
    ///
    /// # Errors
    /// Settings of a type that is not registered; a value that TOML does not have.
    pub fn config<E, A, L>(&self, typed: &Config<E, A, L>) -> Result<Config>
    where
        E: Serialize + 'static,
        A: Serialize + 'static,
        L: Serialize + 'static,
    {
        let eval_env = typed.eval_env.as_ref();
        Ok(Config {
            seed: typed.seed,
            device: typed.device.clone(),
            time_limit: typed.time_limit,
            env: self.environments.section(&typed.env)?,
            eval_env: eval_env.map(|env| self.environments.section(env)).transpose()?,
            sampler: typed.sampler.clone(),
            agent: self.agents.section(&typed.agent)?,
            algo: self.algorithms.section(&typed.algo)?,
            eval: typed.eval,
            runner: typed.runner.clone(),
        })
    }

    /// The environments, in the order in which they were registered: name, and what it is in one line.
    pub fn environments(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.environments.all.iter().map(|k| (k.name, k.about))
    }

    /// The agents, likewise.
    pub fn agents(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.agents.all.iter().map(|k| (k.name, k.about))
    }

    /// The algorithms, likewise.
    pub fn algorithms(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.algorithms.all.iter().map(|k| (k.name, k.about))
    }

    /// The presets.
    pub fn presets(&self) -> &[Preset] {
        &self.presets
    }

    /// The configuration of the preset of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn preset_named(&self, name: &str) -> Result<Config> {
        let preset = self.presets.iter().find(|p| p.name == name).with_context(|| {
            let names: Vec<&str> = self.presets.iter().map(|p| p.name).collect();
            let near = closest(name, names.iter().map(|n| (*n).to_owned()));
            let near = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            format!("there is no preset {name:?}{near}; there are: {}", names.join(", "))
        })?;
        self.preset_config(preset)
    }

    pub(crate) fn preset_config(&self, preset: &Preset) -> Result<Config> {
        (preset.config)(self).with_context(|| format!("the preset {:?}", preset.name))
    }

    /// Whether there are pictures of this environment.
    pub(crate) fn is_rendered(&self, env: &Section) -> bool {
        let kind = self.environments.named(&env.kind);
        kind.is_some_and(|k| self.renderers.contains_key(&k.settings))
    }

    /// What draws this environment, which has these spaces.
    pub(crate) fn renderer_of(&self, env: &Section, spaces: &EnvSpaces) -> Result<Renderer> {
        let kind = self.environments.named(&env.kind);
        if let Some((_, make)) = kind.and_then(|k| self.renderers.get(&k.settings)) {
            return make(env, spaces);
        }
        let all = self.environments.all.iter();
        let rendered = all.filter(|k| self.renderers.contains_key(&k.settings));
        let names: Vec<&str> = rendered.map(|k| k.name).collect();
        bail!("{} has no renderer; these environments have one: {}", env.kind, names.join(", "))
    }
}

fn once<I: Eq + std::hash::Hash>(
    part: &str,
    all: impl Iterator<Item = (&'static str, I)>,
) -> Result<()> {
    let (mut names, mut types) = (HashSet::new(), HashSet::new());
    for (name, settings) in all {
        if !names.insert(name) {
            bail!("two {part}s of this program are called {name:?}: give one another name");
        }
        if !types.insert(settings) {
            bail!("the {part} {name:?} is registered under another name as well: which is meant?");
        }
    }
    Ok(())
}
