//! Round trips, every kind of damage, crashes in the middle.
use super::*;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

fn writer(tag: f32) -> CheckpointWriter<'static> {
    let mut w = CheckpointWriter::new();
    let bytes: Vec<u8> = [tag, 2.0, f32::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
    w.array("algo/adam_m", DType::F32, &[3], bytes).unwrap();
    w.array("replay/done", DType::Bool, &[2, 1], vec![0, 1]).unwrap();
    w.array("replay/empty", DType::I64, &[0, 4], vec![]).unwrap();
    w.value("counters", &(u64::MAX, f64::NAN, "x")).unwrap();
    w.file("model.safetensors", b"weights".as_slice()).unwrap();
    w
}

fn commit(dir: &Path, step: u64) -> PathBuf {
    let path = dir.join(step_name(step));
    writer(step as f32).commit(&path).unwrap();
    path
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn open_error(dir: &Path) -> String {
    CheckpointReader::open(dir).unwrap_err().to_string()
}

#[test]
fn what_was_written_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let numbers = [1i64, -2, 3, 4, 5, 6];
    let mut w = writer(1.5);
    w.slice("replay/index", &[2, 3], &numbers).unwrap();
    let dir = temp.path().join(step_name(7));
    w.commit(&dir).unwrap();
    assert_eq!(names(temp.path()), ["step_000000000007"]);
    let r = CheckpointReader::open(&dir).unwrap();
    let a: &dyn ArraySource = &r;
    assert_eq!(a.vec::<i64>("replay/index", &[2, 3]).unwrap(), numbers);
    let m = a.vec::<f32>("algo/adam_m", &[3]).unwrap();
    assert!(m[..2] == [1.5, 2.0] && m[2].is_nan());
    let mut done = [9; 2];
    a.read("replay/done", &mut done).unwrap();
    assert_eq!(done, [0, 1]);
    assert!(a.vec::<i64>("replay/empty", &[0, 4]).unwrap().is_empty());
    let (count, mean, text): (u64, f64, String) = r.value("counters").unwrap();
    assert!(count == u64::MAX && mean.is_nan() && text == "x" && r.has_value("counters"));
    assert_eq!(r.file("model.safetensors").unwrap(), b"weights");
    // Others read it too, and find every array aligned for mapping.
    let bytes = fs::read(dir.join(ARRAYS)).unwrap();
    let foreign = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(foreign.tensor("replay/index").unwrap().shape(), [2, 3]);
    assert_eq!(foreign.len(), 4);
    for stored in r.arrays.values() {
        assert_eq!(stored.start % stored.info.dtype.size() as u64, 0);
    }
}

#[test]
fn wrong_requests_name_what_there_is() {
    let temp = tempfile::tempdir().unwrap();
    let r = CheckpointReader::open(&commit(temp.path(), 1)).unwrap();
    let a: &dyn ArraySource = &r;
    let text = a.vec::<f32>("algo/adam_v", &[3]).unwrap_err().to_string();
    assert!(text.contains("no array `algo/adam_v`; it has algo/adam_m, replay/done"), "{text}");
    let text = a.vec::<f32>("algo/adam_m", &[4]).unwrap_err().to_string();
    assert!(text.contains("is f32 [3], but f32 [4] is wanted"), "{text}");
    let text = a.vec::<f64>("algo/adam_m", &[3]).unwrap_err().to_string();
    assert!(text.contains("but f64 [3] is wanted"), "{text}");
    assert!(r.read("algo/adam_m", &mut [0; 11]).is_err());
    assert!(a.expect("algo/adam_m", DType::F32, &[1, 3]).is_err());
    let text = r.value::<Vec<u8>>("counters").unwrap_err().to_string();
    assert!(text.contains("value `counters`"), "{text}");
    assert!(r.value::<u8>("none").unwrap_err().to_string().contains("it has counters"));
    assert!(r.file("x").unwrap_err().to_string().contains("model.safetensors"));
}

