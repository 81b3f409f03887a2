//! A model of a file system, and of the states in which a power cut may leave it.
//!
//! The guarantees are those of POSIX: changes of a file's contents before an `fsync` of the file, and changes of the names in a
//! directory before an `fsync` of the directory, survive; a rename survives as a whole or not at all. Every other change may survive
//! or be lost, in any order. A write that was not synced may survive in part, or leave zeros.
use crate::tree::Tree;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Number of a file or directory, independent of its names.
pub type Inode = usize;

/// The root directory.
pub const ROOT: Inode = 0;

/// A change of a name: the directory, the name, and what it refers to afterwards (`None`: it is removed).
type Name = (Inode, String, Option<Inode>);

/// An operation of a program.
#[derive(Clone, Debug)]
pub enum Op {
    /// Changes of names, all in one atomic step.
    Names(Vec<Name>),
    /// A write of bytes to a file at an offset.
    Write(Inode, u64, Vec<u8>),
    /// A change of a file's size.
    Resize(Inode, u64),
    /// An `fsync`: all earlier changes of this file or directory are on the disk.
    Sync(Inode),
}

/// A file system with the history of its changes.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The operations in order.
    pub ops: Vec<Op>,
    /// Whether an inode is a directory, indexed by inode.
    is_dir: Vec<bool>,
    /// The state before the first operation.
    start: State,
    live: State,
}

/// Names and contents at one moment.
#[derive(Clone, Debug, Default)]
struct State {
    names: BTreeMap<(Inode, String), Inode>,
    contents: BTreeMap<Inode, Vec<u8>>,
}

/// Which changes survive of those that are not guaranteed to.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    /// None.
    Nothing,
    /// All, as when the program is killed and the system keeps running.
    Everything,
    /// Of the names those up to a random moment, as in a journaling file system; of the contents a random choice.
    InOrder,
    /// A random choice.
    Any,
}

impl State {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Names(names) => {
                for (dir, name, inode) in names {
                    let key = (*dir, name.clone());
                    match inode {
                        Some(inode) => drop(self.names.insert(key, *inode)),
                        None => drop(self.names.remove(&key)),
                    }
                }
            }
            Op::Write(file, at, bytes) => {
                let content = self.contents.entry(*file).or_default();
                let end = *at as usize + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*at as usize..end].copy_from_slice(bytes);
            }
            Op::Resize(file, size) => {
                self.contents.entry(*file).or_default().resize(*size as usize, 0);
            }
            Op::Sync(_) => {}
        }
    }
}

impl Disk {
    /// A disk that holds `tree`.
    pub fn new(tree: &Tree) -> Self {
        let mut disk = Self {
            ops: vec![],
            is_dir: vec![true],
            start: State::default(),
            live: State::default(),
        };
        for (path, bytes) in tree {
            let dir = path.parent().map_or(ROOT, |p| disk.find(ROOT, p).expect("parents first"));
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let inode = disk.add(bytes.is_none());
            disk.live.names.insert((dir, name), inode);
            disk.live.contents.extend(bytes.clone().map(|bytes| (inode, bytes)));
        }
        disk.start = disk.live.clone();
        disk
    }

    fn add(&mut self, is_dir: bool) -> Inode {
        self.is_dir.push(is_dir);
        self.is_dir.len() - 1
    }

    /// The file or directory that `path` refers to now, relative to a directory.
    pub fn find(&self, from: Inode, path: &Path) -> Option<Inode> {
        path.components().try_fold(from, |dir, part| match part {
            Component::Normal(name) => {
                self.live.names.get(&(dir, name.to_string_lossy().into_owned())).copied()
            }
            Component::CurDir => Some(dir),
            other => panic!("{other:?} in {}", path.display()),
        })
    }

    /// The directory that contains the last component of `path`, and that component.
    fn place(&self, from: Inode, path: &Path) -> (Inode, String) {
        let dir = path.parent().map_or(Some(from), |p| self.find(from, p));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (dir.unwrap_or_else(|| panic!("no directory for {}", path.display())), name)
    }

