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
    drop((first, second));
    let third = RunDir::create_default(temp.path(), "atari/dqn", 3).unwrap();
    assert_eq!(name(&third), "atari-dqn-s3-3");
}

#[test]
fn every_start_is_noted() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::create(&temp.path().join("run"), Existing::Refuse).unwrap();
    run.add_meta(Meta::collect()).unwrap();
    run.add_meta(Meta::collect()).unwrap();
    let starts: Vec<Meta> = serde_json::from_slice(&fs::read(run.meta()).unwrap()).unwrap();
    assert_eq!(starts.len(), 2);
    fs::write(run.meta(), "[{").unwrap();
    assert!(text(run.add_meta(Meta::collect())).contains("meta.json is not readable"));
}
