//! Policy-gradient agents and their models.
//!
//! A model ([`PgModel`]) computes a distribution and a value; [`PgMlp`] and [`PgConv`] are ready-made, feed-forward or with an LSTM.
//! Settings ([`CategoricalPgAgentConfig`], [`GaussianPgAgentConfig`]) build agents in any process and tell the algorithm which
//! distribution the agents draw from ([`PgSettings`]).
mod agent;
mod conv;
mod evaluate;
mod head;
mod mlp;
mod model;
mod net;
mod nets;
mod previous;
mod settings;

pub use self::agent::{CategoricalPgAgent, GaussianPgAgent, PgAgent, VALUE};
pub use self::conv::PgConv;
pub use self::evaluate::Evaluate;
pub use self::head::DistHead;
pub use self::mlp::{PgMlp, ValueTrunk};
pub use self::model::{MakePgModel, PgModel, PgOutput};
pub use self::nets::PgNet;
pub use self::settings::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgSettings};
