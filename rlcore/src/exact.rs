//! JSON that keeps every f64: NaN and the infinities, which JSON lacks, become `{"$f64": "7ff8000000000000"}` (the bits).
//!
//! `serde_json` silently writes them as `null`, so that a running mean that is still NaN could not be restored. Values go through two
//! adapters: one wraps a serialiser (and that of every nested value), the other deserialises from `serde_json::Value`. Both also work
//! inside tagged enums and `flatten`, where serde buffers values. 128-bit integers are refused, because JSON numbers would round them.
mod de;
mod ser;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

const MARK: &str = "$f64";

/// Serialises `value` to JSON from which [`from_value`] restores it to the bit.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    ser::Exact(value).serialize(serde_json::value::Serializer)
}

/// Deserialises what [`to_value`] returned.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(de::Node(value))
}

/// [`to_value`] as bytes, for settings that are sent to a worker. The format is self-describing, so that every serde attribute works.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&to_value(value)?)
}

/// Deserialises what [`to_bytes`] returned.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    from_value(serde_json::from_slice(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct All {
        unit: (),
        none: Option<f64>,
        some: Option<f64>,
        pair: (f64, f32),
        list: Vec<f64>,
        by_number: BTreeMap<i64, Vec<f64>>,
        by_name: BTreeMap<String, f64>,
        wrapped: Newtype,
        large: (u64, i64),
        text: char,
        enums: Vec<External>,
        tagged: Tagged,
        #[serde(flatten)]
        flat: Flat,
    }
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Newtype(f64);
    #[derive(Debug, Clone, Serialize, Deserialize)]
    enum External {
        Unit,
        New(f64),
        Tuple(f64, u8),
        Struct { x: f64 },
    }
    #[derive(Debug, Clone, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { x: f64, y: Option<f32> },
    }
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Flat {
        deep: f64,
    }

    #[test]
    fn every_float_in_every_place_comes_back() {
        let odd = [
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            0.1 + 0.2,
            5e-324,
            f64::MAX,
        ];
        for x in odd {
            let all = All {
                unit: (),
                none: None,
                some: Some(x),
                pair: (x, x as f32),
                list: vec![x, 1.0],
                by_number: BTreeMap::from([(-3, vec![x])]),
                by_name: BTreeMap::from([("a".into(), x)]),
                wrapped: Newtype(x),
                large: (u64::MAX, i64::MIN),
                text: 'ä',
                enums: vec![
                    External::Unit,
                    External::New(x),
                    External::Tuple(x, 1),
                    External::Struct { x },
                ],
                tagged: Tagged::A { x, y: Some(0.1) },
                flat: Flat { deep: x },
            };
            let text = serde_json::to_string(&to_value(&all).unwrap()).unwrap();
            let back: All = from_value(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back.flat.deep.to_bits(), x.to_bits());
            assert_eq!(back.some.unwrap().to_bits(), x.to_bits());
            assert_eq!(back.pair.1.to_bits(), (x as f32).to_bits());
            // Debug shows the rest (but for the sign of NaN, seen above), and that `none` is not some NaN.
            assert_eq!(format!("{back:?}"), format!("{all:?}"));
        }
    }

    #[test]
    fn what_json_would_round_is_refused() {
        assert!(to_value(&1u128).is_err());
        assert!(from_value::<f64>(Value::Null).is_err());
        assert!(from_value::<(f64, f64)>(to_value(&[1.0, 2.0, 3.0]).unwrap()).is_err());
    }
}
