//! TFRecord framing: how an event file is cut into records.
//!
//! A record is its length (u64), a checksum of the length (u32), the bytes, a checksum of the bytes (u32), all little-endian. The
//! checksum is CRC-32C, rotated and offset so that a file of records may itself be a record's content
//! (`tensorflow/core/lib/io/record_writer.h`, `tensorflow/core/lib/hash/crc32c.h`).
use crc::{CRC_32_ISCSI, Crc, Table};

const CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

fn masked(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// One record around `data`.
pub(crate) fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let (head, tail) = (masked(&length).to_le_bytes(), masked(data).to_le_bytes());
    [&length, &head[..], data, &tail[..]].concat()
}

/// Iterates over the complete, undamaged records of `file`: each with its frame, and its content. Ends before the first damaged record.
pub(crate) fn records(mut file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (length, rest) = file.split_first_chunk::<8>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*crc) != masked(length) {
            return None;
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (data, rest) = rest.split_at_checked(length)?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*crc) != masked(data) {
            return None;
        }
        let whole = &file[..file.len() - rest.len()];
        file = rest;
        Some((whole, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of RFC 3720, B.4, masked as TensorFlow does.
    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(CRC32C.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC32C.checksum(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(masked(&[0; 32]), 0x6d55_1522_u32.wrapping_add(0xa282_ead8));
    }

    #[test]
    fn a_torn_or_damaged_record_ends_the_file() {
        let file = [framed(b"one"), framed(b""), framed(b"three")].concat();
        let read = |file: &[u8]| records(file).map(|(_, d)| d.to_owned()).collect::<Vec<_>>();
        assert_eq!(read(&file), [&b"one"[..], b"", b"three"]);
        let joined: Vec<u8> = records(&file).flat_map(|(whole, _)| whole).copied().collect();
        assert_eq!(joined, file);
        for cut in 0..file.len() {
            let whole = [19, 35, file.len()].iter().filter(|end| cut >= **end).count();
            assert_eq!(read(&file[..cut]).len(), whole, "{cut}");
        }
        for damaged in 0..file.len() {
            let mut file = file.clone();
            file[damaged] ^= 4;
            let before = [19, 35].iter().filter(|end| damaged >= **end).count();
            assert_eq!(read(&file).len(), before, "{damaged}");
        }
    }
}