#[test]
fn mistakes_of_the_saving_code_are_refused() {
    let mut w = writer(1.0);
    assert!(w.array("x", DType::F32, &[2], vec![0; 7]).is_err());
    assert!(w.array("x", DType::F32, &[usize::MAX, 2], vec![]).is_err());
    assert!(
        w.array("algo/adam_m", DType::U8, &[1], vec![0]).unwrap_err().to_string().contains("taken")
    );
    assert!(w.array("__metadata__", DType::U8, &[1], vec![0]).is_err());
    assert!(w.value("counters", &1).is_err());
    for name in ["", "a/b", ".x", "state.json", "manifest.json", "arrays.safetensors"] {
        assert!(w.file(name, vec![]).is_err(), "{name}");
    }
}

/// Each file cut, altered or removed is found, at the latest when the entry is read, and the neighbour is named.
#[test]
fn damage_is_found_and_another_named() {
    let temp = tempfile::tempdir().unwrap();
    let other = commit(temp.path(), 1);
    let all = ["manifest.json", "arrays.safetensors", "state.json", "model.safetensors"];
    for file in all {
        let dir = commit(temp.path(), 2);
        let path = dir.join(file);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, 9, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut.min(whole.len() - 1)]).unwrap();
            let text = open_error(&dir);
            assert!(text.contains("is damaged") && text.contains(file), "{text}");
            assert!(text.ends_with(&format!("use {} instead", other.display())), "{text}");
            assert_eq!(latest(temp.path()).unwrap().unwrap(), other);
        }
        fs::remove_file(&path).unwrap();
        let text = open_error(&dir);
        assert!(text.contains(file) && text.contains("instead"), "{text}");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn every_altered_byte_of_the_data_is_found() {
    let temp = tempfile::tempdir().unwrap();
    let dir = commit(temp.path(), 2);
    let read_all = || -> Result<(), CheckpointError> {
        let r = CheckpointReader::open(&dir)?;
        r.verify()?;
        r.file("model.safetensors").map(drop)
    };
    read_all().unwrap();
    for file in [ARRAYS, STATE, "model.safetensors"] {
        let whole = fs::read(dir.join(file)).unwrap();
        for i in 0..whole.len() {
            let mut bad = whole.clone();
            bad[i] ^= 4;
            fs::write(dir.join(file), bad).unwrap();
            let error = read_all().unwrap_err();
            assert!(
                matches!(&error, CheckpointError::Damaged { file: f, .. } if f == file),
                "{error}"
            );
            assert!(error.to_string().contains("no valid checkpoint is beside it"));
        }
        fs::write(dir.join(file), whole).unwrap();
    }
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let dir = commit(temp.path(), 1);
    let newer = FORMAT + 1;
    fs::write(dir.join(MANIFEST), format!("{{\"format\": {newer}, \"other\": []}}")).unwrap();
    let text = open_error(&dir);
    assert!(
        text.contains(&format!("format {newer}")) && text.contains("update the program"),
        "{text}"
    );
    assert!(open_error(&temp.path().join("step_x")).contains("not a checkpoint"));
}

/// A crash at any file leaves a directory of another name; the old checkpoint stays the newest and the leftover goes.
#[test]
fn a_crash_leaves_the_old_checkpoint_whole() {
    let temp = tempfile::tempdir().unwrap();
    let old = commit(temp.path(), 1);
    for _ in 0..3 {
        let (path, lock) = write::locked_temp(&temp.path().join(step_name(2))).unwrap();
        writer(2.0).write_into(&path, &temp.path().join(step_name(2))).unwrap();
        // While the writer lives, nobody touches its directory.
        let tidied = || keep(temp.path(), NonZeroUsize::MIN, None).unwrap();
        tidied();
        assert!(path.is_dir());
        drop(lock); // killed before the rename
        fs::remove_file(path.join(MANIFEST)).unwrap();
        assert_eq!(latest(temp.path()).unwrap().unwrap(), old);
        assert_eq!(names(temp.path()).len(), 2, "looking changes nothing");
        tidied();
        assert_eq!(names(temp.path()), ["step_000000000001"]);
    }
}

