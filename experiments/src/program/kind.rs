//! Parts that a program offers by name: what their settings are is known to the compiler where they are registered, and behind
//! a pointer from then on.
use crate::config::Section;
use agents::{AgentFactory, AgentSettings};
use algos::{Algo, AlgoSettings, LearnContext, MakeAlgo};
use anyhow::{Context, Result};
use rlcore::config::{self, Refusal, Settings};
use rlcore::envs::TimeLimit;
use rlcore::factory::MakeSlice;
use rlcore::{BatchSpec, EnvFactory, MakeEnv};
use serde::Serialize;
use std::any::{Any, TypeId, type_name};
use std::ops::Range;
use toml::Table;

/// Settings that can be written down.
pub(crate) trait Written {
    /// Those that are set, as they are read back.
    fn table(&self) -> Result<Table>;
    /// All of them, unset ones as [`config::UNSET`].
    fn full_table(&self) -> Result<Table>;
}

impl<S: Serialize> Written for S {
    fn table(&self) -> Result<Table> {
        Ok(config::to_table(self)?)
    }

    fn full_table(&self) -> Result<Table> {
        Ok(config::to_full_table(self)?)
    }
}

/// Settings of some environment.
pub(crate) trait AnyEnv: Written {
    fn factory(&self, time_limit: Option<usize>) -> Result<EnvFactory>;
}

/// Settings of some agent.
pub(crate) trait AnyAgent: Written {
    fn check(&self, spec: BatchSpec) -> Result<(), String>;
    fn factory(&self, annealing: Range<u64>) -> Result<AgentFactory>;
    /// See [`AgentSettings::Model`].
    fn model(&self) -> Box<dyn Any>;
    fn model_type(&self) -> TypeId;
}

/// Settings of some algorithm.
pub(crate) trait AnyAlgo: Written {
    fn settings(&self) -> &dyn AlgoSettings;
    /// See [`MakeAlgo::Model`].
    fn model_type(&self) -> TypeId;
    /// None: the model is of another type.
    fn make(&self, model: &dyn Any, context: &LearnContext<'_>) -> Option<Result<Box<dyn Algo>>>;
}

/// Environments that are built one by one.
pub(super) struct Each<E>(E);

/// Environments that step together as a slice.
pub(super) struct Slice<S>(S);

impl<E: Serialize> Written for Each<E> {
    fn table(&self) -> Result<Table> {
        self.0.table()
    }

    fn full_table(&self) -> Result<Table> {
        self.0.full_table()
    }
}

impl<E: MakeEnv + Clone> AnyEnv for Each<E> {
    fn factory(&self, time_limit: Option<usize>) -> Result<EnvFactory> {
        Ok(match time_limit {
            Some(max_steps) => EnvFactory::new(&TimeLimit { env: self.0.clone(), max_steps })?,
            None => EnvFactory::new(&self.0)?,
        })
    }
}

impl<S: Serialize> Written for Slice<S> {
    fn table(&self) -> Result<Table> {
        self.0.table()
    }

    fn full_table(&self) -> Result<Table> {
        self.0.full_table()
    }
}

impl<S: MakeSlice> AnyEnv for Slice<S> {
    fn factory(&self, time_limit: Option<usize>) -> Result<EnvFactory> {
        anyhow::ensure!(
            time_limit.is_none(),
            "time_limit is set, and this environment steps many columns at once, which must limit their episodes themselves: \
             remove it with `--set time_limit=`"
        );
        Ok(EnvFactory::slice(&self.0)?)
    }
}

impl<A: AgentSettings + Serialize> AnyAgent for A {
    fn check(&self, spec: BatchSpec) -> Result<(), String> {
        AgentSettings::check(self, spec)
    }

    fn factory(&self, annealing: Range<u64>) -> Result<AgentFactory> {
        Ok(AgentSettings::factory(self, annealing)?)
    }

    fn model(&self) -> Box<dyn Any> {
        Box::new(AgentSettings::model(self))
    }

    fn model_type(&self) -> TypeId {
        TypeId::of::<A::Model>()
    }
}

impl<L: MakeAlgo + Serialize> AnyAlgo for L {
    fn settings(&self) -> &dyn AlgoSettings {
        self
    }

    fn model_type(&self) -> TypeId {
        TypeId::of::<L::Model>()
    }

