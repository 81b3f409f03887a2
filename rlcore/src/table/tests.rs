//! What stands in the file, byte for byte.
use super::*;
use std::fs;

fn row(csv: &mut ProgressCsv, cells: &[(&str, Cell)]) {
    csv.row(cells).unwrap();
}

#[test]
fn new_columns_widen_and_missing_ones_are_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("progress.csv");
    let mut csv = ProgressCsv::create(&path).unwrap();
    row(&mut csv, &[("Iteration", 1i64.into()), ("CumTime (s)", 0.5.into())]);
    row(&mut csv, &[("Iteration", 2i64.into()), ("Loss", f64::NAN.into())]);
    row(&mut csv, &[("Note", "a \"b\", c\nd".into()), ("CumTime (s)", 2.0.into())]);
    row(&mut csv, &[("Iteration", 4i64.into())]);
    let wanted =
        "Iteration,CumTime (s),Loss,Note\n1,0.5,,\n2,,NaN,\n,2.0,,\"a \"\"b\"\", c\nd\"\n4,,,\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
    assert_eq!((csv.rows(), csv.columns().len()), (4, 4));
    assert!(ProgressCsv::create(&path).is_err());
    let twice = csv.row(&[("A", Cell::Int(1)), ("A", Cell::Int(2))]).unwrap_err();
    assert!(twice.to_string().contains("`A` is twice"));
    assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
}

#[test]
fn floats_parse_back_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.csv");
    let mut csv = ProgressCsv::create(&path).unwrap();
    let values = [0.1 + 0.2, 1e300, 5e-324, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e16, f64::MAX];
    for x in values {
        row(&mut csv, &[("x", x.into())]);
    }
    let text = fs::read_to_string(&path).unwrap();
    for (line, x) in text.lines().skip(1).zip(values) {
        assert_eq!(line.parse::<f64>().unwrap().to_bits(), x.to_bits(), "{line}");
    }
}

/// Every prefix of a log is what cutting back to it gives, columns that came later included.
#[test]
fn cutting_back_restores_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.csv");
    let rows: [&[(&str, Cell)]; 4] = [
        &[("a", Cell::Int(1)), ("b", Cell::Float(0.1))],
        &[("a", Cell::Int(2)), ("c", Cell::Text(String::new()))],
        &[("a, \"x\"\n", Cell::Text("y\nz".into()))],
        &[("d", Cell::Int(4))],
    ];
    let mut csv = ProgressCsv::create(&path).unwrap();
    let mut states = vec![fs::read(&path).unwrap()];
    for r in rows {
        csv.row(r).unwrap();
        states.push(fs::read(&path).unwrap());
    }
    for n in (0..=4).rev() {
        fs::write(&path, &states[4]).unwrap();
        let kept = ProgressCsv::look(&path, n).unwrap();
        assert_eq!(fs::read(&path).unwrap(), states[4], "looking changes nothing");
        assert_eq!(kept.rows(), n);
        let mut csv = kept.cut().unwrap();
        assert_eq!(fs::read(&path).unwrap(), states[n as usize], "{n}");
        // And the run goes on as if it had never stopped.
        for (i, r) in rows.iter().enumerate().skip(n as usize) {
            csv.row(r).unwrap();
            assert_eq!(fs::read(&path).unwrap(), states[i + 1]);
        }
    }
}

/// What a power cut leaves of a row that was being written: a part of it, or zeros where it should be. It is lost, and those before
/// are kept; wanted or not, nothing of it remains.
#[test]
fn rows_that_are_missing_at_the_end_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.csv");
    let tails = [&b""[..], b"3,4", b"\"open", b"3,\xc3", b"3", b"\0\0\0\0", b"3,\0\0"];
    for (tail, wanted) in tails.iter().flat_map(|tail| [(tail, 1), (tail, 2), (tail, 9)]) {
        fs::write(&path, [b"a,b\n1,2\n", *tail].concat()).unwrap();
        let kept = ProgressCsv::look(&path, wanted).unwrap();
        assert_eq!(kept.rows(), 1, "{tail:?}");
        let mut csv = kept.cut().unwrap();
        row(&mut csv, &[("b", Cell::Int(9))]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n,9\n");
    }
    fs::write(&path, "a,").unwrap(); // in the middle of the header
    assert!(ProgressCsv::look(&path, 3).unwrap().cut().unwrap().columns().is_empty());
    assert_eq!(fs::read(&path).unwrap(), b"");
    let gone = ProgressCsv::look(&dir.path().join("new.csv"), 3).unwrap();
    assert_eq!(gone.rows(), 0);
    assert!(!dir.path().join("new.csv").exists());
    assert_eq!(gone.cut().unwrap().rows(), 0);
}

/// What no run wrote is an error as long as a row that is needed is behind it; the file stays as it is.
#[test]
fn damage_among_the_rows_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.csv");
    let damaged = [
        ("a,b\n1,\"2\n3,4\n5,6\n", "line 2 is damaged (a quote that is not closed)"),
        ("a,b\n1,2\"\n3,4\n5,6\n", "line 2 is damaged (a quote within a cell)"),
        ("a,b\n1,\"2\"x\n3,4\n", "line 2 is damaged (text behind a quoted cell)"),
        ("a,b\n1,2\n3\n5,6\n", "line 3 is damaged (1 cells for 2 columns)"),
        ("a,b\n1,2\n3,4,5\n", "line 3 is damaged (3 cells for 2 columns)"),
        ("a,b\n1,2\n\0\0\0\n", "line 3 is damaged (a zero byte)"),
        ("a,\"b\n1,2\n3,4\n", "line 1 is damaged"),
    ];
    for (text, what) in damaged {
        fs::write(&path, text).unwrap();
        let error = ProgressCsv::look(&path, 3).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("after 3 rows"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        // Nothing of it is needed.
        assert_eq!(ProgressCsv::look(&path, 0).unwrap().cut().unwrap().rows(), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }
    // Behind the rows that are needed.
    fs::write(&path, "a,b\n1,2\n3\"\n5,6\n").unwrap();
    assert_eq!(ProgressCsv::look(&path, 1).unwrap().cut().unwrap().rows(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n");
}

#[test]
fn a_full_disk_is_named_and_the_row_not_counted() {
    let file = File::options().append(true).open("/dev/full").unwrap();
    let (path, columns) = (PathBuf::from("/dev/full"), vec!["a".to_owned()]);
    let mut csv = ProgressCsv { path, file, columns, rows: 0, bytes: 0 };
    let error = csv.row(&[("a", Cell::Int(1))]).unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
    assert_eq!(csv.rows(), 0);
}
