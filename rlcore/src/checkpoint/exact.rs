//! JSON that keeps every f64: NaN and the infinities, which JSON lacks, become `{"$f64": "7ff8000000000000"}` (the bits).
//!
//! `serde_json` writes them as `null`, silently, so that a running mean that is still NaN could not be loaded again. Values go through
//! two adapters: one wraps a serialiser (every nested value again), the other a deserialiser of `serde_json::Value`. Both work below
//! tagged enums and `flatten` too, where serde buffers. 128-bit integers are refused when saving: JSON numbers would round them.
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::ser::{self, Serialize, SerializeMap, Serializer};
use serde_json::{Error, Value};

const MARK: &str = "$f64";

pub(super) fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    Exact(value).serialize(serde_json::value::Serializer)
}

pub(super) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Node(value))
}

/// A value to be serialised, or a serialiser or a part of one, that passes itself on to all below it.
struct Exact<T>(T);

impl<T: Serialize + ?Sized> Serialize for Exact<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Exact(serializer))
    }
}

macro_rules! forward {
    ($($name:ident: $t:ty),*) => {$(
        fn $name(self, v: $t) -> Result<S::Ok, S::Error> { self.0.$name(v) }
    )*};
}

impl<S: Serializer> Serializer for Exact<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Exact<S::SerializeSeq>;
    type SerializeTuple = Exact<S::SerializeTuple>;
    type SerializeTupleStruct = Exact<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Exact<S::SerializeTupleVariant>;
    type SerializeMap = Exact<S::SerializeMap>;
    type SerializeStruct = Exact<S::SerializeStruct>;
    type SerializeStructVariant = Exact<S::SerializeStructVariant>;

    forward!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str);

    fn serialize_f64(self, v: f64) -> Result<S::Ok, S::Error> {
        if v.is_finite() {
            return self.0.serialize_f64(v);
        }
        let mut map = self.0.serialize_map(Some(1))?;
        map.serialize_entry(MARK, &format!("{:016x}", v.to_bits()))?;
        map.end()
    }
    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        self.serialize_f64(v.into()) // exact, and reading rounds back to it
    }
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Exact(v))
    }
    fn serialize_unit_variant(
        self,
        n: &'static str,
        i: u32,
        v: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(n, i, v)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        n: &'static str,
        v: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(n, &Exact(v))
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        n: &'static str,
        i: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_variant(n, i, variant, &Exact(v))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(len).map(Exact)
    }
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(len).map(Exact)
    }
    fn serialize_tuple_struct(
        self,
        n: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(n, len).map(Exact)
    }
    fn serialize_tuple_variant(
        self,
        n: &'static str,
        i: u32,
        v: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.0.serialize_tuple_variant(n, i, v, len).map(Exact)
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(len).map(Exact)
    }
    fn serialize_struct(
        self,
        n: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_struct(n, len).map(Exact)
    }
    fn serialize_struct_variant(
        self,
        n: &'static str,
        i: u32,
        v: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.0.serialize_struct_variant(n, i, v, len).map(Exact)
    }
}

macro_rules! compound {
    ($($name:ident, $method:ident $(, $key:ident)?;)*) => {$(
        impl<C: ser::$name> ser::$name for Exact<C> {
            type Ok = C::Ok;
            type Error = C::Error;
            fn $method<T: Serialize + ?Sized>(&mut self, $($key: &'static str,)? v: &T) -> Result<(), C::Error> {
                self.0.$method($($key,)? &Exact(v))
            }
            fn end(self) -> Result<C::Ok, C::Error> {
                self.0.end()
            }
        }
    )*};
}
compound! {
    SerializeSeq, serialize_element;
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
    SerializeStruct, serialize_field, key;
    SerializeStructVariant, serialize_field, key;
}

impl<C: SerializeMap> SerializeMap for Exact<C> {
    type Ok = C::Ok;
    type Error = C::Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.0.serialize_key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), C::Error> {
        self.0.serialize_value(&Exact(v))
    }
    fn end(self) -> Result<C::Ok, C::Error> {
        self.0.end()
    }
}

/// A JSON value as a deserialiser that understands the mark.
struct Node(Value);

impl IntoDeserializer<'_, Error> for Node {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

fn marked(value: &Value) -> Option<f64> {
    let map = value.as_object().filter(|m| m.len() == 1)?;
    u64::from_str_radix(map.get(MARK)?.as_str()?, 16).ok().map(f64::from_bits)
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(x) = marked(&self.0) {
            return visitor.visit_f64(x);
        }
        match self.0 {
            Value::Array(items) => {
                let mut seq = SeqDeserializer::new(items.into_iter().map(Node));
                let value = visitor.visit_seq(&mut seq)?;
                seq.end().map(|()| value)
            }
            Value::Object(map) => {
                let mut map = MapDeserializer::new(map.into_iter().map(|(k, v)| (Key(k), Node(v))));
                let value = visitor.visit_map(&mut map)?;
                map.end().map(|()| value)
            }
            plain => plain.deserialize_any(visitor),
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(map) => {
                let map = MapDeserializer::new(map.into_iter().map(|(k, v)| (Key(k), Node(v))));
                MapAccessDeserializer::new(map).deserialize_enum(name, variants, visitor)
            }
            plain => plain.deserialize_enum(name, variants, visitor),
        }
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A key of a JSON object; maps with integer or bool keys have theirs as text.
struct Key(String);

impl IntoDeserializer<'_, Error> for Key {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($name:ident $visit:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => visitor.visit_string(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key {
    type Error = Error;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Value::String(self.0).deserialize_enum(name, variants, visitor)
    }
    parsed! {
        deserialize_bool visit_bool deserialize_i8 visit_i64 deserialize_i16 visit_i64 deserialize_i32 visit_i64
        deserialize_i64 visit_i64 deserialize_u8 visit_u64 deserialize_u16 visit_u64 deserialize_u32 visit_u64
        deserialize_u64 visit_u64
    }
    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
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