#[test]
fn a_checkpoint_of_the_same_name_is_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let dir = commit(temp.path(), 1);
    let before = CheckpointReader::open(&dir).unwrap();
    writer(9.0).commit(&dir).unwrap();
    let after = CheckpointReader::open(&dir).unwrap();
    let first = |r: &dyn ArraySource| r.vec::<f32>("algo/adam_m", &[3]).unwrap()[0];
    assert_eq!((first(&after), first(&before)), (9.0, 1.0)); // the one from before is still open
    assert_eq!(names(temp.path()), ["step_000000000001"]);
    // A failing write (here onto a file) leaves what was there and no temporary directory.
    fs::write(temp.path().join("step_3"), "in the way").unwrap();
    writer(1.0).commit(&temp.path().join("step_3")).unwrap_err();
    assert_eq!(names(temp.path()), ["step_000000000001", "step_3"]);
}

/// On a file system that cannot exchange two names. Broken by a replacement that a crash between its two renames leaves without
/// either checkpoint.
#[test]
fn a_checkpoint_that_is_replaced_in_two_steps_is_always_there() {
    let temp = tempfile::tempdir().unwrap();
    let dir = commit(temp.path(), 1);
    let first = |path: &Path| {
        let reader = CheckpointReader::open(path).unwrap();
        (&reader as &dyn ArraySource).vec::<f32>("algo/adam_m", &[3]).unwrap()[0]
    };
    let newest = || latest(temp.path()).unwrap().unwrap();
    let prepare = || {
        let (path, lock) = write::locked_temp(&dir).unwrap();
        writer(9.0).write_into(&path, &dir).unwrap();
        (path, lock)
    };
    // Killed after the first rename.
    let (_, lock) = prepare();
    let aside = temp.path().join("step_000000000001.old");
    fs::rename(&dir, &aside).unwrap();
    drop(lock);
    assert_eq!((newest(), first(&newest()), steps_of(&aside)), (aside.clone(), 1.0, Some(1)));
    discard_after(temp.path(), 1).unwrap();
    assert_eq!(names(temp.path()), ["step_000000000001"], "it has its name back");
    // Killed after the second.
    let (path, lock) = prepare();
    fs::rename(&dir, &aside).unwrap();
    fs::rename(&path, &dir).unwrap();
    drop(lock);
    assert_eq!((newest(), first(&dir)), (dir.clone(), 9.0));
    keep(temp.path(), NonZeroUsize::MIN, None).unwrap();
    assert_eq!((names(temp.path()), first(&dir)), (vec!["step_000000000001".to_owned()], 9.0));
    // To the end: what was replaced has the name of what is removed.
    fs::remove_dir_all(&dir).unwrap();
    commit(temp.path(), 1);
    let (path, _lock) = prepare();
    write::put_in_two_steps(&path, &dir).unwrap();
    assert_eq!((first(&dir), first(&path)), (9.0, 1.0));
    assert!(!aside.exists());
    // The new one is gone: the old one keeps its place.
    fs::remove_dir_all(&path).unwrap();
    write::put_in_two_steps(&path, &dir).unwrap_err();
    assert_eq!((names(temp.path()), first(&dir)), (vec!["step_000000000001".to_owned()], 9.0));
}

