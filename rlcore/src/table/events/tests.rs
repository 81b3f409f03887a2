//! What stands in an event file, and what is left of it after a cut.
use super::*;

/// Steps of the rows in the only event file of `dir`.
fn steps(dir: &Path) -> Vec<u64> {
    let files = files(dir).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = fs::read(&files[0]).unwrap();
    let all: Vec<u64> = records(&bytes).map(|(_, e)| step_of(e).unwrap()).collect();
    assert_eq!(all[..2], [0, 0], "version and start");
    all[2..].to_owned()
}

fn write(events: &mut Events, steps: &[u64]) {
    for step in steps {
        events.row(*step, &[("a", Cell::Float(1.5))]).unwrap();
    }
}

#[test]
fn bytes_of_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = Events::append(dir.path()).unwrap();
    let before = fs::read(events.path()).unwrap().len();
    let cells = [
        ("ab", Cell::Float(1.5)),
        ("none", Cell::Float(f64::NAN)),
        ("text", "x".into()),
        ("n", Cell::Int(-2)),
    ];
    events.row(300, &cells).unwrap();
    let file = fs::read(events.path()).unwrap();
    let (_, row) = records(&file[before..]).next().unwrap();
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
fn cut_back_to_a_step_in_a_newer_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = Events::append(dir.path()).unwrap();
    write(&mut events, &[0, 10, 20, 30]);
    let old = events.path().to_owned();
    events.truncate_to_step(20).unwrap();
    assert_eq!(steps(dir.path()), [0, 10, 20]);
    assert!(events.path() > old.as_path(), "{} {old:?}", events.path().display());
    write(&mut events, &[30, 40]);
    assert_eq!(steps(dir.path()), [0, 10, 20, 30, 40]);
    // Between two rows, and once more within the same second.
    events.truncate_to_step(35).unwrap();
    write(&mut events, &[50]);
    assert_eq!(steps(dir.path()), [0, 10, 20, 30, 50]);
}

#[test]
fn a_record_cut_off_by_a_crash_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = Events::append(dir.path()).unwrap();
    write(&mut events, &[0, 10, 20]);
    let path = events.path().to_owned();
    let whole = fs::read(&path).unwrap();
    for lost in [1, 12, 20] {
        fs::write(&path, &whole[..whole.len() - lost]).unwrap();
        let mut events = Events::append(dir.path()).unwrap();
        write(&mut events, &[21]);
        assert_eq!(steps(dir.path()), [0, 10, 21], "{lost}");
    }
    // In the middle of the head: it begins anew.
    fs::write(&path, &whole[..9]).unwrap();
    write(&mut Events::append(dir.path()).unwrap(), &[7]);
    assert_eq!(steps(dir.path()), [7]);
}

#[test]
fn names_sort_and_are_short_enough() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("\u{e4}".repeat(127));
    fs::create_dir(&long).unwrap();
    let events = Events::append(&long).unwrap();
    let name = events.path().file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("events.out.tfevents.") && name.ends_with('\u{e4}'), "{name}");
    assert!(seconds_of(events.path()) > 1_700_000_000);
    assert_eq!(Events::append(&long).unwrap().path(), events.path());
}

#[test]
fn a_full_disk_is_named() {
    let path = PathBuf::from("/dev/full");
    let file = File::options().append(true).open(&path).unwrap();
    let mut events = Events { path, file, bytes: 0 };
    let error = events.row(1, &[("a", Cell::Int(1))]).unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
}
