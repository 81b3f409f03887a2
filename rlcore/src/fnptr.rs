//! Function pointers that travel to worker processes.
//!
//! Workers are forks of the same image, so a function has the same address in all of them. A pointer is accepted back only
//! where the token, drawn before the first fork, and the pointer's type agree; so bytes from a file or from another program
//! are refused.
//!
//! Unsafe here: an address becomes a function pointer again.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::sync::OnceLock;

static TOKEN: OnceLock<u64> = OnceLock::new();

/// The same number in every process forked after the first call; [`crate::forkserver::init`] makes that call.
pub(crate) fn image_token() -> u64 {
    *TOKEN.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        crate::seed::seed_of(now.as_nanos() as u64, crate::seed::Role::Init, u64::from(std::process::id()))
    })
}

/// A function pointer type. Implemented for plain `fn` types of up to three arguments.
///
/// # Safety
/// The type is a function pointer: a valid address of that type is a value.
pub unsafe trait FnPointer: Copy + 'static {
    /// The address.
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

/// The same address.
impl<F: FnPointer> PartialEq for Portable<F> {
    fn eq(&self, other: &Self) -> bool {
        self.0.address() == other.0.address()
    }
}

impl<F: FnPointer> Eq for Portable<F> {}

impl<F: FnPointer> Serialize for Portable<F> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (image_token(), std::any::type_name::<F>(), self.0.address() as u64).serialize(s)
    }
}

impl<'de, F: FnPointer> Deserialize<'de> for Portable<F> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (token, name, address) = <(u64, String, u64)>::deserialize(d)?;
        if token != image_token() || name != std::any::type_name::<F>() {
            return Err(D::Error::custom("a function of another program or type"));
        }
        let address = address as usize;
        // SAFETY: the token shows that the address was taken from a value of this very type in this program image.
        Ok(Self(unsafe { std::mem::transmute_copy::<usize, F>(&address) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(x: u32) -> u32 {
        2 * x
    }

    #[test]
    fn round_trip_and_refusal() {
        let bytes = postcard::to_stdvec(&Portable::new(double as fn(u32) -> u32)).unwrap();
        let back: Portable<fn(u32) -> u32> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((back.get())(4), 8);
        assert!(postcard::from_bytes::<Portable<fn(u64) -> u32>>(&bytes).is_err(), "another type");
        let foreign = postcard::to_stdvec(&(1u64, std::any::type_name::<fn(u32) -> u32>(), 16u64)).unwrap();
        assert!(postcard::from_bytes::<Portable<fn(u32) -> u32>>(&foreign).is_err(), "another image");
    }
}
