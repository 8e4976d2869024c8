//! State as bytes: compact, deterministic, exact to the bit. Little-endian, fields in order, no names, no padding:
//! `bool` and the tag of `Option` are one byte (0 or 1), lengths are `u32`, numbers are their own bytes. So the
//! bytes of a state can be kept as a golden file.

use crate::Fault;

/// A value that can stand in a state. Derive it for structs of such values.
pub trait Pack: Sized {
    /// Appends the value.
    fn pack(&self, out: &mut Vec<u8>);
    /// Takes the value from the front.
    ///
    /// # Errors
    /// `Fault::State` when the bytes end early or cannot be this value.
    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault>;
}

/// Bytes being read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Unpacker<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Unpacker<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((head, rest)) = self.rest.split_first_chunk() else { return Err(self.short(N)) };
        self.rest = rest;
        Ok(*head)
    }

    fn slice(&mut self, bytes: usize) -> Result<&'a [u8], Fault> {
        let Some((head, rest)) = self.rest.split_at_checked(bytes) else { return Err(self.short(bytes)) };
        self.rest = rest;
        Ok(head)
    }

    /// The end.
    ///
    /// # Errors
    /// When bytes are left over.
    pub fn finish(self) -> Result<(), Fault> {
        match self.rest.len() {
            0 => Ok(()),
            over => Err(Fault::state(format!("{over} of {} bytes are left over", self.length))),
        }
    }

    fn short(&self, wanted: usize) -> Fault {
        let at = self.length - self.rest.len();
        Fault::state(format!("{} bytes end before the {wanted} wanted at byte {at}", self.length))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Pack for $number {
            #[inline]
            fn pack(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
                input.take().map(Self::from_le_bytes)
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

impl Pack for () {
    fn pack(&self, _: &mut Vec<u8>) {}

    fn unpack(_: &mut Unpacker<'_>) -> Result<Self, Fault> {
        Ok(())
    }
}

impl Pack for bool {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        match input.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::state(format!("{other} is neither 0 (no) nor 1 (yes)"))),
        }
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        if let Some(value) = self {
            value.pack(out);
        }
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        bool::unpack(input)?.then(|| T::unpack(input)).transpose()
    }
}

impl<T: Pack, const N: usize> Pack for [T; N] {
    fn pack(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.pack(out));
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        let values = (0..N).map(|_| T::unpack(input)).collect::<Result<Vec<T>, Fault>>()?;
        values.try_into().map_err(|_| Fault::state("an array of another length"))
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        length(self.len()).pack(out);
        self.iter().for_each(|value| value.pack(out));
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        // Grows as values are read: a wrong length must run into the end, not into the allocator.
        (0..u32::unpack(input)?).map(|_| T::unpack(input)).collect()
    }
}

impl Pack for String {
    fn pack(&self, out: &mut Vec<u8>) {
        length(self.len()).pack(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        let bytes = u32::unpack(input)? as usize;
        let text =
            str::from_utf8(input.slice(bytes)?).map_err(|_| Fault::state("a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        Ok((A::unpack(input)?, B::unpack(input)?))
    }
}

/// A length as four bytes. A state of 4 GiB does not fit into the memory of an instance to begin with.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Pack + PartialEq + std::fmt::Debug>(value: T, bytes: &[u8]) {
        let mut out = Vec::new();
        value.pack(&mut out);
        assert_eq!(out, bytes, "{value:?}");
        let mut input = Unpacker::new(bytes);
        assert_eq!(T::unpack(&mut input).expect("readable"), value);
        input.finish().expect("nothing left");
        if let Some((_, short)) = bytes.split_last() {
            assert!(T::unpack(&mut Unpacker::new(short)).is_err(), "{value:?} from too few bytes");
        }
    }

    #[test]
    fn every_type_has_its_bytes_and_comes_back() {
        check(0x0102_u16, &[2, 1]);
        check(-1_i32, &[255; 4]);
        check(-0.0_f64, &[0, 0, 0, 0, 0, 0, 0, 128]);
        check(Some(1.0_f64), &[1, 0, 0, 0, 0, 0, 0, 240, 63]);
        check(None::<f64>, &[0]);
        check([1_u8, 2], &[1, 2]);
        check(vec![7_u8], &[1, 0, 0, 0, 7]);
        check("ok".to_owned(), &[2, 0, 0, 0, b'o', b'k']);
        check((true, 5_u8), &[1, 5]);
    }

    #[test]
    fn nan_keeps_its_bits() {
        let odd = f64::from_bits(0x7ff8_0000_dead_beef);
        let mut out = Vec::new();
        odd.pack(&mut out);
        assert_eq!(f64::unpack(&mut Unpacker::new(&out)).expect("readable").to_bits(), odd.to_bits());
    }

    #[test]
    fn what_cannot_be_read_is_a_fault() {
        assert!(bool::unpack(&mut Unpacker::new(&[2])).is_err());
        assert!(Vec::<f64>::unpack(&mut Unpacker::new(&[255; 12])).is_err());
        assert!(String::unpack(&mut Unpacker::new(&[1, 0, 0, 0, 0xff])).is_err());
        assert!(Unpacker::new(&[0]).finish().is_err());
    }
}
