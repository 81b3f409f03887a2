//! What is logged of updates, read from the device once an epoch.
use super::loss::{Losses, Outputs};
use super::ppo::loss::{clip_fraction, kl};
use crate::algo::OptInfo;
use tch::{Kind, Tensor};

/// Names of the scalars of an update, in the order in which they are read.
const SCALARS: [&str; 5] = ["loss", "gradNorm", "entropy", "piLoss", "valueLoss"];
