//! A segment of shared memory, which is fully reserved when it is created and never unmapped while the process lives.
//!
//! A memfd has no name that could leak and is not subject to the size of a container's `/dev/shm`; it is sent to workers over their
//! socket. A named POSIX segment (through the `shared_memory` crate) serves programs that must attach by name. Pages are reserved at
//! creation, so that too little memory is an error and not a SIGBUS at the first write.
//!
//! Unsafe here: typed references into the mapping, checked for bounds and alignment; naming POSIX segments `Sync`.
use crate::memory;
use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// Reasons for which a segment could not be created.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// More memory than is available; checked before anything is allocated.
    #[error(
        "{what} needs {needed} of shared memory, but only {available} are free; lower the batch (sampler.t, sampler.b) or replay size"
    )]
    TooLarge {
        /// What the memory is for.
        what: String,
        /// Bytes asked for, readable.
        needed: String,
        /// Bytes available, readable.
        available: String,
    },
    /// The system refused.
    #[error("shared memory of {bytes} bytes for {what}: {cause}")]
    System {
        /// What the memory is for.
        what: String,
        /// Bytes asked for.
        bytes: usize,
        /// Error of the system.
        cause: std::io::Error,
    },
    /// The `shared_memory` crate refused.
    #[error("shared memory named {name}: {cause}")]
    Named {
        /// The POSIX name.
        name: String,
        /// Error message of the crate.
        cause: shared_memory::ShmemError,
    },
}

enum Backing {
    /// The descriptor is closed when the pages are released; the mapping stays.
    Memfd {
        map: MmapRaw,
        file: Mutex<Option<std::fs::File>>,
    },
    Named(shared_memory::Shmem),
}

/// A mapped segment. Lives as long as the process: see [`Segment::release_pages`].
pub struct Segment {
    backing: Backing,
    len: usize,
    /// Byte ranges in use, see [`Segment::claim`].
    claims: Mutex<Vec<Claim>>,
}

struct Claim {
    bytes: Range<usize>,
    atomic: bool,
}

/// Releases a segment's memory when its last clone is dropped; see [`Segment::release_pages`].
#[derive(Debug)]
pub struct Pages(&'static Segment);

impl Drop for Pages {
    fn drop(&mut self) {
        self.0.release_pages();
    }
}

// SAFETY: the mapping's address never changes; who writes which byte is the business of the types above.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment({} bytes)", self.len)
    }
}

/// Types whose all-zero bytes are a value and whose every field is atomic, so that references may be shared.
///
/// # Safety
/// The type has this property.
pub unsafe trait SharedAtomics: Sync {}

