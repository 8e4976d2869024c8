//! Bytes of a sealed file, held against checksums of its sections: whatever is read of a file was written so. Parquet's
//! own pages carry none that its writer fills in.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes of a section: what is read and checked at least.
pub(crate) const SECTION_BYTES: usize = 1 << 16;

/// Writes on to `out` and sums up each section.
#[derive(Debug)]
pub(crate) struct Summing<W> {
    out: W,
    open: crc32fast::Hasher,
    /// Bytes in the open section.
    filled: usize,
    sums: Vec<u8>,
    bytes: u64,
}

impl<W: Write> Summing<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, open: crc32fast::Hasher::new(), filled: 0, sums: Vec::new(), bytes: 0 }
    }

    /// What was written to, how many bytes, and four bytes of checksum for each section.
    pub(crate) fn finish(mut self) -> (W, u64, Vec<u8>) {
        if self.filled > 0 {
            self.close();
        }
        (self.out, self.bytes, self.sums)
    }

    fn close(&mut self) {
        let sum = std::mem::take(&mut self.open).finalize();
        self.sums.extend_from_slice(&sum.to_le_bytes());
        self.filled = 0;
    }

    fn sum(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while let Some((part, rest)) = bytes.split_at_checked(bytes.len().min(SECTION_BYTES - self.filled))
            && !part.is_empty()
        {
            self.open.update(part);
            self.filled += part.len();
            if self.filled == SECTION_BYTES {
                self.close();
            }
            bytes = rest;
        }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// A file that is read by checked sections.
#[derive(Debug)]
pub(crate) struct Checked {
    file: Mutex<File>,
    bytes: u64,
    sums: Vec<u8>,
}

impl Checked {
    /// `Err` when the file is not as long as it was written.
    pub(crate) fn new(file: File, bytes: u64, sums: Vec<u8>) -> std::result::Result<Self, &'static str> {
        match file.metadata().map(|found| found.len()) {
            Ok(found) if found == bytes => Ok(Self { file: Mutex::new(file), bytes, sums }),
            Ok(found) if found < bytes => Err("cut short"),
            Ok(_) => Err("longer than it was written"),
            Err(_) => Err("unreadable"),
        }
    }

    /// Reads sections `first` and on until `end` is in one, each checked.
    fn sections(&self, first: u64, end: u64) -> Result<Vec<u8>> {
        let size = SECTION_BYTES as u64;
        let (start, stop) = (first * size, end.div_ceil(size).saturating_mul(size).min(self.bytes));
        let mut data = vec![0; usize::try_from(stop.saturating_sub(start)).unwrap_or(0)];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut data)?;
        }
        let sums = self.sums.chunks_exact(4).skip(usize::try_from(first).unwrap_or(usize::MAX));
        let mut checked = 0;
        for (section, sum) in data.chunks(SECTION_BYTES).zip(sums) {
            if crc32fast::hash(section).to_le_bytes() != sum {
                return Err(ParquetError::General("checksum does not match".to_owned()));
            }
            checked += section.len();
        }
        match checked == data.len() {
            true => Ok(data),
            false => Err(ParquetError::General("there are too few checksums".to_owned())),
        }
    }
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Checked {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let length = usize::try_from(self.bytes.saturating_sub(start)).unwrap_or(0);
        Ok(self.get_bytes(start, length)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.bytes);
        let end = end.ok_or_else(|| ParquetError::EOF("beyond the end of the file".to_owned()))?;
        let first = start / SECTION_BYTES as u64;
        let data = Bytes::from(self.sections(first, end)?);
        let from = usize::try_from(start - first * SECTION_BYTES as u64).unwrap_or(0);
        Ok(data.slice(from..from + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(count: usize) -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>, Vec<u8>) {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("file");
        let data: Vec<u8> = (0..count).map(|at| (at * 31 % 251) as u8).collect();
        let mut out = Summing::new(File::create(&path).expect("file"));
        for piece in data.chunks(7_001) {
            out.write_all(piece).expect("written");
        }
        let (_, bytes, sums) = out.finish();
        assert_eq!((bytes as usize, sums.len()), (count, count.div_ceil(SECTION_BYTES) * 4));
        (dir, path, data, sums)
    }

    #[test]
    fn any_stretch_is_read_as_it_was_written() {
        for count in [0, 1, SECTION_BYTES - 1, SECTION_BYTES, SECTION_BYTES + 1, 3 * SECTION_BYTES + 5] {
            let (_dir, path, data, sums) = written(count);
            let file = Checked::new(File::open(&path).expect("file"), count as u64, sums).expect("as long");
            for (start, end) in [(0, count), (count / 3, count / 2), (count / 2, count), (count, count)] {
                let found = file.get_bytes(start as u64, end - start).expect("read");
                assert_eq!(&found[..], &data[start..end], "{start} to {end} of {count}");
            }
            assert!(file.get_bytes(count as u64, 1).is_err(), "beyond the end");
        }
    }

    #[test]
    fn a_changed_byte_is_found_where_it_is_and_nowhere_else() {
        let count = 3 * SECTION_BYTES;
        let (_dir, path, mut data, sums) = written(count);
        data[SECTION_BYTES + 9] ^= 1;
        std::fs::write(&path, &data).expect("written");
        let file =
            Checked::new(File::open(&path).expect("file"), count as u64, sums.clone()).expect("as long");
        assert!(file.get_bytes(0, SECTION_BYTES).is_ok());
        assert!(file.get_bytes(2 * SECTION_BYTES as u64, 10).is_ok());
        let refused = file.get_bytes(SECTION_BYTES as u64 - 1, 2).expect_err("changed").to_string();
        assert!(refused.contains("checksum"), "{refused}");
        std::fs::write(&path, &data[..100]).expect("written");
        let cut = Checked::new(File::open(&path).expect("file"), count as u64, sums).expect_err("cut");
        assert_eq!(cut, "cut short");
    }
}
