//! Every native environment keeps the contract, in several settings and under a time limit.
#![cfg(not(loom))]

use rlcore::MakeEnv;
use rlcore::conformance::{
    Clause, Episodes, Options, Randomness, assert_conforms, assert_conforms_with, check,
};
use rlcore::envs::{
    Acrobot, CartPole, Catch, DictToy, Memory, MountainCar, MountainCarContinuous, Null, Pendulum,
    Slow, TimeLimit,
};

/// As it is, and cut short by limits below, at and above the length of its episodes.
fn all_conform<M: MakeEnv + Clone>(settings: &M) {
    let seen = assert_conforms(settings);
    assert!(seen.restored > 0 && seen.episodes > 0, "nothing was proved: {seen:?}");
    for max_steps in [1, 2, 9, 10, 50] {
        let limited = TimeLimit { env: settings.clone(), max_steps };
        let seen = assert_conforms(&limited);
        assert!(seen.episodes >= seen.steps / max_steps, "{seen:?}");
        assert!(seen.truncations > 0 || max_steps >= 9, "{seen:?}");
        assert_conforms(&TimeLimit { env: limited, max_steps: 7 });
    }
}

#[test]
fn cartpole() {
    for max_steps in [500, 20, 2] {
        all_conform(&CartPole { max_steps });
    }
}

#[test]
fn acrobot() {
    for max_steps in [500, 20, 2] {
        all_conform(&Acrobot { max_steps });
    }
}

#[test]
fn mountain_cars() {
    for max_steps in [200, 20, 2] {
        all_conform(&MountainCar { max_steps });
        all_conform(&MountainCarContinuous { max_steps });
    }
}

#[test]
fn pendulum() {
    for max_steps in [200, 20, 2] {
        all_conform(&Pendulum { max_steps });
    }
}

#[test]
fn catch() {
    for (rows, columns) in [(10, 5), (2, 1), (3, 12)] {
        if columns == 1 {
            // One column: nothing is left to chance.
            let sure = Options { randomness: Randomness::None, ..Options::default() };
            assert_conforms_with(&Catch { rows, columns }, &sure);
        } else {
            all_conform(&Catch { rows, columns });
        }
    }
}

#[test]
fn memory() {
    for (cues, delay) in [(2, 4), (2, 0), (7, 30)] {
        all_conform(&Memory { cues, delay });
    }
}

#[test]
fn dict_toy() {
    for lives in [1, 3, 10] {
        all_conform(&DictToy { lives });
        let seen = assert_conforms(&DictToy { lives });
        // Each episode but the last loses all lives, the last of them to a reset.
        assert!(seen.lives_lost >= (lives - 1) * seen.episodes, "{seen:?}");
    }
}

#[test]
fn null_and_slow() {
    let sure = Options { randomness: Randomness::None, ..Options::default() };
    for (observation, episode) in [(4, 1000), (1, 1)] {
        let null = Null { observation, episode };
        assert!(assert_conforms_with(&null, &sure).restored >= usize::from(episode > 1));
        assert_conforms_with(&TimeLimit { env: null, max_steps: 9 }, &sure);
        let slow = Slow { busy_us: 2.0, observation, episode };
        assert_conforms_with(&slow, &sure);
        assert_conforms_with(&TimeLimit { env: slow, max_steps: 9 }, &sure);
    }
}

/// Broken by a check that passes although it saw no end of an episode.
#[test]
fn a_check_that_saw_no_end_fails_unless_it_is_told() {
    let endless = Null { observation: 4, episode: 100_000 };
    let options =
        |episodes| Options { randomness: Randomness::None, episodes, ..Options::default() };
    let found = check(&endless, &options(Episodes::End)).unwrap_err();
    assert_eq!(found.0.len(), 1, "{found}");
    assert_eq!(found.0[0].clause, Clause::Ends);
    assert!(found.to_string().contains("In 3000 steps no episode ended"), "{found}");
    let seen = check(&endless, &options(Episodes::MayGoOn)).unwrap();
    assert_eq!((seen.steps, seen.episodes), (3000, 0));
}
