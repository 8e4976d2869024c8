//! The wire format of Protocol Buffers: fields out of bytes, and into them. Nothing is copied, nothing recursive.

use crate::Refusal;

/// One field as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Field<'a> {
    /// An integer or boolean.
    pub(crate) fn number(self) -> Result<u64, Refusal> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(Refusal::Malformed),
        }
    }

    /// Length-delimited bytes.
    pub(crate) fn bytes(self) -> Result<&'a [u8], Refusal> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Refusal::Malformed),
        }
    }

    /// Text, which must be UTF-8.
    pub(crate) fn text(self) -> Result<&'a str, Refusal> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Refusal::Malformed)
    }

    pub(crate) fn double(self) -> Result<f64, Refusal> {
        match self {
            Self::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(Refusal::Malformed),
        }
    }

    pub(crate) fn float(self) -> Result<f32, Refusal> {
        match self {
            Self::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(Refusal::Malformed),
        }
    }
}

/// Reads the fields of one message in their order.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field and its number; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Refusal> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Refusal::Malformed)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Refusal::Malformed)?;
                self.rest = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(self.fixed()?),
            // Groups are long gone from the format, and no Sparkplug payload has one.
            _ => return Err(Refusal::Malformed),
        };
        match key >> 3 {
            0 => Err(Refusal::Malformed),
            number => Ok(Some((number, field))),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Refusal::Malformed)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// At most ten bytes of seven bits each, the lowest first.
    fn varint(&mut self) -> Result<u64, Refusal> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Refusal::Malformed)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return Err(Refusal::Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Refusal::Malformed)
    }
}

/// Writes the fields of one message.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    pub(crate) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn float(&mut self, field: u64, number: f32) {
        self.varint(field << 3 | 5);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn double(&mut self, field: u64, number: f64) {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_go_both_ways() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut writer = Writer::default();
            writer.number(15, number);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.next(), Ok(Some((15, Field::Varint(number)))));
            assert_eq!(reader.next(), Ok(None));
        }
    }

    #[test]
    fn what_is_cut_too_long_or_no_field_is_refused() {
        let eleven = [[0x08].as_slice(), &[0xff; 10], &[0x01]].concat();
        let overflow = [[0x08].as_slice(), &[0xff; 9], &[0x02]].concat();
        let cases: [&[u8]; 8] = [
            &[0x08],
            &[0x08, 0x80],
            &eleven,
            &overflow,
            // Five bytes are announced, one is there; eight and four of a fixed field are not.
            &[0x12, 5, 1],
            &[0x09, 1, 2, 3],
            &[0x0d, 1, 2, 3],
            // Field number 0.
            &[0x00, 1],
        ];
        for bytes in cases {
            assert_eq!(Reader::new(bytes).next(), Err(Refusal::Malformed), "{bytes:?}");
        }
        for group in [0x0b, 0x0c, 0x0e, 0x0f] {
            assert_eq!(Reader::new(&[group, 0, 0]).next(), Err(Refusal::Malformed));
        }
    }
}
