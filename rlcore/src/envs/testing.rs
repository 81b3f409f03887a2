//! Steps and resets for the tests of one environment.
use crate::cells::{CellRef, Tree};
use crate::env::{Env, EnvContext, EnvError, MakeEnv, Step};
use crate::schema::LeafSpec;

/// One environment, and cells for it.
pub(super) struct Fixture<E> {
    pub(super) env: E,
    observation: Tree,
    info: Tree,
    action: Tree,
}

impl<E: Env> Fixture<E> {
    /// Built, seeded and reset.
    pub(super) fn new<M: MakeEnv<Env = E>>(settings: &M, seed: u64) -> Self {
        let mut env = settings.make(&EnvContext { env_rank: crate::EnvRank(0) }).unwrap();
        let spaces = env.spaces();
        env.seed(seed);
        let info: Vec<LeafSpec> = spaces.info.iter().map(|i| i.spec.clone()).collect();
        let mut stage = Self {
            env,
            observation: Tree::owned(&spaces.observation.leaves("observation"), 1, 1),
            info: Tree::owned(&info, 1, 1),
            action: Tree::owned(&spaces.action.leaves("action"), 1, 1),
        };
        stage.reset();
        stage
    }

    pub(super) fn reset(&mut self) {
        self.env.reset(&mut self.observation.cell_mut(0, 0)).unwrap();
    }

    pub(super) fn step(&mut self, action: i64) -> Result<Step, EnvError> {
        self.act(action as f64)
    }

    /// An action of one number, whatever its dtype.
    pub(super) fn act(&mut self, action: f64) -> Result<Step, EnvError> {
        self.action.cell_mut(0, 0).fill_with(0, |_| action);
        self.info.zero();
        let (mut o, mut i) = (self.observation.cell_mut(0, 0), self.info.cell_mut(0, 0));
        self.env.step(self.action.cell(0, 0), &mut o, &mut i)
    }

    /// The numbers of 500 starts lie within these bounds and come near them.
    pub(super) fn starts_fill<const N: usize>(
        &mut self,
        numbers: impl Fn(&E) -> [f64; N],
        bounds: [(f64, f64); N],
    ) {
        let mut seen = [(f64::INFINITY, f64::NEG_INFINITY); N];
        for _ in 0..500 {
            self.reset();
            for (seen, v) in seen.iter_mut().zip(numbers(&self.env)) {
                *seen = (seen.0.min(v), seen.1.max(v));
            }
        }
        for ((low, high), (from, to)) in seen.into_iter().zip(bounds) {
            // A start may be rounded to f32.
            let (near, beyond) = (0.02 * (to - from), 1e-7 * (to - from));
            assert!((from - beyond..=from + near).contains(&low), "{low}, not {from}");
            assert!((to - near..=to + beyond).contains(&high), "{high}, not {to}");
        }
    }

    /// An action that is NaN or infinite is an error, after which the episode goes on as if nothing had been asked.
    pub(super) fn refuses_what_is_no_number(&mut self) {
        let before = self.env.save_state();
        for action in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = self.act(action).unwrap_err().to_string();
            assert!(error.contains(&action.to_string()), "{error}");
        }
        assert_eq!(self.env.save_state(), before);
        self.act(0.0).unwrap();
    }

    pub(super) fn observation(&self) -> CellRef<'_> {
        self.observation.cell(0, 0)
    }

    pub(super) fn info(&self) -> CellRef<'_> {
        self.info.cell(0, 0)
    }
}