impl Segment {
    /// Reserves and maps `len` zeroed bytes; `what` names them in errors.
    pub fn create(what: &str, len: usize) -> Result<&'static Self, SegmentError> {
        let available = memory::available();
        if len as u64 > available || len > isize::MAX as usize {
            return Err(SegmentError::TooLarge {
                what: what.to_owned(),
                needed: memory::readable(len as u64),
                available: memory::readable(available),
            });
        }
        let failed = |cause: std::io::Error| SegmentError::System {
            what: what.to_owned(),
            bytes: len,
            cause,
        };
        let fd = memfd_create(what.replace(' ', "-").as_str(), MFdFlags::MFD_CLOEXEC)
            .map_err(|e| failed(e.into()))?;
        fallocate(&fd, FallocateFlags::empty(), 0, len.max(1) as i64)
            .map_err(|e| failed(e.into()))?;
        Self::map(fd, len).map_err(failed)
    }

    /// Maps a segment that another process created.
    pub fn attach(fd: OwnedFd, len: usize) -> Result<&'static Self, SegmentError> {
        Self::map(fd, len).map_err(|cause| SegmentError::System {
            what: "attached segment".into(),
            bytes: len,
            cause,
        })
    }

    fn map(fd: OwnedFd, len: usize) -> std::io::Result<&'static Self> {
        let file = std::fs::File::from(fd);
        let size = file.metadata()?.len();
        if size < len as u64 {
            return Err(std::io::Error::other(format!(
                "segment holds {size} bytes, the layout needs {len}"
            )));
        }
        let map = MmapOptions::new().len(len.max(1)).populate().map_raw(&file)?;
        Ok(Box::leak(Box::new(Self {
            backing: Backing::Memfd { map, file: Mutex::new(Some(file)) },
            len,
            claims: Mutex::default(),
        })))
    }

    /// As [`Segment::create`], under a POSIX name that a debugger or viewer can attach to. The name is removed when the process
    /// exits; a killed process leaves it behind.
    pub fn create_named(name: &str, len: usize) -> Result<&'static Self, SegmentError> {
        let failed = |cause| SegmentError::Named { name: name.to_owned(), cause };
        let shm = shared_memory::ShmemConf::new().os_id(name).size(len).create().map_err(failed)?;
        Ok(Box::leak(Box::new(Self {
            backing: Backing::Named(shm),
            len,
            claims: Mutex::default(),
        })))
    }

    /// Attaches to a segment of [`Segment::create_named`].
    pub fn open_named(name: &str) -> Result<&'static Self, SegmentError> {
        let failed = |cause| SegmentError::Named { name: name.to_owned(), cause };
        let shm = shared_memory::ShmemConf::new().os_id(name).open().map_err(failed)?;
        let len = shm.len();
        Ok(Box::leak(Box::new(Self {
            backing: Backing::Named(shm),
            len,
            claims: Mutex::default(),
        })))
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the length is 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A descriptor to send to another process; `None` for a named segment or a released one.
    pub fn fd(&self) -> Option<OwnedFd> {
        match &self.backing {
            Backing::Memfd { file, .. } => {
                let file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.as_ref().and_then(|f| f.as_fd().try_clone_to_owned().ok())
            }
            Backing::Named(_) => None,
        }
    }

    /// Returns the memory to the system. The address range stays mapped: views that still exist read zeros.
    pub fn release_pages(&self) {
        if let Backing::Memfd { file, .. } = &self.backing
            && let Some(file) = file.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Whole pages only: a part of a page would be zeroed, not released. 64 KiB is the largest page size of Linux on our targets.
            let len = self.len.max(1).next_multiple_of(1 << 16) as i64;
            // Best effort: after a failure the pages stay until the process ends.
            let _ = fallocate(file, flags, 0, len);
        }
    }

    /// A guard that releases the memory when its last clone is dropped.
    pub fn pages(&'static self) -> Arc<Pages> {
        Arc::new(Pages(self))
    }

    /// Marks `bytes` as used for the life of the mapping. Panics if a part of them is already used, unless both uses are as atomics, so
    /// that no two views of one mapping overlap. Mappings of the same memory in other processes (workers) are not known here: control
    /// words and gates define which process may write when.
    fn claim_as(&self, bytes: Range<usize>, atomic: bool) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let other = claims.iter().find(|c| {
            let apart = c.bytes.end <= bytes.start || bytes.end <= c.bytes.start;
            !(apart || (atomic && c.atomic))
        });
        assert!(other.is_none(), "bytes {bytes:?} of a segment are in use already");
        claims.push(Claim { bytes, atomic });
    }

    /// Marks `len` bytes from `offset` on as used for samples or weights, once for the life of this mapping.
    pub(crate) fn claim(&self, offset: usize, len: usize) {
        self.claim_as(offset..offset + len, false);
    }

    fn base(&self) -> NonNull<u8> {
        let ptr = match &self.backing {
            Backing::Memfd { map, .. } => map.as_mut_ptr(),
            Backing::Named(shm) => shm.as_ptr(),
        };
        NonNull::new(ptr).expect("a mapping never starts at address zero")
    }

    /// The address of `offset`; panics unless `len` bytes follow it.
    pub(crate) fn at(&self, offset: usize, len: usize) -> NonNull<u8> {
        assert!(offset + len <= self.len, "{offset}+{len} of {} bytes", self.len);
        // SAFETY: just checked to lie inside the mapping.
        unsafe { self.base().add(offset) }
    }

    /// References to `n` structures of atomics at `offset`; may be called repeatedly. Panics if the bytes are used otherwise.
    pub fn atomics<T: SharedAtomics>(&'static self, offset: usize, n: usize) -> &'static [T] {
        let ptr = self.at(offset, n * size_of::<T>()).cast::<T>();
        self.claim_as(offset..offset + n * size_of::<T>(), true);
        assert!(
            ptr.is_aligned(),
            "offset {offset} is not aligned for {}",
            std::any::type_name::<T>()
        );
        // SAFETY: in bounds, aligned, never unmapped, zero-initialised at first, and atomic throughout.
        unsafe { NonNull::slice_from_raw_parts(ptr, n).as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Words([AtomicU64; 2]);
    // SAFETY: atomics only.
    unsafe impl SharedAtomics for Words {}

    #[test]
    fn two_mappings_share_bytes_and_survive_release() {
        let a = Segment::create("test", 4096).unwrap();
        let fd = a.fd().unwrap();
        let b = Segment::attach(fd, 4096).unwrap();
        a.atomics::<Words>(64, 1)[0].0[1].store(7, Ordering::Release);
        assert_eq!(b.atomics::<Words>(64, 1)[0].0[1].load(Ordering::Acquire), 7);
        a.release_pages();
        assert_eq!(b.atomics::<Words>(64, 1)[0].0[1].load(Ordering::Acquire), 0);
    }

    #[test]
    fn bytes_are_in_use_once() {
        let segment = Segment::create("test", 4096).unwrap();
        segment.atomics::<Words>(0, 2);
        segment.atomics::<Words>(16, 2);
        segment.claim(128, 64);
        segment.claim(192, 64);
        segment.claim(256, 0);
        let twice = |offset| std::panic::catch_unwind(|| segment.claim(offset, 64)).is_err();
        assert!(twice(0) && twice(120) && twice(191) && !twice(256));
        assert!(std::panic::catch_unwind(|| segment.atomics::<Words>(128, 1)).is_err());
    }

    #[test]
    fn memory_goes_with_the_last_who_needs_it() {
        let segment = Segment::create("test", 4096).unwrap();
        let word = &segment.atomics::<Words>(0, 1)[0].0[0];
        let (one, two) = {
            let pages = segment.pages();
            (Arc::clone(&pages), pages)
        };
        word.store(3, Ordering::Release);
        drop(one);
        assert_eq!(word.load(Ordering::Acquire), 3);
        drop(two);
        assert_eq!(word.load(Ordering::Acquire), 0);
    }

    #[test]
    fn too_much_is_refused_before_anything_is_allocated() {
        let text = Segment::create("block", 1 << 60).unwrap_err().to_string();
        assert!(text.contains("block needs") && text.contains("lower the batch"), "{text}");
    }

    #[test]
    fn named_segments_can_be_opened_by_name() {
        let name = format!("/colony-test-{}", std::process::id());
        let a = Segment::create_named(&name, 128).unwrap();
        let b = Segment::open_named(&name).unwrap();
        a.atomics::<Words>(0, 1)[0].0[0].store(9, Ordering::Release);
        assert_eq!(b.atomics::<Words>(0, 1)[0].0[0].load(Ordering::Acquire), 9);
        nix::sys::mman::shm_unlink(name.as_str()).unwrap();
    }
}
