//! Runs the real command line as a process, after ripgrep's `TestCommand`: a scratch directory, arguments, output, exit code,
//! signals. Every wait is for a condition and has a time limit.
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time limit for what takes a second on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// Waits until `condition` holds. Panics with `what` when [`PATIENCE`] is over.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A program with a scratch directory, its working directory, which is deleted when this value is dropped.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    dir: tempfile::TempDir,
}

/// The exit status and output of a program that has ended.
#[derive(Debug)]
pub struct End {
    status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Program {
    /// `binary`: `env!("CARGO_BIN_EXE_...")` of the test, which only a test target knows.
    pub fn new(binary: &str) -> Self {
        let dir = tempfile::tempdir().expect("a scratch directory");
        Self { binary: binary.into(), dir }
    }

    /// A path within the scratch directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program itself.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> End {
        self.start(args).end()
    }

    /// Runs it to its end. Panics unless its exit code is 0.
    pub fn succeeds<S: AsRef<str>>(&self, args: &[S]) -> End {
        self.run(args).code(0)
    }

    /// Starts it.
    pub fn start<S: AsRef<str>>(&self, args: &[S]) -> Running {
        let mut command = Command::new(&self.binary);
        command.args(args.iter().map(AsRef::as_ref));
        self.spawn(command)
    }

    /// Starts another command in the scratch directory, for what a shell must prepare.
    pub fn spawn(&self, mut command: Command) -> Running {
        // Files and not pipes: a pipe that nobody reads blocks the program once it is full.
        let (out, err) = (file(), file());
        let theirs = |f: &std::fs::File| Stdio::from(f.try_clone().expect("a descriptor"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.stdout(theirs(&out)).stderr(theirs(&err));
        // A process group of its own, as under a shell: signals to the group reach its workers, but not this process.
        let child = command.process_group(0).spawn();
        Running { child: child.expect("the program starts"), out, err }
    }
}

fn file() -> std::fs::File {
    tempfile::tempfile().expect("a file for output")
}

fn text(file: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("output can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A started program; killed with its group when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: std::fs::File,
    err: std::fs::File,
}

impl Running {
    /// Its process id, which is also its group's.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("it runs");
    }

    /// Sends a signal to its whole group, as a terminal does on Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        kill(Pid::from_raw(-self.pid()), signal).expect("it runs");
    }

    /// Waits until `condition` holds. Panics if the program ends before that.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let mut ended = false;
        until(what, || {
            ended = self.child.try_wait().expect("our child").is_some();
            ended || condition()
        });
        // The program may have fulfilled the condition just before it ended.
        assert!(!ended || condition(), "ended before {what}: {}", text(&mut self.err));
    }

    /// Process ids of its fork server and of the workers.
    pub fn family(&self) -> Vec<i32> {
        let servers = children(self.pid());
        let workers = servers.iter().flat_map(|s| children(*s));
        workers.chain(servers.iter().copied()).collect()
    }

    /// Waits for its end.
    pub fn end(mut self) -> End {
        let mut status = None;
        let began = Instant::now();
        while status.is_none() {
            status = self.child.try_wait().expect("our child");
            if began.elapsed() > PATIENCE {
                let (out, err) = (text(&mut self.out), text(&mut self.err));
                panic!("still runs after {PATIENCE:?}\n{out}\n{err}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let status = status.expect("the loop ends with one");
        End { status, stdout: text(&mut self.out), stderr: text(&mut self.err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The workers end by themselves when the program is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    /// Its exit code; none where a signal ended it.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Panics unless the exit code is `code`.
    #[must_use]
    pub fn code(self, want: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(want),
            "{}\n{}\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics unless this signal ended it.
    pub fn killed_by(&self, signal: Signal) {
        assert_eq!(self.status.signal(), Some(signal as i32), "{}\n{}", self.status, self.stderr);
    }

    /// Panics unless it failed with one line that contains all `texts`.
    pub fn error(self, texts: &[&str]) {
        let end = self.code(1);
        assert!(end.stderr.starts_with("error: "), "{}", end.stderr);
        assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
        for text in texts {
            assert!(end.stderr.contains(text), "`{text}` is not in: {}", end.stderr);
        }
    }
}

/// State letter and parent of a process, from `/proc`.
pub fn stat(pid: i32) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether the signal is pending: sent to the process, but not yet handled.
pub fn pending(pid: i32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("0");
        u64::from_str_radix(line.trim(), 16).unwrap_or(0)
    };
    (mask("SigPnd:") | mask("ShdPnd:")) & (1 << (signal as i32 - 1)) != 0
}

/// Process ids of the children, zombies included, in ascending order.
pub fn children(parent: i32) -> Vec<i32> {
    let Ok(all) = std::fs::read_dir("/proc") else { return vec![] };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found: Vec<i32> =
        pids.filter(|pid| stat(*pid).is_some_and(|(_, p)| p == parent)).collect();
    found.sort_unstable();
    found
}

/// Waits until none of these processes runs. A zombie counts as ended: the process that adopted it may be slow to reap it.
pub fn all_gone(pids: &[i32]) {
    let runs = |pid: &i32| stat(*pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'));
    until(&format!("the end of {pids:?}"), || !pids.iter().any(runs));
}
