//! Evaluation and the choice of sampler do not change what is learned.
use crate::{
    ALTERNATING, BINARY, DICT_TOY, GPU, NO_EVALUATION, TWO_WORKERS, args, same, same_learner,
};
use tests::program::Program;

#[test]
fn evaluation_changes_nothing() {
    let program = Program::new(BINARY);
    let serial = ["env.kind=cartpole"];
    for (i, more) in [&serial[..], &TWO_WORKERS, &GPU, &ALTERNATING].into_iter().enumerate() {
        let dir = |name: &str| format!("{name}-{i}");
        program.succeeds(&args(&dir("with"), 1024, more));
        program.succeeds(&args(&dir("without"), 1024, &[more, &[NO_EVALUATION]].concat()));
        same_learner(&program.path(&dir("with")), &program.path(&dir("without")));
    }
}

/// One worker, or the master with any number of workers, acts on batches of the same size as the serial sampler, so results are equal
/// to the bit.
#[test]
fn whoever_acts_on_the_same_rows_equals_serial() {
    let program = Program::new(BINARY);
    for more in [&["env.kind=cartpole"][..], &DICT_TOY] {
        let dir = |name: &str| format!("{name}-{}", more.len());
        program.succeeds(&args(&dir("serial"), 1024, more));
        let one = ["sampler.kind=cpu", "sampler.worker.n=1"];
        for (name, sampler) in [("cpu", &one), ("gpu", &GPU)] {
            // One worker, because evaluation takes place in workers, each with its own batch.
            let sampler = [more, sampler, &["sampler.worker.n=1"]].concat();
            program.succeeds(&args(&dir(name), 1024, &sampler));
            same(&program.path(&dir("serial")), &program.path(&dir(name)));
        }
        let two = [more, &GPU].concat();
        program.succeeds(&args(&dir("two"), 1024, &two));
        same_learner(&program.path(&dir("serial")), &program.path(&dir("two")));
    }
}
