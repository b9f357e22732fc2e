//! Dictionaries: which of their entries are used, and how often.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray};
use arrow_schema::DataType;

/// The dictionary of each chunk with how often each entry is used.
pub(super) fn used<'a>(key: &DataType, chunks: &[&'a dyn Array]) -> Vec<(&'a ArrayRef, Vec<u64>)> {
    let mut used = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let counted = match key {
            DataType::Int8 => count_keys::<Int8Type>(*chunk),
            DataType::Int16 => count_keys::<Int16Type>(*chunk),
            DataType::Int32 => count_keys::<Int32Type>(*chunk),
            DataType::Int64 => count_keys::<Int64Type>(*chunk),
            DataType::UInt8 => count_keys::<UInt8Type>(*chunk),
            DataType::UInt16 => count_keys::<UInt16Type>(*chunk),
            DataType::UInt32 => count_keys::<UInt32Type>(*chunk),
            DataType::UInt64 => count_keys::<UInt64Type>(*chunk),
            _ => None,
        };
        used.extend(counted);
    }
    used
}

fn count_keys<K: ArrowDictionaryKeyType>(array: &dyn Array) -> Option<(&ArrayRef, Vec<u64>)> {
    let dictionary: &DictionaryArray<K> = array.as_dictionary_opt()?;
    let mut uses = vec![0; dictionary.values().len()];
    for index in dictionary.keys_iter().flatten() {
        if let Some(count) = uses.get_mut(index) {
            *count += 1;
        }
    }
    Some((dictionary.values(), uses))
}
