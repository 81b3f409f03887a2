//! What stands in an event file, and what is left of it after a cut.
use super::*;

/// Steps of the rows in each event file of `dir`, oldest first.
fn steps(dir: &Path) -> Vec<Vec<u64>> {
    let in_file = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        let events = records(&bytes).skip(HEAD).map(|(_, e)| step_of(e).unwrap());
        assert_eq!(records(&bytes).map(|(whole, _)| whole.len()).sum::<usize>(), bytes.len());
        events.collect()
    };
    files(dir).unwrap().iter().map(in_file).collect()
}

fn write(events: &mut Events, steps: &[u64]) {
    for step in steps {
        events.row(*step, &[("a", Cell::Float(1.5))]).unwrap();
    }
}

#[test]
fn bytes_of_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = Events::new(dir.path());
    let cells = [
        ("ab", Cell::Float(1.5)),
        ("none", Cell::Float(f64::NAN)),
        ("text", "x".into()),
        ("n", Cell::Int(-2)),
    ];
    events.row(300, &cells).unwrap();
    let file = fs::read(&files(dir.path()).unwrap()[0]).unwrap();
    let (_, row) = records(&file).nth(HEAD).unwrap();
    // Field and kind, then the value; 300 = 0b10_0101100.
    let wanted: [&[u8]; 5] = [
        &[0x10, 0xac, 0x02, 0x2a, 21],
        &[0x0a, 9, 0x0a, 2, b'a', b'b', 0x15],
        &1.5f32.to_le_bytes(),
        &[0x0a, 8, 0x0a, 1, b'n', 0x15],
        &(-2f32).to_le_bytes(),
    ];
    assert_eq!(row[9..], wanted.concat());
    assert_eq!(row[0], 0x09);
}

#[test]
fn steps_are_read_back() {
    for step in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 62, u64::MAX] {
        assert_eq!(step_of(&event(step, SUMMARY, b"")), Some(step));
    }
    assert_eq!(step_of(&[9; 9]), None);
    assert_eq!(step_of(&[&[0; 9][..], &[0x10], &[0xff; 20]].concat()), None);
}

#[test]
fn each_process_adds_a_newer_file_and_cuts_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Events::new(dir.path());
    assert!(steps(dir.path()).is_empty());
    write(&mut first, &[0, 10, 20, 30]);
    let kept = Events::look(dir.path(), 20).unwrap();
    assert_eq!(steps(dir.path()), [[0, 10, 20, 30]], "looking changes nothing");
    let mut second = kept.cut().unwrap();
    assert_eq!(steps(dir.path()), [[0, 10, 20]]);
    write(&mut second, &[30, 40]);
    assert_eq!(steps(dir.path()), [vec![0, 10, 20], vec![30, 40]]);
    // From before the second began, between two rows, and all within one second.
    let mut third = Events::look(dir.path(), 15).unwrap().cut().unwrap();
    write(&mut third, &[20]);
    assert_eq!(steps(dir.path()), [vec![0, 10], vec![], vec![20]]);
    let file = fs::read(&files(dir.path()).unwrap()[2]).unwrap();
    let heads: Vec<_> = records(&file).take(HEAD).map(|(_, e)| step_of(e)).collect();
    assert_eq!(heads, [Some(16); HEAD]);
}

#[test]
fn a_record_cut_off_by_a_crash_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut Events::new(dir.path()), &[0, 10, 20]);
    let path = files(dir.path()).unwrap().remove(0);
    let whole = fs::read(&path).unwrap();
    for (lost, kept) in [(0, 3), (1, 2), (12, 2), (whole.len() - 9, 0), (whole.len(), 0)] {
        fs::write(&path, &whole[..whole.len() - lost]).unwrap();
        Events::look(dir.path(), 100).unwrap().cut().unwrap();
        assert_eq!(steps(dir.path()), [[0, 10, 20][..kept].to_vec()], "{lost}");
    }
}

#[test]
fn names_sort_and_are_short_enough() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("\u{e4}".repeat(127));
    fs::create_dir(&long).unwrap();
    write(&mut Events::new(&long), &[0]);
    let path = files(&long).unwrap().remove(0);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("events.out.tfevents.") && name.ends_with('\u{e4}'), "{name}");
    assert!(seconds_of(&path) > 1_700_000_000);
}

#[test]
fn a_full_disk_is_named() {
    let path = PathBuf::from("/dev/full");
    let file = File::options().append(true).open(&path).unwrap();
    let mut out = Out { path, file, bytes: 0 };
    let error = out.write(&head(0)).unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
    assert_eq!(out.bytes, 0);
}
