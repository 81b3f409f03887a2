//! Named arrays of a saved state, and the sources from which a state is restored.
use super::CheckpointError;
use crate::schema::{DType, Element};
use std::borrow::Cow;
use std::path::Path;

/// One array to be saved, row-major, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArray<'a> {
    /// Name, unique among the arrays.
    pub name: String,
    /// Shape, leading dimensions included.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// The elements.
    pub bytes: Cow<'a, [u8]>,
}

/// Type and shape of a saved array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayInfo {
    /// Element type.
    pub dtype: DType,
    /// Row-major shape.
    pub shape: Vec<usize>,
}

impl ArrayInfo {
    /// Size of all elements in bytes, saturating.
    pub fn bytes(&self) -> usize {
        self.shape.iter().fold(self.dtype.size(), |bytes, n| bytes.saturating_mul(*n))
    }
}

impl std::fmt::Display for ArrayInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

/// Saved arrays by name. They are read one at a time into memory of the caller, so that no array is held twice.
///
/// Implemented by [`super::CheckpointReader`], which reads from the file, by slices of [`NamedArray`], and by [`Prefixed`].
pub trait ArraySource {
    /// Path of the arrays, for error messages.
    fn place(&self) -> &Path;

    /// All names, sorted.
    fn names(&self) -> Vec<String>;

    /// Type and shape of an array; `None` if no array has that name.
    fn find(&self, name: &str) -> Option<ArrayInfo>;

    /// Reads a whole array into `out`, which must have the array's size, and verifies its checksum.
    ///
    /// # Errors
    /// No such array, another size, or a file that cannot be read or is damaged; `out` is then unspecified.
    fn read(&self, name: &str, out: &mut [u8]) -> Result<(), CheckpointError>;
}

impl dyn ArraySource + '_ {
    /// Returns an error that names both shapes unless the array `name` exists with this type and shape. Reads no elements, so that a
    /// state of several arrays can be checked as a whole before any of it is replaced.
    pub fn expect(&self, name: &str, dtype: DType, shape: &[usize]) -> Result<(), CheckpointError> {
        let found = self.find(name).ok_or_else(|| missing(self, name))?;
        let wanted = ArrayInfo { dtype, shape: shape.to_owned() };
        if found == wanted { Ok(()) } else { Err(mismatch(self, name, &found, &wanted)) }
    }

    /// Reads an array of this element type and shape into a new vector.
    pub fn vec<T: Element>(&self, name: &str, shape: &[usize]) -> Result<Vec<T>, CheckpointError> {
        let found = self.find(name).ok_or_else(|| missing(self, name))?;
        if !T::matches(found.dtype) || found.shape != shape {
            let wanted = format!("{} {shape:?}", std::any::type_name::<T>());
            return Err(mismatch(self, name, &found, &wanted));
        }
        let mut out = vec![T::zeroed(); found.bytes() / size_of::<T>()];
        self.read(name, bytemuck::cast_slice_mut(&mut out))?;
        Ok(out)
    }
}

pub(super) fn missing(source: &(impl ArraySource + ?Sized), name: &str) -> CheckpointError {
    let names = source.names();
    let have = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let (dir, name) = (source.place().to_owned(), name.to_owned());
    CheckpointError::MissingEntry { dir, kind: "array", name, have }
}

pub(super) fn mismatch(
    source: &(impl ArraySource + ?Sized),
    name: &str,
    found: &ArrayInfo,
    wanted: &impl ToString,
) -> CheckpointError {
    CheckpointError::Mismatch {
        dir: source.place().to_owned(),
        name: name.to_owned(),
        found: found.to_string(),
        wanted: wanted.to_string(),
    }
}

/// Arrays in memory, for tests.
impl ArraySource for [NamedArray<'_>] {
    fn place(&self) -> &Path {
        Path::new("(in memory)")
    }
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.iter().map(|a| a.name.clone()).collect();
        names.sort();
        names
    }
    fn find(&self, name: &str) -> Option<ArrayInfo> {
        let array = self.iter().find(|a| a.name == name)?;
        Some(ArrayInfo { dtype: array.dtype, shape: array.shape.clone() })
    }
    fn read(&self, name: &str, out: &mut [u8]) -> Result<(), CheckpointError> {
        let array = self.iter().find(|a| a.name == name).ok_or_else(|| missing(self, name))?;
        if array.bytes.len() != out.len() {
            let found = ArrayInfo { dtype: array.dtype, shape: array.shape.clone() };
            return Err(mismatch(self, name, &found, &format!("{} bytes", out.len())));
        }
        out.copy_from_slice(&array.bytes);
        Ok(())
    }
}

impl ArraySource for Vec<NamedArray<'_>> {
    fn place(&self) -> &Path {
        self.as_slice().place()
    }
    fn names(&self) -> Vec<String> {
        self.as_slice().names()
    }
    fn find(&self, name: &str) -> Option<ArrayInfo> {
        self.as_slice().find(name)
    }
    fn read(&self, name: &str, out: &mut [u8]) -> Result<(), CheckpointError> {
        self.as_slice().read(name, out)
    }
}

/// The arrays whose names begin with a prefix, under their names without it.
pub struct Prefixed<'a> {
    source: &'a dyn ArraySource,
    prefix: String,
}

impl<'a> Prefixed<'a> {
    /// `prefix` with its separator, such as `algo/`.
    pub fn new(source: &'a dyn ArraySource, prefix: impl Into<String>) -> Self {
        Self { source, prefix: prefix.into() }
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl std::fmt::Debug for Prefixed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prefixed({}* of {})", self.prefix, self.source.place().display())
    }
}

impl ArraySource for Prefixed<'_> {
    fn place(&self) -> &Path {
        self.source.place()
    }
    fn names(&self) -> Vec<String> {
        let names = self.source.names().into_iter();
        names.filter_map(|n| n.strip_prefix(&self.prefix).map(str::to_owned)).collect()
    }
    fn find(&self, name: &str) -> Option<ArrayInfo> {
        self.source.find(&self.full(name))
    }
    fn read(&self, name: &str, out: &mut [u8]) -> Result<(), CheckpointError> {
        self.source.read(&self.full(name), out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(name: &str, values: &[f32]) -> NamedArray<'static> {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        NamedArray { name: name.into(), shape: vec![values.len()], dtype: DType::F32, bytes }
    }

    #[test]
    fn a_part_of_a_state_is_a_source_of_its_own() {
        let all = vec![array("b/x", &[1.0, 2.0]), array("a/x", &[3.0]), array("c", &[])];
        let part = Prefixed::new(&all, "b/");
        let part: &dyn ArraySource = &part;
        assert_eq!(part.names(), ["x"]);
        part.expect("x", DType::F32, &[2]).unwrap();
        assert_eq!(part.vec::<f32>("x", &[2]).unwrap(), [1.0, 2.0]);
        let all: &dyn ArraySource = &all;
        assert_eq!(all.names(), ["a/x", "b/x", "c"]);
        let text = all.expect("a/x", DType::F64, &[1]).unwrap_err().to_string();
        assert!(text.contains("`a/x`") && text.contains("is f32 [1], but f64 [1]"), "{text}");
        let text = all.vec::<f32>("d", &[1]).unwrap_err().to_string();
        assert!(text.contains("no array `d`; it has a/x, b/x, c"), "{text}");
        assert!(all.read("a/x", &mut [0; 3]).unwrap_err().to_string().contains("3 bytes"));
    }
}
