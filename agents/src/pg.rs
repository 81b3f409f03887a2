//! Policy-gradient agents and their models.
mod model;

pub use self::model::{MakePgModel, PgInput, PgModel, PgOutput};
