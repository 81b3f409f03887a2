//! Directory trees as values, to compare the state before and after a command and to restore a state.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// All paths below a root, relative to it, with the bytes of files and `None` for directories. Parents come first.
pub type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Reads the tree below `root`.
pub fn tree(root: &Path) -> Tree {
    let mut all = Tree::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for path in fs::read_dir(&dir).expect("a directory").flatten().map(|e| e.path()) {
            let name = path.strip_prefix(root).expect("below root").to_owned();
            if path.is_dir() {
                all.insert(name, None);
                open.push(path);
            } else {
                all.insert(name, Some(fs::read(&path).expect("a file")));
            }
        }
    }
    all
}

/// Panics with the paths that differ between `root` now and `before`.
pub fn unchanged(root: &Path, before: &Tree, case: &str) {
    let now = tree(root);
    let names = before.keys().chain(now.keys());
    let mut differ: Vec<_> = names.filter(|name| before.get(*name) != now.get(*name)).collect();
    differ.dedup();
    assert!(differ.is_empty(), "{case}: {differ:?} changed");
}

/// Writes `tree` into the directory `to`.
pub fn plant(to: &Path, tree: &Tree) {
    fs::create_dir_all(to).expect("a directory");
    for (name, bytes) in tree {
        let path = to.join(name);
        match bytes {
            None => fs::create_dir_all(&path).expect("a directory"),
            Some(bytes) => fs::write(&path, bytes).expect("a file"),
        }
    }
}
