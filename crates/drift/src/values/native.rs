//! The numeric types that columns are kept in.

/// A numeric type that columns are kept in.
pub(crate) trait Native: Copy + PartialOrd + Send + Sync + 'static {
    /// Bytes of a value in a file.
    const BYTES: usize = size_of::<Self>();
    /// The value as statistics see it.
    fn to_f64(self) -> f64;
    /// Appends the value in little-endian order.
    fn put(self, bytes: &mut Vec<u8>);
    /// The value that [`Native::put`] wrote; `None` when there are not that many bytes.
    fn get(bytes: &[u8]) -> Option<Self>;
    /// The value of this type that is nearest to a finite number.
    fn nearest(number: f64) -> Self;
}

macro_rules! native {
    ($type:ty, $value:ident => $to_f64:expr, $number:ident => $nearest:expr) => {
        impl Native for $type {
            fn to_f64(self) -> f64 {
                let $value = self;
                $to_f64
            }

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }

            fn nearest($number: f64) -> Self {
                $nearest
            }
        }
    };
}

native!(f64, value => value, number => number);
native!(f32, value => f64::from(value), number => number as f32);
native!(i64, value => value as f64, number => number.round() as i64);
native!(u64, value => value as f64, number => number.round() as u64);
