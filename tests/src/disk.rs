//! A model of a file system, and of what a power cut may leave of it.
//!
//! Promised is what POSIX promises: what was done to a file's contents before an `fsync` of the file, and to the names in a directory
//! before an `fsync` of the directory, is there afterwards; a rename is there as a whole or not at all. Everything else may be there
//! or not, in any order; of what was written, a part, or zeros in its place.
use crate::tree::Tree;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A file or directory, whatever its name.
pub type Inode = usize;

/// Where everything lies.
pub const ROOT: Inode = 0;

/// A name in a directory, and what it stands for afterwards.
type Name = (Inode, String, Option<Inode>);

/// What a program did.
#[derive(Clone, Debug)]
pub enum Op {
    /// Names that changed in one step.
    Names(Vec<Name>),
    /// Bytes of a file from an offset on.
    Write(Inode, u64, Vec<u8>),
    /// A file's new size.
    Resize(Inode, u64),
    /// What was done before to this file or directory is on the disk.
    Sync(Inode),
}

/// Files, directories, and how they came about.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What was done, in order.
    pub ops: Vec<Op>,
    /// By inode.
    is_dir: Vec<bool>,
    /// What was on the disk at the beginning.
    start: State,
    live: State,
}

/// Names and contents at some time.
#[derive(Clone, Debug, Default)]
struct State {
    names: BTreeMap<(Inode, String), Inode>,
    contents: BTreeMap<Inode, Vec<u8>>,
}

/// What remains of what was not promised.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// All of it: the program was killed and the system went on.
    Everything,
    /// Names up to some moment, as with a journal; of what was written, anything.
    InOrder,
    /// Anything.
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

    /// What `path` stands for now, from a directory on.
    pub fn find(&self, from: Inode, path: &Path) -> Option<Inode> {
        path.components().try_fold(from, |dir, part| match part {
            Component::Normal(name) => {
                self.live.names.get(&(dir, name.to_string_lossy().into_owned())).copied()
            }
            Component::CurDir => Some(dir),
            other => panic!("{other:?} in {}", path.display()),
        })
    }

    /// The directory and the name of `path`.
    fn place(&self, from: Inode, path: &Path) -> (Inode, String) {
        let dir = path.parent().map_or(Some(from), |p| self.find(from, p));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (dir.unwrap_or_else(|| panic!("no directory for {}", path.display())), name)
    }

    /// Does something.
    pub fn done(&mut self, op: Op) {
        self.live.apply(&op);
        self.ops.push(op);
    }

    /// A new file or directory.
    pub fn create(&mut self, from: Inode, path: &Path, is_dir: bool) -> Inode {
        let (dir, name) = self.place(from, path);
        let inode = self.add(is_dir);
        self.done(Op::Names(vec![(dir, name, Some(inode))]));
        inode
    }

    /// A name that goes.
    pub fn remove(&mut self, from: Inode, path: &Path) {
        let (dir, name) = self.place(from, path);
        self.done(Op::Names(vec![(dir, name, None)]));
    }

    /// A rename, or an exchange of two names.
    pub fn rename(&mut self, from: (Inode, &Path), to: (Inode, &Path), exchange: bool) {
        let moved = self.find(from.0, from.1).expect("what is renamed");
        let other = self.find(to.0, to.1).filter(|_| exchange);
        let ((dir, name), (new_dir, new)) = (self.place(from.0, from.1), self.place(to.0, to.1));
        self.done(Op::Names(vec![(dir, name, other), (new_dir, new, Some(moved))]));
    }

    /// Size of a file now.
    pub fn size(&self, file: Inode) -> u64 {
        self.live.contents.get(&file).map_or(0, |c| c.len() as u64)
    }

    /// Whether op number `k` is promised to be there after `moment` ops.
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

    /// Whether a name that begins with `prefix` was given for good within `moment` ops, and not taken away again.
    pub fn promises(&self, prefix: &str, moment: usize) -> bool {
        let is_given = |k: usize| match &self.ops[k] {
            Op::Names(names) => names.iter().any(|(_, n, i)| i.is_some() && n.starts_with(prefix)),
            _ => false,
        };
        (0..moment).any(|k| is_given(k) && self.is_promised(k, moment))
    }

    /// What may be there when the power fails after `moment` ops. The same seed gives the same.
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
