//! Any bytes as the Parquet body of a prediction: a table within its limits, or a refusal.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use trainyard_base::Budget;
use trainyard_data::{BodyLimits, read_parquet_body};

// Decoders panic on damaged data, which the reader answers with a refusal: the hook that ends the process at
// any panic goes. One that leaves the reader still ends it.
fuzz_target!(init: std::panic::set_hook(Box::new(|_panic| {})), |body: &[u8]| {
    let limits = BodyLimits { bytes_max: 64 << 20, rows_max: 100_000 };
    let budget = Budget::new(limits.bytes_max);
    let mut share = budget.take(0).expect("nothing");
    if let Ok(table) =
        read_parquet_body(&Bytes::copy_from_slice(body), |_name| true, limits, &mut share)
    {
        assert!(table.num_rows() <= limits.rows_max);
    }
});
