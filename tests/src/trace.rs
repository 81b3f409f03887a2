//! Records what a program does to the files of a directory, by tracing its system calls with `ptrace`, which needs no privilege for a
//! child process. Only the first thread is traced, because it writes all files of a run.
use crate::disk::{Disk, Inode, Op, ROOT};
use nix::libc::{self, AT_FDCWD};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An open file or directory of the traced program.
#[derive(Clone, Copy)]
struct Open {
    inode: Inode,
    at: u64,
    appends: bool,
}

struct Tracer {
    pid: Pid,
    memory: File,
    /// The directory whose files are followed: the program's working directory.
    root: PathBuf,
    disk: Disk,
    open: HashMap<i32, Open>,
}

/// A system call: its number and arguments.
type Call = (i64, [u64; 6]);

/// Runs `binary` with `args` in `root` to its end and records what it did to the files there in `disk`, which holds their previous
/// state. Returns the exit code and the disk.
///
/// # Errors
/// This machine does not permit `ptrace`.
pub fn traced<S: AsRef<str>>(
    binary: &Path,
    args: &[S],
    root: &Path,
    disk: Disk,
) -> Result<(i32, Disk), nix::Error> {
    let mut command = Command::new("sh");
    // The shell stops itself, so that no system call of the program is missed.
    command.args(["-c", r#"kill -STOP $$; exec "$0" "$@""#]).arg(binary);
    command.args(args.iter().map(AsRef::as_ref)).current_dir(root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[allow(clippy::zombie_processes)] // the tracer waits for it
    let child = command.spawn().expect("a shell");
    let pid = Pid::from_raw(child.id() as i32);
    crate::program::until("it stands still", || {
        crate::program::stat(pid.as_raw()).is_some_and(|(state, _)| state == 'T')
    });
    if let Err(e) = ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)
    {
        kill(pid, Signal::SIGKILL)?;
        waitpid(pid, None)?;
        return Err(e);
    }
    kill(pid, Signal::SIGCONT)?;
    let memory = File::open(format!("/proc/{pid}/mem")).expect("our tracee's memory");
    let mut tracer = Tracer { pid, memory, root: root.to_owned(), disk, open: HashMap::new() };
    let code = tracer.run()?;
    Ok((code, tracer.disk))
}

impl Tracer {
    fn run(&mut self) -> Result<i32, nix::Error> {
        let mut inside: Option<Call> = None;
        loop {
            let mut deliver = None;
            match waitpid(self.pid, Some(WaitPidFlag::__WALL))? {
                WaitStatus::PtraceSyscall(_) => match inside.take() {
                    None => inside = Some(self.call()?),
                    Some(call) => self.seen(call, self.result()?),
                },
                WaitStatus::Stopped(_, signal) => deliver = Some(signal),
                WaitStatus::Exited(_, code) => return Ok(code),
                WaitStatus::Signaled(_, signal, _) => panic!("it was killed by {signal}"),
                _ => {} // the stop and its end
            }
            ptrace::syscall(self.pid, deliver)?;
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn call(&self) -> Result<Call, nix::Error> {
        let r = ptrace::getregs(self.pid)?;
        Ok((r.orig_rax as i64, [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]))
    }

    #[cfg(target_arch = "x86_64")]
    fn result(&self) -> Result<i64, nix::Error> {
        Ok(ptrace::getregs(self.pid)?.rax as i64)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn call(&self) -> Result<Call, nix::Error> {
        Err(nix::Error::ENOSYS)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn result(&self) -> Result<i64, nix::Error> {
        Err(nix::Error::ENOSYS)
    }

    fn bytes(&self, at: u64, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        self.memory.read_exact_at(&mut bytes, at).expect("memory of the call");
        bytes
    }

    /// Resolves a path argument to a directory and a path relative to it; `None` if the path is not below the root.
    fn path(&self, dir: i64, at: u64) -> Option<(Inode, PathBuf)> {
        let mut name = Vec::new();
        while !name.contains(&0) {
            let mut piece = [0; 64];
            let read = self.memory.read_at(&mut piece, at + name.len() as u64).expect("a path");
            assert!(read > 0, "a path ends within the memory");
            name.extend(&piece[..read]);
        }
        let end = name.iter().position(|b| *b == 0)?;
        let path = PathBuf::from(String::from_utf8_lossy(&name[..end]).into_owned());
        if path.is_absolute() {
            return Some((ROOT, path.strip_prefix(&self.root).ok()?.to_owned()));
        }
        match dir as i32 {
            AT_FDCWD => Some((ROOT, path)),
            fd => Some((self.open.get(&fd)?.inode, path)),
        }
    }

    /// Records the effect of a system call that returned `result`.
    fn seen(&mut self, (number, a): Call, result: i64) {
        if result < 0 {
            return;
        }
        let here = i64::from(AT_FDCWD);
        let fd = a[0] as i32;
        match number {
            libc::SYS_openat => {
                let Some((from, path)) = self.path(a[0] as i64, a[1]) else { return };
                let flags = a[2] as i32;
                let inode = match self.disk.find(from, &path) {
                    Some(inode) => inode,
                    None if flags & libc::O_CREAT != 0 => self.disk.create(from, &path, false),
                    None => return, // made by another program
                };
                if flags & libc::O_TRUNC != 0 && self.disk.size(inode) > 0 {
                    self.disk.done(Op::Resize(inode, 0));
                }
                let appends = flags & libc::O_APPEND != 0;
                self.open.insert(result as i32, Open { inode, at: 0, appends });
            }
            // The program that replaces the shell has a new address space.
            libc::SYS_execve => {
                self.memory = File::open(format!("/proc/{}/mem", self.pid)).expect("its memory");
            }
            libc::SYS_close => drop(self.open.remove(&fd)),
            libc::SYS_dup => self.doubled(fd, result as i32),
            libc::SYS_fcntl if [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC].contains(&(a[1] as i32)) => {
                self.doubled(fd, result as i32);
            }
            libc::SYS_lseek => {
                if let Some(open) = self.open.get_mut(&fd) {
                    open.at = result as u64;
                }
            }
            libc::SYS_read => {
                if let Some(open) = self.open.get_mut(&fd) {
                    open.at += result as u64;
                }
            }
            libc::SYS_write => {
                let Some(open) = self.open.get(&fd).copied() else { return };
                let at = if open.appends { self.disk.size(open.inode) } else { open.at };
                let bytes = self.bytes(a[1], result as u64);
                self.disk.done(Op::Write(open.inode, at, bytes));
                self.open.insert(fd, Open { at: at + result as u64, ..open });
            }
            libc::SYS_ftruncate => {
                if let Some(open) = self.open.get(&fd).copied() {
                    self.disk.done(Op::Resize(open.inode, a[1]));
                }
            }
            libc::SYS_fsync | libc::SYS_fdatasync => {
                if let Some(open) = self.open.get(&fd).copied() {
                    self.disk.done(Op::Sync(open.inode));
                }
            }
            libc::SYS_mkdir => self.made(here, a[0]),
            libc::SYS_mkdirat => self.made(a[0] as i64, a[1]),
            libc::SYS_unlink | libc::SYS_rmdir => self.removed(here, a[0]),
            libc::SYS_unlinkat => self.removed(a[0] as i64, a[1]),
            libc::SYS_rename => self.renamed((here, a[0]), (here, a[1]), 0),
            libc::SYS_renameat => self.renamed((a[0] as i64, a[1]), (a[2] as i64, a[3]), 0),
            libc::SYS_renameat2 => {
                self.renamed((a[0] as i64, a[1]), (a[2] as i64, a[3]), a[4] as u32);
            }
            libc::SYS_pwrite64
            | libc::SYS_writev
            | libc::SYS_pwritev
            | libc::SYS_fallocate
            | libc::SYS_copy_file_range
            | libc::SYS_sendfile => {
                assert!(!self.open.contains_key(&fd), "system call {number} is not modelled");
            }
            _ => {}
        }
    }

    fn doubled(&mut self, from: i32, to: i32) {
        if let Some(open) = self.open.get(&from).copied() {
            self.open.insert(to, open);
        }
    }

    fn made(&mut self, dir: i64, path: u64) {
        if let Some((from, path)) = self.path(dir, path) {
            self.disk.create(from, &path, true);
        }
    }

    fn removed(&mut self, dir: i64, path: u64) {
        if let Some((from, path)) = self.path(dir, path) {
            self.disk.remove(from, &path);
        }
    }

    fn renamed(&mut self, from: (i64, u64), to: (i64, u64), flags: u32) {
        let (from, to) = (self.path(from.0, from.1), self.path(to.0, to.1));
        if let (Some(from), Some(to)) = (from, to) {
            let exchange = flags & libc::RENAME_EXCHANGE != 0;
            self.disk.rename((from.0, &from.1), (to.0, &to.1), exchange);
        }
    }
}