    /// Applies an operation and records it.
    pub fn done(&mut self, op: Op) {
        self.live.apply(&op);
        self.ops.push(op);
    }

    /// Creates a file or directory.
    pub fn create(&mut self, from: Inode, path: &Path, is_dir: bool) -> Inode {
        let (dir, name) = self.place(from, path);
        let inode = self.add(is_dir);
        self.done(Op::Names(vec![(dir, name, Some(inode))]));
        inode
    }

    /// Removes a name.
    pub fn remove(&mut self, from: Inode, path: &Path) {
        let (dir, name) = self.place(from, path);
        self.done(Op::Names(vec![(dir, name, None)]));
    }

    /// Renames a file or directory, or exchanges two names.
    pub fn rename(&mut self, from: (Inode, &Path), to: (Inode, &Path), exchange: bool) {
        let moved = self.find(from.0, from.1).expect("what is renamed");
        let other = self.find(to.0, to.1).filter(|_| exchange);
        let ((dir, name), (new_dir, new)) = (self.place(from.0, from.1), self.place(to.0, to.1));
        self.done(Op::Names(vec![(dir, name, other), (new_dir, new, Some(moved))]));
    }

    /// Present size of a file, bytes.
    pub fn size(&self, file: Inode) -> u64 {
        self.live.contents.get(&file).map_or(0, |c| c.len() as u64)
    }

    /// Whether operation `k` is guaranteed to survive a power cut after `moment` operations.
    fn is_promised(&self, k: usize, moment: usize) -> bool {
        let synced = |inode: Inode| {
            self.ops[k..moment].iter().any(|op| matches!(op, Op::Sync(i) if *i == inode))
        };
        match &self.ops[k] {
            Op::Names(names) => names.iter().all(|(dir, ..)| synced(*dir)),
            Op::Write(file, ..) | Op::Resize(file, _) => synced(*file),
            Op::Sync(_) => true,
        }
    }

    /// Whether some name that begins with `prefix` is guaranteed to exist after a power cut after `moment` operations.
    pub fn promises(&self, prefix: &str, moment: usize) -> bool {
        let is_given = |k: usize| match &self.ops[k] {
            Op::Names(names) => names.iter().any(|(_, n, i)| i.is_some() && n.starts_with(prefix)),
            _ => false,
        };
        (0..moment).any(|k| is_given(k) && self.is_promised(k, moment))
    }

    /// A state that a power cut after `moment` operations may leave. The same seed gives the same state.
    pub fn after_power_cut(&self, moment: usize, rest: Rest, seed: u64) -> Tree {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut state = self.start.clone();
        let journal = rng.random_range(0..=moment);
        for k in 0..moment {
            let (op, promised) = (&self.ops[k], self.is_promised(k, moment));
            let is_name = matches!(op, Op::Names(_));
            let kept = promised
                || match rest {
                    Rest::Nothing => false,
                    Rest::Everything => true,
                    Rest::InOrder if is_name => k < journal,
                    Rest::InOrder | Rest::Any => rng.random_bool(0.5),
                };
            match (op, rest) {
                _ if !kept => {}
                (Op::Write(file, at, bytes), Rest::InOrder | Rest::Any) if !promised => {
                    let part = rng.random_range(0..=bytes.len());
                    let bytes = match rng.random_range(0..3) {
                        0 => bytes.clone(),
                        1 => bytes[..part].to_vec(),
                        _ => vec![0; bytes.len()],
                    };
                    state.apply(&Op::Write(*file, *at, bytes));
                }
                _ => state.apply(op),
            }
        }
        let mut tree = Tree::new();
        let mut open = vec![(ROOT, PathBuf::new())];
        while let Some((dir, path)) = open.pop() {
            let names = state.names.range((dir, String::new())..(dir + 1, String::new()));
            for ((_, name), inode) in names {
                let path = path.join(name);
                if self.is_dir[*inode] {
                    tree.insert(path.clone(), None);
                    open.push((*inode, path));
                } else {
                    let content = state.contents.get(inode).cloned().unwrap_or_default();
                    tree.insert(path, Some(content));
                }
            }
        }
        tree
    }
}
