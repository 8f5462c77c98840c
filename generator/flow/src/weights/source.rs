//! A file read at offsets, where every request is held against the file's size before memory is set aside.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::error::WeightProblem;

/// A file of known length with a reading position.
pub struct Source {
    reader: BufReader<File>,
    length: u64,
    position: u64,
}

impl Source {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, WeightProblem> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { reader: BufReader::new(file), length, position: 0 })
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Where the next byte is read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes left after the position.
    pub fn rest(&self) -> u64 {
        self.length - self.position
    }

    /// Fails unless `count` bytes are left; `what` names them in the message.
    pub fn need(&self, count: u64, what: &str) -> Result<(), WeightProblem> {
        if count <= self.rest() {
            return Ok(());
        }
        let end = u128::from(self.position) + u128::from(count);
        Err(WeightProblem::Truncated { what: what.into(), start: self.position, end, length: self.length })
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64, what: &str) -> Result<Vec<u8>, WeightProblem> {
        self.need(count, what)?;
        let mut bytes = vec![0; count as usize];
        self.reader.read_exact(&mut bytes)?;
        self.position += count;
        Ok(bytes)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], WeightProblem> {
        self.need(N as u64, what)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// Skips `count` bytes.
    pub fn skip(&mut self, count: u64, what: &str) -> Result<(), WeightProblem> {
        self.need(count, what)?;
        let offset = i64::try_from(count).map_err(|_| WeightProblem::Damaged(format!("{what} is too long")))?;
        self.reader.seek_relative(offset)?;
        self.position += count;
        Ok(())
    }

    /// `count` bytes from `start`.
    pub fn bytes(&mut self, start: u64, count: u64, what: &str) -> Result<Vec<u8>, WeightProblem> {
        let end = u128::from(start) + u128::from(count);
        if end > u128::from(self.length) {
            return Err(WeightProblem::Truncated { what: what.into(), start, end, length: self.length });
        }
        self.reader.seek(SeekFrom::Start(start))?;
        self.position = start;
        self.take(count, what)
    }
}
