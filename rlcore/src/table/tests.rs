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
        let mut csv = ProgressCsv::open_at(&path, n).unwrap();
        assert_eq!(fs::read(&path).unwrap(), states[n as usize], "{n}");
        // And the run goes on as if it had never stopped.
        for (i, r) in rows.iter().enumerate().skip(n as usize) {
            csv.row(r).unwrap();
            assert_eq!(fs::read(&path).unwrap(), states[i + 1]);
        }
    }
    let short = ProgressCsv::open_at(&path, 5).unwrap_err().to_string();
    assert!(short.contains("has 4 rows but the checkpoint was made after 5"), "{short}");
}

#[test]
fn a_row_cut_off_by_a_crash_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.csv");
    for tail in [&b"3,4"[..], b"\"open\nquote\n", b"3,\xc3", b"3"] {
        fs::write(&path, [b"a,b\n1,2\n", tail].concat()).unwrap();
        let mut csv = ProgressCsv::append(&path).unwrap();
        assert_eq!(csv.rows(), 1);
        row(&mut csv, &[("b", Cell::Int(9))]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n,9\n");
    }
    fs::write(&path, "a,").unwrap(); // in the middle of the header
    assert!(ProgressCsv::append(&path).unwrap().columns().is_empty());
    assert_eq!(ProgressCsv::append(&dir.path().join("new.csv")).unwrap().rows(), 0);
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
