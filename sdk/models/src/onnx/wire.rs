//! The encoding of ONNX files: protocol buffers. Reads one message's fields in order; never beyond its end.

use super::OnnxError;

/// What stands in a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A number of variable length.
    Varint(u64),
    /// Four bytes, a `float`.
    Four([u8; 4]),
    /// Eight bytes; ONNX has them in tensors of types that are not read here.
    Eight,
    /// Text, bytes, packed numbers, or another message.
    Bytes(Message<'a>),
}

/// A message: its bytes, and where they stand in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    /// Offset of the first of them in the file.
    at: usize,
}

impl<'a> Message<'a> {
    pub(crate) fn file(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn text(self) -> Result<String, OnnxError> {
        let text = std::str::from_utf8(self.bytes).map_err(|_| self.wrong("a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// Calls `visit` with number and value of each field.
    pub(crate) fn fields(
        self,
        mut visit: impl FnMut(u64, Value<'a>) -> Result<(), OnnxError>,
    ) -> Result<(), OnnxError> {
        let mut rest = self;
        while !rest.bytes.is_empty() {
            let key = rest.varint()?;
            let value = match key & 7 {
                0 => Value::Varint(rest.varint()?),
                1 => {
                    rest.take(8)?;
                    Value::Eight
                }
                2 => {
                    let length = rest.varint()?;
                    let length =
                        usize::try_from(length).map_err(|_| rest.wrong("a length beyond all memory"))?;
                    Value::Bytes(rest.take(length)?)
                }
                5 => {
                    let four = rest.take(4)?;
                    Value::Four(four.bytes.try_into().map_err(|_| rest.wrong("four bytes"))?)
                }
                other => {
                    return Err(rest.wrong(&format!("a field of wire type {other}, which no ONNX file has")));
                }
            };
            visit(key >> 3, value)?;
        }
        Ok(())
    }

    /// Packed numbers of variable length.
    pub(crate) fn varints(self) -> Result<Vec<u64>, OnnxError> {
        let (mut rest, mut numbers) = (self, Vec::new());
        while !rest.bytes.is_empty() {
            numbers.push(rest.varint()?);
        }
        Ok(numbers)
    }

    /// Numbers of four bytes, little-endian.
    pub(crate) fn floats(self) -> Result<Vec<f32>, OnnxError> {
        let (words, over) = self.bytes.as_chunks::<4>();
        if over.is_empty() {
            Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
        } else {
            Err(self.wrong(&format!("{} bytes are no whole number of floats", self.bytes.len())))
        }
    }

    /// Numbers of eight bytes, little-endian.
    pub(crate) fn integers(self) -> Result<Vec<i64>, OnnxError> {
        let (words, over) = self.bytes.as_chunks::<8>();
        if over.is_empty() {
            Ok(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
        } else {
            Err(self.wrong(&format!("{} bytes are no whole number of int64", self.bytes.len())))
        }
    }

    pub(crate) fn wrong(&self, reason: &str) -> OnnxError {
        OnnxError::File { at: self.at, reason: reason.to_owned() }
    }

    fn take(&mut self, length: usize) -> Result<Self, OnnxError> {
        let Some((head, rest)) = self.bytes.split_at_checked(length) else {
            return Err(self.wrong(&format!("{length} bytes are announced, {} are left", self.bytes.len())));
        };
        let taken = Self { bytes: head, at: self.at };
        *self = Self { bytes: rest, at: self.at + length };
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some((byte, rest)) = self.bytes.split_first() else {
                return Err(self.wrong("it ends within a number"));
            };
            *self = Self { bytes: rest, at: self.at + 1 };
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.wrong("a number of more than ten bytes"))
    }
}
