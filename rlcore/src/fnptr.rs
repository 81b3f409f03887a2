//! Function pointers that can be sent to worker processes.
//!
//! Workers are forks of the same image, so a function has the same address in all of them. A serialised pointer carries a seal: a
//! keyed hash (SipHash, 2 x 64 bits) of its type and address, whose keys are drawn before the first fork and never leave this
//! module. So a pointer is accepted only if this program image has serialised it with the same type: safe code can copy such
//! bytes but cannot forge them, and bytes from a file or from another program are refused.
//!
//! Unsafe here: conversion of an address to a function pointer.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::any::TypeId;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;

/// Keys of the seal: random, from the system.
static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();

fn keys() -> &'static [RandomState; 2] {
    KEYS.get_or_init(|| [RandomState::new(), RandomState::new()])
}

/// Draws the keys, the same for every process forked afterwards; [`crate::forkserver::init`] calls it.
pub(crate) fn draw_keys() {
    keys();
}

fn seal<F: FnPointer>(address: u64) -> [u64; 2] {
    // `TypeId` differs between any two types of a program; type names may be equal.
    [0, 1].map(|i: usize| keys()[i].hash_one((TypeId::of::<F>(), address)))
}

/// A function pointer type. Implemented for plain `fn` types.
///
/// # Safety
/// The type is a function pointer: a valid address of that type is a value.
pub unsafe trait FnPointer: Copy + 'static {
    /// The address of the function.
    fn address(self) -> usize;
}

macro_rules! fn_pointer {
    ($($a:ident),*) => {
        // SAFETY: plain function pointers.
        unsafe impl<R: 'static, $($a: 'static),*> FnPointer for fn($($a),*) -> R { fn address(self) -> usize { self as usize } }
    };
}
fn_pointer!();
fn_pointer!(A);
// SAFETY: a plain function pointer; the higher-ranked form that factories use.
unsafe impl<A: ?Sized + 'static, B: ?Sized + 'static, R: 'static> FnPointer for fn(&A, &B) -> R {
    fn address(self) -> usize {
        self as usize
    }
}
// SAFETY: as above.
unsafe impl<A: ?Sized + 'static, B: ?Sized + 'static, C: ?Sized + 'static, R: 'static> FnPointer
    for fn(&A, &B, &C) -> R
{
    fn address(self) -> usize {
        self as usize
    }
}

/// A function pointer that serialises.
#[derive(Clone, Copy, Debug)]
pub struct Portable<F>(F);

impl<F: FnPointer> Portable<F> {
    /// Wraps `f`.
    pub fn new(f: F) -> Self {
        Self(f)
    }

    /// The function.
    pub fn get(&self) -> F {
        self.0
    }
}

/// Compares addresses.
impl<F: FnPointer> PartialEq for Portable<F> {
    fn eq(&self, other: &Self) -> bool {
        self.0.address() == other.0.address()
    }
}

impl<F: FnPointer> Eq for Portable<F> {}

impl<F: FnPointer> Serialize for Portable<F> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let address = self.0.address() as u64;
        (seal::<F>(address), address).serialize(s)
    }
}

impl<'de, F: FnPointer> Deserialize<'de> for Portable<F> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (sealed, address) = <([u64; 2], u64)>::deserialize(d)?;
        if sealed != seal::<F>(address) {
            return Err(D::Error::custom("a function of another program or type"));
        }
        let address = address as usize;
        // SAFETY: the seal shows that the address was taken from a value of this very type in this program image.
        Ok(Self(unsafe { std::mem::transmute_copy::<usize, F>(&address) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Function = fn(u32) -> u32;

    fn double(x: u32) -> u32 {
        2 * x
    }

    fn is_refused<F: FnPointer>(bytes: &[u8]) -> bool {
        postcard::from_bytes::<Portable<F>>(bytes).is_err()
    }

    #[test]
    fn a_pointer_comes_back_as_the_type_that_it_was() {
        let bytes = postcard::to_stdvec(&Portable::new(double as Function)).unwrap();
        let back: Portable<Function> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((back.get())(4), 8);
        assert!(is_refused::<fn(u64) -> u32>(&bytes), "another type");
    }

    /// Everything that safe code can learn from a serialised pointer does not let it name another address.
    #[test]
    fn safe_code_cannot_forge_an_address() {
        let honest = Portable::new(double as Function);
        let bytes = postcard::to_stdvec(&honest).unwrap();
        let (seal, address): ([u64; 2], u64) = postcard::from_bytes(&bytes).unwrap();
        let forged = |seal: [u64; 2], address: u64| postcard::to_stdvec(&(seal, address)).unwrap();
        assert!(!is_refused::<Function>(&forged(seal, address)), "the test builds what it means");
        for other in [0, 16, address + 1, address ^ (1 << 40)] {
            assert!(is_refused::<Function>(&forged(seal, other)), "address {other}");
        }
        assert!(is_refused::<Function>(&forged([seal[0], 0], address)), "half a seal");
        // What the type once carried: a token that any serialised pointer shows, the type's name, any address.
        let name = std::any::type_name::<Function>();
        let token = postcard::to_stdvec(&(seal[0], name, 16u64)).unwrap();
        assert!(is_refused::<Function>(&token));
    }
}