    fn make(&self, model: &dyn Any, context: &LearnContext<'_>) -> Option<Result<Box<dyn Algo>>> {
        let model = model.downcast_ref::<L::Model>()?;
        Some(MakeAlgo::make(self, model, context).map_err(Into::into))
    }
}

/// What a program offers under one name.
pub(crate) struct Kind<T: ?Sized> {
    /// The name: `env.kind`, `agent.kind` or `algo.kind`.
    pub(super) name: &'static str,
    /// What it is, in one line.
    pub(super) about: &'static str,
    pub(super) settings: TypeId,
    pub(super) type_name: &'static str,
    default: fn() -> Box<T>,
    open: fn(Table) -> Result<Box<T>, toml::de::Error>,
}

impl<T: ?Sized> std::fmt::Debug for Kind<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({} of {})", self.name, self.type_name)
    }
}

impl<T: Written + ?Sized> Kind<T> {
    /// The settings that it has where none is given.
    pub(crate) fn default(&self) -> Box<T> {
        (self.default)()
    }

    /// The same, written down.
    pub(crate) fn defaults(&self) -> Result<Section> {
        let settings = self.default().table();
        let settings = settings.with_context(|| format!("the default of {}", self.type_name))?;
        Ok(Section { kind: self.name.into(), settings })
    }
}

impl Kind<dyn AnyEnv> {
    pub(super) fn each<E: MakeEnv + Settings + Default>(
        name: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            about,
            settings: TypeId::of::<E>(),
            type_name: type_name::<E>(),
            default: || Box::new(Each(E::default())),
            open: |table| Ok(Box::new(Each(table.try_into::<E>()?))),
        }
    }

    pub(super) fn slice<S: MakeSlice + Settings + Default>(
        name: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            about,
            settings: TypeId::of::<S>(),
            type_name: type_name::<S>(),
            default: || Box::new(Slice(S::default())),
            open: |table| Ok(Box::new(Slice(table.try_into::<S>()?))),
        }
    }
}

impl Kind<dyn AnyAgent> {
    pub(super) fn agent<A: AgentSettings + Settings + Default>(
        name: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            about,
            settings: TypeId::of::<A>(),
            type_name: type_name::<A>(),
            default: || Box::new(A::default()),
            open: |table| Ok(Box::new(table.try_into::<A>()?)),
        }
    }
}

impl Kind<dyn AnyAlgo> {
    pub(super) fn algorithm<L: MakeAlgo + Settings + Default>(
        name: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            about,
            settings: TypeId::of::<L>(),
            type_name: type_name::<L>(),
            default: || Box::new(L::default()),
            open: |table| Ok(Box::new(table.try_into::<L>()?)),
        }
    }
}

/// All kinds of one part.
pub(crate) struct Kinds<T: ?Sized> {
    /// In the order in which they were registered.
    pub(super) all: Vec<Kind<T>>,
}

impl<T: ?Sized> Default for Kinds<T> {
    fn default() -> Self {
        Self { all: Vec::new() }
    }
}

impl<T: Written + ?Sized> Kinds<T> {
    pub(super) fn named(&self, name: &str) -> Option<&Kind<T>> {
        self.all.iter().find(|kind| kind.name == name)
    }

    /// The settings in `section`, which is the table at `path` of a configuration.
    pub(super) fn open(&self, path: &str, section: &Section) -> Result<Box<T>, Refusal> {
        let kind = self.named(&section.kind).ok_or_else(|| {
            Refusal::unknown_kind(path, &section.kind, self.all.iter().map(|k| k.name))
        })?;
        (kind.open)(section.settings.clone()).map_err(|e| Refusal::within(path, &e))
    }

    /// `section` with all settings of its kind, unset ones as [`config::UNSET`].
    pub(super) fn full(&self, path: &str, section: &Section) -> Result<Section> {
        let opened = self.open(path, section)?;
        Ok(Section { kind: section.kind.clone(), settings: opened.full_table()? })
    }

    /// `section` with all settings of its kind.
    pub(super) fn complete(&self, path: &str, section: &mut Section) -> Result<(), Refusal> {
        let opened = self.open(path, section)?;
        section.settings = opened.table().map_err(|e| Refusal::because(path, format!("{e:#}")))?;
        Ok(())
    }

    /// Settings of a type that is registered, written down under its name.
    pub(super) fn section<S: Serialize + 'static>(&self, settings: &S) -> Result<Section> {
        let kind = self.all.iter().find(|kind| kind.settings == TypeId::of::<S>());
        let kind = kind.with_context(|| {
            format!(
                "{} has no name in this program: register it where the program is made",
                type_name::<S>()
            )
        })?;
        Ok(Section { kind: kind.name.into(), settings: config::to_table(settings)? })
    }
}
