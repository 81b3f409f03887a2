//! DQN learns from what its replay draws, and from nothing else.
use super::{Dqn, DqnConfig};
use crate::replay::{Draw, Drawable, TransitionReplay};
use crate::{Algo, LearnContext};
use agents::model::QMlp;
use rlcore::block::{AgentSchema, BlockOptions, Columns, Layout, Lease, flag};
use rlcore::seed::Rng;
use rlcore::{BatchSpec, DType, EnvSpaces, GlobalSteps, Space};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Draws the oldest drawable step again and again, and counts.
#[derive(Debug)]
struct Oldest(Arc<AtomicUsize>);

impl Draw for Oldest {
    fn draw(&mut self, from: Drawable<'_>, _rng: &mut Rng, n: usize, cells: &mut Vec<usize>) {
        self.0.fetch_add(n, Ordering::Relaxed);
        cells.extend(std::iter::repeat_n(from.cells().next(), n).flatten());
    }
}

#[test]
fn what_is_drawn_is_the_replays_to_say() {
    let observation = Space::uniform_box(DType::F32, &[1], -1.0, 1.0);
    let spaces = EnvSpaces::new(observation, Space::Discrete { n: 2 });
    let spec = BatchSpec { t: 8, b: 1 };
    let config = DqnConfig {
        batch_size: 4,
        min_steps_learn: 0,
        replay_size: 8,
        replay_ratio: 4.0,
        ..Default::default()
    };
    // Every step is the last of its episode; the oldest drawable one has a reward of 1, the others are not numbers.
    let layout = Layout::new(spec, &spaces, &AgentSchema::default(), BlockOptions::default());
    let mut block = Columns::owned(&layout);
    for t in 0..spec.t {
        let mut flags = block.flags.cell_mut(t, 0);
        flags.u8(flag::VALID)[0] = 1;
        flags.u8(flag::TERMINATED)[0] = 1;
        block.reward.cell_mut(t, 0).f32(0)[0] = if t == 1 { 1.0 } else { f32::NAN };
    }
    let context = LearnContext::new(&spaces, spec, GlobalSteps(100), 3);
    let drawn = Arc::new(AtomicUsize::new(0));
    let draw = Box::new(Oldest(Arc::clone(&drawn)));
    let replay = TransitionReplay::new(&spaces, spec, config.replay(), draw).unwrap();
    let model = QMlp { hidden: vec![4], ..Default::default() };
    let mut dqn = Dqn::new(config, &model, replay, &context).unwrap();
    let info = dqn.optimize(Lease::unslotted(block), GlobalSteps(8)).unwrap();
    assert_eq!((dqn.updates(), drawn.load(Ordering::Relaxed)), (8, 32));
    assert!(info.iter().all(|(_, values)| values.len() == 8));
}
