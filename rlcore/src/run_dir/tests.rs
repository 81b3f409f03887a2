//! Who may use which directory.
use super::*;

fn text<T: std::fmt::Debug>(result: Result<T, RunDirError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn an_existing_run_is_refused_until_told_otherwise() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("a/b");
    let run = RunDir::create(&root, Existing::Refuse).unwrap();
    run.write_config("seed = 1").unwrap();
    fs::write(run.progress(), "x").unwrap();
    fs::write(root.join("events.out.tfevents.1"), "x").unwrap();
    fs::write(root.join("notes.txt"), "mine").unwrap();
    drop(run);
    let message = text(RunDir::create(&root, Existing::Refuse));
    for option in ["resume", "--run-dir", "--overwrite"] {
        assert!(message.contains(option), "{message}");
    }
    assert!(root.join("progress.csv").exists());
    let run = RunDir::resume(&root).unwrap();
    assert!(run.progress().exists());
    drop(run);
    let run = RunDir::create(&root, Existing::Overwrite).unwrap();
    assert!(!run.progress().exists() && !run.config().exists());
    assert!(!root.join("events.out.tfevents.1").exists());
    assert!(
        root.join("notes.txt").exists() && run.checkpoints().is_dir() && run.workers().is_dir()
    );
}

#[test]
fn directories_of_others_are_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("log.txt"), "mine").unwrap();
    assert!(text(RunDir::create(temp.path(), Existing::Overwrite)).contains("not a run directory"));
    assert!(text(RunDir::resume(temp.path())).contains("no config.toml"));
    let names: Vec<_> =
        fs::read_dir(temp.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(names, ["log.txt"]);
}

#[test]
fn one_writer_at_a_time_and_a_dead_one_does_not_count() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("run");
    let run = RunDir::create(&root, Existing::Refuse).unwrap();
    run.write_config("").unwrap();
    let pid = std::process::id().to_string();
    for second in [RunDir::resume(&root), RunDir::create(&root, Existing::Overwrite)] {
        let message = text(second);
        assert!(message.contains(&format!("process {pid}")), "{message}");
    }
    assert!(run.config().exists());
    drop(run);
    fs::write(root.join(LOCK), "1").unwrap(); // left by a killed process whose id lives on
    RunDir::resume(&root).unwrap();
}

#[test]
fn default_names_step_aside() {
    let temp = tempfile::tempdir().unwrap();
    let name = |run: &RunDir| run.root().file_name().unwrap().to_string_lossy().into_owned();
    let first = RunDir::create_default(temp.path(), "atari/dqn", 3).unwrap();
    let second = RunDir::create_default(temp.path(), "atari/dqn", 3).unwrap();
    assert_eq!((name(&first).as_str(), name(&second).as_str()), ("atari-dqn-s3", "atari-dqn-s3-2"));
    for run in [&first, &second] {
        run.write_config("").unwrap();
    }
    drop((first, second));
    let third = RunDir::create_default(temp.path(), "atari/dqn", 3).unwrap();
    assert_eq!(name(&third), "atari-dqn-s3-3");
}

#[test]
fn every_start_is_noted() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("run");
    let mut run = RunDir::create(&root, Existing::Refuse).unwrap();
    run.write_config("").unwrap();
    run.add_meta(Meta::collect()).unwrap();
    drop(run);
    let mut run = RunDir::resume(&root).unwrap();
    run.add_meta(Meta::collect()).unwrap();
    let starts: Vec<Meta> = serde_json::from_slice(&fs::read(run.meta()).unwrap()).unwrap();
    assert_eq!(starts.len(), 2);
    fs::write(run.meta(), "[{").unwrap();
    drop(run);
    assert!(text(RunDir::resume(&root)).contains("meta.json is not readable"));
}

/// What a crash before the settings were written leaves is as good as nothing.
#[test]
fn a_run_without_settings_is_begun_again() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("run");
    drop(RunDir::create(&root, Existing::Refuse).unwrap());
    drop(RunDir::create(&root, Existing::Refuse).unwrap());
    fs::write(root.join("checkpoints/x"), "").unwrap();
    assert!(text(RunDir::create(&root, Existing::Refuse)).contains("already holds a run"));
}

#[test]
fn a_directory_that_moves_or_goes_is_noticed() {
    let temp = tempfile::tempdir().unwrap();
    let (root, moved) = (temp.path().join("run"), temp.path().join("moved"));
    let run = RunDir::create(&root, Existing::Refuse).unwrap();
    run.check_in_place().unwrap();
    fs::rename(&root, &moved).unwrap();
    let message = text(run.check_in_place());
    assert!(
        message.contains(&format!("moved to {}", moved.canonicalize().unwrap().display())),
        "{message}"
    );
    fs::create_dir(&root).unwrap(); // another in its place
    assert_eq!(text(run.check_in_place()), message);
    fs::remove_dir(&root).unwrap();
    fs::rename(&moved, &root).unwrap();
    run.check_in_place().unwrap();
    fs::remove_dir_all(&root).unwrap();
    assert!(text(run.check_in_place()).contains("was deleted while the run"));
    fs::create_dir(&root).unwrap();
    assert!(text(run.check_in_place()).contains("was deleted while the run"));
}

/// Every file of a directory tree with its bytes.
fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = vec![];
    for path in fs::read_dir(root).unwrap().flatten().map(|e| e.path()) {
        if path.is_dir() {
            all.push((path.clone(), vec![]));
            all.extend(tree(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn opening_a_run_changes_nothing_in_it() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("run");
    let run = RunDir::create(&root, Existing::Refuse).unwrap();
    run.write_config("").unwrap();
    drop(run);
    fs::write(root.join(LOCK), "1").unwrap();
    fs::remove_dir(root.join("workers")).unwrap();
    let before = tree(&root);
    assert!(RunDir::resume(&root).is_ok());
    assert_eq!(tree(&root), before);
    fs::create_dir(root.join("workers")).unwrap();
    fs::write(root.join("workers/worker_0.log"), "said before\n").unwrap();
    fs::write(root.join("workers/notes.txt"), "a user's").unwrap();
    fs::remove_file(root.join(LOCK)).unwrap();
    let before = tree(&root);
    let run = RunDir::resume(&root).unwrap();
    // As workers do whose environments print something, or nothing.
    for (i, said) in [(0, "hello\n"), (1, ""), (2, "hello\n")] {
        let log = root.join(format!("workers/worker_{i}.log"));
        let mut log = File::options().create(true).append(true).open(log).unwrap();
        log.write_all(said.as_bytes()).unwrap();
    }
    drop(run);
    assert_eq!(tree(&root), before);
    let mut run = RunDir::resume(&root).unwrap();
    run.claim().unwrap();
    assert_eq!(fs::read_to_string(root.join(LOCK)).unwrap(), std::process::id().to_string());
    assert!(run.workers().is_dir());
}