#[test]
fn retention() {
    let temp = tempfile::tempdir().unwrap();
    for step in [5, 10, 20, 100, 1000] {
        commit(temp.path(), step);
    }
    fs::create_dir(temp.path().join("step_notes")).unwrap();
    fs::remove_file(temp.path().join(step_name(1000)).join(STATE)).unwrap();
    // The damaged newest does not count, and is not older than what is kept.
    let two = NonZeroUsize::new(2).unwrap();
    keep(temp.path(), two, Some(&step_name(5))).unwrap();
    let wanted = [5, 20, 100, 1000].map(step_name);
    assert_eq!(names(temp.path()), [&wanted[..], &["step_notes".into()]].concat());
    keep(temp.path(), NonZeroUsize::MIN, None).unwrap();
    assert_eq!(latest(temp.path()).unwrap().unwrap(), temp.path().join(step_name(100)));
    assert_eq!(names(temp.path()).len(), 3);
    assert_eq!(latest(&temp.path().join("none")).unwrap(), None);
}

#[test]
fn the_newest_with_its_replay_stays() {
    let temp = tempfile::tempdir().unwrap();
    for step in 1..=6u64 {
        let mut w = writer(step as f32);
        if ![2, 3].contains(&step) {
            w.lacks_replay();
        }
        w.commit(&temp.path().join(step_name(step))).unwrap();
    }
    keep(temp.path(), NonZeroUsize::new(2).unwrap(), None).unwrap();
    assert_eq!(names(temp.path()), [3, 5, 6].map(step_name));
    assert_eq!(latest(temp.path()).unwrap().unwrap(), temp.path().join(step_name(6)));
    assert_eq!(latest_complete(temp.path()).unwrap().unwrap(), temp.path().join(step_name(3)));
    discard_after(temp.path(), 3).unwrap();
    assert_eq!(names(temp.path()), [step_name(3)]);
}

/// Whatever else lies there is neither taken for a checkpoint nor deleted.
#[test]
fn only_checkpoints_are_checkpoints() {
    let temp = tempfile::tempdir().unwrap();
    let dir = |name: &str| temp.path().join(name);
    for step in [1, 2] {
        commit(temp.path(), step);
    }
    fs::write(dir("step_000000009999"), "a file").unwrap();
    fs::create_dir(dir("step_000000008888")).unwrap(); // without a manifest
    fs::create_dir(dir("step_7777")).unwrap();
    fs::copy(dir(&step_name(2)).join(MANIFEST), dir("step_7777").join(MANIFEST)).unwrap();
    for (name, step) in [
        ("step_000000000012", Some(12)),
        ("step_1234567890123", Some(1_234_567_890_123)),
        ("step_12", None),
        ("step_+00000000012", None),
        ("step_", None),
        ("steps", None),
        ("step_99999999999999999999", None),
        ("step_18446744073709551615", None),
        ("step_9223372036854775807", Some(i64::MAX as u64)),
    ] {
        assert_eq!(steps_of(Path::new(name)), step, "{name}");
    }
    assert_eq!(latest(temp.path()).unwrap().unwrap(), dir(&step_name(2)));
    let no_run = commit(temp.path(), u64::MAX); // after more steps than any run has
    assert_eq!(latest(temp.path()).unwrap().unwrap(), dir(&step_name(2)));
    let before = names(temp.path());
    let text = writer(0.0).commit(&dir("step_000000009999")).unwrap_err().to_string();
    assert!(
        text.contains("step_000000009999: it is there already and is no directory; move it away"),
        "{text}"
    );
    assert_eq!(names(temp.path()), before);
    discard_after(temp.path(), 2).unwrap();
    keep(temp.path(), NonZeroUsize::new(2).unwrap(), None).unwrap();
    assert_eq!(names(temp.path()), before);
    fs::remove_dir_all(no_run).unwrap();
    // A checkpoint under the name of another.
    let renamed = dir(&step_name(77));
    fs::rename(dir(&step_name(2)), &renamed).unwrap();
    assert_eq!(latest(temp.path()).unwrap().unwrap(), dir(&step_name(1)));
    let text = open_error(&renamed);
    assert!(
        text.contains("written as step_000000000002; give the directory that name back"),
        "{text}"
    );
    fs::rename(&renamed, dir("backup")).unwrap();
    CheckpointReader::open(&dir("backup")).unwrap();
}
